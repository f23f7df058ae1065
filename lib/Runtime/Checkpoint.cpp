//===- Checkpoint.cpp - The state as a safetensors file -------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every parameter and mutable tensor is saved under its state_dict name, the
// elements of a list as NAME.0, NAME.1, ..., the generator as its bytes (see
// Generator.h). The metadata holds the program's hash, the phase, the lengths
// of the lists, and a checksum: XXH64, seed 0, of the whole file after the
// first 8 bytes, with the checksum's own 16 digits as zeros.
//
// A load checks all of it before it touches the state.
//
//===----------------------------------------------------------------------===//

#include "Json.h"
#include "Runtime.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <sys/stat.h>
#include <unistd.h>

using namespace evox::rt;

//===-- XXH64 (Y. Collet) -------------------------------------------------===//

namespace {

constexpr uint64_t kP1 = 0x9E3779B185EBCA87u, kP2 = 0xC2B2AE3D27D4EB4Fu,
                   kP3 = 0x165667B19E3779F9u, kP4 = 0x85EBCA77C2B2AE63u,
                   kP5 = 0x27D4EB2F165667C5u;

uint64_t rotate(uint64_t x, int n) { return x << n | x >> (64 - n); }

struct Hash {
  uint64_t lanes[4] = {kP1 + kP2, kP2, 0, 0 - kP1};
  uint64_t length = 0;
  unsigned char rest[32];
  size_t nRest = 0;

  void block(const unsigned char *p) {
    for (int i = 0; i < 4; ++i) {
      uint64_t word;
      std::memcpy(&word, p + 8 * i, 8);
      lanes[i] = rotate(lanes[i] + word * kP2, 31) * kP1;
    }
  }

  void add(const void *data, size_t n) {
    const unsigned char *p = static_cast<const unsigned char *>(data);
    length += n;
    if (nRest) {
      size_t some = 32 - nRest < n ? 32 - nRest : n;
      std::memcpy(rest + nRest, p, some);
      nRest += some;
      p += some;
      n -= some;
      if (nRest < 32)
        return;
      block(rest);
      nRest = 0;
    }
    for (; n >= 32; p += 32, n -= 32)
      block(p);
    if (n)
      std::memcpy(rest, p, n);
    nRest = n;
  }

  uint64_t finish() const {
    uint64_t h = kP5;
    if (length >= 32) {
      h = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) +
          rotate(lanes[3], 18);
      for (uint64_t lane : lanes)
        h = (h ^ rotate(lane * kP2, 31) * kP1) * kP1 + kP4;
    }
    h += length;
    size_t i = 0;
    for (; i + 8 <= nRest; i += 8) {
      uint64_t word;
      std::memcpy(&word, rest + i, 8);
      h = rotate(h ^ rotate(word * kP2, 31) * kP1, 27) * kP1 + kP4;
    }
    if (i + 4 <= nRest) {
      uint32_t word;
      std::memcpy(&word, rest + i, 4);
      h = rotate(h ^ word * kP1, 23) * kP2 + kP3;
      i += 4;
    }
    for (; i < nRest; ++i)
      h = rotate(h ^ rest[i] * kP5, 11) * kP1;
    h = (h ^ h >> 33) * kP2;
    h = (h ^ h >> 29) * kP3;
    return h ^ h >> 32;
  }
};

constexpr char kZeros[] = "0000000000000000";
constexpr char kFormat[] = "evox-mlir 1";

const char *safeName(int32_t dtype) {
  switch (dtype) {
  case EVOX_UINT8:
    return "U8";
  case EVOX_INT8:
    return "I8";
  case EVOX_INT16:
    return "I16";
  case EVOX_INT32:
    return "I32";
  case EVOX_INT64:
    return "I64";
  case EVOX_FLOAT16:
    return "F16";
  case EVOX_FLOAT32:
    return "F32";
  case EVOX_FLOAT64:
    return "F64";
  case EVOX_BFLOAT16:
    return "BF16";
  case EVOX_BOOL:
    return "BOOL";
  case EVOX_COMPLEX64:
    return "C64";
  default:
    return "C128";
  }
}

