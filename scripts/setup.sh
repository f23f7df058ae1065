#!/usr/bin/env bash
# setup.sh - what the build needs on this machine: Debian packages and .venv
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: scripts/setup.sh [packages|venv|aarch64]...     (default: the first two)
#
# aarch64: what compiles, links and runs programs for that architecture here,
# and its C library and LAPACK in build/aarch64-sysroot.
#
# Installs only what is missing, and does nothing the second time.
#   EVOX_VENV  the virtual environment (default: .venv)
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${EVOX_VENV:-.venv}
packages=(
  # MLIR, LLVM and the compiler; libclang-rt for the sanitizers.
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22
  libpolly-22-dev libclang-rt-22-dev
  # What LLVM's CMake files look for.
  zlib1g-dev libzstd-dev libedit-dev libxml2-dev
  cmake ninja-build ccache libstdc++-12-dev libc6-dev
  # The run-time library's factorisations and its tests.
  liblapack-dev libgtest-dev
  ca-certificates
)

packages_aarch64=(
  libc6-dev-arm64-cross libstdc++-12-dev-arm64-cross libgcc-12-dev-arm64-cross
  googletest qemu-user
)

say() { printf '%s\n' "setup: $*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "'$*' needs root, and there is no sudo"
    return 1
  fi
}

missing_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = \
      installed ] || printf '%s\n' "$name"
  done
}

install_packages() {
  local missing log
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  log=$(mktemp)
  if ! { as_root apt-get update -q && as_root env \
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    say "could not install the packages above. LLVM 22 for Debian 12 is in" \
      "Debian's security archive; with other archives, see https://apt.llvm.org"
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# A Python of 3.10 or later that can make a virtual environment with pip.
# Debian's own cannot before python3-venv is there, another one on PATH may.
find_python() {
  local python
  for python in python3.11 python3 /usr/bin/python3 python3.12 python3.13; do
    if command -v "$python" >/dev/null &&
      "$python" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10)' \
        2>/dev/null; then
      command -v "$python"
      return 0
    fi
  done
  return 1
}

make_venv() {
  local stamp python log
  stamp="$venv/.evox-$(cat requirements.txt | sha256sum | cut -c1-16)"
  if [ -f "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    return 0
  fi
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    if ! python=$(find_python); then
      install_packages python3-venv
      python=$(find_python)
    fi
    say "making $venv with $python"
    "$python" -m venv --clear "$venv"
  fi
  say "installing the Python packages of requirements.txt into $venv"
  log=$(mktemp)
  if ! "$venv/bin/python" -m pip install -q --disable-pip-version-check \
    --no-deps -r requirements.txt >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    say "pip could not install requirements.txt"
    return 1
  fi
  rm -f "$log"
  # The package is used from the working tree: nothing to reinstall.
  printf '%s\n' "$PWD/python" > \
    "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/evox_mlir.pth"
  rm -f "$venv"/.evox-*
  : >"$stamp"
}

# Debian's packages of the other architecture are only unpacked: the system
# keeps its own.
make_sysroot() {
  local sysroot=build/aarch64-sysroot folder log
  [ -e "$sysroot/usr/lib/aarch64-linux-gnu/liblapack_pic.a" ] && return 0
  say "unpacking libc6 and liblapack-dev for arm64 into $sysroot"
  folder=$(mktemp -d) log=$(mktemp)
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
  : >"$folder/status"
  local apt=(apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64
    -o "Dir::State::lists=$folder/lists" -o "Dir::State::status=$folder/status"
    -o "Dir::Cache=$folder/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
  if ! { "${apt[@]}" update && (cd "$folder" &&
    "${apt[@]}" download libc6 liblapack-dev); } >"$log" 2>&1; then
    cat "$log" >&2
    rm -rf "$folder" "$log"
    return 1
  fi
  mkdir -p "$sysroot"
  for package in "$folder"/*.deb; do
    dpkg-deb -x "$package" "$sysroot"
  done
  rm -rf "$folder" "$log"
}

[ $# -gt 0 ] || set -- packages venv
for part in "$@"; do
  case $part in
  packages) install_packages "${packages[@]}" ;;
  venv) make_venv ;;
  aarch64)
    install_packages "${packages_aarch64[@]}"
    make_sysroot
    ;;
  *)
    say "unknown part '$part': packages, venv or aarch64"
    exit 2
    ;;
  esac
done
