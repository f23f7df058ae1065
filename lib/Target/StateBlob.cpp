//===- StateBlob.cpp - The initial values in a library --------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Initial values are written once, straight into the output: neither LLVM, the
// assembler nor the linker sees them. Code is generated and linked with a
// section in their place that has a size and an address but no bytes; then they
// are appended to the file, and the headers are told where.
//
//===----------------------------------------------------------------------===//

#include "evox/Target/StateBlob.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Object/ELF.h"
#include "llvm/Object/ELFTypes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"
#include <cstring>

using namespace mlir;
using namespace evox;

constexpr int64_t kAlignment = 64;

//===-- the values --------------------------------------------------------===//

/// The elements as PyTorch keeps them: row-major, a bool is a byte. A value that
/// cannot be had is without bytes, which `check` tells.
StateBlob::Piece StateBlob::read(ElementsAttr value) {
  int64_t width = (value.getElementType().getIntOrFloatBitWidth() + 7) / 8;
  int64_t count = value.getNumElements();
  Piece piece;
  piece.value = value;
  piece.size = count * width;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    if (AsmResourceBlob *data = resource.getRawHandle().getBlob())
      piece.bytes = data->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (dense.getElementType().isInteger(1)) {
      std::vector<char> &bools = expanded.emplace_back();
      if (dense.isSplat())
        bools.push_back(dense.getSplatValue<bool>());
      else
        for (bool element : dense.getValues<bool>())
          bools.push_back(element);
      piece.bytes = bools;
    } else {
      piece.bytes = dense.getRawData();
    }
    if (dense.isSplat())
      piece.times = count;
  }
  // Where a value equals itself an element further on, it is one element again
  // and again.
  if (piece.times == 1 && count > 1 && piece.isComplete() &&
      !std::memcmp(piece.bytes.data(), piece.bytes.data() + width,
                   piece.size - width)) {
    piece.bytes = piece.bytes.take_front(width);
    piece.times = count;
  }
  return piece;
}

int64_t StateBlob::append(Piece piece) {
  piece.offset = end;
  end += llvm::alignTo(piece.size, kAlignment);
  pieces.push_back(piece);
  return piece.offset;
}

/// Of the first bytes: values are compared as a whole where this is equal.
static uint64_t digest(ArrayRef<char> bytes) {
  auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  return llvm::xxh3_64bits(
      ArrayRef(data, std::min<size_t>(bytes.size(), 1024)));
}

StateBlob::Place StateBlob::add(ElementsAttr value, bool spelledOut) {
  Piece piece = read(value);
  Place place;
  if (!piece.isComplete()) {
    place.offset = append(piece);
    return place;
  }
  // Zeros are one element again and again, or few.
  bool isShort = piece.times > 1 || piece.size <= kAlignment;
  if (isShort && llvm::all_of(piece.bytes, [](char c) { return c == 0; }))
    return place;
  if (!spelledOut && piece.times > 1 && piece.size > kAlignment) {
    place.fill = piece.size = piece.bytes.size();
    piece.times = 1;
  }
  SmallVectorImpl<size_t> &alike = piecesOf[digest(piece.bytes)];
  for (size_t i : alike)
    if (pieces[i].times == piece.times && pieces[i].bytes == piece.bytes) {
      place.offset = pieces[i].offset;
      return place;
    }
  alike.push_back(pieces.size());
  place.offset = append(piece);
  return place;
}

StateBlob::Place StateBlob::addAll(ArrayRef<ElementsAttr> values) {
  Place place;
  place.offset = end;
  for (ElementsAttr value : values)
    append(read(value));
  return place;
}

LogicalResult StateBlob::check() const {
  for (const Piece &piece : pieces) {
    if (piece.isComplete())
      continue;
    auto resource = dyn_cast<DenseResourceElementsAttr>(piece.value);
    InFlightDiagnostic diag =
        emitError(UnknownLoc::get(piece.value.getContext()));
    if (!resource)
      return diag << "an initial value must be dense";
    StringRef key = resource.getRawHandle().getKey();
    if (!resource.getRawHandle().getBlob())
      return diag << "the initial value '" << key
                  << "' is missing: the file has no such resource";
    return diag << "the initial value '" << key << "' has "
                << piece.bytes.size() << " bytes; its type "
                << piece.value.getShapedType() << " takes " << piece.size;
  }
  return success();
}

