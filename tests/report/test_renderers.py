"""
What lays out the story works nothing out: no figure is added up, rounded, sorted or judged on the way to paper or screen.

What comes from a district is followed through each function: parameters that hold data, what is imported from packages that count,
and whatever is made of either. Arithmetic, comparisons of size and the words of statistics may not touch it. What measures paper
(`LAYOUT`) gives lengths, whatever it is shown, so a page may be laid out by that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import xinhe_geo

REPORT = Path(xinhe_geo.__file__).parent / "report"
#: What lays the story out.
RENDERERS = (
    "pages/brief.py",
    "pages/change.py",
    "pages/communities.py",
    "pages/ledger.py",
    "pages/parcels.py",
    "pages/plans.py",
    "pages/since.py",
    "pages/siting.py",
    "paper/atlas.py",
    "paper/public.py",
    "paper/sheet.py",
    "paper/slides.py",
    "paper/word.py",
    "workbook.py",
)
#: Parameters of these types hold data; so does whatever is made of them.
DATA = {
    "Analysis",
    "Blank",
    "Account",
    "Cell",
    "Change",
    "Comparison",
    "Conclusion",
    "Curve",
    "DataFrame",
    "District",
    "Figure",
    "Finding",
    "Gap",
    "GeoDataFrame",
    "Goal",
    "HeatRow",
    "FigureLine",
    "Lacking",
    "Line",
    "Option",
    "Pace",
    "Parcel",
    "Parcels",
    "Part",
    "PromiseLine",
    "Promises",
    "Remedy",
    "Series",
    "Source",
    "Step",
    "Shift",
    "Story",
    "Total",
    "WalkTold",
    "Weak",
}
#: Packages whose functions give data.
COUNTING = ("access", "district", "ledger", "siting", "story", "analysis")
#: Helpers that measure: what they give is a length, a place on paper or on screen, or a path, whatever they are shown.
LAYOUT = {
    "Path",
    "Frame",
    "_cell_height",
    "_cut",
    "_fitted",
    "_gap_table",
    "_height",
    "_key_map",
    "_lay_out",
    "_number_format",
    "_split",
    "_tall",
    "_trend_chart",
    "_wide_enough",
    "_width",
    "draw_map",
    "legend_height",
    "room",
    "span",
    "table",
    "tables",
    "title_block",
    "wrap",
    "write_sheet",
}
#: Words of statistics.
STATISTICS = {
    "abs", "clip", "count", "crosstab", "cumsum", "groupby", "lexsort", "max", "mean", "median", "min", "nunique", "quantile",
    "round", "sort_values", "std", "sum", "value_counts",
}  # fmt: skip
SIZES = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def name_of(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


class Function(ast.NodeVisitor):
    """Follows data through one function, and notes where something is worked out from it."""

    def __init__(self, function: ast.FunctionDef, counting: set[str], outer: set[str]) -> None:
        self.counting, self.data, self.texts, self.paths = counting, set(outer), set[str](), set[str]()
        self.faults: list[tuple[int, str]] = []
        arguments = function.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            said = {name_of(n) for n in ast.walk(argument.annotation)} if argument.annotation is not None else set()
            if said & DATA:
                self.data.add(argument.arg)
            if "Path" in said:
                self.paths.add(argument.arg)
        before = -1
        while before != len(
            self.data
        ):  # until nothing new is reached: names are used before they are followed in loops
            before, self.faults = len(self.data), []
            for statement in function.body:
                self.visit(statement)

    # --- what holds data ---

    def holds(self, node: ast.expr | None) -> bool:
        """Return whether something from a district goes into an expression."""
        if node is None:
            return False
        if isinstance(node, ast.Call):
            name = name_of(node.func)
            if name in LAYOUT:
                return False
            parts: list[ast.expr] = [*node.args, *(k.value for k in node.keywords)]
            parts += [node.func.value] if isinstance(node.func, ast.Attribute) else []
            return name in self.counting or any(map(self.holds, parts))
        if isinstance(node, ast.Name):
            return node.id in self.data
        return any(self.holds(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)) or any(
            self.holds(child.iter) for child in ast.iter_child_nodes(node) if isinstance(child, ast.comprehension)
        )

    def text(self, node: ast.expr) -> bool:
        """Return whether an expression is plainly a text or a list: these may be joined."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        if isinstance(node, ast.Name):
            return node.id in self.texts
        if isinstance(node, ast.IfExp):
            return self.text(node.body) and self.text(node.orelse)
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.Add) and (self.text(node.left) or self.text(node.right))
        if isinstance(node, ast.Call):
            return name_of(node.func) in {"say", "str", "join", "title", "escape", "format", "html_page", "warning"} | {
                "table_html",
                "titled",
                "section",
            } or name_of(node.func).startswith("_")
        return isinstance(node, ast.JoinedStr | ast.List | ast.ListComp | ast.Tuple)

    def path(self, node: ast.expr) -> bool:
        """Return whether an expression is plainly the place of a file."""
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.Div) and self.path(node.left)
        return name_of(node) in self.paths or (isinstance(node, ast.Call) and name_of(node.func) == "Path")

    def follow(self, target: ast.expr, value: ast.expr | None) -> None:
        """Note that names hold data, where what they are set to does."""
        if isinstance(value, ast.Call) and name_of(value.func) == "enumerate" and isinstance(target, ast.Tuple):
            return self.follow(target.elts[1], value.args[0])
        if isinstance(value, ast.Tuple) and isinstance(target, ast.Tuple) and len(value.elts) == len(target.elts):
            for one, own in zip(target.elts, value.elts, strict=True):
                self.follow(one, own)
            return None
        names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        if value is not None and self.text(value):
            self.texts |= set(names)
        if value is not None and self.path(value):
            self.paths |= set(names)
        if self.holds(value):
            self.data |= set(names)
        return None

    # --- what is done with it ---

    def fault(self, node: ast.expr | ast.stmt) -> None:
        self.faults.append((node.lineno, ast.unparse(node)[:90]))

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.follow(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.follow(node.target, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self.follow(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.follow(node.target, node.iter)
        self.generic_visit(node)

    def comprehended(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        for part in node.generators:
            self.visit(part)
        self.generic_visit(node)

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = comprehended

    def visit_With(self, node: ast.With) -> None:
        self.paths |= {name_of(i.optional_vars) for i in node.items if name_of(i.context_expr.func) == "added_to"}  # type: ignore[attr-defined,arg-type]
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        joined = isinstance(node.op, ast.Add) and (self.text(node.left) or self.text(node.right))
        made = isinstance(node.op, ast.BitOr | ast.BitAnd) or self.path(node)
        if not joined and not made and (self.holds(node.left) or self.holds(node.right)):
            self.fault(node)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.follow(node.target, node.value)
        joined = isinstance(node.op, ast.BitOr) or (
            (isinstance(node.op, ast.Add) and self.text(node.value))
            or (isinstance(node.target, ast.Name) and node.target.id in self.texts)
        )
        if not joined and (self.holds(node.value) or self.holds(node.target)):
            self.fault(node)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if any(isinstance(op, SIZES) for op in node.ops) and any(map(self.holds, [node.left, *node.comparators])):
            self.fault(node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        receiver = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        ordered = name_of(node.func) == "sorted" and any(k.arg == "key" for k in node.keywords)
        if (ordered or name_of(node.func) in STATISTICS) and any(map(self.holds, [*receiver, *node.args])):
            self.fault(node)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.faults += Function(node, self.counting, self.data).faults


def worked_out(code: str) -> Iterator[tuple[int, str]]:
    """Yield where a renderer works something out from data: line and expression."""
    tree = ast.parse(code)
    counting = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in COUNTING
        for alias in node.names
        if alias.name[0].islower()
    }
    for node in tree.body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in members:
            if isinstance(function, ast.FunctionDef) and function.name not in LAYOUT:
                yield from Function(function, counting, set()).faults


@pytest.mark.parametrize("module", RENDERERS)
def test_a_renderer_works_nothing_out(module: str) -> None:
    assert not sorted(set(worked_out((REPORT / module).read_text("utf-8"))))


@pytest.mark.parametrize(
    "line",
    [
        "def f(story: Story):\n    return story.tally.short + story.tally.whole",
        "def f(goal: Goal):\n    return f'{round(goal.share.value * 100)}%'",
        "def f(story: Story):\n    return sum(gap.unserved.value for gap in story.gaps)",
        "def f(part: Part):\n    if part.share.value < 0.5:\n        return 'no'",
        "def f(story: Story):\n    n = 0\n    for gap in story.gaps:\n        n += gap.unserved.value\n    return n",
        "def f(table: pd.DataFrame):\n    return table['people'].sum()",
        "def f(story: Story):\n    return sorted(story.goals, key=lambda g: g.unserved.value)",
        "from ...ledger import verdicts\ndef f(x):\n    said = verdicts(x)\n    return said.value_counts()",
        "def f(story: Story):\n    rows = [g.unserved.value for g in story.goals]\n    return max(rows)",
        "def f(story: Story):\n    shown = story.gaps[:8]\n    return len(story.gaps) - len(shown)",
        "class A:\n    def f(self, story: Story):\n        whole = story.mean_completeness.value\n        return 1 - whole",
    ],
)
def test_what_is_worked_out_is_seen(line: str) -> None:
    assert list(worked_out(line))


@pytest.mark.parametrize(
    "line",
    [
        "def f(story: Story):\n    return '、'.join(gap.name for gap in story.gaps[:8]) + say('等')",
        "def f(story: Story):\n    return [[str(i), gap.name] for i, gap in enumerate(story.gaps, 1)]",
        "def f(story: Story, frame: Frame):\n    return frame.left + frame.width / 2",
    ],
)
def test_laying_out_is_no_working_out(line: str) -> None:
    assert not list(worked_out(line))
