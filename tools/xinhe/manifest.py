"""`district.toml`, the ledger series and the licence note of the bundled district."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from xinhe_geo.core.schema import LAYERS as DECLARED

ODBL = "ODbL-1.0"
CC_BY = "CC-BY-4.0"
OSM_CREDIT = "© OpenStreetMap contributors"
OUR_CREDIT = "xinhe_geo contributors"
DATE = "2026-11-24"

#: Column order of every layer's file: as declared, then provenance.
COLUMNS: dict[str, list[str]] = {
    name: [c for c in layer.names if c not in ("checked_by", "checked_on")]
    for name, layer in DECLARED.items()
    if layer.geometry
}


@dataclass(frozen=True)
class Entry:
    """What the manifest says of one layer."""

    file: str
    basis: str
    source: str
    licence: str = CC_BY

    @property
    def credit(self) -> str:
        """Who has to be named."""
        return f"{OSM_CREDIT}; {OUR_CREDIT}" if self.licence == ODBL else OUR_CREDIT


def _entry(name: str, basis: str, source: str, licence: str = CC_BY) -> Entry:
    return Entry(f"{DECLARED[name].folder}/{name}.geojson", basis, source, licence)


_DRAWN = "示意，非法定界线："
LAYERS: dict[str, Entry] = {
    "district": _entry("district", "schematic", _DRAWN + "按邻街道外接框和文字四至画出；没有公开的法定界线"),
    "zones": _entry("zones", "schematic", _DRAWN + "以示意的京津塘高速公路分界；新城区按原文21平方公里画出"),
    "areas": _entry("areas", "schematic", _DRAWN + "13个片区，原文点名5个，其余8个未点名"),
    "communities": _entry(
        "communities",
        "schematic",
        _DRAWN + "代码和名称来自统计用区划代码2019—2022年13个、2023年14个，界线由示意道路围合",
    ),
    "parcels": _entry("parcels", "schematic", _DRAWN + "更新地块名称见规划原文，位置和大小为示意"),
    "barriers": _entry(
        "barriers", "schematic", "铁路、干渠、高速、货运通道线位为示意；北大街线位来自OpenStreetMap", ODBL
    ),
    "landuse": _entry("landuse", "synthetic", "街坊用途为合成，只作演示", ODBL),
    "green": _entry("green", "synthetic", "公园和绿带为合成，只作演示", ODBL),
    "water": _entry("water", "schematic", "新河干渠和水面为示意"),
    "named_roads": _entry(
        "named_roads", "schematic", "海洋园区附近道路为OpenStreetMap线位（逐条标注），规划点名的其余道路为示意线", ODBL
    ),
    "places": _entry(
        "places", "schematic", "规划点名地点为示意位置；界外地点来自OpenStreetMap，塘沽站由百度坐标反算", ODBL
    ),
    "ramps": _entry("ramps", "schematic", "高速出入口为示意"),
    "grid": _entry("grid", "schematic", _DRAWN + "网格由示意社区细分"),
    "micro_spaces": _entry("micro_spaces", "synthetic", "小微空间为合成，只作演示"),
    "bare_ground": _entry(
        "bare_ground", "synthetic", "合成图斑，总面积取规划原文2016—2020年苫盖裸露地面6万平方米；位置无依据"
    ),
    "homes": _entry("homes", "synthetic", "小区围墙、户数、人口全部为合成的整数，只作演示；户均约2.5人为假定", ODBL),
    "gates": _entry("gates", "synthetic", "小区出入口为合成，只作演示", ODBL),
    "facilities": _entry(
        "facilities",
        "synthetic",
        "设施位置为合成；规划点名的设施为示意位置，个数取规划原文；少数界外点来自OpenStreetMap",
        ODBL,
    ),
    "entrances": _entry("entrances", "synthetic", "公园出入口为合成，只作演示", ODBL),
    "streets": _entry(
        "streets", "schematic", "海洋园区附近道路为OpenStreetMap线位（逐条标注），其余街道、过街、院内路为示意", ODBL
    ),
}


_FILL = "规划原文之外待填；示例地块为虚构"
#: The ledger of parcels is internal unless somebody decides otherwise.
RENEWAL: tuple[tuple[str, str, str, str], ...] = (
    ("parcel_facts", "renewal/parcels.csv", "synthetic", f"五车地、新河庄的户数、搬迁、住房、资金都待填；{_FILL}"),
    ("stages", "renewal/stages.csv", "synthetic", f"更新进度：{_FILL}"),
    ("promises", "renewal/promises.csv", "official", "规划原文逐句抄录；示例地块的为虚构"),
    ("projects", "renewal/projects.csv", "synthetic", "演示项目：造价、资金、编号都是虚构的"),
    ("budgets", "renewal/budgets.csv", "synthetic", "演示资金：全部是虚构的"),
)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_toml(path: Path, kinds: Sequence[str]) -> None:
    """Write the manifest."""
    lines = [
        "# The bundled demonstration district. Written by tools/make_xinhe.py; what is real and what is not: README.md",
        "schema = 2",
        'name = "新河街道"',
        'code = "120116006"',
        'crs = "EPSG:4548"',
        "data_year = 2022",
        "community_list_year = 2022",
        "surveyed_kinds = [",
        *(f"    {_quoted(k)}," for k in kinds),
        "]",
        'credit = "© OpenStreetMap contributors（ODbL 1.0）；示意与合成数据：xinhe_geo（CC BY 4.0）"',
        'made_by = "xinhe_geo（演示，非测绘成果）"',
        'secrecy = "public"',
        'renewal_outputs = "随程序公开的示意和虚构地块 2026-11-30"',
    ]
    for name, entry in LAYERS.items():
        lines += [
            "",
            f"[layers.{name}]",
            f"file = {_quoted(entry.file)}",
            'crs = "EPSG:4326"',
            f"basis = {_quoted(entry.basis)}",
            f"source = {_quoted(entry.source)}",
            f"licence = {_quoted(entry.licence)}",
            f"date = {_quoted(DATE)}",
            'secrecy = "public"',
        ]
    lines += [
        "",
        "[layers.series]",
        'file = "ledger/series.csv"',
        'basis = "official"',
        'source = "规划原文专栏1；各年实际值待填"',
        'licence = "CC BY 4.0"',
        f"date = {_quoted(DATE)}",
        'secrecy = "public"',
    ]
    for name, file, basis, source in RENEWAL:
        lines += [
            "",
            f"[layers.{name}]",
            f"file = {_quoted(file)}",
            f"basis = {_quoted(basis)}",
            f"source = {_quoted(source)}",
            f"licence = {_quoted(CC_BY)}",
            f"date = {_quoted(DATE)}",
            'secrecy = "内部"',
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


#: 专栏1: commitment, name, unit, value of 2020, target of 2025 (None where the plan states no number).
TABLE_ONE: tuple[tuple[str, str, str, str | None, str | None], ...] = (
    ("I01", "街道地区生产总值增速", "%", "6", "6.5"),
    ("I02", "固定资产投资额累计", "亿元", "4.4", "20"),
    ("I03", "商品销售总额累计", "亿元", "7.5", "46"),
    ("I04", "实际利用内资累计", "亿元", "1.1", "6"),
    ("I05", "市场主体数量累计", "家", "1000", "2800"),
    ("I06", "城镇登记失业率", "%", "3.5", "3.5"),
    ("I07", "新增就业人口累计", "人", "2000", "10000"),
    ("I08", "城乡基本养老保险保障水平", "", None, None),
    ("I09", "老年日间照料中心覆盖率", "%", None, "100"),
    ("I10", "生活垃圾分类示范街镇覆盖率", "%", None, "100"),
    ("I11", "单位GDP二氧化碳排放降幅", "%", None, None),
    ("I12", "空气优良天数比例", "%", None, None),
    ("I13", "社区党群服务中心达标率", "%", None, "100"),
    ("I14", "智慧社区覆盖率", "%", "0", "100"),
)
LIMITS = {"I06"}  # the plan writes "within 3.5"


def write_series(path: Path, measures: Path) -> None:
    """Write the ledger series: what 专栏1 states, and blank years to fill in, also of every other figure the measures ask for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["indicator", "unit", "year", "value", "source", "filled_by"])
        for key, name, unit, base, target in TABLE_ONE:
            where = f"规划原文专栏1：{name}"
            words = "" if base else "，原文为“完成区下达任务”，无数值"
            table.writerow([key, unit, 2020, base or "", where + words + ("（3.5以内）" if key in LIMITS else ""), ""])
            for year in (2021, 2022, 2023, 2024, 2025):
                table.writerow([key, unit, year, "", "", ""])
            words = "" if target else "，原文为“完成区下达任务”，无数值"
            limit = "（控制在3.5以内）" if key in LIMITS else ""
            table.writerow([f"{key}.target", unit, 2025, target or "", f"{where}，2025年目标{words}{limit}", ""])
        stated = {key for key, *_ in TABLE_ONE}
        with measures.open(encoding="utf-8-sig", newline="") as lines:
            asked = [row for row in csv.DictReader(lines) if row["series"] and row["series"] not in stated]
        for row in asked:
            for year in range(int(row["since"]), int(row["until"]) + 1):
                table.writerow([row["series"], row["unit"], year, "", "", ""])


