//===- Archive.cpp - A file of torch.jit.save, mapped -*- C++ -*-===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Archive.h"

#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace evox::script;

constexpr size_t kLarge = 1 << 16;

/// The tensors that can stay in the file: attributes, not constants, which
/// LibTorch compares; and none, where code runs while the program is read, as that
/// may look at them, or where the file is another machine's.
std::map<uint64_t, size_t>
Archive::largeRecords(const std::shared_ptr<Archive> &archive) {
  std::map<uint64_t, size_t> found;
  caffe2::serialize::PyTorchStreamReader reader(archive);
  auto endsWith = [](const std::string &name, std::string_view end) {
    return name.size() >= end.size() &&
           name.compare(name.size() - end.size(), end.size(), end) == 0;
  };
  for (const std::string &name : reader.getAllRecords()) {
    if (endsWith(name, ".py") || name == "byteorder") {
      auto [data, size] = reader.getRecord(name);
      std::string_view text(static_cast<const char *>(data.get()), size);
      if (name == "byteorder" ? text != "little"
                              : text.find("__setstate__") != text.npos ||
                                    text.find("torch.classes") != text.npos)
        return {};
    }
    if (name.rfind("data/", 0) == 0 && reader.getRecordSize(name) >= kLarge)
      found.emplace(reader.getRecordOffset(name), reader.getRecordSize(name));
  }
  return found;
}

std::shared_ptr<Archive> Archive::open(const std::string &path) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return nullptr;
  struct stat status;
  void *data = MAP_FAILED;
  if (!fstat(file, &status) && S_ISREG(status.st_mode) && status.st_size > 0)
    data = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  ::close(file);
  if (data == MAP_FAILED)
    return nullptr;
  std::shared_ptr<Archive> archive(
      new Archive(static_cast<const char *>(data), status.st_size));
  archive->large = largeRecords(archive);
  return archive;
}

Archive::~Archive() { munmap(const_cast<char *>(data), bytes); }

size_t Archive::read(uint64_t at, void *to, size_t n, const char *) const {
  if (at >= bytes)
    return 0;
  n = std::min(n, size_t(bytes - at));
  const char *memory = static_cast<const char *>(to);
  // Memory that was given back may come again for another record.
  auto old = unreads.lower_bound(memory);
  while (old != unreads.end() && old->first < memory + n)
    old = unreads.erase(old);
  if (auto record = large.find(at); record != large.end() && record->second == n)
    unreads[memory] = {at, n};
  else
    std::memcpy(to, data + at, n);
  return n;
}

const char *Archive::unread(const c10::Storage &storage) const {
  auto found = unreads.find(static_cast<const char *>(storage.data()));
  bool is = found != unreads.end() && found->second.n == storage.nbytes();
  return is ? data + found->second.at : nullptr;
}

void Archive::load(const c10::Storage &storage) const {
  auto found = unreads.find(static_cast<const char *>(storage.data()));
  std::memcpy(storage.mutable_data(), data + found->second.at, found->second.n);
  unreads.erase(found);
}
