/* Calls every entry point of host.mlir. */
#include "host.h"
#include <stdio.h>
#include <string.h>

static int calls;
static int evaluate(void *user, const evox_tensor *args, int32_t n_args,
                    evox_tensor *results, int32_t n_results, char *message,
                    size_t size) {
  (void)user;
  if (n_args != 1 || n_results != 1 || args[0].shape[0] != 3)
    return 1;
  if (++calls > 1) {
    snprintf(message, size, "out of fuel");
    return 1;
  }
  *(float *)results[0].data = ((float *)args[0].data)[0] / 2;
  return 0;
}

static evox_instance *instance;
static void check(evox_status status) {
  if (status)
    printf("%s\n", host_error(instance));
}

static void floats(const char *what, const evox_tensor *tensor) {
  const float *data = (const float *)tensor->data;
  printf("%s%g %g %g", what, data[0], data[1], data[2]);
}

int main(void) {
  float x[] = {1, 2, 3};
  double y[] = {1, 2, 3, 4, 5};
  int64_t seven = 7, j;
  uint8_t bytes[] = {1, 2};
  evox_tensor results[2], total;
  int i;

  if (host_open(&instance))
    return 1;
  for (i = 0; i < 2; ++i) {
    check(host_add(instance, x, results));
    floats("add: ", &results[0]);
    floats(", old ", &results[1]);
    puts("");
  }
  check(host_get_total(instance, &total));
  check(host_add(instance, (const float *)total.data, results));
  floats("add to itself: ", &results[0]);
  puts("");
  for (i = 5; i >= 0; i -= 5) {
    check(host_twice(instance, y, i, results));
    printf("twice: %d elements:", (int)results[0].shape[0]);
    for (j = 0; j < results[0].shape[0]; ++j)
      printf(" %g", ((double *)results[0].data)[j]);
    puts("");
  }
  check(host_same(instance, &seven, results));
  printf("same: %d %d\n", (int)*(int64_t *)results[0].data,
         (int)*(int64_t *)results[1].data);
  check(host_open_(instance, bytes, 2, results));
  printf("same, of open size:");
  for (i = 0; i < 2; ++i)
    printf("%s %d: %d %d", i ? "," : "", (int)results[i].shape[0],
           ((uint8_t *)results[i].data)[0], ((uint8_t *)results[i].data)[1]);
  puts(results[0].dtype == EVOX_UINT8 && results[0].data != results[1].data
           ? ""
           : " wrong");

  printf("evaluate: ");
  check(host_evaluate(instance, results));
  host_api()->set_external(instance, "problem.evaluate", evaluate, 0);
  check(host_evaluate(instance, results));
  printf("evaluate: %g\nevaluate: ", *(float *)results[0].data);
  check(host_evaluate(instance, results));
  check(host_get_total(instance, &total));
  floats("total after failure: ", &total);
  printf("\nwrong dtype: ");
  total.dtype = EVOX_FLOAT64;
  total.data = y;
  check(host_api()->call(instance, "add", &total, 1, results, 2));
  host_close(instance);
  return 0;
}
