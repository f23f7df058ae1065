# test_errors.py - bad input gets an answer that helps
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each bad input: no crash, a text that says what, where and what to do, and
the state as it was."""

import inspect
import re
import shutil
import subprocess

import numpy
import pytest
import torch

import evox_mlir
import evox_cases
from evox_cases import Case


def refuse(tools, *arguments, tool="evox-compile"):
    """The text of a tool's error."""
    done = subprocess.run([tools / tool, *map(str, arguments)],
                          capture_output=True, text=True)
    assert done.returncode > 0, f"ended with {done.returncode}: {done.stderr}"
    assert "Stack dump" not in done.stderr and "terminate" not in done.stderr
    # A malformed command line is answered by LLVM's own parser.
    assert "error:" in done.stderr or done.stderr.startswith(f"{tool}: ")
    return done.stderr


# --- what is compiled --------------------------------------------------------


def test_no_such_file(tools, tmp_path):
    text = refuse(tools, tmp_path / "absent.pt", "-o", tmp_path / "x.so")
    assert "absent.pt" in text and "No such file" in text


def test_not_a_pt(tools, tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("these are notes\n")
    text = refuse(tools, path, "-o", tmp_path / "x.so")
    assert "notes.pt" in text
    assert re.search(r"not a (TorchScript|\.pt)", text)
    assert not (tmp_path / "x.so").exists()


def test_pickled_module_is_not_a_script(tools, tmp_path):
    path = tmp_path / "pickle.pt"
    torch.save({"weights": torch.ones(3)}, path)
    text = refuse(tools, path, "-o", tmp_path / "x.so")
    assert "pickle.pt" in text and "torch.jit.save" in text


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_truncated_pt(tools, pso_pt, tmp_path, share):
    path = tmp_path / "short.pt"
    data = pso_pt.read_bytes()
    path.write_bytes(data[:int(len(data) * share)])
    text = refuse(tools, path, "-o", tmp_path / "x.so")
    assert "short.pt" in text and re.search("truncated|damaged|not a", text)


class Unsupported(torch.nn.Module):
    def forward(self, x):
        y = torch.fft.rfft(x)
        z = torch.view_as_complex(x.reshape(8, 2))
        return torch.quantize_per_tensor(x, 0.1, 10, torch.quint8), y, z


def test_unsupported_ops_are_all_listed():
    """Each with the Python file and line."""
    with pytest.raises(evox_mlir.CompileError) as caught:
        evox_mlir.compile(Unsupported(), (torch.ones(16),))
    text = caught.value.diagnostics
    _, first = inspect.getsourcelines(Unsupported)
    for line, op in ((2, "fft_rfft"), (3, "view_as_complex"), (4, "quantize_per_tensor")):
        assert re.search(rf"test_errors\.py:{first + line}:.*{op}", text), \
            f"{op} in line {first + line} is not in:\n{text}"


def test_unknown_method(tools, pso_pt, tmp_path):
    text = refuse(tools, pso_pt, "--method", "stop", "-o", tmp_path / "x.so")
    assert "'stop'" in text
    assert "init_step" in text and "step" in text  # those that there are


def test_method_without_example_inputs():
    class Needy(torch.nn.Module):
        def forward(self, x):
            return x + 1

    with pytest.raises(evox_mlir.CompileError, match=r"forward.*\bx\b"):
        evox_mlir.compile(torch.jit.script(Needy()), methods=("forward",))


def test_bad_input_type(tools, tmp_path):
    path = tmp_path / "f.ts"
    path.write_text("def forward(self, x: Tensor):\n    return x\n")
    for spec, part in (("forward:float32[2", "']' is missing"),
                       ("forward:flot32[2]", "'flot32'"),
                       ("forward", "expected METHOD:TYPES"),
                       ("forward:float32[x]", "'x'"),
                       ("backward:float32[2]", "'backward'")):
        text = refuse(tools, path, "--input", spec, "-o", tmp_path / "x.so")
        assert "--input" in text and part in text


def test_python_refuses_what_it_cannot_script():
    class Loose(torch.nn.Module):
        def forward(self, x):
            return {**{"a": x}}

    with pytest.raises(evox_mlir.CompileError, match="torch.jit.script"):
        evox_mlir.compile(Loose(), (torch.ones(2),))
    with pytest.raises(evox_mlir.ArgumentError, match="ScriptModule"):
        evox_mlir.compile(42)


def test_unknown_options(tools, pso_pt, tmp_path):
    output = tmp_path / "x.so"
    assert "dice" in refuse(tools, pso_pt, "--rng=dice", "-o", output)
    assert "abacus" in refuse(tools, pso_pt, "--target=abacus", "-o", output)
    assert "soup" in refuse(tools, pso_pt, "--emit=soup", "-o", output)


def test_output_folder_is_missing(tools, pso_pt, tmp_path):
    text = refuse(tools, pso_pt, "-o", tmp_path / "nowhere" / "x.so")
    assert "nowhere" in text


# --- what is called ----------------------------------------------------------


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(2, 3))

    def forward(self, x, factor: int):
        self.total += x * factor
        return self.total.clone()

    @torch.jit.export
    def positive(self, x):
        self.total += 1
        if bool((x < 0).any()):
            raise ValueError("x has a negative element")
        return x.sqrt()


