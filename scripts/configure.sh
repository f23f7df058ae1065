#!/usr/bin/env bash
# configure.sh - runs CMake with a preset, once
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# usage: scripts/configure.sh PRESET FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1 folder=$2
venv=$(cd "${EVOX_VENV:-.venv}" && pwd)
options=(--preset "$preset" -B "$folder" "-DEVOX_VENV=$venv")
# Ninja itself runs CMake again when a CMake file changes.
stamp="$folder/.evox-configured"
wanted="${options[*]} $(sha256sum CMakePresets.json)"
if [ -f "$folder/build.ninja" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
mkdir -p "$folder"
if ! cmake "${options[@]}" >"$folder/configure.log" 2>&1; then
  cat "$folder/configure.log" >&2
  exit 1
fi
printf '%s\n' "$wanted" >"$stamp"
