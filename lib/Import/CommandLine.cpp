//===- CommandLine.cpp - Options of the importer --------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "evox/Import/CommandLine.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/ManagedStatic.h"
#include <algorithm>

using namespace llvm;

namespace {
struct Options {
  cl::OptionCategory category{"Import options", "What is taken from a TorchScript module"};
  cl::list<std::string> methods{
      "method", cl::desc("A method to export; may be given again. Default: every public "
                         "method without arguments, else forward. Example: --method=step"),
      cl::value_desc("NAME"), cl::cat(category)};
  cl::list<std::string> inputs{
      "input", cl::desc("Types of a method's arguments; ? leaves a dimension open. "
                        "Example: --input=\"forward:float32[8,2],int64[]\""),
      cl::value_desc("METHOD:TYPES"), cl::cat(category)};
  cl::list<std::string> dynamic{
      "dynamic", cl::desc("Leaves dimensions of an argument open; may be given again. "
                          "Negative ones count from the end. Example: --dynamic=forward.x:0,2"),
      cl::value_desc("METHOD.ARG:DIMS"), cl::cat(category)};
  cl::list<std::string> externals{
      "external", cl::desc("The host supplies this method at run time: it returns these types, "
                           "whose sizes ? the host decides. May be given again. "
                           "Example: --external=\"problem.load:(float32[?,4],bool)\""),
      cl::value_desc("NAME:TYPES"), cl::cat(category)};
  cl::list<std::string> transforms{
      "transform", cl::desc("Export use_state and vmap of a method; --input gives the types of "
                            "NAME's arguments without the state. May be given again. "
                            "Example: --transform=\"many = vmap(use_state(step), axis_size=8)\""),
      cl::value_desc("NAME = FUNCTION"), cl::cat(category)};
  cl::opt<int64_t> unroll{
      "unroll-limit", cl::init(8), cl::cat(category), cl::value_desc("N"),
      cl::desc("Loops of at most N known iterations are unrolled. Example: --unroll-limit=0")};
  cl::opt<bool> inlineCalls{
      "inline-calls", cl::cat(category),
      cl::desc("Inline the methods that methods call; otherwise they stay functions, and "
               "evox-compile inlines them")};
  cl::opt<bool> keepGoing{
      "keep-going", cl::cat(category),
      cl::desc("Leave out methods that cannot be imported, with a warning each")};
  cl::opt<std::string> dtype{
      "default-dtype", cl::init("float32"), cl::cat(category), cl::value_desc("DTYPE"),
      cl::desc("What torch.get_default_dtype() was. Example: --default-dtype=float64")};
};
} // namespace

static ManagedStatic<Options> options;

void evox::registerImportOptions() { *options; }

evox::ImportOptions evox::importOptions() {
  ImportOptions result;
  result.methods.assign(options->methods.begin(), options->methods.end());
  for (StringRef input : options->inputs) {
    auto [method, types] = input.split(':');
    if (!input.contains(':')) {
      errs() << "error: --input '" << input
             << "': expected METHOD:TYPES, such as forward:float32[8,2]\n";
      exit(1);
    }
    result.inputs[method.str()] = types.str();
  }
  for (StringRef given : options->dynamic) {
    auto [place, list] = given.rsplit(':');
    auto [method, argument] = place.split('.');
    ImportOptions::OpenDims open{argument.str(), {}};
    SmallVector<StringRef> parts;
    list.split(parts, ',');
    bool isGood = !method.empty() && !argument.empty();
    for (StringRef part : parts) {
      int64_t n = 0;
      isGood &= !part.trim().getAsInteger(10, n);
      open.dims.push_back(n);
    }
    if (!isGood) {
      errs() << "error: --dynamic '" << given
             << "': expected METHOD.ARG:DIMS, such as forward.x:0 or forward.x:0,2\n";
      exit(1);
    }
    result.dynamic[method.str()].push_back(std::move(open));
  }
  for (StringRef given : options->externals) {
    auto [name, types] = given.split(':');
    if (name.trim().empty() || types.trim().empty()) {
      errs() << "error: --external '" << given
             << "': expected NAME:TYPES, such as problem.evaluate:float32[8]\n";
      exit(1);
    }
    result.externals[name.trim().str()] = types.str();
  }
  result.transforms.assign(options->transforms.begin(), options->transforms.end());
  result.unrollLimit = options->unroll;
  result.inlineCalls = options->inlineCalls;
  result.keepGoing = options->keepGoing;
  result.defaultDType = options->dtype;
  if (result.defaultDType != "float32" && result.defaultDType != "float64") {
    errs() << "error: --default-dtype=" << result.defaultDType
           << ": expected float32 or float64\n";
    exit(1);
  }
  return result;
}

bool evox::takeStatsFlag(int &argc, char **argv) {
  auto isStats = [](const char *arg) {
    return StringRef(arg) == "--stats" || StringRef(arg) == "-stats";
  };
  char **end = std::remove_if(argv + 1, argv + argc, isStats);
  bool found = end != argv + argc;
  argc = end - argv;
  argv[argc] = nullptr;
  return found;
}

void evox::ImportStats::print(raw_ostream &os) const {
  os << "libtorch " << format("%.3f s", libtorchSeconds) << ", import "
     << format("%.3f s", importSeconds) << ", " << operations << " operations, "
     << phases << (phases == 1 ? " phase\n" : " phases\n");
}