@pytest.fixture(scope="module")
def scale():
    return evox_mlir.compile(Scale(), {"forward": (torch.ones(2, 3), 2),
                                       "positive": (torch.ones(4),)})


@pytest.mark.parametrize("arguments, parts", [
    ((torch.ones(3, 2), 2), ["x", "float32 [2, 3]", "float32 [3, 2]"]),
    ((torch.ones(2, 3, 1), 2), ["x", "float32 [2, 3]", "float32 [2, 3, 1]"]),
    ((torch.ones(2, 3).double(), 2), ["x", "float32 [2, 3]",
                                      "float64 [2, 3]"]),
    ((torch.ones(2, 3).int(), 2), ["x", "float32 [2, 3]", "int32 [2, 3]"]),
    ((torch.ones(2, 3, device="meta"), 2), ["x", "float32 [2, 3]", "cpu",
                                            "meta"]),
    ((torch.ones(2, 3), 2.5), ["factor", "int64 []", "float"]),
    ((torch.ones(2, 3),), ["factor", "missing"]),
    ((torch.ones(2, 3), 2, 3), ["expected 2 arguments", "got 3"]),
    ((numpy.ones((2, 2), "float32"), 2), ["x", "float32 [2, 3]",
                                          "float32 [2, 2]"]),
    (("text", 2), ["x", "str"]),
])
def test_wrong_argument(scale, arguments, parts):
    program = scale.new_instance()
    with pytest.raises(evox_mlir.ArgumentError) as caught:
        program.forward(*arguments)
    for part in ["forward", *parts]:
        assert part in str(caught.value)
    assert not program.get("total").any()


def test_raise_of_the_program_leaves_the_state(scale):
    program = scale.new_instance()
    with pytest.raises(evox_mlir.ProgramError, match="negative element"):
        program.positive(torch.tensor([1.0, 4.0, -1.0, 2.0]))
    assert not program.get("total").any()
    result = program.positive(torch.tensor([1.0, 4.0, 9.0, 16.0]))
    assert result.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert program.get("total").eq(1).all()


def test_unknown_entry_point(small):
    program = small.new_instance()
    with pytest.raises(evox_mlir.ArgumentError, match="stop.*init_step"):
        program.run("stop", 3)
    with pytest.raises(evox_mlir.ArgumentError, match="stop.*init_step"):
        program.call("stop")
    with pytest.raises(AttributeError, match="stop.*init_step"):
        program.stop()


def test_run_of_an_entry_point_with_arguments(scale):
    with pytest.raises(evox_mlir.ArgumentError, match="forward.*argument"):
        scale.new_instance().run("forward", 3)


# --- state -------------------------------------------------------------------


def test_unknown_state_name(small):
    program = small.new_instance()
    for use in (lambda: program.get("algorithm.populaton"),
                lambda: program.set("algorithm.populaton", torch.ones(3)),
                lambda: program.load_state_dict(
                    {"algorithm.populaton": torch.ones(3)})):
        with pytest.raises(evox_mlir.ArgumentError,
                           match=r"algorithm\.populaton"):
            use()


@pytest.mark.parametrize("value, got", [
    (torch.ones(40, 7), "float32 [40, 7]"),
    (torch.ones(40, 6).double(), "float64 [40, 6]"),
])
def test_wrong_state(small, value, got):
    program = small.new_instance()
    before = program.state_dict()
    for use in (lambda: program.set("algorithm.population", value),
                lambda: program.load_state_dict(
                    {**before, "algorithm.w": torch.tensor(9.0),
                     "algorithm.population": value})):
        with pytest.raises(evox_mlir.ArgumentError) as caught:
            use()
        for part in ("algorithm.population", "float32 [40, 6]", got):
            assert part in str(caught.value)
    for name, tensor in program.state_dict().items():
        assert torch.equal(tensor, before[name]), name


# --- checkpoints -------------------------------------------------------------


@pytest.fixture
def checkpoint(small, tmp_path):
    program = small.new_instance()
    program.seed(1)
    program.init_step()
    program.run("step", 2)
    path = tmp_path / "good.safetensors"
    program.save(path)
    return path


