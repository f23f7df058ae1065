//===- AngleFunctions.cpp - sin, cos and tan of f64 -----------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AngleFunctions.h"
#include "CodeGen.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/VFABIDemangler.h"

using namespace llvm;

/// A function of numbers, which may be called for any element at any time.
static void setPure(Function &function) {
  function.setDoesNotAccessMemory();
  function.setDoesNotThrow();
  function.setWillReturn();
}

/// Of the variant whose symbols are those that `symbol` gives.
static void annotate(Module &module, StringRef angle, unsigned vectorBytes,
                     function_ref<std::string(const Twine &)> symbol) {
  Function *scalar = module.getFunction(symbol("evox." + angle));
  if (!scalar)
    return;
  setPure(*scalar);
  // What was inlined before loops are vectorized could not be replaced.
  scalar->addFnAttr(Attribute::NoInline);
  for (unsigned lanes : {2, 4, 8}) {
    Function *vector =
        module.getFunction(symbol("evox." + angle + ".v" + Twine(lanes)));
    if (!vector)
      continue;
    if (lanes != vectorBytes / 8) {
      vector->eraseFromParent();
      continue;
    }
    setPure(*vector);
    // Nothing calls it yet; not internal, it stays.
    vector->setLinkage(GlobalValue::ExternalLinkage);
    vector->setVisibility(GlobalValue::HiddenVisibility);
    scalar->addFnAttr(VFABI::MappingsAttrName,
                      ("_ZGV_LLVM_N" + Twine(lanes) + "v_" + scalar->getName() +
                       "(" + vector->getName() + ")")
                          .str());
  }
}

void evox::annotateAngleFunctions(Module &module, const ProgramInfo &program) {
  for (StringRef angle : {"sin", "cos", "tan"}) {
    // The C library's, for large angles.
    if (Function *exact = module.getFunction(("evox_rt_" + angle).str())) {
      setPure(*exact);
      exact->addFnAttr(Attribute::Cold);
    }
    for (auto [i, variant] : enumerate(program.variants))
      annotate(module, angle, variant.vectorBytes,
               [&, i = i](const Twine &name) {
                 return getVariantSymbol(program, i, name.str());
               });
  }
}
