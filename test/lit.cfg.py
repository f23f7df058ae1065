# Configuration of the lit tests: `ninja check-evox-lit`, or
# `lit BUILD/test/Dialect/Evox/IR/ops.mlir` for some of them.

import os
import platform

import lit.formats

config.name = "evox"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".ts"]
config.excludes = ["Inputs", "python", "e2e"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.evox_binary_dir, "test")

# Nothing that happens to be installed elsewhere is tested by mistake.
path = [config.evox_tools_dir, config.llvm_tools_dir]
config.environment["PATH"] = os.pathsep.join(
    path + [config.environment["PATH"]])
for name in ["HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"]:
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.environment["FILECHECK_OPTS"] = "-enable-var-scope"

# Every program that a test reads survives printing and parsing.
config.substitutions.append(
    (r"(?<![\w/-])evox-opt(?![\w/-])", "evox-opt --verify-roundtrip"))

# A tool that this build lacks makes its tests unsupported, by
# `REQUIRES: evox-import`.
for tool in ["evox-opt", "evox-import", "evox-compile", "evox-run",
             "evox-lsp-server", "evox-reduce"]:
    if os.access(os.path.join(config.evox_tools_dir, tool), os.X_OK):
        config.available_features.add(tool)
if platform.machine() == "x86_64":
    config.available_features.add("x86")
config.substitutions.append(("%{foreign}", "x86_64-linux-gnu" if
                             platform.machine() == "aarch64" else
                             "aarch64-linux-gnu"))
if config.evox_sanitize:
    config.available_features.add("sanitize")
