"""
Every layer and table of a district folder, declared once.

The check at the door, the templates, the tooltips and the data dictionary all come from these declarations. A new
*kind* of facility is a row in `kinds.csv`; a new *column* is a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from .sentences import language, renamed
from .shipped import shipped_folder

SCHEMA_VERSION = 2
#: What a manifest may say: in 1 nobody could say that a kind was only taken from a map.
SCHEMAS = (1, 2)
#: What is known of a kind: somebody says that all of them are there; some were seen on a map; nothing.
SURVEYED, MAPPED, ABSENT = "surveyed", "mapped", "absent"

#: What a row rests on whose file does not say so, and nobody else has.
UNSTATED = "unstated"
#: From the strongest to the weakest.
BASES = ("surveyed", "official", "osm", "derived", UNSTATED, "schematic", "synthetic")
BASIS_LABELS = {
    "surveyed": "实测",
    "official": "官方",
    "osm": "开放地图",
    "derived": "推算",
    UNSTATED: "依据未说明",
    "schematic": "示意",
    "synthetic": "合成",
}
#: What nothing may be concluded from: numbers that rest on it are shown as 演示值.
DEMONSTRATION = ("schematic", "synthetic")
#: Layers that change a walk where there are any. Whether there are none is said in the manifest (`without`), not guessed.
ON_THE_WAY = ("gates", "entrances", "barriers")
STATES = ("open", "planned", "closed")
#: Seen on a map, and nobody has looked whether it is what it seems: it serves nobody until somebody has.
UNCHECKED = "unchecked"
#: What an importer writes before its remark on such a facility.
TO_CONFIRM = "须人工确认"
#: A sign at the door and nobody serving behind it; gone to another place: neither serves anybody.
NOMINAL, MOVED = "nominal", "moved"
STATE_LABELS = {
    "open": "开放",
    "planned": "规划",
    "closed": "停用",
    NOMINAL: "挂牌未运营",
    MOVED: "搬迁",
    UNCHECKED: "待核",
}
#: What else the books of offices call a state.
_OPEN = (
    "正常",
    "正常使用",
    "使用中",
    "在用",
    "使用",
    "运营",
    "运营中",
    "正常运营",
    "营业",
    "营业中",
    "已投用",
    "已建成",
)
_PLANNED = ("规划中", "拟建", "在建", "建设中", "筹建", "待建", "未建")
_CLOSED = (
    "查无",
    "查无此处",
    "找不到",
    "停业",
    "停止使用",
    "停用中",
    "关闭",
    "已关闭",
    "歇业",
    "停办",
    "撤销",
    "已拆除",
    "拆除",
    "注销",
)
STATE_WORDS = (
    *((label, state) for state, label in STATE_LABELS.items()),
    *(
        (word, state)
        for words, state in ((_OPEN, "open"), (_PLANNED, "planned"), (_CLOSED, "closed"))
        for word in words
    ),
)

#: Who may walk through a gate that is open.
OPEN_TO = {"everybody": "任何人", "residents": "仅本小区居民"}

#: Whom a number of people counts: who lives there, who is registered there, whom somebody found there. A list that does not say
#: is of residents, as its column is called; numbers of two kinds are never added.
RESIDENT = "resident"
PEOPLE_KINDS = {RESIDENT: "常住", "registered": "户籍", "present": "实有"}
_PEOPLE_WORDS = tuple((f"{label}{end}", kind) for kind, label in PEOPLE_KINDS.items() for end in ("", "人口"))


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column: `type` is text, int, float, bool or year; `parent` is the (layer, column) its codes must exist in.

    `several`: a cell lists codes, parted by `;`. `words`: other ways to write a value. `dated_by`: the column of the same layer
    that says in which year the figure was true.
    """

    name: str
    label: str
    type: str = "text"
    unit: str = ""
    required: bool = False
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    parent: tuple[str, str] | None = None
    help: str = ""
    several: bool = False
    words: tuple[tuple[str, str], ...] = ()
    dated_by: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer (`geometry` says of what) or plain table (`geometry` is None)."""

    name: str
    label: str
    key: str
    columns: tuple[Column, ...]
    geometry: tuple[str, ...] | None = None
    folder: str = ""
    default: bool = False  # a table that a folder may leave to the bundled defaults
    dated: bool = False  # rows live from `since` to `until`; a key may come back in another period
    told_by: tuple[str, ...] = ()  # the columns that tell rows apart which nobody has to number
    names: Mapping[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        columns = self.columns + (PROVENANCE if self.geometry else ())
        object.__setattr__(self, "names", MappingProxyType({c.name: c for c in columns}))


PROVENANCE = (
    Column("basis", "依据类型", values=BASES, help="留空则按图层"),
    Column("source", "来源"),
    Column("checked_by", "核对人"),
    Column("checked_on", "核对日期"),
    Column("note", "备注"),
    Column("other_id", "对方编号", help="同一处在别的名录里的编号，多个用 ; 隔开"),
)
#: How well the source of a number is known.
CONFIDENCE = Column("confidence", "可信度", required=True, values=("read", "second_hand", "recalled", "convention"))
#: What a number of a standard rests on.
CITED = (
    Column("standard", "标准"),
    Column("clause", "条款"),
    CONFIDENCE,
    Column("source", "来源"),
    Column("note", "备注"),
)
SINCE_UNTIL = (
    Column("since", "起始年", "year", help="从这一年起；留空为一直如此"),
    Column("until", "截止年", "year", help="到这一年为止（含）；留空为至今"),
)
POLYGON = ("Polygon", "MultiPolygon")
LINE = ("LineString", "MultiLineString")
POINT = ("Point",)


#: How a commitment can be measured (`ledger`), over what, and how two things can lie to each other.
METRICS = (
    "communities_with",
    "communities_without",
    "coverage",
    "completeness",
    "count",
    "kinds_present",
    "area",
    "topology",
    "near",
    "along",
    "in_gap",
    "difference",
    "gini",
    "theil",
    "per_thousand",
    "capacity",
    "per_communities",
    "attribute",
    "mix",
    "named",
    "ratio",
    "change",
    "best_use",
    "series",
    "missing",
)
#: What a claim of the plan asks of its object.
DIRECTIONS = {"have": "有", "more": "增加", "less": "减少", "cover": "覆盖"}
#: Whether a claim is measured; nobody has said how; data like these can never say.
CLAIM_LABELS = {"measured": "已量", "silent": "没有量", "unknowable": "这类数据量不出"}
#: What may be in doubt of a row, and of which layers: where it is, whether it is there, whether one can pass, whether by stairs, who lives there.
DOUBTS = {
    "position": ("facilities",),
    "existence": ("facilities",),
    "gate": ("gates",),
    "street": ("streets",),
    "stairs": ("streets",),
    "people": ("homes",),
}
#: Of the streets, which are in doubt: those that cross a barrier or water.
PASSAGES = "passages"
#: Whose households a figure of a parcel is about; without one, all together.
HOLDERS = {"owner": "被征收户", "public_tenant": "承租公房户", "tenant": "租客"}
#: How far a project has come. Only the first three can be planned; what is finished counts as done, what is given up never comes.
IDEA, RESERVED, UNDER_WAY, FINISHED, GIVEN_UP = "idea", "reserved", "under_way", "finished", "given_up"
PROJECT_STATES = {IDEA: "谋划", RESERVED: "储备", UNDER_WAY: "实施", FINISHED: "完工", GIVEN_UP: "退出"}
#: What must be solved by a date, and what is solved as far as it can be.
URGENT = "urgent"
URGENCIES = {URGENT: "限时解决", "as_able": "尽力解决"}
#: How an indicator of a checkup is found: from the data of the folder, or typed.
CHECKUP_METRICS = (
    "homes_outside",
    "communities_without",
    "land_share",
    "homes_where",
    "shortfall",
    "per_households",
    "typed",
)
#: What has become of a problem. Only the second and the fourth count as solved; the last four say why it is not asked any more.
OPEN, SOLVED, TO_REVIEW, CLOSED = "open", "solved", "to_review", "closed"
NOT_MEASURED, CORRECTED, REDEFINED, DEMOLISHED = "not_measured", "corrected", "redefined", "demolished"
PROBLEM_STATES = {
    OPEN: "未解决",
    SOLVED: "已解决（重新测算）",
    TO_REVIEW: "待复核",
    CLOSED: "现场核定后销号",
    NOT_MEASURED: "数据不足，未能重新测算",
    CORRECTED: "资料订正",
    REDEFINED: "口径改变",
    DEMOLISHED: "已拆除",
}
#: Money that is there, and money that is asked for.
SECURED, APPLIED = "secured", "applied"
MONEY_STATES = {SECURED: "已落实", APPLIED: "拟申请"}
#: What a quantity of the ledger of parcels is about, in the order in which it is shown.
TOPICS = {
    "use": "用途与权属",
    "limit": "控规限制",
    "floor": "建筑面积",
    "people": "户与人",
    "cost": "支出",
    "receipt": "收入",
}
#: Two tables of money, never netted against each other: what public budgets pay, and what a project pays and takes in.
BUDGETS = {"public": "财政支出", "project": "项目收支"}
SCOPES = ("district", "zone", "area", "community", "parcel", "line", "home")
LINEAR = ("named_roads", "water", "barriers")
RELATIONS = ("inside", "north_of", "covered", "overlap", "tiles", "straddle", "facilities", "length", "spacing")


def _id(name: str, label: str = "编号") -> Column:
    return Column(name, label, required=True)


_NAME = Column("name", "名称")


def _words_of(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the words of a choice as people write them: its labels."""
    return tuple((label, name) for name, label in labels.items())


