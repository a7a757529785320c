"""
Write `docs/data-dictionary.md` from the declarations in `xinhe_geo/core/schema.py`.

    python tools/make_dictionary.py
"""

from __future__ import annotations

from pathlib import Path

from xinhe_geo.core.schema import BASIS_LABELS, LAYERS, ON_THE_WAY, PROVENANCE, Column, Layer

TARGET = Path(__file__).parent.parent / "docs" / "data-dictionary.md"
TYPES = {"text": "文字", "int": "整数", "float": "数", "bool": "是/否", "year": "年份"}


def dictionary() -> str:
    """Return the whole page."""
    basis = "、".join(f"`{name}` {label}" for name, label in BASIS_LABELS.items())
    on_the_way = "、".join(LAYERS[name].label for name in ON_THE_WAY)
    names = ", ".join(f'"{name}"' for name in ON_THE_WAY)
    head = f"""# 数据字典

由 `python tools/make_dictionary.py` 从 `xinhe_geo/core/schema.py` 生成；改列先改那里。

一个街道是一个目录：`district.toml` 声明每个图层的文件、坐标系（`crs`，必写，不猜）、依据类型（`basis`）、来源、许可、日期、密级。
依据类型：{basis}。每个要素可以另写 {"、".join(f"`{c.name}` {c.label}" for c in PROVENANCE)}，要素自己的优先于图层的。
没有声明的图层就是没有，需要它的结果写“数据不足”；声明了却缺失或有错的图层是错误。不知道的人口留空，不写 0。
步行会受{on_the_way}影响：本区确实没有、或明知不计的，写 `without = [{names}]` 里相应的名称，步行就按没有算；
既没有声明、也没有这样写的，覆盖率照算并注明未计，核对表里凡是走出来的数写“数据不足”。`import`、`fetch`、`split` 会写好这一行，`add` 加进图层时去掉相应的名称。

一类设施查到什么程度，写在 `district.toml` 里（`schema = 2`）：`surveyed_kinds = [...]` 里的一处不漏，`mapped_kinds = [...]` 里的只是图上看到的、
漏了多少不知道；两处都没有写而有设施的，按图上看到的算；没有设施的，数据不足。图上看到的类别只说“若图上的设施都在、路都能走……走得到”，
不说多少人走不到，不判达标，不选址（`--assume-complete` 除外，结果注明）。`import`、`fetch`、`split` 只写 `mapped_kinds`。
设施的 `state` 写 `unchecked`（待核）的，核对并填 `checked_by` 以前不计入，只给出上限。
"""
    return "\n".join([head, *(section(layer) for layer in LAYERS.values())])


def section(layer: Layer) -> str:
    """Return one layer's table of columns."""
    what = "表" if layer.geometry is None else "、".join(layer.geometry)
    notes = [f"`{layer.folder}/`", what]
    if layer.default:
        notes.append("目录里没有时用随程序的")
    if layer.dated:
        notes.append("按 `since`、`until` 起止年份取用")
    rows = "\n".join(row(column, layer) for column in layer.columns)
    return (
        f"## {layer.label} `{layer.name}`\n{'；'.join(notes)}。\n\n"
        f"| 列 | 中文 | 类型 | 单位 | 必填 | 说明 |\n|---|---|---|---|---|---|\n{rows}\n"
    )


def row(column: Column, layer: Layer) -> str:
    """Return one column as a line of the table."""
    said = [column.help] if column.help else []
    if column.name == layer.key:
        said.append("主键")
    if column.parent:
        said.append(f"须在 `{column.parent[0]}` 里有")
    if column.values:
        said.append("可选 " + "、".join(f"`{v}`" for v in column.values))
    if column.minimum is not None:
        said.append(f"不小于 {column.minimum:g}")
    if column.maximum is not None:
        said.append(f"不大于 {column.maximum:g}")
    cells = (
        f"`{column.name}`",
        column.label,
        TYPES[column.type],
        column.unit,
        "是" if column.required else "",
        "；".join(said),
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    TARGET.write_text(dictionary(), encoding="utf-8", newline="\n")
