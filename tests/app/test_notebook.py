"""Tables that sort, and notebooks run with other parameters and kept as pages that load nothing."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import xinhe_geo as xh
from xinhe_geo.app import cli
from xinhe_geo.app.notebook import _assigned, _found, _joined, _value, page_of, run_notebook, sortable

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"

needs_jupyter = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ipykernel", "mistune", "nbclient", "nbformat")),
    reason="Jupyter is not installed (extra: lab)",
)
needs_mistune = pytest.mark.skipif(
    importlib.util.find_spec("mistune") is None, reason="Jupyter is not installed (extra: lab)"
)


def test_a_table_has_units_separators_and_says_what_is_unknown() -> None:
    frame = pd.DataFrame({"名称": ["甲<b>", None], "人口（人）": [12345.0, None]})
    page = sortable(frame.rename(columns=str), "t1").to_html()
    assert "12,345.0" in page and page.count("数据不足") >= 1
    assert "<script" not in page and "onclick=" in page
    assert page == sortable(frame, "t1").to_html(), "the same bytes"
    named = sortable(frame.rename_axis("编号", columns="列")).to_html()
    assert re.findall(r"<th[^>]*>([^<]*)</th>", named)[0] == "编号" and named.count("<tr") == len(frame) + 1


@pytest.mark.browser
def test_a_click_on_a_heading_sorts(chromium: Any) -> None:
    frame = pd.DataFrame({"名称": ["乙", "甲", "丙", "丁"], "人（人）": [9.0, 1200.0, None, 30.0]})
    page = chromium.new_page()
    try:
        page.set_content(sortable(frame, digits=0).to_html())
        first = lambda: page.locator("tbody tr td:nth-last-child(2)").all_inner_texts()  # noqa: E731
        page.locator("thead th").last.click()
        assert first() == ["乙", "丁", "甲", "丙"], "as numbers, unknown last"
        assert page.locator("thead th").last.get_attribute("aria-sort") == "ascending"
        page.locator("thead th").last.click()
        assert first() == ["甲", "丁", "乙", "丙"]
    finally:
        page.close()


def test_what_was_printed_line_by_line_stands_together() -> None:
    line = lambda text, name="stdout": {"output_type": "stream", "name": name, "text": text}  # noqa: E731
    table = {"output_type": "display_data", "data": {"text/plain": "x"}}
    outputs = [line("a\n"), line("b\n"), line("c\n", "stderr"), table, line("d\n"), table]
    kept = [output.get("text") for output in _joined(outputs)]
    assert kept == ["a\nb\n", "c\n", None, "d\n", None]


@pytest.mark.parametrize(
    ("text", "usual", "meant"),
    [
        ("elderly", "adult", "elderly"),
        ("'elderly'", "adult", "elderly"),
        ("S17", "S01", "S17"),
        ("7.5", (5, 10), (7.5,)),
        ("5,10", (5, 10), (5, 10)),
        ("5，10", (5, 10), (5, 10)),
        ("word", ("sheet",), ("word",)),
        ("'word'", ("sheet",), ("word",)),
        ("word, slides", ("sheet",), ("word", "slides")),
        ("()", ("sheet",), ()),
        ("None", None, None),
        ("2025", None, 2025),
        ("td1063", None, "td1063"),
        ("True", False, True),
    ],
)
def test_values_are_read_as_they_are_meant(text: str, usual: object, meant: object) -> None:
    assert _value(text, usual) == meant


def test_a_notebook_is_found_by_number_name_or_path() -> None:
    path = _found("3", FOLDER)
    assert path.name.startswith("03-") and _found(path.name, FOLDER) == path == _found(str(path), FOLDER)
    with pytest.raises(xh.UnknownNameError, match="00-"):
        _found("77", FOLDER)
    with pytest.raises(xh.SourceError, match="--from"):
        _found("03", ROOT / "tests")


def test_parameters_are_plain_assignments() -> None:
    assert _assigned("# 说明\na = None\nb = (1, 2)\n") == {"a": None, "b": (1, 2)}


@needs_mistune
def test_a_page_escapes_texts_and_loads_nothing() -> None:
    def cell(kind: str, source: str, **more: Any) -> dict[str, Any]:
        return {"cell_type": kind, "source": source, "metadata": {}, **more}

    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "<i>1</i>"},
        {"output_type": "display_data", "data": {"text/html": "<table></table>", "text/plain": "x"}},
        {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "<活>"}},
        {"output_type": "display_data", "data": {"image/png": "aGk="}},
    ]
    book = {
        "cells": [
            cell("markdown", "# 题目 <script>alert(1)</script>"),
            cell("code", "x = '<b>'", outputs=outputs),
            cell("code", "kind = 1", outputs=[]) | {"metadata": {"tags": ["parameters"]}},
        ]
    }
    page = page_of(book, "题目<")
    assert "<script" not in page and "default-src 'none'" in page and "<title>题目&lt;</title>" in page
    assert "&lt;i&gt;1&lt;/i&gt;" in page and "<table></table>" in page and "&lt;活&gt;" in page
    assert 'src="data:image/png;base64,aGk="' in page and "&lt;b&gt;" in page
    assert page.count("<details open>") == 1


@pytest.mark.matrix
@needs_jupyter
@pytest.mark.slow
@pytest.mark.browser
def test_a_run_is_kept_and_opens_without_a_network(
    tmp_path: Path, chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "clone" / "notebooks"
    home.mkdir(parents=True)
    for path in FOLDER.glob("0[13]-*.ipynb"):
        (home / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    out = tmp_path / "结果"
    steps: list[str] = []
    copy, page = run_notebook("03", ["profile=elderly"], folder=home, out=out, progress=steps.append)
    assert page.name == "03-覆盖率-elderly.html" and steps[0].endswith("格") and len(steps) >= 5
    assert sorted(p.name for p in out.iterdir()) == sorted([copy.name, page.name, ".xinhe.json"])
    assert "profile = 'elderly'" in copy.read_text("utf-8") and 'execution"' not in copy.read_text("utf-8")
    context = chromium.new_context(offline=True)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    tab = context.new_page()
    try:
        tab.goto(page.as_uri())
        sheet = tab.frame_locator("iframe[srcdoc]").first
        sheet.locator(".folium-map canvas, .folium-map svg path").first.wait_for(timeout=60_000)
        assert {url for url in asked if not url.startswith(("data:", "blob:", "about:"))} == {page.as_uri()}
        assert "老年人" in tab.locator("main").inner_text()
    finally:
        context.close()
    assert cli.main(["notebook", "01", "-p", "severity=worst", "--from", str(home), "--out", str(out)]) == cli.USAGE
    with pytest.raises(xh.UnknownNameError, match="severity"):
        run_notebook("01", ["speed=3"], folder=home, out=out)
    with pytest.raises(xh.UnknownNameError, match="名=值"):
        run_notebook("01", ["severity"], folder=home, out=out)
    assert json.loads(copy.read_text("utf-8"))["nbformat"] == 4


@pytest.mark.slow
@needs_jupyter
@pytest.mark.slow
def test_a_run_keeps_the_picture_of_a_live_map_and_not_all_it_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of a live map is as large as all else together, and who reads a kept run has no kernel for it."""
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    code = f"import xinhe_geo as xh\nxh.live(xh.District.load({str(ROOT / 'tests' / 'toy')!r}), 'canteen')"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(book, tmp_path / "90-活地图.ipynb")
    copy, page = run_notebook("90", folder=tmp_path, out=tmp_path / "out")
    kept = json.loads(copy.read_text("utf-8"))
    assert "widgets" not in kept["metadata"]
    assert any(
        "<svg" in json.dumps(o) or "image/png" in json.dumps(o)
        for cell in kept["cells"]
        for o in cell.get("outputs", [])
    )
    assert copy.stat().st_size < 1_000_000 and page.stat().st_size < 1_000_000


def test_words_where_a_number_is_meant_are_refused_before_anything_runs(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "notebooks"
    with pytest.raises(xh.UnknownNameError, match="minutes 要写数"):
        run_notebook("02", ["minutes=abc"], folder=folder, out=tmp_path)
    assert not list(tmp_path.iterdir())
