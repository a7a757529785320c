"""What long work says while it runs: texts and shares, nothing left behind, and a bar in Jupyter that leaves no trace."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from spoken import MARKS, ours, texts_of

import xinhe_geo as xh
from xinhe_geo.core import progress, speaking
from xinhe_geo.core.progress import listening, told, work

TOY = Path(__file__).parents[1] / "toy"


def test_steps_inside_steps_add_up() -> None:
    heard: list[tuple[str, float]] = []
    with listening(lambda text, share: heard.append((text, share))), work("外", 2) as step:
        step("甲")
        with work("内", 2) as inner:
            inner("子")
            inner("丑")
        step("乙")
    assert [text for text, _ in heard] == ["外：甲", "外：甲 › 子", "外：甲 › 丑", "外：乙", "外"]
    assert [share for _, share in heard] == pytest.approx([0, 0, 0.25, 0.5, 1])


def test_more_steps_than_said_and_a_failure_do_no_harm() -> None:
    heard: list[float] = []
    with listening(lambda _, share: heard.append(share)):
        with pytest.raises(ZeroDivisionError), work("外", 1) as step:
            for name in "甲乙丙":
                step(name)
            _ = 1 / 0
        assert not progress._HERE.open
        with work("再来", 1) as step:
            step("丁")
    assert heard == [*sorted(heard[:3]), 1, 0, 1] and all(0 <= share <= 1 for share in heard)
    assert not progress._HERE.listeners


def test_a_callback_of_the_caller_is_told_too() -> None:
    @told("做", 2)
    def done(*, progress: object = None) -> object:
        assert callable(progress)
        progress("一")
        return progress

    own: list[str] = []
    heard: list[str] = []
    with listening(lambda text, _: heard.append(text)):
        done(progress=own.append)
        done()
    assert own == ["一"] and heard == ["做：一", "做", "做：一", "做"]


@pytest.mark.slow
def test_what_work_is_at_is_said_in_english_too() -> None:
    """In as many words: nothing Chinese but what the data say."""
    heard: dict[str, list[str]] = {"zh": [], "en": []}
    for lang, texts in heard.items():
        with speaking(lang), listening(lambda text, _, texts=texts: texts.append(text)):
            toy = xh.District.load(TOY)
            xh.sites(toy, "canteen", 1)
            xh.ledger(toy, lang=lang)
    assert len(heard["en"]) == len(heard["zh"]) > 20
    known = texts_of(TOY)
    assert not [text for text in heard["en"] if ours(text, known) or MARKS.search(text)]


@pytest.mark.slow
def test_opening_counting_siting_and_checking_say_what_they_are_at() -> None:
    heard: list[tuple[str, float]] = []
    with listening(lambda text, share: heard.append((text, share))):
        toy = xh.District.load(TOY)
        cover = xh.coverage(toy)
        xh.sites(toy, str(cover.index.get_level_values("rule")[0]), 1)
        xh.ledger(toy)
    said = {text.partition("：")[0] for text, _ in heard}
    assert {"打开街道目录", "计算覆盖率", "选址", "核对规划目标"} <= said
    assert all(0 <= share <= 1 for _, share in heard)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ipykernel", "nbclient", "nbformat")),
    reason="Jupyter is not installed (extra: lab)",
)
def test_a_cell_shows_a_bar_and_keeps_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    source = (
        "import time\nfrom xinhe_geo.core import work\n"
        "with work('等一等', 8) as step:\n    for i in range(8):\n        step(str(i)); time.sleep(0.2)"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    shown: list[str] = []
    client = nbclient.NotebookClient(book, kernel_name="python3", timeout=60)
    usual = client.process_message

    def seen(msg: dict, cell: object, cell_index: int) -> object:  # type: ignore[type-arg]
        if msg["msg_type"] == "update_display_data":
            shown.append(msg["content"]["data"]["text/html"])
        return usual(msg, cell, cell_index)

    monkeypatch.setattr(client, "process_message", seen)
    client.execute()
    assert any("等一等：" in text and "<progress" in text for text in shown) and shown[-1] == ""
    kept = [output["data"] for output in book.cells[0].outputs]
    assert kept == [{"text/html": "", "text/plain": ""}]
