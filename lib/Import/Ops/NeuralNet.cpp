//===- NeuralNet.cpp - Convolution, pooling and their like ---===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Common.h"

using namespace mlir;
using namespace evox;
using namespace evox::import;

ArrayRef<OpRow> import::neuralNetOps() { return {}; }
