"""`index.html` of a place without homes: its streets, crossings and islands, what can be walked, and what to add next."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
import shapely

from ...access import audit, rests_on
from ...core import crs_label, marked, per_cent, say, title
from ...district import District, kind_name, place_title, survey_note, year_told
from ..story.evidence import may_be_told
from ..workbook import foot
from .shell import figure, heads, html_page, scrolled, warning

#: How far along the streets it is told what can be walked to, in metres.
WALK_M = 1000.0
#: How many kinds of street the page lists.
ROWS = 15


def ground_page(district: District, picture: str) -> str:
    """Return the page; `picture` is its map (markup)."""
    e = html.escape
    heading = say("{0} 街道和设施概况", place_title(district))
    note = say("没有小区图层，算不了任何覆盖率")
    add = say(
        "下一步：补上住的地方。有人口表：import 或 fetch 时加 --homes 人口表.csv（列 id、lon、lat、people）；有小区图层：add 文件 --to 街道目录 --layer homes。"
    )
    said = say("数据年份：{0}　坐标系：{1}", year_told(district), crs_label(district.crs))
    body = f"""<header>
<h1>{e(heading)}</h1>
<p class="line">{e(said)}</p>
{warning(survey_note(district))}
{warning(note)}
<p><b>{e(add)}</b></p>
</header>
<main>
<section><h2>{say("路网")}</h2>{_facts(district)}{_classes(district)}</section>
<section><h2>{say("地图")}</h2>{figure(picture, f'<a href="maps/overview.html">{say("现状总图")}</a>')}</section>
{_facilities(district)}
{_findings(district)}
<p class="small">{e(rests_on(district))}</p>
</main>
<footer><p>{e(foot(district))}</p></footer>"""
    return marked(html_page(heading, "", body))


def street_facts(district: District) -> dict[str, float]:
    """
    Return what a network is made of.

    Returns
    -------
    facts
        `streets`, `km`; `crossings` (where three or more street pieces meet), `ends`; `islands` (parts that do not join the largest),
        `island_km`, `main_share` (of the length, 0-1); `steps_km`, `wait_streets` (streets with a wait).
    """
    edges = district.network.edges
    public = edges[edges["home"].isna().to_numpy()]
    degree = np.bincount(public[["u", "v"]].to_numpy().ravel(), minlength=1) if len(public) else np.zeros(1, np.int64)
    parts = public.groupby("component")["length_m"].sum().sort_values(ascending=False) / 1000
    total = float(parts.sum())
    return {
        "streets": float(public["street"].nunique()),
        "km": total,
        "crossings": float((degree >= 3).sum()),
        "ends": float((degree == 1).sum()),
        "islands": float(max(len(parts) - 1, 0)),
        "island_km": float(parts.iloc[1:].sum()),
        "main_share": float(parts.iloc[0]) / total if total else np.nan,
        "steps_km": float(public.loc[public["steps"].to_numpy(dtype=bool), "length_m"].sum()) / 1000,
        "wait_streets": float(public.loc[(public["wait_s"] > 0).to_numpy(), "street"].nunique()),
    }


def _facts(district: District) -> str:
    facts = street_facts(district)
    lines = [
        say("可步行的道路 {0:,.0f} 条，共 {1:,.2f} km", facts["streets"], facts["km"]),
        say("路口 {0:,.0f} 个（三条以上路段相接），尽头 {1:,.0f} 个", facts["crossings"], facts["ends"]),
        say("互相走得通的最大一片占总长 {0}", per_cent(facts["main_share"])),
        say("与它不通的孤立路网 {0:,.0f} 片，共 {1:,.2f} km", facts["islands"], facts["island_km"]),
        say("其中台阶 {0:,.2f} km；有过街等候的路 {1:,.0f} 条", facts["steps_km"], facts["wait_streets"]),
    ]
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"


def _classes(district: District) -> str:
    edges = district.network.edges
    km = edges.groupby(edges["class"].fillna(say("未说明")))["length_m"].sum().sort_values(ascending=False) / 1000
    rows = "".join(
        f'<tr><td>{html.escape(str(name))}</td><td class="n">{value:,.2f}</td></tr>'
        for name, value in km.head(ROWS).items()
    )
    return scrolled(heads([title("道路等级"), title("长度（km）")], (1,)), rows)


def walked_to(district: District) -> pd.DataFrame:
    """
    Return how much of the streets lies within `WALK_M` of the facilities there are, along the streets from where each is drawn.

    Returns
    -------
    table
        Index kind; `count`, `km`, `share` (0-1 of the length of public streets). Empty where there are no facilities.
    """
    found, edges = district.open_facilities, district.network.edges
    total = float(edges.loc[edges["home"].isna().to_numpy(), "length_m"].sum())
    rows = {}
    for kind, own in () if found is None else found.groupby("kind"):
        pieces = district.network.reach(own.geometry.representative_point(), WALK_M)
        metres = float(shapely.length(pieces.geometry.array).sum())
        rows[kind] = {"count": own.index.nunique(), "km": metres / 1000, "share": metres / total if total else np.nan}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["count", "km", "share"]).rename_axis("kind")


def _facilities(district: District) -> str:
    table = walked_to(district)
    heading = f"<h2>{say('有什么设施，沿街道走得到多远')}</h2>"
    if table.empty:
        return f"<section>{heading}<p>{say('没有设施图层：不知道有什么，不等于没有。导入设施名录')}</p></section>"
    rows = "".join(
        f'<tr><td>{html.escape(kind_name(district, str(kind)))}</td><td class="n">{int(row["count"])}</td>'
        f'<td class="n">{row["km"]:,.2f}</td><td class="n">{per_cent(row["share"])}</td></tr>'
        for kind, row in table.sort_values(["count", "km"], ascending=False).iterrows()
    )
    names = [title("设施类别"), say("处数"), say("1,000 米以内的街道（km）"), say("占街道总长")]
    why = say("从设施落点沿街道量，不是人口覆盖率：有了居住点才说得出谁走得到。")
    return f'<section>{heading}<p class="small">{why}</p>{scrolled(heads(names, (1, 2, 3)), rows)}</section>'


def _findings(district: District) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(row.topic)}</td><td>{html.escape(row.finding)}</td><td>{html.escape(row.remedy)}</td></tr>"
        for row in may_be_told(district, audit(district)).itertuples()
    )
    names = [title("方面"), say("数据核查发现"), title("怎么办")]
    return f"<section><h2>{say('数据核查发现')}</h2>{scrolled(heads(names), rows)}</section>"
