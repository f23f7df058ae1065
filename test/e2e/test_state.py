# test_state.py - instances, runs and checkpoints
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import subprocess
import sys
import textwrap
import threading

import pytest
import torch

import evox_mlir
import evox_cases
from evox_cases import Case, Tally

CASES = [Case("PSO", "Ackley", pop=40, dim=6),
         Case("CSO", "Rastrigin", pop=40, dim=6),
         # An odd count of normals: the generator keeps one for later.
         Case("OpenES", "Sphere", pop=3, dim=5,
              extra=(("mirrored_sampling", False),)),
         Case("SNES", "Sphere", pop=40, dim=6),
         Case("DE", "Sphere", pop=40, dim=6)]


def same(one, other):
    """Every bit of the state, without a tolerance; the generator too."""
    ours, theirs = one.state_dict(), other.state_dict()
    for program, state in ((one, ours), (other, theirs)):
        state["generator"] = program.get(evox_cases.GENERATOR)
    assert ours.keys() == theirs.keys()
    return all(torch.equal(evox_cases.bits(ours[name]),
                           evox_cases.bits(theirs[name])) for name in ours)


def started(program, seed=42):
    program = program.new_instance()
    program.seed(seed)
    program.init_step()
    return program


@pytest.mark.parametrize("case", CASES, ids=str)
def test_run_is_n_calls(case):
    program = evox_cases.compile_case(case)
    one, other = started(program), started(program)
    one.run("step", 37)
    for _ in range(37):
        other.step()
    assert same(one, other)


def test_run_of_nothing(small):
    one, other = started(small), started(small)
    one.run("step", 0)
    assert same(one, other)
    with pytest.raises(evox_mlir.ArgumentError, match="-1"):
        one.run("step", -1)


@pytest.mark.parametrize("rng", ["torch", "philox"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_continue_in_a_new_process(case, rng, tmp_path):
    program = evox_cases.compile_case(
        case, rng=rng, output=tmp_path / "libprogram.so")
    whole = started(program)
    whole.run("step", 30)
    half = started(program)
    half.run("step", 13)
    half.save(tmp_path / "half.safetensors")
    script = textwrap.dedent("""
        import sys, evox_mlir
        assert "torch" not in sys.modules
        program = evox_mlir.load(sys.argv[1])
        program.load(sys.argv[2])
        program.run("step", 17)
        program.save(sys.argv[3])
    """)
    subprocess.run([sys.executable, "-c", script,
                    tmp_path / "libprogram.so", tmp_path / "half.safetensors",
                    tmp_path / "end.safetensors"], check=True)
    other = program.new_instance()
    other.load(tmp_path / "end.safetensors")
    assert same(whole, other)


def test_checkpoint_is_safetensors(small, tmp_path):
    """The library of that name reads it, and finds the state."""
    from safetensors.torch import load_file

    program = started(small)
    program.run("step", 3)
    program.save(tmp_path / "state.safetensors")
    tensors = load_file(tmp_path / "state.safetensors")
    for name, value in program.state_dict().items():
        assert torch.equal(tensors[name], value), name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.safetensors"]


def test_save_over_an_older_one(small, tmp_path):
    program = started(small)
    path = tmp_path / "state.safetensors"
    program.save(path)
    program.step()
    program.save(path)
    other = small.new_instance()
    other.load(path)
    assert same(program, other)


def test_save_into_no_folder(small, tmp_path):
    with pytest.raises(evox_mlir.FileError, match="nowhere"):
        small.new_instance().save(tmp_path / "nowhere" / "state.safetensors")


def test_reset(small):
    fresh, program = small.new_instance(), started(small)
    program.run("step", 3)
    assert not same(fresh, program)
    program.reset()
    assert same(fresh, program)


def test_two_instances_do_not_disturb_each_other(small):
    one, other = started(small, 1), started(small, 2)
    alone_one, alone_other = started(small, 1), started(small, 2)
    for _ in range(10):
        one.step()
        other.step()
    alone_one.run("step", 10)
    alone_other.run("step", 10)
    assert same(one, alone_one)
    assert same(other, alone_other)
    assert not same(one, other)


def test_two_libraries_in_one_process():
    cases = CASES[0], CASES[4]
    one, other = (evox_cases.compile_case(case) for case in cases)
    assert one.library.path != other.library.path
    alone = [started(program) for program in (one, other)]
    for program in alone:
        program.run("step", 10)
    one, other = started(one), started(other)
    for _ in range(10):
        one.step()
        other.step()
    assert same(one, alone[0])
    assert same(other, alone[1])


def test_two_threads(small):
    """Each with its own instance, at the same time."""
    programs = [started(small, seed) for seed in range(2)]
    expected = [started(small, seed) for seed in range(2)]
    for program in expected:
        program.run("step", 300)
    start = threading.Barrier(2)
    failures = []

    def work(program):
        try:
            start.wait()
            for _ in range(30):
                program.run("step", 10)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(p,)) for p in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for program, wanted in zip(programs, expected):
        assert same(program, wanted)


def test_state_dict_round_trip(small):
    program, other = started(small), small.new_instance()
    program.run("step", 3)
    other.load_state_dict(program.state_dict())
    other.set(evox_cases.GENERATOR, program.get(evox_cases.GENERATOR))
    assert same(program, other)


def test_state_is_pytorchs_from_the_start():
    """The initial values, and the names and their order."""
    case = CASES[0]
    workflow = case.build()
    program = evox_cases.compile_case(case, workflow)
    evox_cases.compare_state(program, workflow, Tally(), "initial")
    assert set(workflow.state_dict()) == set(program.state_dict())


def test_philox_is_another_generator(small):
    case = Case("PSO", "Ackley", pop=40, dim=6)
    program = evox_cases.compile_case(case, rng="philox")
    one, other = started(program, 9), started(program, 9)
    one.run("step", 5)
    other.run("step", 5)
    assert same(one, other)
    with_torch = started(small, 9)
    with_torch.run("step", 5)
    assert not same(one, with_torch)
    assert program.signature["options"]["rng"] == "philox"