int32_t dtypeOf(const char *name) {
  for (int32_t dtype :
       {EVOX_UINT8, EVOX_INT8, EVOX_INT16, EVOX_INT32, EVOX_INT64, EVOX_FLOAT16,
        EVOX_FLOAT32, EVOX_FLOAT64, EVOX_BFLOAT16, EVOX_BOOL, EVOX_COMPLEX64,
        EVOX_COMPLEX128})
    if (std::strcmp(safeName(dtype), name) == 0)
      return dtype;
  return -1;
}

// Calls visit(name, index or -1, view) for everything that is saved.
template <typename F> void forEachSaved(evox_instance *instance, F visit) {
  const evox_program *program = instance->program;
  for (int32_t i = 0; i < program->n_slots; ++i) {
    const evox_slot_desc &slot = program->slots[i];
    if (slot.slot == EVOX_SLOT_TENSOR && slot.kind != EVOX_KIND_CONSTANT)
      visit(slot.name, int64_t(-1), instance->slots[i]);
    if (slot.slot == EVOX_SLOT_LIST)
      for (int64_t j = 0; j < instance->lists[i].size; ++j)
        visit(slot.name, j, instance->lists[i].items[j]);
  }
  evox_view view = {};
  view.dtype = EVOX_UINT8;
  view.rank = 1;
  view.shape[0] = instance->generator.stateBytes();
  view.strides[0] = 1;
  view.data = instance->generatorBytes;
  visit(generatorName(program), int64_t(-1), view);
}

// Widest elements first, so that each is aligned in the file.
template <typename F> void forEachInOrder(evox_instance *instance, F visit) {
  for (int64_t size : {16, 8, 4, 2, 1})
    forEachSaved(instance,
                 [&](const char *name, int64_t index, const evox_view &view) {
                   if (sizeOf(view.dtype) == size)
                     visit(name, index, view);
                 });
}

//===-- save --------------------------------------------------------------===//

void addField(Buffer &header, const char *key, const char *value) {
  header.addString(key);
  header.add(":");
  header.addString(value);
  header.add(",");
}

void makeHeader(evox_instance *instance, Buffer &header) {
  const evox_program *program = instance->program;
  char phase[16];
  snprintf(phase, sizeof phase, "%d", instance->phase);
  header.add("{\"__metadata__\":{");
  addField(header, "format", kFormat);
  addField(header, "program", program->hash);
  addField(header, "program_name", program->name);
  addField(header, "phase", phase);
  for (int32_t i = 0; i < program->n_slots; ++i) {
    if (program->slots[i].slot != EVOX_SLOT_LIST)
      continue;
    header.add("\"size of ");
    header.addEscaped(program->slots[i].name);
    header.add("\":\"");
    header.addInteger(instance->lists[i].size);
    header.add("\",");
  }
  header.add("\"checksum\":\"");
  header.add(kZeros);
  header.add("\"}");
  int64_t at = 0;
  forEachInOrder(instance,
                 [&](const char *name, int64_t index, const evox_view &view) {
                   header.add(",\"");
                   header.addEscaped(name);
                   if (index >= 0) {
                     header.add(".");
                     header.addInteger(index);
                   }
                   header.add("\":{\"dtype\":\"");
                   header.add(safeName(view.dtype));
                   header.add("\",\"shape\":[");
                   for (int32_t d = 0; d < view.rank; ++d) {
                     if (d)
                       header.add(",");
                     header.addInteger(view.shape[d]);
                   }
                   header.add("],\"data_offsets\":[");
                   header.addInteger(at);
                   header.add(",");
                   at += bytesOf(view);
                   header.addInteger(at);
                   header.add("]}");
                 });
  header.add("}");
  while (header.size % 8 && !header.failed)
    header.add(" ");
}

bool writeAll(int file, const void *data, size_t n) {
  const char *at = static_cast<const char *>(data);
  while (n) {
    ssize_t done = write(file, at, n < (1u << 30) ? n : 1u << 30);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return false;
    at += done;
    n -= size_t(done);
  }
  return true;
}

bool writeFile(evox_instance *instance, int file, const Buffer &header) {
  unsigned char size[8];
  for (int i = 0; i < 8; ++i)
    size[i] = static_cast<unsigned char>(uint64_t(header.size) >> 8 * i);
  bool good =
      writeAll(file, size, 8) && writeAll(file, header.data, header.size);
  forEachInOrder(instance, [&](const char *, int64_t, const evox_view &view) {
    good = good && writeAll(file, view.data, size_t(bytesOf(view)));
  });
  return good && fsync(file) == 0;
}

