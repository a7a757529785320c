"""
公开版: what may be shown outside, as pictures only, with what still has to happen before it is.

The internal edition (`report`, `meeting.html`, the maps) carries coordinates, counts per home and administrative boundaries.
Whoever can open such a file can take them out. The public edition therefore is made of pixels and paper: no administrative
boundary is drawn, counts under ten are not told, and the page that shows the pictures holds nothing but them and warnings.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

from ...core import (
    INTERNAL,
    SMALL,
    DataError,
    Problem,
    UnknownNameError,
    escape,
    marks_of,
    named_by_homes,
    problems_table,
    refuse_leaving,
    refuse_titles,
    say,
    secret_layers,
    web_file,
    whole_page,
    write_bytes,
    write_text,
)
from ...district import MANIFEST, District
from ...maps import COMPLETENESS, OVERVIEW, PARCELS, promised_rules, themes
from ...report import Story, added_to, analyse, refuse_foreign
from .page import pdf_bytes, png_bytes
from .sheet import check_size, file_name, refuse_plan, refuse_public, theme_pages
from .sheet_parts import Format

#: Dots per inch of the pictures inside the page; those beside it have the resolution of print.
SCREEN_DPI = 110
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
#: What stands on the page whatever the district (《地图审核管理规定》 5, 6; reference on publication).
WARNINGS = (
    "向社会出版、展示、登载地图须送审（《地图审核管理规定》第五条）；街区地图等内容简单的地图可以免审（第六条），但画了行政区域界线或范围就可能不再免审；"
    "界线怎么画见《公开地图内容表示规范》（自然资规〔2023〕2号）。公开前请问自然资源主管部门。",
    "本版不画街道、分区、片区、社区和网格的界线，也不画更新地块、方案、项目和资金，"
    "不含坐标、可取出的数据表和活地图；小于 {n} 的人数、户数、小区数不显示，其余取整到 10，由合计也推不出来。",
    "涉密地形图、国土数据不得进入联网的计算机；老人名单、户号不得入图。",
    "本版之外的文件（报告、会议图、工作簿、GIS 数据）是内部资料，不得随本版一起公开。",
)


@named_by_homes
def public(
    district: District,
    to: str | Path,
    *,
    rules: Sequence[str] | None = None,
    size: str = "A3",
    approval: str = "",
    number: str = "",
    contact: str = "",
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """
    Write the public edition: one PDF and one PNG per theme, and `index.html`, which shows the pictures.

    Parameters
    ----------
    to
        A folder.
    rules
        What is shown beside 现状总图 and 配套齐全度; by default what the plan promises.
    size
        "A3" or "A4".
    approval, number, contact
        审图号 and 图号 where they are known, and whom to ask about the approval (a telephone number, as one writes it).

    Returns
    -------
    files
        What was written, the page first.

    Raises
    ------
    DataError
        Boundaries that are schematic or synthetic, or a layer that is secret: all of them, each with what to do.
    SourceError
        What is typed is marked as secret.
    UnknownNameError
        No such rule or size.
    EnvironmentProblem
        A file cannot be written.
    """
    tell = progress or (lambda _: None)
    check_size(size)
    _refuse(district)
    refuse_titles(district.manifest, (approval, number, contact), "输入的文字")
    refuse_foreign(Path(to), ("index.html",))
    known = themes(district).drop(PARCELS)
    unknown = [r for r in rules or () if r not in known.index]
    if unknown:
        raise UnknownNameError("图", unknown[0], list(known.index))
    results = analyse(district, progress=progress)
    wanted = list(rules) if rules is not None else promised_rules(district, results)
    wanted = [OVERVIEW, *([COMPLETENESS] if len(results.completeness) else []), *wanted]
    shown, written = [], ["index.html"]
    form = Format(size, "zh", True, approval, number)
    with added_to(Path(to)) as folder:
        for i, what in enumerate(dict.fromkeys(wanted), 1):
            title = str(known[what])
            tell(say("画图 {0}", title))
            (page,) = theme_pages(Story(results), what, form, whole=False)
            name = f"{i:02d}-{file_name(title)}"
            write_bytes(folder / f"{name}.pdf", pdf_bytes([page], title))
            write_bytes(folder / f"{name}.png", png_bytes(page))
            written += [f"{name}.pdf", f"{name}.png"]
            shown.append((title, png_bytes(page, SCREEN_DPI)))
        text = _page(district, shown, approval, missing_on_sheets(district, approval=approval, number=number), contact)
        write_text(folder / "index.html", text)
    return [Path(to) / name for name in written]


def missing_on_sheets(district: District, *, approval: str = "", number: str = "") -> list[str]:
    """Return what a map for the public must carry and this district's does not yet."""
    manifest = district.manifest
    needed = {
        "审图号": approval,
        "图号": number,
        "制图单位": manifest.get("made_by"),
        "数据来源": manifest.get("credit"),
    }
    return [name for name, value in needed.items() if not str(value or "").strip()]


def _refuse(district: District) -> None:
    """Stop where something must not be shown; every reason at once."""
    found = [
        Problem(
            "error",
            name,
            str(district.manifest["layers"].get(name, {}).get("file", MANIFEST)),
            "",
            "secrecy",
            say("这一层的密级是 {0}，不能出公开版", mark),
            say("从公开用的街道目录里去掉这一层，或由有权的人核定密级"),
        )
        for name, mark in secret_layers(district.manifest).items()
    ]
    for refuse in (refuse_plan, refuse_public, refuse_plan):
        try:
            refuse(district)
        except DataError as error:
            found += [Problem(**row) for row in error.problems.to_dict("records")]
    if found:
        raise DataError(problems_table(found), district.name)
    refuse_leaving(district.manifest, "出公开版")


def _internal(district: District) -> list[str]:
    """Return the labels of drawn layers that are marked as internal: their owners must agree before they are shown."""
    marked = [
        name
        for name, mark in marks_of(district.manifest).items()
        if name in district.layers and mark.text and mark.level == INTERNAL
    ]
    return [str(district.manifest["layers"][name].get("source", name)) for name in marked]


def _page(
    district: District, shown: Sequence[tuple[str, bytes]], approval: str, missing: Sequence[str], contact: str
) -> str:
    """Return the page: pictures and warnings, nothing else."""
    warnings = [w.format(n=SMALL) for w in WARNINGS]
    if missing:
        warnings.insert(0, "送审前还缺：" + "、".join(missing))
    owners = sorted(set(_internal(district)))
    if owners:
        warnings.append("用到标为内部的资料，公开前须经提供单位同意：" + "；".join(owners))
    warnings.append("审图请咨询：" + (contact or "（填自然资源主管部门电话）"))
    listed = "".join(f"<li>{escape(w)}</li>" for w in warnings)
    figures = "".join(
        f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{base64.b64encode(data).decode("ascii")}">'
        f"<figcaption>{escape(title)}</figcaption></figure>"
        for title, data in shown
    )
    mark = "演示数据 不作结论" if district.is_demonstration else ""
    slot = f"审图号：{approval}" if approval else "审图号：（送审后填写）"
    body = f"""<main><h1>{escape(district.name)} 公开版（拟公开）</h1>
<p><b>{escape(slot)}</b>{f"<b>{escape(mark)}</b>" if mark else ""}</p>
<ul>{listed}</ul>
{figures}</main>"""
    return whole_page(f"{district.name} 公开版", f"\n{web_file('report/public.css')}", body, lang="zh", policy=POLICY)
