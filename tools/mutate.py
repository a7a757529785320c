"""
Small changes to the library that nobody meant, one at a time, and whether the unit tests beside it notice.

`python tools/mutate.py` chooses sixty by a seed from the syntax trees of five packages (an operator, a comparison, `and` for
`or`, a `not` dropped, a number one too large), puts each into a copy of the project and runs the quick tests of its package
that call the changed function (`tools/touched.py` finds out which, in a run of its own; `--learnt FILE` keeps that, package by package) up to the
first that fails. It prints a line per change and, at the end, how many die: each of the others is a test that is missing, or a
change after which every answer is the same. The choice goes by the words of a place, not by its number among all places, so
that it stays when something else in the file changes. It takes half an hour on an idle machine; `--only 3 17` takes two of them.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("access", "district", "io", "ledger", "network")
#: An operator, what is put in its place, and the kind of change it is.
SWAPS: dict[type, tuple[str, str, str]] = {
    ast.Add: ("+", "-", "operator"),
    ast.Sub: ("-", "+", "operator"),
    ast.Mult: ("*", "/", "operator"),
    ast.Div: ("/", "*", "operator"),
    ast.Lt: ("<", "<=", "comparison"),
    ast.LtE: ("<=", "<", "comparison"),
    ast.Gt: (">", ">=", "comparison"),
    ast.GtE: (">=", ">", "comparison"),
    ast.Eq: ("==", "!=", "comparison"),
    ast.NotEq: ("!=", "==", "comparison"),
    ast.And: ("and", "or", "connective"),
    ast.Or: ("or", "and", "connective"),
}
#: These once survived, so they are always among the sixty: the file and the words of the place, of each kind that fits.
KNOWN = {
    ("access/capacity.py", "within_capacity: shared['ratio'] * per / norm"),
    ("access/entrances.py", "_spread: east - west"),
    ("network/kernel_doors.py", "at_doors: least <= bound and least < np.inf"),
    ("network/kernel_doors.py", "_prefer: nearest >= 0 and label == nearest"),
}
QUICK = "not slow and not browser and not matrix"
#: A change that makes something run for ever is noticed too: seconds of processor time, and by the clock.
PROCESSOR_S, TIMEOUT_S = 120, 1200


#: Of every test its seconds of processor time and what it calls, as `tools/touched.py` writes it.
Costs: TypeAlias = dict[str, tuple[float, list[str]]]


class Mutant(NamedTuple):
    """One change: the bytes of a file from `start` to `end` become `new`."""

    kind: str
    file: str  # below xinhe_geo/
    line: int
    start: int
    end: int
    new: str
    words: str  # the smallest expression around it, in which function

    @property
    def package(self) -> str:
        return self.file.partition("/")[0]


class Finder(ast.NodeVisitor):
    """What can be changed in a file, with the function it stands in."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file, self.source, self.found = file, source, list[Mutant]()
        self.inside: list[str] = []
        lines = source.splitlines(keepends=True)
        self.begins = [0]
        for line in lines:
            self.begins.append(self.begins[-1] + len(line))

    def at(self, line: int | None, column: int | None) -> int:
        return self.begins[(line or 1) - 1] + (column or 0)  # `ast` counts columns in bytes

    def add(self, kind: str, node: ast.expr, where: tuple[int, int], new: str) -> None:
        words = f"{'.'.join(self.inside)}: {' '.join(ast.unparse(node).split())}"
        self.found.append(Mutant(kind, self.file, node.lineno, *where, new, words))

    def between(self, node: ast.expr, left: ast.expr, right: ast.expr, operator: ast.AST) -> None:
        """Note the operator that stands between two operands."""
        old, new, kind = SWAPS.get(type(operator), ("", "", ""))
        start, end = self.at(left.end_lineno, left.end_col_offset), self.at(right.lineno, right.col_offset)
        gap = self.source[start:end].decode("utf-8")
        if not old or "#" in gap or gap.count(old) != 1:
            return
        start += len(gap[: gap.index(old)].encode("utf-8"))
        self.add(kind, node, (start, start + len(old)), new)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.inside.append(node.name)
        for part in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)  # neither decorators nor annotations
        self.inside.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.inside.append(node.name)
        for part in node.body:
            self.visit(part)
        self.inside.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Words, not answers."""

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not any(is_text(side) for side in (node.left, node.right)):
            self.between(node, node.left, node.right, node.op)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for (left, right), operator in zip(pairwise([node.left, *node.comparators]), node.ops, strict=True):
            self.between(node, left, right, operator)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in pairwise(node.values):
            self.between(node, left, right, node.op)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start = self.at(node.lineno, node.col_offset)
            self.add("dropped not", node, (start, start + len("not ")), "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool | int | float):
            where = self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)
            new = not node.value if isinstance(node.value, bool) else node.value + 1
            self.add("constant", node, where, repr(new))

    def generic_visit(self, node: ast.AST) -> None:
        """Say of a number what it stands in, or all ones of a function would look the same."""
        first = len(self.found)
        super().generic_visit(node)
        if isinstance(node, ast.expr | ast.stmt) and not isinstance(node, ast.Constant):
            for position, one in enumerate(self.found[first:], first):
                if one.kind == "constant" and one.words.count(" ") == 1:
                    around = " ".join(ast.unparse(node).split())
                    self.found[position] = one._replace(words=f"{one.words} in {around[:80]}")


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def mutants(package: str) -> list[Mutant]:
    """Return everything that can be changed in a package."""
    found = []
    for path in sorted((ROOT / "xinhe_geo" / package).rglob("*.py")):
        if path.name != "__init__.py":
            finder = Finder(path.relative_to(ROOT / "xinhe_geo").as_posix(), path.read_bytes())
            finder.visit(ast.parse(finder.source))
            found += finder.found
    return found


def chosen(seed: int, count: int) -> list[Mutant]:
    """Return so many mutants: those that are known, then as many of each package, and of its kinds in turn."""
    picked = []
    for package in PACKAGES:
        every = mutants(package)
        known = [m for m in every if (m.file, m.words) in KNOWN and m.kind in ("operator", "connective")]
        kinds: dict[str, list[tuple[str, Mutant]]] = defaultdict(list)
        twins: Counter[str] = Counter()
        for mutant in every:
            name = f"{mutant.file} {mutant.kind} {mutant.words}"
            twins[name] += 1
            rank = hashlib.sha256(f"{seed} {name} {twins[name]}".encode()).hexdigest()
            kinds[mutant.kind].append((rank, mutant))
        queues = [sorted(kinds[kind]) for kind in sorted(kinds)]
        in_turn = [queue[turn][1] for turn in range(count) for queue in queues if turn < len(queue)]
        picked += [*known, *(m for m in in_turn if m not in known)][: count // len(PACKAGES)]
    return picked


def shown(mutant: Mutant) -> str:
    """Return the changed line as it was and as it is."""
    source = (ROOT / "xinhe_geo" / mutant.file).read_bytes()
    begin, end = source.rfind(b"\n", 0, mutant.start) + 1, source.find(b"\n", mutant.end)
    changed = source[begin : mutant.start] + f"[{mutant.new}]".encode() + source[mutant.end : end]
    return changed.decode("utf-8").strip()


def planted(mutant: Mutant) -> bytes:
    source = (ROOT / "xinhe_geo" / mutant.file).read_bytes()
    return source[: mutant.start] + mutant.new.encode() + source[mutant.end :]


def first_failure(copy: Path, tests: list[str], *options: str) -> str:
    """Run tests up to the first that fails; return its name, "" if all pass."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-p",
        "touched",
        "--trials=10",
        "-m",
        QUICK,
    ]
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy), str(copy / "tools")])}
    changed = "--touched" not in options
    if changed:  # nothing compiled of such a file may stay
        where["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        done = subprocess.run(
            [*command, *options, *tests],
            cwd=copy,
            env=where,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
            preexec_fn=limited if changed else None,
        )
    except subprocess.TimeoutExpired:
        return "(no end)"
    if done.returncode == 0:
        return ""
    failed = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].rpartition("/")[2] if failed else f"(code {done.returncode})"


