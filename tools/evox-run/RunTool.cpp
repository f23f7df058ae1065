//===- RunTool.cpp - Runs a compiled program -------------------------- ===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunTool.h"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <getopt.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace evox {
namespace {

const char *const kHelp =
    R"(usage: evox-run LIBRARY [OPTION]...

Runs a library of evox-compile. The options are carried out in the order given,
on one instance:

  --seed N            seeds the generator, as torch.manual_seed(N) does
                        --seed 42
  --threads N         lets calls use N threads; they change no bit of the results
                        --threads 4 --call step:100
  --call NAME[:N]     calls an entry point without arguments, N times
                        --call init_step --call step:100
  --print NAME        prints a piece of state by its state_dict name
                        --print algorithm.global_best_fitness
  --save FILE         writes the whole state, generator included, as safetensors
                        --save run.safetensors
  --load FILE         reads a file of --save
                        --load run.safetensors
  --reset             goes back to the state the program was compiled with
                        --seed 1 --call step --reset --seed 2 --call step
  --list              lists the entry points and the state, and says for which
                      processor the code is that runs
  --signature         prints the library's description as JSON
  --no-progress       draws no progress bar from here on (none is drawn either
                      where standard error is not a terminal)
  --help              this text

A library that was compiled for several processors runs the code for the best
one that this machine can; the environment variable EVOX_CPU names another.
)";

struct Action {
  enum Kind {
    Seed = 256,
    Threads,
    Call,
    Print,
    Save,
    Load,
    Reset,
    List,
    Signature,
    NoProgress,
    Help
  };
  int kind;
  std::string text;
  uint64_t number = 1;
};

/// Says what is wrong, on standard error.
int fail(const std::string &message) {
  std::fprintf(stderr, "evox-run: error: %s\n", message.c_str());
  return 1;
}

int failUsage(const std::string &message) {
  fail(message);
  std::fputs("evox-run --help explains the options\n", stderr);
  return 2;
}

/// A whole decimal number; negative ones wrap, as PyTorch's seeds do.
bool parseNumber(const std::string &text, uint64_t &number) {
  size_t start = !text.empty() && text[0] == '-' ? 1 : 0;
  if (text.size() == start ||
      text.find_first_not_of("0123456789", start) != std::string::npos)
    return false;
  errno = 0;
  number = std::strtoull(text.c_str(), nullptr, 10);
  return errno == 0;
}

class Runner {
public:
  ~Runner() {
    if (instance)
      api->close(instance);
    // The library stays loaded: nothing is gained by unmapping it here.
  }

  int open(const std::string &path);
  int run(const Action &action);

private:
  int check(evox_status status);
  int call(const std::string &entry, int64_t n);
  int print(const std::string &name);
  int list();

  const evox_api *api = nullptr;
  evox_instance *instance = nullptr;
  bool progress = isatty(STDERR_FILENO);
};

int Runner::open(const std::string &path) {
  if (access(path.c_str(), F_OK) != 0)
    return fail(path + ": " + std::strerror(errno));
  // With a slash in it, or dlopen would look in the system's folders.
  std::string name = path.find('/') == std::string::npos ? "./" + path : path;
  void *library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return fail("cannot load the library: " + std::string(dlerror()));
  auto getApi =
      reinterpret_cast<evox_get_api_fn>(dlsym(library, "evox_get_api"));
  if (!getApi)
    return fail(path + ": not a library of evox-compile: it has no function "
                       "'evox_get_api'");
  api = getApi(EVOX_ABI_VERSION);
  if (!api) {
    std::string theirs = "another version";
    for (uint32_t version = 1; version < 1000; ++version)
      if (getApi(version)) {
        theirs = "version " + std::to_string(version);
        break;
      }
    return fail(path + ": was made for " + theirs +
                " of the C interface, and evox-run has version " +
                std::to_string(EVOX_ABI_VERSION) + ": compile it again");
  }
  if (api->struct_size < sizeof(evox_api))
    return fail(path + ": its table of functions has " +
                std::to_string(api->struct_size) +
                " bytes, expected at least " +
                std::to_string(sizeof(evox_api)) + ": compile it again");
  return check(api->open(&instance));
}

int Runner::check(evox_status status) {
  if (status == EVOX_OK)
    return 0;
  const char *text = api->error(instance);
  return fail(text && *text ? text
                            : "the library answered with status " +
                                  std::to_string(status));
}

/// With a progress bar, in pieces of about a tenth of a second: n calls in one
/// run and in several give the same bits.
int Runner::call(const std::string &entry, int64_t n) {
  if (!progress || n < 2)
    return check(api->run(instance, entry.c_str(), n));
  using Clock = std::chrono::steady_clock;
  constexpr int kWidth = 30;
  Clock::time_point start = Clock::now();
  int64_t done = 0, piece = 1;
  while (done < n) {
    Clock::time_point before = Clock::now();
    piece = std::min(piece, n - done);
    if (evox_status status = api->run(instance, entry.c_str(), piece)) {
      std::fputc('\n', stderr);
      return check(status);
    }
    done += piece;
    Clock::time_point now = Clock::now();
    double last = std::chrono::duration<double>(now - before).count();
    double all = std::chrono::duration<double>(now - start).count();
    piece = last < 0.05 ? piece * 2 : last > 0.2 ? (piece + 1) / 2 : piece;
    int filled = static_cast<int>(kWidth * done / n);
    std::fprintf(stderr, "\r%s [%s%s] %" PRId64 "/%" PRId64 "  %.0f/s ",
                 entry.c_str(), std::string(filled, '#').c_str(),
                 std::string(kWidth - filled, '.').c_str(), done, n,
                 all > 0 ? done / all : 0.0);
    std::fflush(stderr);
  }
  std::fputc('\n', stderr);
  return 0;
}