// A new file in the same folder as `path`; -1 and errno where there can't be
// one.
int openTemporary(const char *path, Buffer &name) {
  for (int i = 0; i < 100; ++i) {
    name.size = 0;
    name.add(path);
    name.add(".tmp-");
    name.addInteger(getpid());
    name.add("-");
    name.addInteger(i);
    if (name.failed) {
      errno = ENOMEM;
      return -1;
    }
    int file = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0 || errno != EEXIST)
      return file;
  }
  return -1;
}

// The rename is only sure to be on the disk once the folder is.
bool syncFolder(const char *path, Buffer &name) {
  const char *slash = std::strrchr(path, '/');
  name.size = 0;
  if (slash)
    name.add(path, slash == path ? 1 : size_t(slash - path));
  else
    name.add(".");
  if (name.failed)
    return true;
  int folder = open(name.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return errno == EACCES; // writable, not readable: nothing to be done
  bool good = fsync(folder) == 0 || errno == EINVAL || errno == EROFS;
  int kept = errno;
  close(folder);
  errno = kept;
  return good;
}

} // namespace

evox_status evox::rt::saveState(evox_instance *instance, const char *path) {
  if (evox_status status = checkWhole(instance))
    return status;
  if (!path || !*path)
    return error(instance, EVOX_ERROR_ARGUMENT, "save: the path is empty");
  instance->generator.getState(instance->generatorBytes);
  Buffer header = {}, name = {};
  makeHeader(instance, header);
  if (header.failed) {
    header.release();
    return error(instance, EVOX_ERROR_MEMORY, "save: out of memory");
  }
  Hash hash;
  hash.add(header.data, header.size);
  forEachInOrder(instance, [&](const char *, int64_t, const evox_view &view) {
    hash.add(view.data, size_t(bytesOf(view)));
  });
  char digits[17];
  snprintf(digits, sizeof digits, "%016llx",
           static_cast<unsigned long long>(hash.finish()));
  std::memcpy(std::strstr(header.data, "\"checksum\":\"") + 12, digits, 16);

  evox_status status = EVOX_OK;
  int file = openTemporary(path, name);
  if (file < 0) {
    status =
        error(instance, EVOX_ERROR_IO, "save: cannot write '%s': %m", path);
  } else {
    bool good = writeFile(instance, file, header);
    int kept = errno;
    if (close(file) != 0 && good) {
      good = false;
      kept = errno;
    }
    if (good && rename(name.data, path) != 0) {
      good = false;
      kept = errno;
    }
    if (!good) {
      unlink(name.data);
      errno = kept;
      status =
          error(instance, EVOX_ERROR_IO, "save: cannot write '%s': %m", path);
    } else if (!syncFolder(path, name)) {
      status = error(instance, EVOX_ERROR_IO,
                     "save: '%s' is written, but its folder could not be "
                     "synced: %m",
                     path);
    }
  }
  header.release();
  name.release();
  return status;
}

//===-- load --------------------------------------------------------------===//

