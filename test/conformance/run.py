#!/usr/bin/env python3
# run.py - PyTorch's operator tests
#
# Part of evox-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every entry of op_db through import, compile and run, against eager PyTorch.

Each forward sample becomes a traced method; many of them share a library. The
result of each entry and dtype is compared with expected.json: an entry that
does worse, or better, than it says there makes the run fail. `--update`
writes that table anew, `--docs` writes docs/operators.md.
"""

import argparse
import collections
import json
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import re
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import worker  # noqa: E402

EXPECTED = HERE / "expected.json"
DOCS = ROOT / "docs" / "operators.md"
SILENT_SECONDS = 1200  # a worker that says nothing for so long hangs


# --- the pool ----------------------------------------------------------------


class Worker:
    def __init__(self, context, limit):
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=worker.main,
                                       args=(other, limit),
                                       daemon=True)
        self.process.start()
        other.close()
        self.task = None
        self.doing = None
        self.heard = time.monotonic()

    def give(self, task):
        self.task, self.doing = task, None
        self.heard = time.monotonic()
        self.pipe.send(task)

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run_all(tasks, jobs, say=lambda text: None, limit=0, results=None):
    """{(entry, dtype, index): (verdict, text)} of every sample."""
    context = multiprocessing.get_context("spawn")
    todo = collections.deque(tasks)
    results = {} if results is None else results
    workers = []
    try:
        while todo or any(w.task for w in workers):
            while todo and len(workers) < jobs:
                workers.append(Worker(context, limit))
            for w in workers:
                if w.task is None and todo:
                    w.give(todo.popleft())
            ready = multiprocessing.connection.wait(
                [w.pipe for w in workers], timeout=5)
            for w in list(workers):
                alive = True
                if w.pipe in ready:
                    alive = listen(w, results, say)
                elif w.task and time.monotonic() - w.heard > SILENT_SECONDS:
                    alive = False
                if alive:
                    continue
                w.end()
                workers.remove(w)
                if w.task:
                    left = after_death(w, results)
                    if left:
                        todo.appendleft(left)
    finally:
        for w in workers:
            w.end()
    return results


def listen(w, results, say):
    """Takes what a worker has said; False when it is gone."""
    w.heard = time.monotonic()
    while w.task and w.pipe.poll():
        try:
            message = w.pipe.recv()
        except (EOFError, OSError):
            return False
        if message[0] == "doing":
            w.doing = message[1:]
        elif message[0] == "done":
            results[message[1]] = message[2:]
        elif message[0] == "error":
            raise RuntimeError(f"worker: {message[1]}")
        elif message[0] == "end":
            say(w.task)
            w.task = None
    return w.process.is_alive() or w.task is not None


def after_death(w, results):
    """Blames the sample that a worker died of; returns what is left to do."""
    code = w.process.exitcode
    how = "never ends" if code == -9 else f"crash, status {code}"
    if w.doing:
        key, what = w.doing
        # PyTorch's own crash, while it traces, says nothing about evox-mlir.
        verdict = "untraceable" if what in ("making samples",
                                            "tracing") else "wrong"
        results[key] = verdict, f"{how} while {what}"
    left = []
    for name, dtype, skip in w.task:
        done = {k[2] for k in results if k[:2] == (name, dtype)}
        if -1 not in done:
            left.append((name, dtype, set(skip) | done))
    return left


class Results(dict):
    """Verdicts, which a file keeps too: a run that was ended goes on."""

    def __init__(self, path=None):
        super().__init__()
        self.file = None
        if not path:
            return
        if path.exists():
            for line in path.read_text().splitlines():
                name, dtype, index, *verdict = json.loads(line)
                super().__setitem__((name, dtype, index), tuple(verdict))
        self.file = path.open("a")

    def __setitem__(self, key, verdict):
        super().__setitem__(key, verdict)
        if self.file:
            self.file.write(json.dumps([*key, *verdict]) + "\n")
            self.file.flush()


def make_tasks(names, dtypes, results=()):
    """Several entries to a task: they share libraries."""
    import samples as S

    done = collections.defaultdict(set)
    for name, dtype, index in results:
        done[name, dtype].add(index)
    pairs = [(name, dtype, done[name, dtype])
             for dtype in dtypes for name in names
             if S.supports(name, dtype) and -1 not in done[name, dtype]]
    return [pairs[i:i + 6] for i in range(0, len(pairs), 6)]


PASSED = ("same", "close", "near")


# --- verdicts ----------------------------------------------------------------


class Row:
    """One entry in one dtype."""

    def __init__(self, verdicts):
        count = collections.Counter(v for v, _ in verdicts)
        self.same, self.close = count["same"], count["close"]
        self.near = count["near"]
        self.passed = self.same + self.close + self.near
        self.wrong, self.unsupported = count["wrong"], count["unsupported"]
        self.untraceable = count["untraceable"]
        self.total = self.passed + self.wrong + self.unsupported
        self.status = ("wrong" if self.wrong else
                       "unsupported" if self.unsupported else
                       "supported" if self.passed else "untraceable")
        texts = collections.Counter(t for v, t in verdicts if v == self.status)
        self.reason = texts.most_common(1)[0][0] if texts else ""
        if self.status == "supported":
            self.reason = ""

    @property
    def cell(self):
        if self.status == "supported":
            return str(self.passed)
        if self.status == "untraceable":
            return "not traceable"
        return f"{self.status} {self.total - self.passed} of {self.total}"


def make_rows(results):
    grouped = collections.defaultdict(list)
    for (name, dtype, index), verdict in results.items():
        grouped[name, dtype].append((index, verdict))
    return {key: Row([v for _, v in sorted(some)])
            for key, some in grouped.items()}


def load_expected():
    if not EXPECTED.exists():
        return {}
    table = json.loads(EXPECTED.read_text())
    return {(row["entry"], dtype): row for row in table
            for dtype in row["dtypes"]}


RANK = ("wrong", "unsupported", "untraceable", "supported")


def surprises(rows, expected, partial=False):
    """What is not as the side table has it; of `partial` rows, which lack
    some samples, only what is worse."""
    result = []
    for (name, dtype), row in sorted(rows.items()):
        known = expected.get((name, dtype))
        wanted = known["status"] if known else "supported"
        if partial and RANK.index(row.status) >= RANK.index(wanted):
            continue
        if row.status != wanted:
            why = f" ({row.reason})" if row.reason else ""
            result.append(f"{name} {dtype}: expected {wanted}, is "
                          f"{row.status}{why}")
        elif known and not partial and row.passed < known.get("passed", {}).get(dtype, 0):
            result.append(f"{name} {dtype}: {row.passed} samples pass, "
                          f"expected {known['passed'][dtype]}")
    return result


def write_expected(rows):
    """The side table: one line per entry, status and reason."""
    old = load_expected()
    groups = collections.defaultdict(list)
    for (name, dtype), row in sorted(rows.items()):
        if row.status == "supported":
            continue
        known = old.get((name, dtype))
        # A reason that a person wrote stays.
        reason = known["reason"] if known and known.get("written") and \
            known["status"] == row.status else generic(row.reason)
        written = bool(known and known.get("written")
                       and known["status"] == row.status)
        groups[name, row.status, reason, written].append((dtype, row.passed))
    table = []
    for (name, status, reason, written), dtypes in sorted(groups.items()):
        line = {"entry": name, "dtypes": [d for d, _ in dtypes],
                "status": status, "reason": reason}
        if passed := {d: n for d, n in dtypes if n}:
            line["passed"] = passed
        if written:
            line["written"] = True
        table.append(line)
    EXPECTED.write_text("[\n" + ",\n".join(
        json.dumps(line) for line in table) + "\n]\n")


def generic(reason):
    """The reason without what depends on one sample."""
    reason = reason.split(" | ")[0]
    return re.sub(r"0x[0-9a-f]+", "0x...", reason)[:200]


def summary(rows):
    """{dtype: Counter of statuses, and of samples}."""
    result = {}
    for (_, dtype), row in rows.items():
        count = result.setdefault(dtype, collections.Counter())
        count[row.status] += 1
        count["entries"] += 1
        for key in ("same", "close", "near", "total"):
            count[f"samples {key}"] += getattr(row, key)
        count["samples wrong"] += row.wrong
        count["samples unsupported"] += row.unsupported
    return result


def table(rows, dtypes):
    lines = ["| | " + " | ".join(dtypes) + " |",
             "|---|" + "---:|" * len(dtypes)]
    count = summary(rows)
    for key in ("supported", "wrong", "unsupported", "untraceable", "entries",
                "samples same", "samples close", "samples near", "samples wrong",
                "samples unsupported", "samples total"):
        label = {"samples same": "samples equal to the last bit",
                 "samples close": "samples within tolerance",
                 "samples near": "samples as near to the exact result as "
                                 "PyTorch's",
                 "samples total": "samples",
                 "untraceable": "not traceable by PyTorch"}.get(key, key)
        lines.append(f"| {label} | " + " | ".join(
            str(count.get(d, {}).get(key, 0)) for d in dtypes) + " |")
    return "\n".join(lines)


def write_docs(rows):
    import samples as S
    import torch

    text = [
        "# Operators", "",
        "Generated by `make conformance`: every entry of PyTorch's own "
        "operator tests (`op_db` of torch "
        f"{torch.__version__.partition('+')[0]}), each forward sample traced "
        "as a module whose tensors are arguments, then imported, compiled and "
        "run, against eager PyTorch.", "",
        table(rows, S.DTYPES), "",
        "*Supported*: all samples agree. *Unsupported*: some sample gets an "
        "error message that says what is lacking. *Wrong*: a sample gives "
        "other numbers, or does not compile or run. Integers and bools are "
        "compared exactly, floats with `torch.testing.assert_close`'s own "
        "tolerances ("
        + ", ".join(f"{d}: {r:g} relative, {a:g} absolute"
                    for d, (r, a) in S.TOLERANCES.items() if d in S.DTYPES)
        + "), NaN and infinities must be in the same places; shapes, dtypes "
        "and the structure of the results are equal. Random ops draw from "
        "the same seed. A float32 result that is outside of the tolerance "
        "passes as well where it is near to what the same program gives in "
        f"float64: its largest error may be {S.NEAR} times as large as that "
        "of PyTorch's own float32 result, where that is a rounding error (at "
        f"most {S.SMALL:g} of the largest value). Those are sums of products that "
        "cancel, which MKL and oneDNN add up in another order."]
    if S.LOOSER:
        text += ["", "Looser tolerances:", ""]
        for name, row in sorted(S.LOOSER.items()):
            text.append(f"- `{name}`: " + ", ".join(
                f"{d} {v[0]:g}, {v[1]:g}" for d, v in row.items()
                if d != "reason") + f" ({row['reason']})")
    text += ["", "| entry | " + " | ".join(S.DTYPES) + " | note |",
             "|---|" + "---|" * (len(S.DTYPES) + 1)]
    for name in sorted({name for name, _ in rows}):
        cells = [rows[name, d].cell if (name, d) in rows
                 else "not run" if S.supports(name, d) else ""
                 for d in S.DTYPES]
        reasons = dict.fromkeys(
            generic(rows[name, d].reason) for d in S.DTYPES
            if (name, d) in rows and rows[name, d].reason)
        note = "; ".join(reasons).replace("|", "\\|").replace("\n", " ")
        text.append(f"| {name} | " + " | ".join(cells) + f" | {note[:300]} |")
    DOCS.parent.mkdir(exist_ok=True)
    DOCS.write_text("\n".join(text) + "\n")


# --- the command -------------------------------------------------------------


def choose(names, tenth):
    """A fixed tenth of the entries."""
    names = sorted(names)
    return names[tenth::10] if tenth is not None else names


def main():
    import samples as S

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("entries", nargs="*",
                        help="names of entries, or patterns such as 'fft.*'")
    parser.add_argument("--dtype", action="append", choices=S.DTYPES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tenth", type=int, help="only the n-th tenth")
    parser.add_argument("--limit", type=int, default=0, metavar="N",
                        help="about N samples of each entry")
    parser.add_argument("--update", action="store_true",
                        help="write expected.json anew")
    parser.add_argument("--docs", action="store_true",
                        help="write docs/operators.md")
    parser.add_argument("--json", type=pathlib.Path,
                        help="write every verdict that is not a pass")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE",
                        help="keep every verdict in FILE; what is there "
                             "already is not run again")
    parser.add_argument("--verbose", "-v", action="store_true")
    arguments = parser.parse_args()
    dtypes = arguments.dtype or list(S.DTYPES)
    names = list(S.entries())
    if arguments.entries:
        patterns = [re.compile(p.replace(".", r"\.").replace("*", ".*"))
                    for p in arguments.entries]
        names = [n for n in names if any(p.fullmatch(n) for p in patterns)]
        if not names:
            parser.error("no entry has such a name")
    names = choose(names, arguments.tenth)
    if (arguments.docs or arguments.update) and (
            len(names) < len(S.entries()) or len(dtypes) < len(S.DTYPES)
            or arguments.limit):
        parser.error("--docs and --update want all entries, dtypes, samples")

    start = time.monotonic()
    results = Results(arguments.results)
    tasks = make_tasks(names, dtypes, results)
    done = 0

    def say(task):
        nonlocal done
        done += 1
        if arguments.verbose or done % 20 == 0:
            print(f"{time.monotonic() - start:6.0f} s  {done} of {len(tasks)}"
                  f"  {task[-1][0]} {task[-1][1]}", file=sys.stderr)

    run_all(tasks, arguments.jobs, say, arguments.limit, results)
    rows = make_rows(results)
    if arguments.json:
        bad = [[*key, *verdict] for key, verdict in sorted(results.items())
               if verdict[0] not in PASSED]
        arguments.json.write_text(json.dumps(bad, indent=0))
    if arguments.update:
        write_expected(rows)
    if arguments.docs:
        write_docs(rows)
    unexpected = surprises(rows, load_expected(),
                           partial=bool(arguments.limit))
    for line in unexpected:
        print(line)
    print(table(rows, dtypes))
    print(f"{len(rows)} entries and dtypes, {len(results)} samples, "
          f"{len(unexpected)} unexpected, {time.monotonic() - start:.0f} s")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
