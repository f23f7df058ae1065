/* host.c - times a compiled program, as a C program that loads its library
 *
 * Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */
/* usage: host LIBRARY INIT STEP SEED
 *
 * Loads the library, seeds it, runs INIT (`-`: none) and one STEP, and says
 * `ready MS IDLE_KB`: milliseconds since main began, and the memory it had
 * before. Then it follows the lines of its standard input, see contestants.py:
 *     run THREADS N    N generations; answers with their seconds
 *     memory           the most memory it ever had, in kB
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "evox/Runtime/evox.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long memory(const char *what) {
  char line[256];
  long kb = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, what, strlen(what)))
      kb = atol(line + strlen(what) + 1);
  if (file)
    fclose(file);
  return kb;
}

static const evox_api *api;
static evox_instance *program;

static void check(evox_status status, const char *what) {
  if (status == EVOX_OK)
    return;
  fprintf(stderr, "%s: %s\n", what, api->error(program));
  exit(1);
}

int main(int argc, char **argv) {
  double start = now();
  if (argc != 5) {
    fprintf(stderr, "usage: host LIBRARY INIT STEP SEED\n");
    return 2;
  }
  long idle = memory("VmRSS");
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  evox_get_api_fn get;
  if (!library || !(get = (evox_get_api_fn)dlsym(library, "evox_get_api")) ||
      !(api = get(EVOX_ABI_VERSION))) {
    const char *why = dlerror();
    fprintf(stderr, "%s: %s\n", argv[1], why ? why : "no evox program");
    return 1;
  }
  check(api->open(&program), "open");
  check(api->seed(program, strtoull(argv[4], NULL, 10)), "seed");
  if (strcmp(argv[2], "-"))
    check(api->run(program, argv[2], 1), argv[2]);
  check(api->run(program, argv[3], 1), argv[3]);
  printf("ready %.4f %ld\n", 1e3 * (now() - start), idle);
  fflush(stdout);

  char line[256];
  int threads = 1;
  while (fgets(line, sizeof line, stdin)) {
    int wanted;
    long long n;
    if (sscanf(line, "run %d %lld", &wanted, &n) == 2) {
      if (wanted != threads)
        check(api->set_executor(program, NULL, NULL, wanted), "threads");
      threads = wanted;
      double from = now();
      check(api->run(program, argv[3], n), argv[3]);
      printf("%.9f\n", now() - from);
    } else if (!strncmp(line, "memory", 6)) {
      printf("%ld\n", memory("VmHWM"));
    } else {
      printf("?\n");
    }
    fflush(stdout);
  }
  api->close(program);
  return 0;
}