int Runner::print(const std::string &name) {
  evox_tensor tensor;
  if (api->get_state(instance, name.c_str(), &tensor) == EVOX_OK) {
    std::printf("%s: %s = %s\n", name.c_str(), describeTensor(tensor).c_str(),
                printTensor(tensor).c_str());
    return 0;
  }
  int64_t size = 0;
  if (api->list_size(instance, name.c_str(), &size) != EVOX_OK)
    // Neither: the first error says it better.
    return check(api->get_state(instance, name.c_str(), &tensor));
  std::printf("%s: list of %" PRId64 "\n", name.c_str(), size);
  for (int64_t i = 0; i < size; ++i) {
    if (int code = check(api->list_get(instance, name.c_str(), i, &tensor)))
      return code;
    std::printf("%s[%" PRId64 "]: %s = %s\n", name.c_str(), i,
                describeTensor(tensor).c_str(), printTensor(tensor).c_str());
  }
  return 0;
}

int Runner::list() {
  std::printf("program %s\ncompiled for %s\nentry points:\n",
              api->program_name(), api->variant(instance));
  for (int32_t i = 0; i < api->entry_count(); ++i)
    std::printf("  %s\n", api->entry_name(i));
  std::printf("state:\n");
  for (int32_t i = 0; i < api->state_count(); ++i) {
    const char *name = api->state_name(i);
    evox_tensor tensor;
    int64_t size = 0;
    std::string type = "generator";
    if (api->list_size(instance, name, &size) == EVOX_OK)
      type = "list of " + std::to_string(size);
    else if (api->get_state(instance, name, &tensor) == EVOX_OK)
      type = describeTensor(tensor);
    std::printf("  %s: %s\n", name, type.c_str());
  }
  return 0;
}

int Runner::run(const Action &action) {
  switch (action.kind) {
  case Action::Seed:
    return check(api->seed(instance, action.number));
  case Action::Threads:
    return check(api->set_executor(instance, nullptr, nullptr,
                                   static_cast<int32_t>(action.number)));
  case Action::Call:
    return call(action.text, static_cast<int64_t>(action.number));
  case Action::Print:
    return print(action.text);
  case Action::Save:
    return check(api->save(instance, action.text.c_str()));
  case Action::Load:
    return check(api->load(instance, action.text.c_str()));
  case Action::Reset:
    return check(api->reset(instance));
  case Action::List:
    return list();
  case Action::Signature:
    return std::puts(api->signature()) < 0;
  case Action::NoProgress:
    progress = false;
    return 0;
  }
  return 0;
}

/// Reads the command line. Returns -1, or the exit status to end with.
int parse(int argc, char **argv, std::string &library,
          std::vector<Action> &actions) {
  const option options[] = {
      {"seed", required_argument, nullptr, Action::Seed},
      {"threads", required_argument, nullptr, Action::Threads},
      {"call", required_argument, nullptr, Action::Call},
      {"print", required_argument, nullptr, Action::Print},
      {"save", required_argument, nullptr, Action::Save},
      {"load", required_argument, nullptr, Action::Load},
      {"reset", no_argument, nullptr, Action::Reset},
      {"list", no_argument, nullptr, Action::List},
      {"signature", no_argument, nullptr, Action::Signature},
      {"no-progress", no_argument, nullptr, Action::NoProgress},
      {"help", no_argument, nullptr, Action::Help},
      {nullptr, 0, nullptr, 0}};
  opterr = 0;
  // "-": operands come in their place, with code 1; ":": tell a missing
  // argument from an unknown option.
  int code;
  while ((code = getopt_long(argc, argv, "-:", options, nullptr)) != -1) {
    Action action{code, optarg ? optarg : ""};
    switch (code) {
    case 1:
      if (!library.empty())
        return failUsage("more than one library: " + library + " and " +
                         action.text);
      library = action.text;
      continue;
    case ':':
      return failUsage(std::string(argv[optind - 1]) + " needs a value");
    case '?':
      return failUsage("unknown option " + std::string(argv[optind - 1]));
    case Action::Help:
      std::fputs(kHelp, stdout);
      return 0;
    case Action::Seed:
      if (!parseNumber(action.text, action.number))
        return failUsage("--seed: expected a whole number, got '" +
                         action.text + "'");
      break;
    case Action::Threads:
      if (action.text[0] == '-' || !parseNumber(action.text, action.number) ||
          action.number < 1 || action.number > 1024)
        return failUsage("--threads: expected a number from 1 to 1024, got '" +
                         action.text + "'");
      break;
    case Action::Call: {
      size_t colon = action.text.rfind(':');
      if (colon == std::string::npos)
        break;
      std::string count = action.text.substr(colon + 1);
      if (count[0] == '-' || !parseNumber(count, action.number) ||
          action.number > INT64_MAX)
        return failUsage("--call: expected NAME:N with a number N of calls, "
                         "got '" +
                         action.text + "'");
      action.text.resize(colon);
      break;
    }
    }
    actions.push_back(action);
  }
  if (optind < argc) { // after "--"
    if (!library.empty() || optind + 1 < argc)
      return failUsage("more than one library");
    library = argv[optind];
  }
  if (library.empty())
    return failUsage("no library given");
  if (actions.empty())
    return failUsage("nothing to do: give --call, --print, --list ...");
  return -1;
}

} // namespace

int runTool(int argc, char **argv) {
  std::string library;
  std::vector<Action> actions;
  if (int code = parse(argc, argv, library, actions); code >= 0)
    return code;
  Runner runner;
  if (int code = runner.open(library))
    return code;
  for (const Action &action : actions)
    if (int code = runner.run(action))
      return code;
  return std::fflush(stdout) == 0 ? 0 : fail("cannot write standard output");
}

} // namespace evox
