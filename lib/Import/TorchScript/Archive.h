//===- Archive.h - A file of torch.jit.save, mapped -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef EVOX_LIB_IMPORT_TORCHSCRIPT_ARCHIVE_H
#define EVOX_LIB_IMPORT_TORCHSCRIPT_ARCHIVE_H

#include <c10/core/Storage.h>
#include <caffe2/serialize/read_adapter_interface.h>

#include <map>
#include <memory>
#include <string>

namespace evox::script {

/// What LibTorch reads a program from. A program may have gigabytes of tensors,
/// of which nobody looks at the elements before they are written to the output:
/// large ones stay in the file. LibTorch gets memory for them that it believes to
/// have read and that costs nothing, as nothing touches it.
class Archive : public caffe2::serialize::ReadAdapterInterface {
public:
  /// Null where the file cannot be mapped.
  static std::shared_ptr<Archive> open(const std::string &path);
  ~Archive() override;

  size_t size() const override { return bytes; }
  size_t read(uint64_t at, void *to, size_t n, const char *what) const override;

  /// What the storage holds, if that is still in the file only; else null.
  const char *unread(const c10::Storage &storage) const;
  /// Reads it, for who needs its elements after all.
  void load(const c10::Storage &storage) const;

private:
  Archive(const char *data, size_t bytes) : data(data), bytes(bytes) {}
  static std::map<uint64_t, size_t>
  largeRecords(const std::shared_ptr<Archive> &archive);

  const char *data;
  size_t bytes;
  std::map<uint64_t, size_t> large; ///< of tensors: where, and their sizes
  struct Unread {
    uint64_t at;
    size_t n;
  };
  mutable std::map<const char *, Unread> unreads; ///< by the memory meant for them
};

} // namespace evox::script

#endif // EVOX_LIB_IMPORT_TORCHSCRIPT_ARCHIVE_H