namespace {

struct Saved {
  const char *name;
  int32_t dtype, rank;
  int64_t shape[EVOX_MAX_RANK];
  int64_t from, to;
  bool used;
};

struct Metadata {
  char format[32], program[256], name[256], phase[16], checksum[24];
  int64_t checksumAt; // in the header
};

struct Load {
  const char *path;
  int file;
  int64_t size;
  // --- what was read
  unsigned char *bytes;
  char *header;
  int64_t headerSize;
  Metadata metadata;
  Saved *saved;
  int64_t nSaved;
  int64_t next; // where the search for a name begins
  int64_t *listSizes;
};

[[noreturn]] void notSafetensors(evox_instance *instance, const Load &load,
                                 const char *why) {
  fail(instance, EVOX_ERROR_CHECKPOINT, "'%s' is not a safetensors file: %s",
       load.path, why);
}

void readFile(evox_instance *instance, Load &load) {
  load.bytes = static_cast<unsigned char *>(
      evox_rt_alloc(contextOf(instance), load.size + 1));
  for (int64_t done = 0; done < load.size;) {
    ssize_t n =
        read(load.file, load.bytes + done,
             size_t(load.size - done < (1 << 30) ? load.size - done : 1 << 30));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      fail(instance, EVOX_ERROR_IO, "cannot read '%s': %m", load.path);
    if (n == 0)
      fail(instance, EVOX_ERROR_IO, "'%s' shrank while it was read", load.path);
    done += n;
  }
  if (load.size < 8)
    notSafetensors(instance, load, "it has fewer than 8 bytes");
  uint64_t size = 0;
  for (int i = 8; i-- > 0;)
    size = size << 8 | load.bytes[i];
  load.header = reinterpret_cast<char *>(load.bytes + 8);
  // A text that starts as a header does but is cut is a truncated file.
  bool begins = load.size > 8 ? load.header[0] == '{' : true;
  if (!begins || size < 2 || size > uint64_t(1) << 40)
    notSafetensors(instance, load, "it does not start with a header");
  if (size > uint64_t(load.size - 8))
    fail(instance, EVOX_ERROR_CHECKPOINT,
         "'%s' is truncated: its header should have %llu bytes, %lld are "
         "there",
         load.path, static_cast<unsigned long long>(size),
         static_cast<long long>(load.size - 8));
  load.headerSize = int64_t(size);
}

bool parseMetadata(JsonReader &json, Load &load, bool counting,
                   evox_instance *instance) {
  if (!json.take('{'))
    return false;
  if (json.take('}'))
    return true;
  const evox_program *program = instance->program;
  do {
    char key[512], value[512];
    if (!json.string(key, sizeof key) || !json.take(':') || !json.peek('"'))
      return false;
    const char *at = json.at + 1;
    if (!json.string(value, sizeof value))
      return false;
    if (counting)
      continue;
    struct Field {
      const char *key;
      char *to;
      size_t room;
    } fields[] = {
        {"format", load.metadata.format, sizeof load.metadata.format},
        {"program", load.metadata.program, sizeof load.metadata.program},
        {"program_name", load.metadata.name, sizeof load.metadata.name},
        {"phase", load.metadata.phase, sizeof load.metadata.phase},
        {"checksum", load.metadata.checksum, sizeof load.metadata.checksum},
    };
    for (const Field &field : fields)
      if (std::strcmp(key, field.key) == 0)
        snprintf(field.to, field.room, "%s", value);
    if (std::strcmp(key, "checksum") == 0)
      load.metadata.checksumAt = at - load.header;
    if (std::strncmp(key, "size of ", 8) == 0)
      for (int32_t i = 0; i < program->n_slots; ++i)
        if (program->slots[i].slot == EVOX_SLOT_LIST &&
            std::strcmp(program->slots[i].name, key + 8) == 0)
          load.listSizes[i] = std::atoll(value);
  } while (json.take(','));
  return json.take('}');
}

bool parseTensor(JsonReader &json, Saved &saved) {
  saved.dtype = -1;
  saved.rank = -1;
  saved.from = saved.to = -1;
  if (!json.take('{'))
    return false;
  do {
    char key[32], dtype[16];
    if (!json.string(key, sizeof key) || !json.take(':'))
      return false;
    if (std::strcmp(key, "dtype") == 0) {
      if (!json.string(dtype, sizeof dtype))
        return false;
      saved.dtype = dtypeOf(dtype);
    } else if (std::strcmp(key, "shape") == 0) {
      if (!json.take('['))
        return false;
      saved.rank = 0;
      if (json.take(']'))
        continue;
      do {
        if (saved.rank == EVOX_MAX_RANK ||
            !json.integer(saved.shape[saved.rank++]))
          return false;
      } while (json.take(','));
      if (!json.take(']'))
        return false;
    } else if (std::strcmp(key, "data_offsets") == 0) {
      if (!json.take('[') || !json.integer(saved.from) || !json.take(',') ||
          !json.integer(saved.to) || !json.take(']'))
        return false;
    } else if (!json.skip()) {
      return false;
    }
  } while (json.take(','));
  return json.take('}') && saved.rank >= 0 && saved.from >= 0 &&
         saved.to >= saved.from;
}

// Twice: to count, then to fill. `names` has room for all of the header.
bool parseHeader(Load &load, bool counting, char *names,
                 evox_instance *instance) {
  JsonReader json = {load.header, load.header + load.headerSize};
  load.nSaved = 0;
  if (!json.take('{'))
    return false;
  if (json.take('}'))
    return json.atEnd();
  do {
    json.peek('"');
    const char *start = json.at;
    char key[16];
    if (!json.string(key, sizeof key))
      return false;
    if (std::strcmp(key, "__metadata__") == 0) {
      if (!json.take(':') || !parseMetadata(json, load, counting, instance))
        return false;
      continue;
    }
    Saved ignored;
    Saved &saved = counting ? ignored : load.saved[load.nSaved];
    if (!counting) {
      size_t room = size_t(json.at - start);
      json.at = start;
      json.string(names, room);
      saved.name = names;
      saved.used = false;
      names += std::strlen(names) + 1;
    }
    ++load.nSaved;
    if (!json.take(':') || !parseTensor(json, saved))
      return false;
  } while (json.take(','));
  return json.take('}') && json.atEnd();
}

void verifyFile(evox_instance *instance, Load &load) {
  evox_ctx *ctx = contextOf(instance);
  const evox_program *program = instance->program;
  load.listSizes = static_cast<int64_t *>(
      evox_rt_alloc(ctx, program->n_slots * int64_t(sizeof(int64_t))));
  for (int32_t i = 0; i < program->n_slots; ++i)
    load.listSizes[i] = -1;
  if (!parseHeader(load, true, nullptr, instance))
    notSafetensors(instance, load, "its header is malformed");
  load.saved = static_cast<Saved *>(
      evox_rt_alloc(ctx, load.nSaved * int64_t(sizeof(Saved))));
  char *names = static_cast<char *>(evox_rt_alloc(ctx, load.headerSize + 1));
  parseHeader(load, false, names, instance);

  int64_t data = load.size - 8 - load.headerSize, end = 0;
  for (int64_t i = 0; i < load.nSaved; ++i)
    end = load.saved[i].to > end ? load.saved[i].to : end;
  if (end > data)
    fail(instance, EVOX_ERROR_CHECKPOINT,
         "'%s' is truncated: it should have %lld bytes of data, %lld are "
         "there",
         load.path, static_cast<long long>(end), static_cast<long long>(data));
  const Metadata &metadata = load.metadata;
  if (std::strcmp(metadata.format, kFormat) != 0)
    fail(instance, EVOX_ERROR_CHECKPOINT,
         "'%s' is a safetensors file, but not a checkpoint of format '%s'",
         load.path, kFormat);

  bool good = std::strlen(metadata.checksum) == 16;
  if (good) {
    Hash hash;
    hash.add(load.header, size_t(metadata.checksumAt));
    hash.add(kZeros, 16);
    int64_t after = metadata.checksumAt + 16;
    hash.add(load.header + after, size_t(load.size - 8 - after));
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx",
             static_cast<unsigned long long>(hash.finish()));
    good = std::strcmp(digits, metadata.checksum) == 0;
  }
  if (!good)
    fail(instance, EVOX_ERROR_CHECKPOINT,
         "'%s' was altered or damaged: its checksum does not match", load.path);
  if (std::strcmp(metadata.program, program->hash) != 0)
    fail(instance, EVOX_ERROR_CHECKPOINT,
         "'%s' is of another program: '%s' (%s), and this is '%s' (%s)",
         load.path, metadata.name, metadata.program, program->name,
         program->hash);
}