void StateBlob::write(raw_ostream &os) const {
  for (const Piece &piece : pieces) {
    // What is there again and again is written many at a time.
    int64_t many = std::min<int64_t>(piece.times, 4096);
    std::vector<char> repeated;
    for (int64_t i = 0; many > 1 && i < many; ++i)
      llvm::append_range(repeated, piece.bytes);
    const char *data = many > 1 ? repeated.data() : piece.bytes.data();
    for (int64_t left = piece.times; left > 0; left -= many)
      os.write(data, piece.bytes.size() * std::min(left, many));
    os.write_zeros(llvm::alignTo(piece.size, kAlignment) - piece.size);
  }
}

//===-- the section -------------------------------------------------------===//

std::string evox::makeBlobAssembly(int64_t size) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << ".section " << kBlobSection << ",\"a\",@nobits\n.p2align 6\n.globl "
     << kBlobSymbol << "\n.hidden " << kBlobSymbol << "\n.type " << kBlobSymbol
     << ",@object\n"
     << kBlobSymbol << ":\n.zero " << size << "\n.size " << kBlobSymbol << ", "
     << size << "\n.text\n";
  return text;
}

/// What is const here lies in memory that may be written.
template <typename T> static T &writable(const T &header) {
  return const_cast<T &>(header);
}

llvm::Expected<int64_t> evox::placeBlob(llvm::MutableArrayRef<char> file) {
  using ELF = llvm::object::ELF64LE;
  auto elf = llvm::object::ELFFile<ELF>::create(
      StringRef(file.data(), file.size()));
  if (!elf)
    return elf.takeError();
  auto sections = elf->sections();
  if (!sections)
    return sections.takeError();
  for (const ELF::Shdr &section : *sections) {
    llvm::Expected<StringRef> name = elf->getSectionName(section);
    if (!name)
      return name.takeError();
    if (*name != kBlobSection)
      continue;
    // The segment that the section is in is its own; an object has none.
    auto segments = elf->program_headers();
    if (!segments)
      return segments.takeError();
    uint64_t alignment = section.sh_addralign;
    const ELF::Phdr *segment = nullptr;
    for (const ELF::Phdr &header : *segments)
      if (header.p_type == llvm::ELF::PT_LOAD &&
          header.p_vaddr == section.sh_addr &&
          header.p_memsz == section.sh_size)
        segment = &header;
    if (segment)
      alignment = std::max<uint64_t>(alignment, segment->p_align);
    else if (elf->getHeader().e_type != llvm::ELF::ET_REL)
      return llvm::createStringError("the linker has given the initial state "
                                     "no segment of its own");
    uint64_t offset = llvm::alignTo(file.size(), alignment);
    if (segment) {
      writable(*segment).p_offset = offset;
      writable(*segment).p_filesz = uint64_t(segment->p_memsz);
    }
    writable(section).sh_type = llvm::ELF::SHT_PROGBITS;
    writable(section).sh_offset = offset;
    return offset - file.size();
  }
  return llvm::createStringError("the linker has dropped the initial state");
}

llvm::Error evox::appendBlob(StringRef path, const StateBlob &blob) {
  int64_t gap;
  {
    auto file = llvm::WriteThroughMemoryBuffer::getFile(path);
    if (!file)
      return llvm::createStringError(path + ": " + file.getError().message());
    llvm::Expected<int64_t> found = placeBlob((*file)->getBuffer());
    if (!found)
      return found.takeError();
    gap = *found;
  }
  std::error_code error;
  llvm::raw_fd_ostream os(path, error, llvm::sys::fs::CD_OpenExisting,
                          llvm::sys::fs::FA_Write, llvm::sys::fs::OF_Append);
  if (!error) {
    os.write_zeros(gap);
    blob.write(os);
    os.close();
    error = os.error();
    os.clear_error();
  }
  if (error)
    return llvm::createStringError("the initial state, " + llvm::Twine(blob.size()) +
                                   " bytes, cannot be written: " + error.message());
  return llvm::Error::success();
}
