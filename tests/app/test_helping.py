"""`--help`: in Chinese, nothing cut at 80 columns, every command in one group, eight on the first screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from xinhe_geo.app.cli import COMMANDS, app, main
from xinhe_geo.app.commands.helping import GROUPS, columns, help_for, wrapped

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
        command: TyperCommand | TyperGroup = ROOT
        for name in path:
            command = command.commands[name]  # type: ignore[union-attr, assignment]
        bare = re.sub(r"\s", "", said)
        texts = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)] if path else []
        for text in texts:
            if "--help" not in text and text != "Show this message and exit.":
                assert re.sub(r"\s", "", text) in bare, (path, text)


def test_lines_break_where_text_may() -> None:
    assert wrapped("一二三四，五六", 8) == ["一二三", "四，五六"]
    assert wrapped("用 --datum-checked 写", 16) == ["用", "--datum-checked", "写"]
    assert "".join(wrapped("a" * 100, 40)) == "a" * 100


def test_help_is_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0 and "rules 命令" in capsys.readouterr().out
    assert main(["add", "--help"]) == 0 and "--decide" in capsys.readouterr().out
    assert isinstance(ROOT, TyperGroup)
    assert help_for(ROOT, ["check", "folder"]) is None