def limited() -> None:
    """End what goes on for ever, however busy the machine is."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))


def tests_of(mutant: Mutant, costs: Costs) -> list[str]:
    """
    Return the tests of the mutant's package that call its function, or else all of them, in the order to ask them.

    By files, so that what a file's tests share is made once: first the file that speaks most of the module and function. In a
    file what is cheap comes first. A compiled loop is not seen to be called.
    """
    function = mutant.words.partition(":")[0]
    place, sought = (
        f"{mutant.file} {function}".strip(),
        {Path(mutant.file).stem, *function.strip("_").split(".")} - {""},
    )
    said: dict[str, int] = {}
    for file in {test.partition("::")[0] for test in costs}:
        text = (ROOT / file).read_text("utf-8")
        said[file] = sum(text.count(word) for word in sought)

    def calls(test: str) -> bool:
        known = costs[test][1]  # of what stands inside a function, the function
        return any(f"{place}.".startswith(f"{name}.") or (not function and name.startswith(place)) for name in known)

    def rank(test: str) -> tuple[int, str, float]:
        file = test.partition("::")[0]
        return -said[file], file, costs[test][0]

    own = [test for test in costs if test.startswith(f"tests/{mutant.package}/")]
    return sorted([test for test in own if calls(test)] or own, key=rank)


def learnt_of(copy: Path, packages: list[str], known: Path) -> Costs:
    """Return what a file keeps of which test calls what; what it lacks of some packages is found out, and kept there too."""
    costs: Costs = json.loads(known.read_text("utf-8")) if known.exists() else {}
    missing = [folder for folder in packages if not any(test.startswith(f"{folder}/") for test in costs)]
    if missing:
        fresh = known.with_suffix(".fresh")
        if failed := first_failure(copy, missing, "--touched", str(fresh)):
            raise SystemExit(f"without any change: {failed}")  # everything would seem to die of it
        costs |= json.loads(fresh.read_text("utf-8"))
        fresh.unlink()
        known.write_text(json.dumps(costs), "utf-8")
    return costs


def outcomes(asked: list[Mutant], learnt: Path | None) -> Iterator[tuple[Mutant, str, float]]:
    """Plant each mutant in turn in a copy of the project; say which test fails first, and after how many seconds."""
    with tempfile.TemporaryDirectory() as room:
        copy, listed = Path(room) / "copy", Path(room) / "tests.json"
        leftovers = shutil.ignore_patterns(".git", ".venv", "output", "notebooks", "wheels")
        shutil.copytree(ROOT, copy, ignore=leftovers)
        packages = sorted({f"tests/{mutant.package}" for mutant in asked})
        known = listed if learnt is None else learnt.resolve()
        costs = learnt_of(copy, packages, known)
        for mutant in asked:
            file = copy / "xinhe_geo" / mutant.file
            compiled, kept = file.parent / "__pycache__", Path(room) / "kept"
            if compiled.is_dir():  # compiled loops are found again by the time of their source, which comes back below
                shutil.copytree(compiled, kept)
            original, stat = file.read_bytes(), file.stat()
            file.write_bytes(planted(mutant))
            os.utime(file, (stat.st_atime, stat.st_mtime + 60))
            tests = tests_of(mutant, costs)
            listed.write_text(json.dumps(tests), "utf-8")
            began = time.monotonic()
            files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
            failed = first_failure(copy, files, "--asked", str(listed))
            yield mutant, failed, time.monotonic() - began
            file.write_bytes(original)
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            if kept.is_dir():
                shutil.rmtree(compiled)
                kept.rename(compiled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the list, from 1")
    parser.add_argument("--list", action="store_true", help="say what would be changed, and run nothing")
    parser.add_argument("--learnt", type=Path, help="a file that keeps which test calls what; made where there is none")
    options = parser.parse_args()
    every = chosen(options.seed, options.count)
    asked = [every[number - 1] for number in options.only] if options.only else every
    if options.list:
        for mutant in asked:
            print(f"{every.index(mutant) + 1:3d} {mutant.file}:{mutant.line} {mutant.kind}: {shown(mutant)}")
        return
    alive = 0
    for mutant, failed, took in outcomes(asked, options.learnt):
        alive += not failed
        head = f"{every.index(mutant) + 1:3d} {'dies    ' if failed else 'SURVIVES'} {took:4.0f} s"
        print(f"{head} {mutant.file}:{mutant.line} {mutant.kind}: {shown(mutant)}  {failed}", flush=True)
    print(f"{len(asked) - alive} of {len(asked)} die")


if __name__ == "__main__":
    main()