def write_readme(path: Path, layers: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write what the data is, what it is not, and whose it is."""
    homes = [h for h in layers["homes"] if not h.get("until") or h["until"] >= 2022]
    homes = [h for h in homes if not h.get("since") or h["since"] <= 2022]
    people = sum(h["people"] or 0 for h in homes)
    older = sum(h["people_60plus"] or 0 for h in homes)
    text = """# 随附的示范街道：新河街道（120116006）

**示意与合成数据，不是新河街道的实际情况，不能用来下任何结论。** 真实的是名称、代码、规划原文写明的个数与指标，
以及下面写明来自 OpenStreetMap 的几条道路；没有公开的法定界线、人口和设施位置，这些都是画出来或编出来的，用来演示工具怎么用。

由 `python tools/make_xinhe.py` 生成，每次运行逐字节相同；不要手改，改脚本。
类别、标签、规则、指标、步行筛选这些表（`pois/*.csv`、`standards/`、`network/walk_filter.toml`）不由它生成。

| 图层 | 要素 | 依据 | 许可 | 说明 |
|---|---|---|---|---|
"""
    for name, entry in LAYERS.items():
        label = DECLARED[name].label
        text += f"| {label} `{entry.file}` | {len(layers[name])} | {entry.basis} | {entry.licence} | {entry.source} |\n"
    text += f"""
## 人口
{len(homes)} 个小区（2022 年）合计约 {people:,} 人，其中60岁及以上约 {older:,} 人：**全部是合成的整数**。
新河街道的常住人口没有公开数字；户均约 2.5 人是假定。两个小区的人口、几个小区的出入口有意留空，用来演示“数据不足”。

## 年份
数据年 2022，社区名录 2022 年（13 个；2023 年起 14 个，华翠假定自福升园划出）。起止年写在要素上：五车地平房到 2024 年，金海云城二期
2024 年起、三期 2028 年起，新河庄平房到 2026 年，更新后的住房 2027、2029 年起；规划设施多为 2025 年。

## 方案
`scenarios/` 里九个方案：五车地改造、新河庄南北河底更新、南益和威海路两处卫生服务站、干渠人行桥、增开出入口、规划设施全部建成、什么也不建，
以及虚构的示例地块甲（拆除重建、还迁）和乙（综合整治）。规模和位置都是假定。

## 地块台账
`renewal/` 里是更新地块的台账（内部）：五车地和新河庄只有规划原文和要填的空格，户数、搬迁、住房、资金都待填，图上是示意位置，
非征收范围、非权属界线；`示例地块甲`、`示例地块乙` 完全是虚构的，画在空地上，逐年演示怎么填、怎么算。
`projects.csv` 和 `budgets.csv` 里的演示项目和资金也全部是虚构的。

## 没有画出的地点
规划只在讲区位时提到、又没有可查坐标的地方不画，以免编造：天津经济技术开发区西区、滨海西站、滨海机场、双城绿廊。
阳光家园是服务品牌，不是地点。它们都在街道界外，不影响任何计算。

## 许可与署名
- 标为 ODbL-1.0 的图层含有或依托 OpenStreetMap 的道路线位：**© OpenStreetMap contributors**，
  [Open Database License 1.0](https://opendatacommons.org/licenses/odbl/1-0/)。在地图、报告和衍生数据库上都要写出这一句。
- 标为 CC-BY-4.0 的图层和 `ledger/series.csv` 完全由本项目绘制或抄录：署名 xinhe_geo contributors，
  [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)。
- 邻街道的外接框是公开资料中的事实（sizhi 3.0.6，MIT），其中新北街道两处限值与 OpenStreetMap 道路相符；它们不是界线。
- 社区代码和名称是统计用区划代码中的公开事实（由 china-division 各版转录）；`ledger/series.csv` 的数值抄自规划原文专栏1。

## 换成真实数据
界线、人口、设施由街道提供后，用同名文件替换，并在 `district.toml` 里改 `basis`、`source`、`licence`、`date`。
图签的“制图单位”取 `district.toml` 的 `made_by`：演示街道写的是“xinhe_geo（演示，非测绘成果）”，换成自己的单位名；不写则图签留空，
供手填或盖章。
逐条替换也可以：行上的 `basis` 优先于图层的。
"""
    path.write_text(text, encoding="utf-8", newline="\n")