def refuse_checkpoint(small, path, kind, match):
    program = small.new_instance()
    program.seed(8)
    program.init_step()
    twin = small.new_instance()
    twin.seed(8)
    twin.init_step()
    with pytest.raises(kind, match=match):
        program.load(path)
    program.step()  # the generator stayed as it was, too
    twin.step()
    ours, theirs = program.state_dict(), twin.state_dict()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def test_checkpoint_of_another_program(small, tmp_path):
    other = evox_cases.compile_case(Case("DE", "Sphere", pop=40, dim=6))
    other.save(tmp_path / "other.safetensors")
    refuse_checkpoint(small, tmp_path / "other.safetensors",
                      evox_mlir.CheckpointError, "another program")


def test_checkpoint_of_another_size(small, tmp_path):
    other = evox_cases.compile_case(Case("PSO", "Ackley", pop=40, dim=7))
    other.save(tmp_path / "other.safetensors")
    refuse_checkpoint(small, tmp_path / "other.safetensors",
                      evox_mlir.CheckpointError, "another program")


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1000, -1])
def test_truncated_checkpoint(small, checkpoint, length):
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[:length])
    refuse_checkpoint(small, checkpoint, evox_mlir.CheckpointError,
                      "truncated|damaged|not a safetensors")


@pytest.mark.parametrize("place", [0, 8, 60, 0.3, 0.6, 0.9, -1])
def test_altered_checkpoint(small, checkpoint, place):
    """One bit somewhere: the header's length, the header, the data."""
    data = bytearray(checkpoint.read_bytes())
    index = int(len(data) * place) if isinstance(place, float) else place
    data[index] ^= 1
    checkpoint.write_bytes(data)
    refuse_checkpoint(small, checkpoint, evox_mlir.CheckpointError,
                      "damaged|altered|checksum|truncated|not a safetensors"
                      "|another program")


def test_foreign_safetensors(small, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.ones(3)}, path)
    refuse_checkpoint(small, path, evox_mlir.CheckpointError, "evox")


def test_no_checkpoint(small, tmp_path):
    refuse_checkpoint(small, tmp_path / "absent.safetensors",
                      evox_mlir.FileError, "absent.*No such file")


# --- libraries ---------------------------------------------------------------


@pytest.fixture(scope="module")
def other_version(tmp_path_factory):
    """A library that knows another version of the C interface only."""
    folder = tmp_path_factory.mktemp("version")
    source = folder / "other.c"
    source.write_text(
        "static const unsigned table[2] = {99, 8};\n"
        "const void *evox_get_api(unsigned v)"
        " { return v == 99 ? table : 0; }\n")
    library = folder / "libother.so"
    subprocess.run([shutil.which("clang-22") or "cc", "-shared", "-fPIC",
                    source, "-o", library], check=True)
    return library


def test_library_of_another_version(tools, other_version):
    with pytest.raises(evox_mlir.LoadError, match="version 99.*version 1"):
        evox_mlir.load(other_version)
    text = refuse(tools, other_version, "--list", tool="evox-run")
    assert "version 99" in text and "version 1" in text


def test_not_a_library(tools, tmp_path):
    path = tmp_path / "libnotes.so"
    path.write_text("these are notes\n")
    with pytest.raises(evox_mlir.LoadError, match="libnotes.so"):
        evox_mlir.load(path)
    assert "libnotes.so" in refuse(tools, path, "--list", tool="evox-run")
    with pytest.raises(evox_mlir.LoadError, match="absent.so: no such file"):
        evox_mlir.load(tmp_path / "absent.so")
    assert "No such file" in refuse(tools, tmp_path / "absent.so", "--list",
                                    tool="evox-run")


def test_a_library_of_something_else(tools):
    import _ctypes

    with pytest.raises(evox_mlir.LoadError, match="evox_get_api"):
        evox_mlir.load(_ctypes.__file__)


# --- evox-run ----------------------------------------------------------------


@pytest.mark.parametrize("arguments, text", [
    (["--call", "stop"], "stop"),
    (["--call", "step:many"], "step:many"),
    (["--call", "step:-3"], "step:-3"),
    (["--seed", "x"], "whole number"),
    (["--print", "algorithm.populaton"], "algorithm.populaton"),
    (["--load", "absent.safetensors"], "absent.safetensors"),
    (["--frobnicate"], "--frobnicate"),
    (["--seed"], "needs a value"),
    ([], "nothing to do"),
])
def test_run_refuses(tools, pso_library, arguments, text):
    assert text in refuse(tools, pso_library, *arguments, tool="evox-run")


def test_run_without_a_library(tools):
    assert "no library" in refuse(tools, "--list", tool="evox-run")