#: Words for yes and no, as people write them.
_YES_NO = (("是", "yes"), ("有", "yes"), ("否", "no"), ("无", "no"), ("没有", "no"))
#: The four levels at which a place is looked at.
LEVELS = {"home": "住房", "compound": "小区", "block": "街区", "city": "城区"}
_LEVEL_WORDS = (*_words_of(LEVELS), ("小区（社区）", "compound"), ("城区（城市）", "city"))
#: Who pays, as the tables of offices part a sum.
_INVESTED = {
    "fiscal": "财政资金",
    "bond": "专项债",
    "budget": "中央预算内投资",
    "social": "社会资本",
    "residents": "居民出资",
    "fund": "维修资金/公积金",
}

_STREET = (
    _id("street"),
    _NAME,
    Column("class", "等级", required=True, help="OSM highway 值：primary, residential, footway, steps …"),
    Column("wait_s", "过街等待", "float", "秒", minimum=0, help="走完整段平均多等的秒数"),
    Column("steps", "台阶", "bool"),
    Column("home", "内部路所属小区", parent=("homes", "home"), help="只供该小区居民的内部路"),
    *SINCE_UNTIL,
)

_FACILITY = (
    _id("facility"),
    _NAME,
    Column("kind", "类别", required=True, parent=("kinds", "kind")),
    Column(
        "state",
        "状态",
        values=(*STATES, NOMINAL, MOVED, UNCHECKED),
        words=STATE_WORDS,
        help="留空为开放；挂牌未运营、停用、搬迁的都不算有；待核的不计入，只给出上限",
    ),
    Column("community", "社区代码", parent=("communities", "community"), help="留空则按位置归属"),
    Column(
        "serves_community",
        "服务社区",
        parent=("communities", "community"),
        several=True,
        help="台账写明服务哪几个社区时填代码，多个用 ; 隔开；填了就按它判有没有，不看位置",
    ),
    Column("capacity", "规模", "float", minimum=0),
    Column("capacity_unit", "规模单位"),
    Column("floor_area_m2", "建筑面积", "float", "m²", minimum=0),
    *SINCE_UNTIL,
)


