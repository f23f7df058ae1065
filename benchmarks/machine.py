# machine.py - the machine, the tools, and the environment with JAX
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def busy_share(seconds=1.0):
    """The share of the processors' time that went to work."""
    def read():
        with open("/proc/stat") as file:
            times = [int(x) for x in file.readline().split()[1:9]]
        return sum(times), times[3] + times[4]

    total, idle = read()
    time.sleep(seconds)
    total2, idle2 = read()
    return 1 - (idle2 - idle) / max(total2 - total, 1)


def wait_until_idle(limit=20.0):
    """How busy others keep the machine after waiting for them to stop."""
    end = time.monotonic() + limit
    while True:
        busy = busy_share(0.5)
        if busy <= 0.1 or time.monotonic() > end:
            return busy


def describe():
    """Facts about this machine, for the page."""
    facts = {"cores": os.cpu_count(), "model": platform.processor() or
             platform.machine(), "flags": [], "caches": ""}
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    facts["model"] = value.strip()
                if key.strip() in ("flags", "Features"):
                    facts["flags"] = value.split()
        with open("/proc/meminfo") as file:
            kb = int(file.readline().split()[1])
            facts["memory"] = round(kb / 2**20, 1)
        text = subprocess.run(["lscpu"], capture_output=True,
                              text=True).stdout
        caches = [" ".join(line.split()) for line in text.splitlines()
                  if line.startswith(("L1d", "L2", "L3", "Hypervisor"))]
        facts["caches"] = "; ".join(caches)
    except OSError:
        pass
    known = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma",
             "asimd", "sve")
    facts["isa"] = platform.machine() + "".join(
        f" {flag}" for flag in known if flag in facts["flags"])
    del facts["flags"]
    return facts


# --- tools -------------------------------------------------------------------


def find_compiler():
    for folder in (os.environ.get("EVOX_TOOLS_DIR"), ROOT / "build" / "bin"):
        if folder and (pathlib.Path(folder) / "evox-compile").exists():
            return str(pathlib.Path(folder) / "evox-compile")
    sys.exit("no evox-compile: `make build`, or set EVOX_TOOLS_DIR")


def build_references(folder):
    """The programs in C and C++, built where they are not up to date; a name
    is missing where there is no compiler for it."""
    folder.mkdir(parents=True, exist_ok=True)
    built = {}
    cxx = first_of("clang++-22", "clang++", "g++")
    cc = first_of("clang-22", "clang", "gcc", "cc")
    flags = ["-O3", "-march=native", "-ffast-math", "-std=c++20", "-pthread"]
    if platform.machine() == "x86_64":
        flags.append("-mprefer-vector-width=512")
    if cxx and "clang" in cxx and platform.machine() == "x86_64":
        flags.append("-fveclib=libmvec")
    jobs = []
    if cc:
        jobs.append(("host", [cc, "-O2", f"-I{ROOT / 'include'}",
                              HERE / "host.c", "-ldl"]))
    if cxx:
        jobs += [(name, [cxx, *flags, HERE / "reference" / f"{name}.cpp",
                         "-lm"]) for name in ("pso", "machine")]
    for name, command in jobs:
        done = subprocess.run([*command, "-o", folder / name],
                              capture_output=True, text=True)
        if done.returncode == 0:
            built[name] = str(folder / name)
        else:
            print(f"{name} does not compile:\n{done.stderr}", file=sys.stderr)
    return built


def first_of(*names):
    return next((name for name in names if shutil.which(name)), None)


def ceilings(program, threads):
    """What reference/machine.cpp measures, by number of threads."""
    try:
        done = subprocess.run([program, str(threads)], capture_output=True,
                              text=True, timeout=60, check=True)
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"the machine's ceilings: {error}", file=sys.stderr)
        return {}


# --- JAX ---------------------------------------------------------------------


def jax_python(folder):
    """The Python of the environment with JAX, made on demand; None where it
    cannot be made."""
    wanted = (HERE / "requirements-jax.txt").read_bytes()
    stamp = folder / f".evox-{hashlib.sha256(wanted).hexdigest()[:16]}"
    python = folder / "bin" / "python"
    if stamp.exists() and python.exists():
        return str(python)
    print(f"making the environment with JAX in {folder}", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder],
                       check=True, capture_output=True, text=True)
        subprocess.run([python, "-m", "pip", "install", "-q",
                        "--disable-pip-version-check", "-r",
                        HERE / "requirements-jax.txt"],
                       check=True, capture_output=True, text=True)
        stamp.touch()
        return str(python)
    except (OSError, subprocess.SubprocessError) as error:
        text = (getattr(error, "stderr", "") or str(error)).strip()
        print("no JAX: its environment cannot be made: "
              f"{text.splitlines()[-1] if text else error}", file=sys.stderr)
        return None
