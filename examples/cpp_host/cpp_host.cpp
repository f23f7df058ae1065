// cpp_host.cpp - a C++ program that opens any library of evox-compile
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// usage: cpp_host LIBRARY SEED STATE [THREADS]
// Runs `init_step` and 100 times `step` on one instance per thread, each with
// its own seed, and prints the least value that each finds in STATE, such as
// algorithm.global_best_fitness.

#include "evox/Runtime/evox.h"
#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/// An instance that closes itself, with exceptions in place of statuses.
class Program {
public:
  explicit Program(const evox_api *api) : api(api) {
    check(api->open(&instance));
  }
  ~Program() { api->close(instance); }
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  void seed(uint64_t value) { check(api->seed(instance, value)); }
  void run(const std::string &entry, int64_t n = 1) {
    check(api->run(instance, entry.c_str(), n));
  }
  /// A float32 piece of state, looked at where it is.
  std::pair<const float *, size_t> floats(const std::string &name) {
    evox_tensor tensor;
    check(api->get_state(instance, name.c_str(), &tensor));
    if (tensor.dtype != EVOX_FLOAT32)
      throw std::runtime_error(name + " is not float32");
    size_t n = 1;
    for (int32_t i = 0; i < tensor.rank; ++i)
      n *= static_cast<size_t>(tensor.shape[i]);
    return {static_cast<const float *>(tensor.data), n};
  }

private:
  void check(evox_status status) {
    if (status != EVOX_OK)
      throw std::runtime_error(api->error(instance));
  }

  const evox_api *api;
  evox_instance *instance = nullptr;
};

static const evox_api *open(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw std::runtime_error(dlerror());
  auto get = reinterpret_cast<evox_get_api_fn>(dlsym(library, "evox_get_api"));
  const evox_api *api = get ? get(EVOX_ABI_VERSION) : nullptr;
  if (!api)
    throw std::runtime_error(std::string(path) +
                             " is not a library of this ABI version");
  return api;
}

int main(int argc, char **argv) try {
  if (argc < 4) {
    std::cerr << "usage: cpp_host LIBRARY SEED STATE [THREADS]\n";
    return 2;
  }
  const evox_api *api = open(argv[1]);
  uint64_t seed = std::strtoull(argv[2], nullptr, 10);
  int threads = argc > 4 ? std::atoi(argv[4]) : 2;
  std::vector<std::string> lines(threads);
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i)
    pool.emplace_back([&, i] {
      try {
        Program program(api);
        program.seed(seed + i);
        program.run("init_step");
        program.run("step", 100);
        auto [values, n] = program.floats(argv[3]);
        lines[i] = "seed " + std::to_string(seed + i) + ": " +
                   std::to_string(*std::min_element(values, values + n));
      } catch (const std::exception &error) {
        lines[i] = std::string("error: ") + error.what();
      }
    });
  for (std::thread &thread : pool)
    thread.join();
  for (const std::string &line : lines)
    std::cout << line << '\n';
  return 0;
} catch (const std::exception &error) {
  std::cerr << "cpp_host: " << error.what() << '\n';
  return 1;
}
