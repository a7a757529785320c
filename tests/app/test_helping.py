"""`--help`: in Chinese and in English, nothing cut at 80 columns, every command in one group, eight on the first screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pandas as pd
import pytest
import typer
from rich.cells import cell_len
from spoken import HAN, MARKS
from typer.core import TyperCommand, TyperGroup

from xinhe_geo.app.cli import COMMANDS, app, main
from xinhe_geo.app.commands import plans
from xinhe_geo.app.commands.console import Inert, grid
from xinhe_geo.app.commands.helping import GROUPS, columns, help_for, wrapped
from xinhe_geo.core import english, speaking
from xinhe_geo.report import with_whom

ROOT = typer.main.get_command(app)


def every(command: TyperCommand | TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from every(inner, (*path, name))


def test_every_command_is_in_one_group_and_the_first_screen_has_eight() -> None:
    named = [name for names in GROUPS.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) == {*COMMANDS[app], "scenario", "rules"}
    assert isinstance(ROOT, TyperGroup)
    lines = (help_for(ROOT, ["--help"]) or "").splitlines()
    first = [line.split()[0] for line in lines[:23] if re.match(r"  [a-z]", line)]
    assert first[:8] == list(GROUPS["每天用"]) and len(GROUPS["每天用"]) == 8


@pytest.mark.parametrize("width", [80, 60])
def test_nothing_is_cut_or_left_in_english(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert isinstance(ROOT, TyperGroup)
    for path in every(ROOT):
        said = help_for(ROOT, [*path, "--help"])
        assert said is not None and "……" not in said
        assert max(map(columns, said.splitlines())) <= width, path
        assert not re.search("Usage|Options|Arguments|Show this message|required|default", said), path
        assert not re.search(r"后面写：\n  \[?[A-Z]", said), (path, "what to write is named in Chinese")
        command: TyperCommand | TyperGroup = ROOT
        for name in path:
            command = command.commands[name]  # type: ignore[union-attr, assignment]
        bare = re.sub(r"\s", "", said)
        texts = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)] if path else []
        for text in texts:
            if "--help" not in text and text != "Show this message and exit.":
                assert re.sub(r"\s", "", text) in bare, (path, text)


@pytest.mark.parametrize("width", [80, 40])
def test_help_is_english_where_that_is_asked_for(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every command, with the same options in the same order; each text has its English, and no English is left over."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert isinstance(ROOT, TyperGroup)
    for path in every(ROOT):
        chinese = help_for(ROOT, [*path, "--help"]) or ""
        with speaking("en"):
            said = help_for(ROOT, [*path, "--help"]) or ""
        assert not HAN.search(said) and not MARKS.search(said), path
        assert max(map(columns, said.splitlines())) <= width, path
        options = re.compile(r"^  (--[a-z-]+)", re.MULTILINE)
        assert options.findall(said) == options.findall(chinese), path
    texts = {" ".join(text.split()) for path in every(ROOT) for text in texts_at(path)}
    named = {*GROUPS, "值", "命令", "后面写", "选项"}
    assert {text for text in texts if HAN.search(text)} | named == set(english()["help"])


def texts_at(path: tuple[str, ...]) -> list[str]:
    """Return what the help of a command says of it and of what is written after it."""
    command: TyperCommand | TyperGroup = ROOT  # type: ignore[assignment]
    for name in path:
        command = command.commands[name]  # type: ignore[union-attr, assignment]
    return [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)]


def test_lines_break_where_text_may() -> None:
    assert wrapped("一二三四，五六", 8) == ["一二三", "四，五六"]
    assert wrapped("用 --datum-checked 写", 16) == ["用", "--datum-checked", "写"]
    assert "".join(wrapped("a" * 100, 40)) == "a" * 100
    assert wrapped("看看（甲", 6) == ["看看", "（甲"], "no line ends in an opening sign"
    for text in ("路径/很长" * 20, "way/58718614、way/122707341 等 53 个", "1 个小区只连着孤立路网（g ates）"):
        for width in (4, 7, 20, 80):
            lines = wrapped(text, width)
            assert max(map(columns, lines)) <= width, (text, width)
            assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("width", [80, 40])
def test_what_is_printed_is_broken_like_chinese_and_fills_its_lines(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A blank before a number is no better place for the end of a line than any other: half of a line stays empty then."""
    text = "坐标基准没有得到证实，12 个点到参照图层的中位距离：WGS84 19 米，GCJ-02 142 米，BD-09 430 米；" * 4
    monkeypatch.setenv("COLUMNS", str(width))
    Inert(highlight=False).print(text)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(columns, lines)) <= width
    assert min(map(columns, lines[:-1])) > width - 8
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    table = grid("怎么办")
    table.add_row(text)
    Inert(highlight=False).print(table)
    cells = [line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert min(map(columns, cells[:-1])) > width - 12
    assert "".join(cells).replace(" ", "") == text.replace(" ", "")


def test_what_a_plan_changes_is_told_whole_on_a_narrow_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bounds are long: no column may vanish for them, least of all the one that says what the numbers are of."""
    monkeypatch.setenv("COLUMNS", "80")
    label, net = "十五分钟基本医疗卫生服务圈", "数据不足"
    people = {f"people_{name}": 123_456.0 for name in ("gain", "lose", "crowded", "new_served")}
    row = {"label": label, "bound": "at_least", "before": 0.2403, "after": 0.8871, "net_text": net, **people}
    row |= {"net_of": "people", "people_60plus_gain": 1.0, "people_60plus_lose": 1.0}
    monkeypatch.setattr(plans, "OUT", Inert(highlight=False))
    plans._show_effects(with_whom(pd.DataFrame([row])), "选址方案")
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert max(map(cell_len, lines)) <= 80
    rows = [re.split("[│┃]", line)[1:-1] for line in lines if line[0] in "│┃"]
    whole = ["".join(cells).replace(" ", "") for cells in zip(*rows, strict=True)]
    assert whole[0] == f"指标{label}" and whole[3] == f"净增{net}"
    assert whole[1:3] == ["前至少24.0%", "后至少88.7%"]
    assert whole[4:] == [f"{head}至多123,456" for head in ("受益居民", "受影响", "服务负荷上升", "迁入")]


@pytest.mark.parametrize(
    ("typed", "said", "then"),
    [
        ("cheque", "没有 cheque 这个命令；是否想写 check", "python run.py --help"),
        ("rules lst", "没有 lst 这个命令；是否想写 list", "rules --help"),
        ("report --outt x", "没有 --outt 这个选项；是否想写 --out", "report --help"),
        ("update a.xlsx --to b --kind 药店", "缺少 --year", "update --help"),
        ("update --to b --kind 药店 --year 2026", "缺少 文件", "update --help"),
        ("sites x --n zwei", "--n 后面写的不对：要写一个整数", "sites --help"),
        ("sites x --n", "--n 后面要写一个值", "--help"),
        ("report a b", "多写了 b：", "report --help"),
        ("import a --out b --bbox inf", "命令写得不对", "import --help"),
    ],
)
def test_a_mistyped_command_is_answered_in_chinese_first(
    typed: str, said: str, then: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main(typed.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[0] and lines[0].startswith("命令写得不对")
    assert then in lines[-1] and "Usage" not in "".join(lines)


def test_help_is_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0 and "rules 命令" in capsys.readouterr().out
    assert main(["add", "--help"]) == 0 and "--decide" in capsys.readouterr().out
    assert isinstance(ROOT, TyperGroup)
    assert help_for(ROOT, ["check", "folder"]) is None