Saved *findSaved(Load &load, const char *name) {
  for (int64_t i = 0; i < load.nSaved; ++i) {
    int64_t at = load.next + i;
    at = at >= load.nSaved ? at - load.nSaved : at;
    if (std::strcmp(load.saved[at].name, name) == 0) {
      load.next = at + 1 == load.nSaved ? 0 : at + 1;
      return &load.saved[at];
    }
  }
  return nullptr;
}

// A new tensor with the saved value; `type` null: any.
evox_view readTensor(evox_instance *instance, Load &load, const char *name,
                     const evox_type *type) {
  Saved *saved = findSaved(load, name);
  if (!saved)
    fail(instance, EVOX_ERROR_CHECKPOINT, "'%s' has no '%s'", load.path, name);
  saved->used = true;
  evox_view view = {};
  view.dtype = saved->dtype;
  view.rank = saved->rank;
  std::memcpy(view.shape, saved->shape, sizeof view.shape);
  view.data = load.header + load.headerSize + saved->from;
  if (whyInvalid(view) || bytesOf(view) != saved->to - saved->from)
    notSafetensors(instance, load, "a tensor has not the size it should have");
  if (type && !matches(*type, view)) {
    Text expected, got;
    describe(expected, *type);
    describe(got, view);
    fail(instance, EVOX_ERROR_CHECKPOINT, "'%s': '%s': expected %s, got %s",
         load.path, name, expected.data, got.data);
  }
  setContiguous(view);
  void *data = evox_rt_alloc(contextOf(instance), bytesOf(view));
  copyElements(data, view);
  view.data = data;
  return view;
}

