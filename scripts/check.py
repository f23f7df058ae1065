#!/usr/bin/env python3
# check.py - runs every test runner and sums up what they say
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the lit, C++ and Python tests, then lit and C++ with sanitizers.

Each runner prints its own summary; the last line sums them all. A runner that
fails, or that ran nothing, makes the whole fail.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LLVM_BIN = pathlib.Path("/usr/lib/llvm-22/bin")


class Failure(Exception):
    """A runner that could not run, or whose report makes no sense."""


def run(command, **options):
    print("+", " ".join(str(c) for c in command), flush=True)
    return subprocess.run([str(c) for c in command], **options).returncode


def counts(name, passed, failed, code):
    if passed + failed == 0:
        raise Failure(f"{name} ran no test")
    if code != 0 and failed == 0:
        raise Failure(f"{name} exited with {code} although no test failed")
    return passed, failed


def run_lit(build, environment, report):
    """The tests of one tool each: *.mlir and the like under test/."""
    report.unlink(missing_ok=True)
    code = run([find_lit(), "-sv",
                "--output", report, build / "test"], env=environment)
    try:
        tests = json.loads(report.read_text())["tests"]
    except (OSError, ValueError, KeyError) as error:
        raise Failure(f"lit left no report in {report}: {error}")
    codes = [test["code"] for test in tests]
    passed = sum(c in ("PASS", "XFAIL", "FLAKYPASS") for c in codes)
    idle = sum(c in ("UNSUPPORTED", "SKIPPED", "EXCLUDED") for c in codes)
    return counts("lit", passed, len(codes) - passed - idle, code)


def find_lit():
    lit = LLVM_BIN / "lit"
    return lit if lit.exists() else "lit"


def run_cpp(build, environment, report):
    """The GoogleTest programs, all of them: test/X/..._tests."""
    programs = sorted(p for p in (build / "test").rglob("*_tests")
                      if p.is_file() and os.access(p, os.X_OK))
    passed = failed = code = 0
    for program in programs:
        report.unlink(missing_ok=True)
        code = run([program, "--gtest_brief=1",
                    f"--gtest_output=xml:{report}"], env=environment) or code
        good, bad = read_junit(report, program.name)
        passed, failed = passed + good, failed + bad
    return counts("GoogleTest", passed, failed, code)


def run_pytest(build, environment, report):
    """The Python tests: the package, and whole programs against PyTorch."""
    report.unlink(missing_ok=True)
    workers = str(min(os.cpu_count() or 1, 8))
    code = run([sys.executable, "-m", "pytest", "-q", "-n", workers,
                "--dist", "worksteal", f"--junit-xml={report}",
                ROOT / "test/Runtime", ROOT / "test/python",
                ROOT / "test/e2e", ROOT / "test/conformance"],
               env={**environment,
                    "EVOX_RUNTIME_TESTLIB_DIR": str(build / "test/Runtime")},
               cwd=ROOT)
    return counts("pytest", *read_junit(report, "pytest"), code)


def read_junit(report, name):
    try:
        root = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise Failure(f"{name} left no report in {report}: {error}")
    passed = failed = 0
    for case in root.iter("testcase"):
        children = {child.tag for child in case}
        if children & {"failure", "error"}:
            failed += 1
        elif "skipped" not in children and case.get("status") != "notrun":
            passed += 1
    return passed, failed


def build_asan(build):
    """Builds what the sanitizers watch: not the importer, and not LibTorch."""
    folder = build.with_name(build.name + "-asan")
    if run([ROOT / "scripts/configure.sh", "asan", folder], cwd=ROOT) != 0:
        raise Failure("the asan preset does not configure")
    if run(["cmake", "--build", folder]) != 0:
        raise Failure("the asan preset does not build")
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--only", action="append", default=[],
                        help="lit, cpp, pytest or asan; may be repeated")
    parser.add_argument("--skip", action="append", default=[])
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    reports = build / "reports"
    reports.mkdir(parents=True, exist_ok=True)

    environment = dict(os.environ)
    environment["EVOX_TOOLS_DIR"] = str(build / "bin")
    # Each Python test process has a core; torch would start more threads.
    environment.setdefault("OMP_NUM_THREADS", "1")
    environment["ASAN_OPTIONS"] = "detect_leaks=1:strict_string_checks=1"
    # What the shared libMLIR and libLLVM keep until the process ends.
    environment["LSAN_OPTIONS"] = \
        f"suppressions={ROOT / 'scripts/lsan.supp'}:print_suppressions=0"
    environment["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"

    def asan(runner, report):
        return lambda: runner(build_asan(build), environment, reports / report)

    runners = {
        "lit": [("lit", lambda: run_lit(build, environment,
                                        reports / "lit.json"))],
        "cpp": [("C++", lambda: run_cpp(build, environment,
                                        reports / "cpp.xml"))],
        "pytest": [("pytest", lambda: run_pytest(build, environment,
                                                 reports / "pytest.xml"))],
        "asan": [("lit with sanitizers", asan(run_lit, "lit-asan.json")),
                 ("C++ with sanitizers", asan(run_cpp, "cpp-asan.xml"))],
    }
    wanted = [r for r in runners
              if r not in arguments.skip
              and (not arguments.only or r in arguments.only)]
    passed = failed = 0
    lines = []
    for part in wanted:
        for name, runner in runners[part]:
            print(f"\n== {name}", flush=True)
            start = time.time()
            try:
                good, bad = runner()
                text = f"{good} passed, {bad} failed"
            except (Failure, OSError) as error:
                good, bad = 0, 1
                text = f"did not run: {error}"
            lines.append(f"{name:20} {text:24} {time.time() - start:6.0f} s")
            passed += good
            failed += bad
    print("\n" + "\n".join(lines) + "\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
