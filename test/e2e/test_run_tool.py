# test_run_tool.py - evox-run
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import os
import pty
import re
import subprocess

import pytest
import torch

import evox_cases


def run(tools, *arguments, **options):
    return subprocess.run([tools / "evox-run", *map(str, arguments)],
                          check=True, capture_output=True, text=True,
                          **options)


def test_carries_out_options_in_order(tools, pso_library, tmp_path):
    best = "algorithm.global_best_fitness"
    done = run(tools, pso_library, "--print", best, "--seed", 42,
               "--call", "init_step", "--print", best, "--call", "step:50",
               "--print", best)
    values = [float(line.split(" = ")[1])
              for line in done.stdout.splitlines()]
    assert len(values) == 3
    assert values[0] == float("inf") and values[0] > values[1] > values[2]
    assert done.stderr == ""  # no progress bar in a pipe


def test_prints_what_python_reads(tools, pso_library, tmp_path):
    import evox_mlir

    path = tmp_path / "s.safetensors"
    done = run(tools, pso_library, "--seed", 1, "--call", "init_step",
               "--call=step:3", "--print", "algorithm.global_best_location",
               "--save", path)
    program = evox_mlir.load(pso_library)
    program.load(path)
    location = program.get("algorithm.global_best_location")
    text = done.stdout.split(" = ")[1]
    assert torch.equal(torch.tensor(eval(text)), location)
    assert "float32 [100]" in done.stdout


def test_threads_change_nothing(tools, pso_library):
    best = "algorithm.population"
    one, four = (run(tools, pso_library, "--seed", 3, "--threads", n,
                     "--call", "init_step", "--call", "step:20",
                     "--print", best).stdout for n in (1, 4))
    assert one == four
    with pytest.raises(subprocess.CalledProcessError) as error:
        run(tools, pso_library, "--threads", 0, "--call", "step")
    assert "--threads: expected a number from 1 to 1024" in error.value.stderr


def test_save_and_load(tools, pso_library, tmp_path):
    path = tmp_path / "s.safetensors"
    best = "algorithm.population"
    whole = run(tools, pso_library, "--seed", 3, "--call", "init_step",
                "--call", "step:20", "--print", best).stdout
    run(tools, pso_library, "--seed", 3, "--call", "init_step",
        "--call", "step:9", "--save", path)
    assert run(tools, pso_library, "--load", path, "--call", "step:11",
               "--print", best).stdout == whole


def test_reset(tools, pso_library):
    name = "algorithm.population"
    lines = run(tools, pso_library, "--print", name, "--call", "init_step",
                "--print", name, "--reset", "--print", name).stdout
    first, second, third = lines.splitlines()
    assert first == third != second


def test_lists(tools, pso_library):
    text = run(tools, pso_library, "--list").stdout
    for part in ("  init_step\n", "  step\n",
                 "  algorithm.population: float32 [1024, 100]\n",
                 "  algorithm.global_best_fitness: float32 []\n"):
        assert part in text
    assert '"entries"' in run(tools, pso_library, "--signature").stdout


def test_prints_growing_lists(tools, tmp_path):
    case = evox_cases.Case("PSO", "Sphere", pop=4, dim=2, monitor=())
    evox_cases.compile_case(case, output=tmp_path / "lib.so")
    text = run(tools, tmp_path / "lib.so", "--call", "init_step",
               "--call", "step:2",
               "--print", "algorithm._monitor_.fitness_history").stdout
    assert "list of 4" in text
    assert "fitness_history[3]: float32 [4] = [" in text


def test_progress_bar_on_a_terminal(tools, pso_library):
    """Drawn on a terminal; the numbers do not depend on it."""
    arguments = [tools / "evox-run", pso_library, "--seed", "42", "--call",
                 "init_step", "--call", "step:60", "--print",
                 "algorithm.global_best_fitness"]
    ours, theirs = pty.openpty()
    done = subprocess.run([*map(str, arguments)], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    drawn = os.read(ours, 1 << 20).decode()
    os.close(ours)
    assert re.search(r"step \[#{30}\] 60/60 +\d+/s", drawn)
    assert "\r" in drawn
    assert done.stdout == run(tools, *arguments[1:]).stdout


def test_help_explains_each_option(tools):
    text = run(tools, "--help").stdout
    for option in ("--seed", "--call", "--print", "--save", "--load",
                   "--reset", "--list", "--signature", "--no-progress"):
        assert option in text
