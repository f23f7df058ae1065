/* pso_host.c - a C program that optimizes with a compiled workflow
 *
 * Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */
/* usage: pso_host SEED GENERATIONS
 * Prints the best fitness of each generation. */
#include "pso.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void check(const evox_api *api, evox_instance *pso, evox_status status) {
  if (status != EVOX_OK) {
    fprintf(stderr, "pso_host: %s\n", api->error(pso));
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s SEED GENERATIONS\n", argv[0]);
    return 2;
  }
  long generations = atol(argv[2]);
  const evox_api *api = pso_get_api(EVOX_ABI_VERSION);
  if (!api) {
    fprintf(stderr, "pso_host: the library has another ABI version\n");
    return 1;
  }
  evox_instance *pso = NULL;
  check(api, pso, api->open(&pso));
  check(api, pso, api->seed(pso, strtoull(argv[1], NULL, 10)));
  for (long i = 0; i < generations; ++i) {
    check(api, pso, api->run(pso, i ? "step" : "init_step", 1));
    evox_tensor best;
    check(api, pso,
          api->get_state(pso, "algorithm.global_best_fitness", &best));
    printf("%ld %.9g\n", i, *(const float *)best.data);
    if (isatty(STDERR_FILENO))
      fprintf(stderr, "\rgeneration %ld of %ld", i + 1, generations);
  }
  if (isatty(STDERR_FILENO))
    fputc('\n', stderr);
  api->close(pso);
  return 0;
}