def _shapes(name: str, label: str, geometry: tuple[str, ...], folder: str, *columns: Column) -> Layer:
    """Return a layer by the first of its columns; its rows live from year to year where it has columns for that."""
    return Layer(name, label, columns[0].name, columns, geometry, folder, dated=SINCE_UNTIL[0] in columns)


def _table(
    name: str,
    label: str,
    *columns: Column,
    folder: str = "standards",
    default: bool = True,
    told_by: tuple[str, ...] = (),
) -> Layer:
    """Return a plain table by the first of its columns."""
    return Layer(name, label, columns[0].name, columns, folder=folder, default=default, told_by=told_by)


_LAYERS = (
    _shapes("district", "街道界", POLYGON, "boundaries", _id("code", "代码"), _NAME),
    _shapes(
        "zones",
        "分区（新老城区）",
        POLYGON,
        "boundaries",
        _id("zone"),
        _NAME,
        Column("area_km2", "应有面积", "float", "km²", minimum=0),
    ),
    _shapes(
        "areas", "片区", POLYGON, "boundaries", _id("area"), _NAME, Column("zone", "分区", parent=("zones", "zone"))
    ),
    _shapes(
        "communities",
        "社区",
        POLYGON,
        "boundaries",
        _id("community", "社区代码"),
        _NAME,
        Column("zone", "分区", parent=("zones", "zone")),
        *SINCE_UNTIL,
    ),
    _shapes(
        "parcels",
        "更新地块",
        POLYGON,
        "boundaries",
        _id("parcel"),
        _NAME,
        Column("zone", "分区", parent=("zones", "zone")),
        Column("use", "用途"),
    ),
    _shapes(
        "barriers",
        "步行阻隔",
        LINE,
        "boundaries",
        _id("barrier"),
        _NAME,
        Column("kind", "类型", required=True, values=("expressway", "railway", "canal", "wall")),
    ),
    _shapes("landuse", "用地", POLYGON, "boundaries", _id("id"), _NAME, Column("use", "用地类别", required=True)),
    _shapes("green", "绿地", POLYGON, "boundaries", _id("id"), _NAME),
    _shapes("water", "水系", POLYGON + LINE, "boundaries", _id("id"), _NAME),
    _shapes("named_roads", "重点道路", LINE, "boundaries", _id("id"), _NAME, Column("class", "等级")),
    _shapes("places", "地名", POINT + POLYGON + LINE, "boundaries", _id("id"), _NAME, Column("type", "类型")),
    _shapes("ramps", "高速出入口", POINT, "boundaries", _id("id"), _NAME),
    _shapes("grid", "网格", POLYGON, "boundaries", _id("grid"), _NAME),
    _shapes("micro_spaces", "小微空间", POINT + POLYGON, "boundaries", _id("id"), _NAME),
    _shapes(
        "bare_ground",
        "裸露地面",
        POLYGON,
        "boundaries",
        _id("id"),
        _NAME,
        Column(
            "covered_m2",
            "苫盖面积",
            "float",
            "m²",
            minimum=0,
            dated_by="covered_year",
            help="已苫盖的面积；没有苫盖写 0，不知道就留空",
        ),
        Column("covered_year", "苫盖年份", "year", help="哪一年苫盖的"),
    ),
    _shapes(
        "homes",
        "小区",
        POLYGON + POINT,
        "homes",
        _id("home"),
        _NAME,
        Column("community", "社区代码", parent=("communities", "community"), help="留空则按位置归属"),
        Column("households", "户数", "int", "户", minimum=0, help="不知道就留空"),
        Column("people", "常住人口", "float", "人", minimum=0, help="不知道就留空，不要写 0"),
        Column("people_60plus", "60岁及以上", "float", "人", minimum=0, help="不知道就留空"),
        Column(
            "people_kind",
            "人口口径",
            values=tuple(PEOPLE_KINDS),
            words=_PEOPLE_WORDS,
            help="常住、户籍或实有；留空为常住。一个目录里只能有一种，几种不能相加",
        ),
        Column("people_parts", "人口取自", help="按楼面积分到的：块:人数，几块用 ; 隔开；由导入写"),
        Column("people_year", "人口年份", "year", help="这些人数是哪一年的"),
        Column("built", "建成年代", "year"),
        *SINCE_UNTIL,
        Column("structure", "结构", help="砖木、砖混、框架 …"),
        Column("storeys", "层数", "int", "层", minimum=0),
        Column("stairwells", "楼梯单元", "int", "个", minimum=0),
        Column("elevators", "电梯", "int", "部", minimum=0, help="没有写 0，不知道就留空"),
        Column("floor_area_m2", "建筑面积", "float", "m²", minimum=0),
        Column("buildings", "楼栋数", "int", "栋", minimum=0, help="街块由地图上的几栋楼合成"),
        Column("stated_homes", "写明住宅的楼", "int", "栋", minimum=0, help="其中标签写明是住宅的"),
        Column("footprint_m2", "基底面积", "float", "m²", minimum=0),
        Column("parking_places", "停车泊位", "int", "个", minimum=0, help="没有写 0，不知道就留空"),
        Column("renewed_year", "上次改造年份", "year"),
        Column("property_managed", "有物业管理", values=("yes", "no"), words=_YES_NO, help="不知道就留空"),
    ),
    _shapes(
        "gates",
        "小区出入口",
        POINT,
        "homes",
        _id("gate"),
        _NAME,
        Column("home", "小区编号", required=True, parent=("homes", "home")),
        Column("state", "状态", values=STATES, help="留空为开放"),
        Column("hours", "开放时段", help="如 6:00—22:00、全天；不知道就留空"),
        Column("open_to", "对谁开放", values=tuple(OPEN_TO), words=_words_of(OPEN_TO), help="不知道就留空"),
        Column("steps", "台阶级数", "int", "级", minimum=0, help="没有写 0，不知道就留空"),
        Column("ramp", "坡道", values=("yes", "no"), words=_YES_NO, help="不知道就留空"),
        *SINCE_UNTIL,
    ),
    _shapes("facilities", "设施", POINT + POLYGON, "pois", *_FACILITY),
    _shapes("own_facilities", "自有设施名录", POINT + POLYGON, "pois", *_FACILITY),
    _shapes(
        "rooms",
        "存量用房",
        POINT + POLYGON,
        "pois",
        _id("room"),
        _NAME,
        Column("address", "地址"),
        Column("floor_area_m2", "建筑面积", "float", "m²", minimum=0, help="不知道就留空"),
        Column("floor", "楼层", help="1、B1、2—3 …"),
        Column("ownership", "权属", help="国有、集体、混合 …；不知道就留空"),
        Column(
            "usable_for", "能用作", parent=("kinds", "kind"), several=True, help="设施类别，多个用 ; 隔开；留空为都可以"
        ),
        *SINCE_UNTIL,
    ),
    _shapes(
        "entrances",
        "设施出入口",
        POINT,
        "pois",
        _id("entrance"),
        _NAME,
        Column("facility", "设施编号", required=True, parent=("facilities", "facility")),
        *SINCE_UNTIL,
    ),
    _shapes("streets", "街道路网", LINE, "network", *_STREET),
    _shapes("extra_links", "补充步行连接", LINE, "network", *_STREET),
    _shapes("closures", "封闭路段", POINT + LINE + POLYGON, "network", _id("id"), _NAME, *SINCE_UNTIL),
    # tables
    _table(
        "kinds",
        "设施类别表",
        _id("kind", "类别"),
        Column("label", "中文名", required=True),
        Column("label_en", "英文名"),
        Column("group", "大类"),
        Column("lead", "如何承诺", required=True, values=("community", "circle", "tier")),
        Column("rule", "领头规则", parent=("rules", "rule"), help="留空则不评价"),
        Column("essential", "计入配套齐全度", "bool"),
        Column("colour", "颜色", required=True),
        Column("symbol", "符号"),
        Column("symbol_en", "英文符号", help="英文图（--lang en）上的符号，两个字母以内；留空取英文名的头两个字母"),
        Column("elderly", "为老设施", "bool"),
        Column("hosts", "可附设其他设施", "bool", help="开放的这类设施里可以附设新设施：选址的候选点"),
        folder="pois",
    ),
    _table(
        "osm_tags",
        "OSM 标签对照表",
        _id("id"),
        Column("kind", "类别", required=True, parent=("kinds", "kind")),
        Column("tags", "标签条件", required=True, help="key=value，多个用 & 连接；value 可用 | 列举，* 为任意"),
        Column("not_tags", "排除条件"),
        Column("note", "备注"),
        folder="pois",
    ),
    _table(
        "profiles",
        "步行人群表",
        _id("profile"),
        Column("label", "中文名", required=True),
        Column("label_en", "英文名"),
        Column("speed_m_s", "步速", "float", "m/s", required=True, minimum=0.05),
        Column("steps", "能走台阶", "bool", required=True),
        Column("waits", "等待系数", "float", minimum=0),
        Column("source", "来源"),
    ),
    _table(
        "rules",
        "规则表",
        _id("rule"),
        Column("set", "规则集", required=True),
        Column("label", "中文名", required=True),
        Column("label_en", "英文名", help="英文报告（--lang en）里的名称；留空由类别和限值拼成"),
        Column("kinds", "类别（; 为任一）", required=True),
        Column("tier_min", "圈层", "int", "分钟"),
        Column("metric", "指标", required=True, values=("reach", "presence")),
        Column("method", "方法", required=True, values=("buffer", "network_m", "walk_min")),
        # both limits are asked of every rule: the other methods stand beside the one that leads
        Column("metres", "距离", "float", "m", required=True, minimum=1),
        Column("minutes", "时间", "float", "分钟", required=True, minimum=0.1),
        Column("profile", "人群", required=True, parent=("profiles", "profile")),
        Column("denominator", "分母", required=True, values=("people", "people_60plus", "area_m2", "community")),
        *CITED,
        Column("verified_by", "核对人"),
        Column("verified_on", "核对日期"),
    ),
    _table(
        "decays",
        "距离衰减表",
        _id("id"),
        Column("decay", "衰减", required=True, help="measures.csv 的 decay 用这个名称"),
        Column("minutes", "这一圈到几分钟", "float", "分钟", required=True, minimum=0),
        Column("weight", "权重", "float", required=True, minimum=0, help="最近一圈写 1"),
        Column("source", "出处"),
    ),
    _table(
        "doubts",
        "存疑事项表",
        _id("doubt"),
        Column("layer", "图层", required=True, values=("facilities", "gates", "streets", "homes")),
        Column(
            "what",
            "疑什么",
            required=True,
            values=tuple(DOUBTS),
            help="位置、有没有、开不开、能不能走、有没有台阶、人数",
        ),
        Column(
            "basis", "依据类型", values=(*BASES, UNCHECKED), help="疑哪一类依据的行；已填核对人的不疑；填了编号可留空"
        ),
        Column("ids", "哪几行", several=True, help="只疑这几行：它们的编号，多个用 ; 隔开"),
        Column("which", "哪些街道", values=(PASSAGES,), help="passages：只疑过围墙、铁路、水面等阻隔的；留空为全部"),
        Column("classes", "街道等级", several=True, help="只疑这几级街道（footway;steps …）；留空为全部"),
        Column("metres", "位置误差", "float", "m", minimum=0, help="均方根；疑位置时必填"),
        Column(
            "spread",
            "人数误差",
            "float",
            minimum=0,
            maximum=1,
            help="占人数的比例；疑人数时必填；有出处的是标准差，没有的是上下限",
        ),
        Column(
            "probability",
            "属实的概率",
            "float",
            minimum=0,
            maximum=1,
            help="有出处才填（可信度为 read 或 second_hand）；留空的只给上下限",
        ),
        Column("shared_by", "同源", help="出自同一来源、一起偏的写同一个名称"),
        Column("share", "同源份额", "float", minimum=0, maximum=1, help="误差里同源部分占方差的几成"),
        Column("duty", "谁来核", help="照填照印，写在“待核”旁边"),
        Column("due", "何时核完", help="照填照印"),
        CONFIDENCE,
        Column("source", "出处", required=True),
    ),
    _table(
        "norms",
        "配建标准表",
        _id("norm"),
        Column("set", "出自哪一套", required=True),
        Column("label", "配什么", required=True),
        Column("kinds", "类别（; 为任一）", required=True, help="新建按第一类；附近有的按各类合计"),
        Column("unit", "单位", required=True, help="处、床、座、m² …"),
        Column("base", "按什么算", required=True, values=("people", "people_60plus", "households")),
        Column("per", "每多少", "float", required=True, minimum=0),
        Column("amount", "应有多少", "float", required=True, minimum=0),
        Column("field", "现有量取自", required=True, values=("count", "capacity", "floor_area_m2", "area_m2")),
        Column(
            "home_field", "小区自有取自", values=("parking_places",), help="小区自己有的先给本小区用；留空为只看设施"
        ),
        Column("m2_each", "每单位建筑面积", "float", "m²", minimum=0),
        Column("site_m2_each", "每单位用地面积", "float", "m²", minimum=0),
        *CITED,
    ),
    _table(
        "commitments",
        "规划承诺表",
        _id("id"),
        Column(
            "kind",
            "登记",
            required=True,
            values=("commitment", "left_out"),
            help="left_out：原文有、核对表没有逐条核的",
        ),
        Column("quote", "原文", required=True, help="逐字照抄"),
        Column("section", "章节", required=True),
        Column("category", "类别", required=True, help="多个用 ; 隔开"),
        Column("target", "目标"),
        Column("unit", "单位"),
        Column("year", "年份"),
        Column("spatial_unit", "空间范围"),
        Column("binding", "属性", values=("约束性", "预期性")),
        Column("note", "备注", help="left_out 在这里写为什么没有逐条核"),
    ),
    _table(
        "measures",
        "量法表",
        _id("measure"),
        Column("commitment", "承诺编号", parent=("commitments", "id"), help="留空：规划以外的标准"),
        Column("label", "量什么", required=True),
        Column("label_en", "量什么（英文）", help="核对表用英文（--lang en）时的写法；留空用中文"),
        Column("metric", "算法", required=True, values=METRICS),
        Column("role", "地位", required=True, values=("own", "beside"), help="own 决定判定，beside 只并列"),
        Column("operator", "比较", values=(">=", "<=", "==", "between"), help="留空：原文没有数，只报现状"),
        Column("low", "下限", "float"),
        Column("high", "上限", "float"),
        Column("unit", "单位"),
        Column("target_from", "目标出自", values=("plan", "standard", "reference"), help="reference：参考线，不下结论"),
        Column("scope", "范围", required=True, values=SCOPES),
        Column("codes", "范围里的编号", help="编号或名称，多个用 ; 隔开；留空为全部"),
        Column("lines", "线所在图层", values=LINEAR),
        Column("kinds", "类别（; 为任一）", help="配套齐全度一类的量法里，用 | 连起来的算一类，有一种就行"),
        Column("near_kinds", "邻近的类别（; 为任一）"),
        Column("rule", "规则", parent=("rules", "rule")),
        Column("also_rules", "须同时满足的规则", help="多个用 ; 隔开"),
        Column("layer", "量哪个图层"),
        Column("other_layer", "与哪个图层比"),
        Column("other_codes", "那个图层里的编号", help="编号或名称，多个用 ; 隔开"),
        Column("relation", "关系", values=RELATIONS),
        Column("metres", "距离", "float", "m", minimum=0),
        Column("minutes", "时间", "float", "分钟", minimum=0),
        Column("profile", "人群", parent=("profiles", "profile")),
        Column("weight", "分母", values=("people", "people_60plus", "households", "area_m2", "homes")),
        Column("combine", "合并", values=("any", "all"), help="all：各类都有才算"),
        Column("field", "字段"),
        Column("per", "每多少", "float", minimum=0),
        Column("norm", "应有数", "float", minimum=0, help="每 per 人应有多少；只有 capacity 用"),
        Column("decay", "距离衰减", help="decays.csv 的衰减；只有 capacity 用"),
        Column("group", "分组", values=("zone", "area", "community")),
        Column("since", "起始年", "year"),
        Column("until", "截止年", "year"),
        Column("aggregate", "汇总", values=("latest", "sum", "max", "min")),
        Column("of", "哪条量法的变化", parent=("measures", "measure"), help="只有 change 用"),
        Column("scenario", "方案", help="scenarios/ 里方案的名称；只有 change 用，留空则与 since 那一年比"),
        Column("named", "点名的", help="原文点名的设施或图形，编号或名称，多个用 ; 隔开；只有 named 用"),
        Column("series", "台账指标"),
        Column("target_series", "目标所在的台账指标"),
        Column("needs", "需要的图层", help="算法本身用到的不必写；多个用 ; 隔开"),
        Column("lacks", "缺什么"),
        Column("lacks_en", "缺什么（英文）"),
        Column("standard", "出处"),
        Column("confidence", "可信度", values=("read", "second_hand", "recalled", "convention")),
        Column("text", "怎么量", required=True),
        Column("text_en", "怎么量（英文）"),
    ),
    _table(
        "claims",
        "规划要求表",
        _id("claim"),
        Column("commitment", "承诺编号", required=True),
        Column("kind", "说的是", required=True, values=("claim", "fact"), help="claim 要求；fact 原文自述的现状"),
        Column("object", "对象", required=True),
        Column("object_en", "对象（英文）"),
        Column(
            "direction",
            "方向",
            required=True,
            values=("have", "more", "less", "cover"),
            words=tuple((label, name) for name, label in DIRECTIONS.items()),
            help="有、增加、减少、覆盖",
        ),
        Column("quantity", "数量", help="照原文写"),
        Column("unit", "单位"),
        Column("place", "地点"),
        Column("year", "年份"),
        Column("baseline", "基期"),
        Column("words", "原文", required=True, help="逐字照抄"),
        Column("status", "量得出吗", required=True, values=tuple(CLAIM_LABELS)),
        Column("measures", "量法", help="量法编号，多个用 ; 隔开"),
        Column("reason", "为什么没有量"),
        Column("reason_en", "为什么没有量（英文）"),
    ),
    _table(
        "contradictions",
        "原文矛盾表",
        _id("id"),
        Column("issue", "矛盾", required=True),
        Column("quote_a", "原文一", required=True),
        Column("section_a", "章节一"),
        Column("quote_b", "原文二"),
        Column("section_b", "章节二"),
        Column("handling", "处理", required=True),
        Column("touches", "涉及的承诺", help="编号，多个用 ; 隔开"),
    ),
    _table(
        "series",
        "台账填报表",
        Column("row", "行号", help="不必填"),
        Column("indicator", "指标编号", required=True),
        Column("unit", "单位"),
        Column("year", "年份", "year", required=True),
        Column("value", "数值", "float", help="不知道就留空"),
        Column("source", "来源"),
        Column("filled_by", "填报人"),
        folder="ledger",
        default=False,
        told_by=("indicator", "year"),
    ),
    _table(
        "quantities",
        "地块台账指标表",
        _id("quantity", "指标"),
        Column("label", "中文名", required=True),
        Column("label_en", "英文名"),
        Column("topic", "哪一类", required=True, values=tuple(TOPICS)),
        Column("budget", "哪张资金表", values=tuple(BUDGETS), help="public 财政支出，project 项目收支；两张表不相抵"),
        Column("unit", "单位"),
        Column("type", "写成", required=True, values=("number", "text"), help="number：数，可以写成一段（value—high）"),
        Column("options", "可选值", help="只能写这几个，多个用 ; 隔开；留空为任意"),
        Column("by_holder", "分口径", "bool", help="可以按被征收户、承租公房户、租客分开填"),
        Column("asked", "要问", "bool", help="没有填也列出来，印待填"),
        Column("who", "谁能填"),
        Column("who_en", "谁能填（英文）"),
        Column("note", "备注"),
    ),
    _table(
        "costs",
        "单价参考表",
        _id("cost"),
        Column("label", "中文名", required=True),
        Column("label_en", "英文名"),
        Column("item", "估哪一项资金", parent=("quantities", "quantity"), help="留空：只供参考，不自动算"),
        Column("of", "乘哪一项数量", parent=("quantities", "quantity")),
        Column("price_unit", "价格单位", required=True, values=("元", "万元")),
        Column("per_unit", "每什么", required=True),
        Column("low", "下限", "float", minimum=0, help="没有读到就留空：不算"),
        Column("high", "上限", "float", minimum=0),
        Column("price_year", "哪年的价", help="价格年份不同不自动换算"),
        Column("place", "哪里的价"),
        Column("source", "来源", required=True),
        CONFIDENCE,
        Column("note", "备注"),
    ),
    _table(
        "unit_lines",
        "更新单元参考线",
        _id("line"),
        Column("label", "中文名", required=True),
        Column("label_en", "英文名"),
        Column("above", "分子", required=True, parent=("quantities", "quantity"), several=True, help="几项相加"),
        Column("below", "分母", parent=("quantities", "quantity"), help="留空：分子就是填报的数"),
        Column("times", "乘", "float", required=True, help="写成百分数的填 100"),
        Column("operator", "比较", required=True, values=(">=", "<=")),
        Column("limit", "参考线", "float", required=True),
        Column("unit", "单位"),
        *CITED,
    ),
    _table(
        "stage_chains",
        "更新阶段表",
        _id("stage", "阶段"),
        Column("chain", "哪一条链", required=True, help="国有土地上房屋征收、集体土地征收 …"),
        Column("chain_en", "哪一条链（英文）"),
        Column("position", "第几步", "int", required=True, minimum=1),
        Column("label", "中文名", required=True),
        Column("label_en", "英文名"),
        Column("share_of", "比例是什么", help="留空：这一步只有日期"),
        Column("share_of_en", "比例是什么（英文）"),
        Column("who", "谁能填"),
        Column("who_en", "谁能填（英文）"),
    ),
    _table(
        "parcel_facts",
        "地块台账",
        Column("row", "行号", help="不必填"),
        Column("parcel", "地块", required=True, parent=("parcels", "parcel")),
        Column("year", "年份", "year", help="年末的状态；留空为不随年份变"),
        Column("quantity", "指标", required=True, parent=("quantities", "quantity")),
        Column(
            "holder",
            "口径",
            values=tuple(HOLDERS),
            words=tuple((label, name) for name, label in HOLDERS.items()),
            help="留空为不分口径的合计",
        ),
        Column("value", "数值或文字", help="不知道就留空：印待填"),
        Column("high", "上限", "float", help="数值是一段时的上限"),
        Column("unit", "单位", help="留空则按指标表"),
        Column("fund", "资金渠道", help="只写在资金的行：谁出这笔钱、从哪里收；一项由几个渠道出，各写一行；留空印待填"),
        Column("basis", "依据类型", values=BASES),
        Column("source", "来源"),
        Column("filled_by", "填报人"),
        Column("note", "备注"),
        folder="renewal",
        default=False,
        told_by=("parcel", "quantity", "year", "holder", "fund"),
    ),
    _table(
        "stages",
        "地块进度",
        Column("row", "行号", help="不必填"),
        Column("parcel", "地块", required=True, parent=("parcels", "parcel")),
        Column("stage", "阶段", required=True, parent=("stage_chains", "stage")),
        Column("date", "日期", help="2026、2026-05 或 2026-05-12；没有到就留空"),
        Column("share", "比例", "float", "%", minimum=0, help="如签约率：到这一天为止"),
        Column("basis", "依据类型", values=BASES),
        Column("source", "来源"),
        Column("filled_by", "填报人"),
        Column("note", "备注"),
        folder="renewal",
        default=False,
        told_by=("parcel", "stage", "date"),
    ),
    _table(
        "promises",
        "地块承诺",
        Column("row", "行号", help="不必填"),
        Column(
            "parcel",
            "地块",
            parent=("parcels", "parcel"),
            several=True,
            help="多个用 ; 隔开；留空：不在地块上，写 place",
        ),
        Column("place", "地点", help="不在地块上的承诺说的是哪里"),
        Column("commitment", "承诺编号", parent=("commitments", "id")),
        Column("quote", "原文", required=True, help="逐字照抄"),
        Column(
            "kinds",
            "要什么设施",
            parent=("kinds", "kind"),
            several=True,
            help="有一类就行；多个用 ; 隔开；留空：不是设施",
        ),
        Column("amount", "要多少", "float", "处", minimum=0, help="留空为 1"),
        Column(
            "stage",
            "到哪一步算做到",
            parent=("stage_chains", "stage"),
            several=True,
            help="不是设施的承诺；多个用 ; 隔开",
        ),
        Column("filled_by", "谁能填"),
        Column("note", "备注"),
        folder="renewal",
        default=False,
        told_by=("parcel", "place", "quote"),
    ),
    _table(
        "checkup_indicators",
        "体检指标表",
        _id("indicator", "指标"),
        Column("set", "哪一套", required=True),
        Column("level", "体检维度", required=True, values=tuple(LEVELS), words=_LEVEL_WORDS),
        Column("name", "指标名称", required=True),
        Column("definition", "含义"),
        Column("unit", "单位"),
        Column("metric", "怎么得出", required=True, values=CHECKUP_METRICS, help="typed：在台账填报表里填"),
        Column("rule", "按哪条规则", help="规则或设施类别"),
        Column("test", "哪些小区算", help="列 比较 数，如 built<2000；同时成立的用 ; 隔开"),
        Column("have", "现有量取自", help="小区或设施的列"),
        Column("need", "应有量", help="小区的列，或一个数"),
        Column("per", "每单位应有", "float", minimum=0),
        Column("urgency", "整治类型", values=tuple(URGENCIES), words=_words_of(URGENCIES)),
        Column("elderly", "为老", "bool", help="写“是”的，办理次序里排在限时解决之后；规则所涉都是为老设施的不必写"),
        Column("duty", "责任单位"),
        Column("suggest", "整治建议"),
        Column("standard", "出处"),
        Column("clause", "条款"),
        CONFIDENCE,
        Column("data", "需要的资料"),
        Column("source", "来源"),
    ),
    _table(
        "problems",
        "问题清单",
        _id("problem", "问题编号"),
        Column("indicator", "指标", required=True),
        Column("place", "在哪里", help="小区编号或社区代码；留空为全街道"),
        Column("people", "涉及人数", "float", "人", minimum=0),
        Column("amount", "缺多少", "float"),
        Column("definition", "当时的口径"),
        Column("found", "哪一年发现", "year", required=True),
        Column("urgency", "整治类型", values=tuple(URGENCIES), words=_words_of(URGENCIES)),
        Column("duty", "责任单位"),
        Column("due", "完成时限"),
        Column("state", "状态", values=tuple(PROBLEM_STATES), words=_words_of(PROBLEM_STATES), help="留空为未解决"),
        Column("paper", "验收材料", help="不能重新计算的指标：写了就转待复核"),
        Column("checked_by", "核定人", help="现场核定后填：写了才销号"),
        Column("checked_on", "核定日期"),
        Column("note", "说明"),
        folder="renewal",
        default=False,
    ),
    _table(
        "projects",
        "项目库",
        _id("project", "项目编号"),
        Column("name", "项目名称", required=True),
        Column("level", "体检维度", values=("home", "compound", "block", "city"), words=_LEVEL_WORDS),
        Column("problem", "对应体检问题", several=True, help="问题编号，多个用 ; 隔开；一个也没有就在 reason 写理由"),
        Column("reason", "没有对应问题的理由"),
        Column("kind", "更新类型", help="拆除重建、综合整治、微改造、新建补短板 …；资金表的适用类型照这里写"),
        Column("class23", "改造内容类别", values=("基础类", "完善类", "提升类")),
        Column("task8", "八项任务归类", "int", minimum=1, maximum=8),
        Column("area", "片区"),
        Column("parcel", "地块", parent=("parcels", "parcel"), several=True),
        Column("site_m2", "用地面积", "float", "m²", minimum=0),
        Column("floor_before_m2", "现状建筑面积", "float", "m²", minimum=0),
        Column("floor_demolish_m2", "拆除建筑面积", "float", "m²", minimum=0),
        Column("floor_new_m2", "新建建筑面积", "float", "m²", minimum=0),
        Column("far", "规划容积率", "float", minimum=0),
        Column("homes", "涉及小区", parent=("homes", "home"), several=True),
        Column("households", "涉及户数", "int", "户", minimum=0),
        Column("people", "涉及人数", "float", "人", minimum=0, help="没有写 edits 的项目按它算受益，写明是填报的"),
        Column("households_on_site", "就地就近安置户数", "int", "户", minimum=0),
        Column("scope", "建设内容"),
        Column("scale", "建设规模", "float", minimum=0),
        Column("scale_unit", "规模单位"),
        Column("body", "实施主体"),
        Column("duty", "责任单位"),
        Column(
            "edits",
            "做什么",
            several=True,
            help="方案名（scenarios/ 里的文件），或 方案名#2,4 只要其中几步；多个用 ; 隔开；与走多远无关的项目留空",
        ),
        Column("cost_low", "造价下限", "float", "万元", minimum=0, help="总投资；不知道就留空：不排进计划"),
        Column("cost_high", "造价上限", "float", "万元", minimum=0, help="留空为同下限"),
        Column("cost_scope", "造价口径", help="含不含地价、征收、配套"),
        Column(
            "yearly", "逐年投资", several=True, help="开工起每一年的万元数，用 ; 隔开，合计等于造价；留空为逐年均摊"
        ),
        Column(
            "funds",
            "可用资金渠道",
            several=True,
            help="资金表里的渠道，多个用 ; 隔开；写 渠道=万元 就固定由它出这么多；留空为凡是适用的都可以",
        ),
        Column("invest", "总投资", "float", "万元", minimum=0, help="造价上下限都留空时按它"),
        *(Column(f"invest_{name}", f"其中：{label}", "float", "万元", minimum=0) for name, label in _INVESTED.items()),
        Column("spent", "累计完成投资", "float", "万元", minimum=0),
        Column("earliest", "最早开工年", "year", help="留空为资金表的第一年"),
        Column("duration", "工期", "int", "年", minimum=1, help="跨几个年度；留空为 1"),
        Column("start", "开工年", "year", help="已在实施的必填"),
        Column("end", "完工年", "year"),
        Column("status", "状态", values=tuple(PROJECT_STATES), words=_words_of(PROJECT_STATES), help="留空为谋划"),
        Column("ready", "成熟度", values=("A", "B", "C"), help="A 可入库，B 待清权，C 远期储备"),
        Column("preparation", "前期手续"),
        Column("zoning", "控规符合性"),
        Column("land", "用地落实"),
        Column("progress", "形象进度"),
        Column("upper_id", "上级项目库编号"),
        Column("needs", "前置条件"),
        Column("after", "先行项目", parent=("projects", "project"), several=True, help="它们完工以后才能开工"),
        Column("excludes", "互斥项目", parent=("projects", "project"), several=True),
        Column("consent", "居民同意率", "float", "%", minimum=0, maximum=100),
        Column("urgency", "整治类型", values=tuple(URGENCIES), words=_words_of(URGENCIES)),
        Column("exit_reason", "退出原因"),
        Column("basis", "依据类型", values=BASES),
        Column("source", "来源"),
        Column("note", "备注"),
        folder="renewal",
        default=False,
    ),
    _table(
        "budgets",
        "资金表",
        Column("row", "行号", help="不必填"),
        Column("fund", "资金渠道", required=True, help="财政资金、专项债、居民出资 …"),
        Column("year", "年份", "year", required=True),
        Column("amount", "金额", "float", "万元", required=True, minimum=0),
        Column("types", "可用于哪些更新类型", several=True, help="照项目库的更新类型写，多个用 ; 隔开；留空为都可以"),
        Column(
            "state",
            "是否落实",
            values=tuple(MONEY_STATES),
            words=_words_of(MONEY_STATES),
            help="留空为已落实；拟申请的另算，不混在一起",
        ),
        Column("carry", "可结转", "bool", help="当年没有用完的，以后几年还能用；留空为不能"),
        Column("source", "来源"),
        Column("note", "备注"),
        folder="renewal",
        default=False,
        told_by=("fund", "year", "types", "state"),
    ),
)


def listed(text: str) -> list[str]:
    """Return the parts of a cell that lists several things."""
    return [part.strip() for part in text.replace("；", ";").split(";") if part.strip()] if text else []


def as_text(cell: object) -> str:
    """Return a cell of a table as text, "" where it is blank."""
    return "" if cell is None or pd.isna(cell) else str(cell)


LAYERS: Mapping[str, Layer] = MappingProxyType({layer.name: layer for layer in _LAYERS})


def bundled_folder() -> Path:
    """Return the folder of the bundled district: inside the wheel, or beside the package in a checkout."""
    return shipped_folder("data")


def at_year(layer: Layer, frame: pd.DataFrame, year: int) -> pd.DataFrame:
    """Return the rows of a dated layer that live in `year`; other layers as they are."""
    if not layer.dated:
        return frame
    since, until = frame["since"].to_numpy(float, na_value=-np.inf), frame["until"].to_numpy(float, na_value=np.inf)
    alive = (since <= year) & (year <= until)
    return frame if alive.all() else frame.take(np.flatnonzero(alive))


def layer_name(name: str) -> str:
    """Return what a layer or table is called."""
    return renamed(LAYERS[name].label if language() == "zh" else name.replace("_", " "))
