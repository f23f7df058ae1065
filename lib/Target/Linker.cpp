//===- Linker.cpp - Objects to a shared library ---------------------------===//
//
// Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs ld.lld. The library depends on the C library and libm only, so there is
// no compiler driver to ask: the C library is linked by its file, and no
// development package is needed but for factorisations (liblapack-dev).
//
//===----------------------------------------------------------------------===//

#include "Linker.h"
#include "evox/Target/StateBlob.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace evox;

static std::string inFolder(const Twine &folder, const Twine &file) {
  SmallString<128> path;
  folder.toVector(path);
  sys::path::append(path, file);
  return path.str().str();
}

static Expected<std::string> findLinker() {
  // The one that was there when this was built, then any on the path.
  std::string path = inFolder(EVOX_LLVM_TOOLS_DIR, "ld.lld");
  if (sys::fs::can_execute(path))
    return path;
  for (StringRef name : {"ld.lld-" EVOX_LLVM_VERSION_MAJOR, "ld.lld"})
    if (ErrorOr<std::string> found = sys::findProgramByName(name))
      return *found;
  return createStringError(
      "the linker ld.lld was not found: install the package "
      "lld-" EVOX_LLVM_VERSION_MAJOR ", or put ld.lld on the path");
}

std::string evox::getMultiarch(const Triple &triple) {
  return (Triple::getArchTypeName(triple.getArch()) + "-linux-gnu").str();
}

static bool isForeign(const Triple &triple) {
  return Triple(LLVM_HOST_TRIPLE).getArch() != triple.getArch();
}

/// The first of `names` in the folders where the system, or the job's sysroot,
/// keeps libraries.
static std::string findSystemLibrary(const LinkJob &job,
                                     ArrayRef<StringRef> names) {
  std::string multiarch = getMultiarch(job.triple);
  SmallVector<std::string> folders = {"/lib/" + multiarch,
                                      "/usr/lib/" + multiarch};
  if (job.sysroot.empty() && isForeign(job.triple))
    // Those of Debian's packages for cross-compilers; /lib has the host's own.
    folders.push_back("/usr/" + multiarch + "/lib");
  else
    folders.append({"/lib64", "/usr/lib64", "/lib", "/usr/lib"});
  if (job.sysroot.empty() && !isForeign(job.triple))
    folders.push_back("/usr/local/lib");
  for (StringRef name : names)
    for (const std::string &folder : folders)
      if (std::string path = inFolder(job.sysroot + folder, name);
          sys::fs::exists(path))
        return path;
  return {};
}

/// The newest libgcc.a, for conversions that the processor cannot do, such as
/// those of float16; without one such programs don't link.
static std::string findBuiltins(const LinkJob &job, StringRef base) {
  std::string best;
  unsigned bestVersion = 0;
  std::error_code error;
  std::string folder = inFolder(base, getMultiarch(job.triple));
  for (sys::fs::directory_iterator it(folder, error), end; it != end && !error;
       it.increment(error)) {
    std::string path = inFolder(it->path(), "libgcc.a");
    unsigned version = 0;
    sys::path::filename(it->path()).split('.').first.getAsInteger(10, version);
    if (version >= bestVersion && sys::fs::exists(path)) {
      best = path;
      bestVersion = version;
    }
  }
  return best;
}

Error evox::link(const LinkJob &job) {
  Expected<std::string> linker = findLinker();
  if (!linker)
    return linker.takeError();
  std::string runtime = inFolder(job.runtimeFolder, "libEvoxRuntime.a");
  if (!sys::fs::exists(runtime))
    return createStringError(
        "the run-time library was not found at " + runtime +
        (isForeign(job.triple) ? ": make runtime-aarch64 builds it" : ""));

  // The initial state comes last, on pages of its own: its bytes are appended to
  // the file.
  std::string layout = inFolder(job.folder, "layout.ld");
  std::error_code error;
  raw_fd_ostream script(layout, error);
  if (error)
    return createStringError(layout + ": " + error.message());
  script << "VERSION { { global: evox_get_api; " << job.name
         << "_get_api; local: *; }; }\n"
            "SECTIONS { " << kBlobSection
         << " : ALIGN(CONSTANT(MAXPAGESIZE)) { *(" << kBlobSection
         << ") } } INSERT AFTER .bss;\n";
  script.close();

  SmallVector<std::string> args = {
      *linker, "-shared", "-o", job.output,
      "-soname", job.soname,
      "--gc-sections", "-Bsymbolic", "-z", "defs", "-z", "relro", "-z", "now",
      "--hash-style=gnu", "--eh-frame-hdr", "--build-id", "--strip-all", "-O2",
      "--icf=safe", "--script=" + layout};
  llvm::append_range(args, job.objects);
  args.push_back(runtime);
  args.push_back("--as-needed");
  StringRef loader = job.triple.isAArch64() ? "ld-linux-aarch64.so.1"
                                            : "ld-linux-x86-64.so.2";
  for (StringRef name : {StringRef("libm.so.6"), StringRef("libc.so.6"), loader}) {
    std::string path = findSystemLibrary(job, name);
    if (path.empty())
      return createStringError(
          "the C library's " + name + " was not found " +
          (!job.sysroot.empty() ? "under " + job.sysroot
           : isForeign(job.triple)
               ? "for " + getMultiarch(job.triple) +
                     ": install its C library (libc6-dev-arm64-cross), or say "
                     "with --sysroot where it is"
               : "on this machine"));
    args.push_back(path);
  }
  // Compiled code for shared libraries, as Debian has it, becomes part of the
  // program; the run-time library has the BLAS for it.
  if (std::string archive =
          job.usesLapack ? findSystemLibrary(job, {"liblapack_pic.a"})
                         : std::string();
      !archive.empty()) {
    args.push_back(archive);
  } else if (job.usesLapack) {
    std::string lapack = findSystemLibrary(
        job, {"liblapack.so.3", "libopenblas.so.0", "liblapack.so"});
    std::string blas = findSystemLibrary(
        job, {"libblas.so.3", "libopenblas.so.0", "libblas.so"});
    if (lapack.empty() || blas.empty())
      return createStringError(
          "this program uses a matrix factorisation, which needs LAPACK, and "
          "none was found: install liblapack-dev");
    args.push_back(lapack);
    args.push_back(blas);
  }
  for (const char *folder : {"/usr/lib/gcc", "/usr/lib/gcc-cross"}) {
    std::string base = StringRef(folder).ends_with("-cross")
                           ? folder // it comes with the compiler
                           : job.sysroot + folder;
    if (std::string builtins = findBuiltins(job, base); !builtins.empty()) {
      args.push_back(builtins);
      break;
    }
  }

  std::string log = inFolder(job.folder, "link.log");
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(log),
                                          StringRef(log)};
  SmallVector<StringRef> argRefs(args.begin(), args.end());
  std::string message;
  int status =
      sys::ExecuteAndWait(*linker, argRefs, std::nullopt, redirects, 0, 0,
                          &message);
  if (status == 0)
    return Error::success();
  if (auto text = MemoryBuffer::getFile(log))
    message += (*text)->getBuffer().str();
  return createStringError("linking failed:\n" + message);
}
