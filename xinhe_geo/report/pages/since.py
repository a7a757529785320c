"""与上次相比: what changed since an earlier run, as a section of a page."""

from __future__ import annotations

import html

import pandas as pd

from ...core import say, word
from ...ledger import changes_shown
from ..story.promises import verdict_counts
from .shell import heads, scrolled


def since_section(table: pd.DataFrame) -> str:
    """Return 与上次相比 as a section of a page; `table` is what `changes` found."""
    e = html.escape
    if table.empty:
        return f'<section id="since"><h2>{say("与上次相比")}</h2><p>{say("数据、参数和结果都没有变化。")}</p></section>'
    counts = verdict_counts(table["part"])
    said = say("，").join(
        say("{0} {1} 处", word(part), counts[part])
        for part in ("参数", "数据", "设施", "指标", "结果", "问题")
        if part in counts
    )
    body = "".join(
        f"<tr><td>{e(r.part)}</td><td>{e(r.id)}</td><td>{e(r.label)}</td><td>{e(r.before) or say('没有')}</td><td>{e(r.after) or say('没有')}</td></tr>"
        for r in changes_shown(table).itertuples(index=False)
    )
    head = heads([say("什么"), say("编号"), say("名称"), say("上次"), say("这次")])
    return (
        f'<section id="since"><h2>{say("与上次相比")}</h2><p>{say("有变化：{0}。", said)}</p>'
        f"{scrolled(head, body)}</section>"
    )
