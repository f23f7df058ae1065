//===- Lists.cpp - Lists that grow ----------------------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runtime.h"

#include <cstdlib>
#include <cstring>

using namespace evox::rt;

void evox::rt::truncateList(evox_instance *instance, List &list, int64_t size) {
  while (list.size > size)
    instance->memory.release(list.items[--list.size].data);
}

void evox::rt::keepList(evox_instance *instance, List &list) {
  while (list.nDropped)
    instance->memory.release(list.dropped[--list.nDropped].data);
  std::free(list.dropped);
  list.dropped = nullptr;
}

void evox::rt::restoreList(evox_instance *instance, List &list, int64_t size) {
  if (list.dropped) {
    truncateList(instance, list, 0);
    std::free(list.items);
    list.items = list.dropped;
    list.size = list.capacity = list.nDropped;
    list.dropped = nullptr;
    list.nDropped = 0;
  }
  truncateList(instance, list, size);
}

void evox::rt::freeList(evox_instance *instance, List &list) {
  keepList(instance, list);
  truncateList(instance, list, 0);
  std::free(list.items);
  list.items = nullptr;
  list.capacity = 0;
}

void evox::rt::reserveList(evox_instance *instance, List &list,
                           int64_t capacity) {
  if (capacity <= list.capacity)
    return;
  int64_t more = list.capacity * 2 > 8 ? list.capacity * 2 : 8;
  capacity = capacity > more ? capacity : more;
  void *items = std::realloc(list.items, size_t(capacity) * sizeof(evox_view));
  if (!items)
    fail(instance, EVOX_ERROR_MEMORY, "out of memory: a list of %lld tensors",
         static_cast<long long>(capacity));
  list.items = static_cast<evox_view *>(items);
  list.capacity = capacity;
}

void evox::rt::pushList(List &list, const evox_view &value) {
  list.items[list.size++] = value;
}

extern "C" void evox_rt_list_append(evox_ctx *ctx, int32_t slot,
                                    const evox_view *value) {
  evox_instance *instance = instanceOf(ctx);
  List &list = instance->lists[slot];
  reserveList(instance, list, list.size + 1);
  evox_view copy = *value;
  copy.dtype = typeOf(instance, slot).dtype; // compiled code has i8 only
  setContiguous(copy);
  copy.data = instance->memory.allocate(bytesOf(copy), Owner::Kept);
  if (!copy.data)
    fail(instance, EVOX_ERROR_MEMORY, "out of memory: an element of a list");
  copyElements(copy.data, *value);
  pushList(list, copy);
}

extern "C" void evox_rt_list_clear(evox_ctx *ctx, int32_t slot) {
  evox_instance *instance = instanceOf(ctx);
  List &list = instance->lists[slot];
  if (!list.size)
    return;
  size_t bytes = size_t(list.nDropped + list.size) * sizeof(evox_view);
  void *dropped = std::realloc(list.dropped, bytes);
  if (!dropped)
    fail(instance, EVOX_ERROR_MEMORY, "out of memory: a list of %lld tensors",
         static_cast<long long>(list.size));
  list.dropped = static_cast<evox_view *>(dropped);
  std::memcpy(list.dropped + list.nDropped, list.items,
              size_t(list.size) * sizeof(evox_view));
  list.nDropped += list.size;
  list.size = 0;
}

extern "C" int64_t evox_rt_list_size(evox_ctx *ctx, int32_t slot) {
  return instanceOf(ctx)->lists[slot].size;
}

extern "C" void evox_rt_list_get(evox_ctx *ctx, int32_t slot, int64_t index,
                                 evox_view *value) {
  evox_instance *instance = instanceOf(ctx);
  const List &list = instance->lists[slot];
  int64_t at = index < 0 ? index + list.size : index;
  if (at < 0 || at >= list.size)
    fail(instance, EVOX_ERROR_PROGRAM,
         "list index out of range: '%s' has %lld elements, the index is %lld",
         instance->program->slots[slot].name, static_cast<long long>(list.size),
         static_cast<long long>(index));
  *value = list.items[at];
}

//===-- what the host sees ------------------------------------------------===//

static evox_status findList(evox_instance *instance, const char *what,
                            const char *name, const List *&list) {
  if (evox_status status = checkWhole(instance))
    return status;
  if (!name)
    return error(instance, EVOX_ERROR_ARGUMENT, "%s: the name is null", what);
  int32_t slot = findSlot(instance, name);
  if (slot < 0)
    return unknownState(instance, what, name);
  if (instance->program->slots[slot].slot != EVOX_SLOT_LIST)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "%s: '%s' is not a list: use get_state", what, name);
  list = &instance->lists[slot];
  return EVOX_OK;
}

evox_status evox::rt::listSize(evox_instance *instance, const char *name,
                               int64_t *size) {
  const List *list = nullptr;
  if (evox_status status = findList(instance, "list_size", name, list))
    return status;
  if (!size)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "list_size: the result pointer is null");
  *size = list->size;
  return EVOX_OK;
}

evox_status evox::rt::listGet(evox_instance *instance, const char *name,
                              int64_t index, evox_tensor *value) {
  const List *list = nullptr;
  if (evox_status status = findList(instance, "list_get", name, list))
    return status;
  if (!value)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "list_get: the result pointer is null");
  int64_t at = index < 0 ? index + list->size : index;
  if (at < 0 || at >= list->size)
    return error(instance, EVOX_ERROR_ARGUMENT,
                 "list_get: index %lld of '%s' is out of range: it has %lld "
                 "elements",
                 static_cast<long long>(index), name,
                 static_cast<long long>(list->size));
  *value = list->items[at];
  return EVOX_OK;
}
