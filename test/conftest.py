# conftest.py - what every Python test shares
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "test" / "e2e"))
sys.path.insert(0, str(ROOT / "test"))
# For the Python processes that tests start.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "python"), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ.setdefault("EVOX_TOOLS_DIR", str(ROOT / "build" / "bin"))


@pytest.fixture(scope="session", autouse=True)
def fresh_cache(tmp_path_factory):
    """Nothing that an earlier build compiled is found."""
    os.environ["EVOX_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def float64_default():
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def pytest_make_parametrize_id(val):
    """Short ids that are the same in every process."""
    if isinstance(val, (str, int, float, bool, type(None))):
        return None  # pytest's own
    return str(val) if type(val).__name__ == "Case" else type(val).__name__


def pytest_terminal_summary(terminalreporter):
    """Figures that tests report with record_property("figure", text)."""
    lines = [(report.nodeid.split("::")[-1], value)
             for reports in terminalreporter.stats.values()
             for report in reports
             if getattr(report, "when", None) == "call"
             for name, value in report.user_properties if name == "figure"]
    if lines:
        terminalreporter.section("figures")
        for name, value in sorted(lines):
            terminalreporter.write_line(f"{name}: {value}")


def pytest_collection_modifyitems(items):
    """What is known to fail stands in a table, with its reason."""
    from known_failures import KNOWN_FAILURES

    for item in items:
        for name, reason in KNOWN_FAILURES.items():
            if name in item.nodeid:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=False))
