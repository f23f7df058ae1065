/* Kernels.h - kernels of the run-time library
 *
 * Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 */
/* Compiled code calls these through evox.kernel_call: inputs, then outputs,
 * all as views (any strides for inputs; outputs are contiguous), then scalars.
 * Every element of every output is written. Dtypes are read from the views.
 * A kernel that must report an error calls evox_rt_fail.
 */
#ifndef EVOX_RUNTIME_KERNELS_H
#define EVOX_RUNTIME_KERNELS_H

#include "evox/Runtime/Program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- random draws: advance the instance's generator ---------------------- */
void evox_k_random_uniform(evox_ctx *, const evox_view *out, double from,
                           double to);
/* The same a part at a time: `begin` draws them all and leaves in `room`, of
 * EVOX_DRAW_BYTES(tasks), where each task's `per_task` elements start; `part`
 * makes the elements of task `task` from `first` on, of float32 or float64,
 * each task's in order and, where the instance has no executor, the tasks in
 * order too. */
#define EVOX_DRAW_BYTES(tasks) (64 + 2624 * (tasks))
void evox_k_random_uniform_begin(evox_ctx *, const evox_view *room,
                                 int64_t count, int64_t per_task, int64_t dtype,
                                 double from, double to);
void evox_k_random_uniform_part(evox_ctx *, const evox_view *out,
                                const evox_view *room, int64_t task,
                                int64_t first, double from, double to);
void evox_k_random_normal(evox_ctx *, const evox_view *out, double mean,
                          double std);
void evox_k_random_integers(evox_ctx *, const evox_view *out, int64_t low,
                            int64_t high);
void evox_k_random_permutation(evox_ctx *, const evox_view *out);
void evox_k_random_exponential(evox_ctx *, const evox_view *out, double rate);
/* p: the shape of out, or rank 0. */
void evox_k_random_bernoulli(evox_ctx *, const evox_view *p,
                             const evox_view *out);

/* --- lanes of a vmap ------------------------------------------------------- */
/* Each lane starts from the generator that begin found: with `same` as it was,
 * else, with philox, as one whose seed is that of the lane (splitmix64's output
 * for seed + (lane + 1) * 0x9E3779B97F4A7C15). end goes on after the lane that
 * drew most. The pairs nest. */
void evox_k_lanes_begin(evox_ctx *, int64_t same);
void evox_k_lanes_next(evox_ctx *, int64_t lane);
void evox_k_lanes_end(evox_ctx *);

/* --- functions of the host ----------------------------------------------- */
/* What the next evox_rt_external is like: the number of arguments and each
 * dtype, the number of results, and of each the dtype, rank and sizes, -1 for
 * one that the host decides. That call then writes those sizes into its only
 * result, and take gives the values. */
void evox_k_external_describe(evox_ctx *, const evox_view *words);
void evox_k_external_take(evox_ctx *, const evox_view *out, int64_t result);

/* --- arrays --------------------------------------------------------------- */
/* flags: EVOX_SORT_DESCENDING, and EVOX_SORT_UNSTABLE for the order of equal
 * elements that torch.sort and argsort give without stable=True (that of
 * libstdc++'s std::sort). SELECT: bits 8 and up of the flags are a k; element
 * k is the one that torch.kthvalue finds, the others are in any order. */
enum {
  EVOX_SORT_DESCENDING = 1,
  EVOX_SORT_UNSTABLE = 2,
  EVOX_SORT_SELECT = 4
};
void evox_k_sort(evox_ctx *, const evox_view *in, const evox_view *values,
                 const evox_view *indices, int64_t dim, int64_t flags);
void evox_k_topk(evox_ctx *, const evox_view *in, const evox_view *values,
                 const evox_view *indices, int64_t dim, int64_t largest,
                 int64_t sorted);
/* kind: evox::CumulativeKind */
void evox_k_cumulative(evox_ctx *, const evox_view *in, const evox_view *out,
                       int64_t kind, int64_t dim);
/* out starts as the input; kind: evox::ScatterKind */
void evox_k_scatter(evox_ctx *, const evox_view *updates,
                    const evox_view *indices, const evox_view *out,
                    int64_t kind);
void evox_k_nonzero(evox_ctx *, const evox_view *mask,
                    const evox_view *indices);
/* out[..., j] += the number of i for which matrix[..., i, j] is true; of those
 * only for which mask[..., i], which may have a last size of 1, is true. */
void evox_k_count(evox_ctx *, const evox_view *matrix, const evox_view *out);
void evox_k_count_where(evox_ctx *, const evox_view *matrix,
                        const evox_view *mask, const evox_view *out);

/* --- factorisations (LAPACK; linked only where one is used) ----------------
 */
void evox_k_cholesky(evox_ctx *, const evox_view *in, const evox_view *factor,
                     const evox_view *info, int64_t upper);
void evox_k_eigh(evox_ctx *, const evox_view *in, const evox_view *w,
                 const evox_view *v, const evox_view *info, int64_t upper);
void evox_k_qr(evox_ctx *, const evox_view *in, const evox_view *q,
               const evox_view *r);
void evox_k_svd(evox_ctx *, const evox_view *in, const evox_view *u,
                const evox_view *s, const evox_view *vh, const evox_view *info);
/* out += a b, of float32 or float64, of two dimensions or three with a batch;
 * a or b, or both, may be given transposed. The columns of out lie one after
 * the other. */
void evox_k_matmul(evox_ctx *, const evox_view *a, const evox_view *b,
                   const evox_view *out, int64_t a_transposed,
                   int64_t b_transposed);
void evox_k_lu(evox_ctx *, const evox_view *in, const evox_view *lu,
               const evox_view *pivots, const evox_view *info);
void evox_k_solve(evox_ctx *, const evox_view *a, const evox_view *b,
                  const evox_view *x, const evox_view *info);
void evox_k_solve_triangular(evox_ctx *, const evox_view *a, const evox_view *b,
                             const evox_view *x, int64_t upper,
                             int64_t transposed, int64_t unit);
/* rcond below 0: PyTorch's default, the dtype's epsilon times the greater side.
 */
void evox_k_lstsq(evox_ctx *, const evox_view *a, const evox_view *b,
                  const evox_view *x, const evox_view *rank, double rcond);

#ifdef __cplusplus
}
#endif
#endif /* EVOX_RUNTIME_KERNELS_H */