void loadBody(evox_instance *instance, void *arg) {
  Load &load = *static_cast<Load *>(arg);
  evox_ctx *ctx = contextOf(instance);
  const evox_program *program = instance->program;
  readFile(instance, load);
  verifyFile(instance, load);
  char *end = nullptr;
  long phase = std::strtol(load.metadata.phase, &end, 10);
  if (!*load.metadata.phase || *end || phase < 0 || phase >= program->n_phases)
    fail(instance, EVOX_ERROR_CHECKPOINT, "'%s' is in phase '%s', of %d",
         load.path, load.metadata.phase, program->n_phases);

  NewState state = newState(instance);
  initialState(instance, state); // for the constants
  for (int32_t i = 0; i < program->n_slots; ++i) {
    const evox_slot_desc &slot = program->slots[i];
    if (slot.slot == EVOX_SLOT_TENSOR && slot.kind != EVOX_KIND_CONSTANT)
      state.slots[i] = readTensor(instance, load, slot.name,
                                  &program->phases[phase].slots[i]);
    if (slot.slot != EVOX_SLOT_LIST)
      continue;
    int64_t n = load.listSizes[i];
    if (n < 0 || n > load.nSaved)
      fail(instance, EVOX_ERROR_CHECKPOINT, "'%s' does not have the list '%s'",
           load.path, slot.name);
    state.sizes[i] = n;
    state.lists[i] = static_cast<evox_view *>(
        evox_rt_alloc(ctx, n * int64_t(sizeof(evox_view))));
    size_t room = std::strlen(slot.name) + 24;
    char *name = static_cast<char *>(evox_rt_alloc(ctx, int64_t(room)));
    for (int64_t j = 0; j < n; ++j) {
      snprintf(name, room, "%s.%lld", slot.name, static_cast<long long>(j));
      state.lists[i][j] = readTensor(instance, load, name, nullptr);
    }
  }
  evox_type type = {};
  type.dtype = EVOX_UINT8;
  type.rank = 1;
  type.shape[0] = instance->generator.stateBytes();
  evox_view generator =
      readTensor(instance, load, generatorName(program), &type);
  for (int64_t i = 0; i < load.nSaved; ++i)
    if (!load.saved[i].used)
      fail(instance, EVOX_ERROR_CHECKPOINT,
           "'%s' has '%s', which this program has not", load.path,
           load.saved[i].name);
  reserveState(instance, state);
  if (!instance->generator.setState(
          static_cast<unsigned char *>(generator.data)))
    fail(instance, EVOX_ERROR_CHECKPOINT,
         "'%s' does not hold the state of a generator", load.path);
  adoptState(instance, state, int32_t(phase));
}

} // namespace

evox_status evox::rt::loadState(evox_instance *instance, const char *path) {
  if (evox_status status = checkIdle(instance))
    return status;
  if (!path || !*path)
    return error(instance, EVOX_ERROR_ARGUMENT, "load: the path is empty");
  Load load = {};
  load.path = path;
  load.file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  bool opened = load.file >= 0 && fstat(load.file, &info) == 0;
  if (opened && !S_ISREG(info.st_mode)) {
    opened = false;
    errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
  }
  if (!opened) {
    evox_status status =
        error(instance, EVOX_ERROR_IO, "load: cannot read '%s': %m", path);
    if (load.file >= 0)
      close(load.file);
    return status;
  }
  load.size = info.st_size;
  instance->entryName = "load";
  evox_status status = guarded(instance, loadBody, &load);
  instance->memory.endCall();
  close(load.file);
  return status;
}
