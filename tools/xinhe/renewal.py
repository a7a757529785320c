"""The ledger of parcels: what the plan says of the real ones, and two fictional ones that show the work from start to end."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely

from .blocks import Lot
from .frame import degrees
from .regions import SKETCH, tidy

Row = dict[str, Any]
Layers = Mapping[str, Sequence[Mapping[str, Any]]]

REAL = ("wuchedi", "xinhezhuang-south", "xinhezhuang-north")
SAMPLES = ("sample-a", "sample-b")
NOT_A_LINE = "示意位置，非征收范围、非权属界线"
FICTION = "虚构的示例，不对应任何真实地块、小区和居民"
MADE_UP = "造价、资金、编号都是虚构的，只演示怎么填、怎么排"
#: What is asked of every parcel, and blank until somebody fills it in.
ASKED = (
    "ownership",
    "renewal_unit",
    "use_now",
    "use_planned",
    "far_limit",
    "floor_old_m2",
    "households",
    "people",
    "registered",
)


def sample_rows(lots: Sequence[Lot]) -> list[Row]:
    """The two fictional parcels, on the two largest pieces of vacant land."""
    vacant = sorted((q for q in lots if q.use == "vacant"), key=lambda q: -q.shape.area)[:2]
    told = (("sample-a", "示例地块甲", "拆除重建"), ("sample-b", "示例地块乙", "综合整治"))
    return [
        {
            "parcel": parcel,
            "name": name,
            "zone": lot.zone,
            "use": f"示例：{use}",
            "basis": "synthetic",
            "note": f"{FICTION}；{SKETCH}",
            "geometry": tidy(lot.shape, 4.0),
        }
        for (parcel, name, use), lot in zip(told, vacant, strict=True)
    ]


#: Figures of the fictional parcels: parcel, year, quantity, 口径, value, upper end.
FIGURES: tuple[tuple[str, int | str, str, str, str, str], ...] = (
    ("sample-a", "", "ownership", "", "国有", ""),
    ("sample-a", "", "renewal_unit", "", "示例更新单元", ""),
    ("sample-a", "", "use_now", "", "居住", ""),
    ("sample-a", "", "use_planned", "", "居住、社区配套", ""),
    ("sample-a", "", "far_limit", "", "1.8", ""),
    ("sample-a", "", "height_limit_m", "", "54", ""),
    ("sample-a", 2025, "floor_old_m2", "", "29400", ""),
    ("sample-a", 2027, "floor_kept_m2", "", "0", ""),
    ("sample-a", 2027, "floor_demolished_m2", "", "29400", ""),
    ("sample-a", 2025, "households", "", "368", ""),
    ("sample-a", 2025, "households", "owner", "280", ""),
    ("sample-a", 2025, "households", "tenant", "88", ""),
    ("sample-a", 2025, "certificates", "owner", "265", ""),
    ("sample-a", 2025, "people", "", "920", ""),
    ("sample-a", 2025, "people", "owner", "700", ""),
    ("sample-a", 2025, "people", "tenant", "220", ""),
    ("sample-a", 2025, "registered", "", "650", ""),
    ("sample-a", 2029, "dwellings_returned", "", "300", ""),
    ("sample-a", 2029, "households_to_rehouse", "", "280", ""),
    ("sample-a", 2029, "households_rehoused_near", "", "240", ""),
    ("sample-a", 2027, "cost_acquisition", "", "14000", "18000"),
    ("sample-a", 2027, "cost_resettlement", "", "900", "1600"),
    ("sample-a", 2029, "cost_services", "", "1200", "2000"),
    ("sample-a", 2029, "cost_building", "", "26000", "34000"),
    ("sample-a", 2028, "receipt_land", "", "", ""),
    ("sample-b", "", "ownership", "", "国有", ""),
    ("sample-b", "", "renewal_unit", "", "示例更新单元", ""),
    ("sample-b", "", "use_now", "", "居住", ""),
    ("sample-b", "", "use_planned", "", "居住", ""),
    ("sample-b", 2025, "floor_old_m2", "", "16000", ""),
    ("sample-b", 2025, "floor_kept_m2", "", "16000", ""),
    ("sample-b", 2025, "floor_demolished_m2", "", "0", ""),
    ("sample-b", 2028, "floor_homes_m2", "", "0", ""),
    ("sample-b", 2025, "households", "", "200", ""),
    ("sample-b", 2025, "people", "", "500", ""),
    ("sample-b", 2028, "cost_renovation", "", "500", "720"),
    ("sample-b", 2028, "households_to_rehouse", "", "80", ""),
    ("sample-b", 2028, "households_rehoused_near", "", "0", ""),
)
#: Who pays for it on the fictional parcels; of what is not among these nobody has said it.
FUNDS: Mapping[tuple[str, str], str] = {
    ("sample-a", "cost_acquisition"): "专项债",
    ("sample-a", "cost_resettlement"): "财政资金",
    ("sample-a", "cost_building"): "开发单位自筹",
    ("sample-b", "cost_renovation"): "财政资金",
}
#: Stages of the fictional parcels: parcel, stage, date, share.
STAGES: tuple[tuple[str, str, str, str], ...] = (
    ("sample-a", "state_scope", "2025-03", ""),
    ("sample-a", "state_survey", "2025-05", ""),
    ("sample-a", "state_consultation", "2025-08", ""),
    ("sample-a", "state_risk", "2025-10", ""),
    ("sample-a", "state_decision", "2025-12", ""),
    ("sample-a", "state_signing", "2026-04", "92"),
    ("sample-a", "state_vacated", "2026-12", "100"),
    ("sample-a", "state_demolition", "2027-06", "100"),
    ("sample-a", "state_supply", "2027-10", ""),
    ("sample-a", "state_start", "2028-01", ""),
    ("sample-a", "state_completion", "2029-09", ""),
    ("sample-a", "state_return", "2029-12", "86"),
    ("sample-b", "renovation_survey", "2026-06", ""),
    ("sample-b", "renovation_consent", "2027-03", "88"),
    ("sample-b", "renovation_start", "2027-09", ""),
    ("sample-b", "renovation_completion", "2028-10", "100"),
)
_BOTH = "xinhezhuang-south;xinhezhuang-north"
_PROJECT = "项目实施单位"
#: What the plan says, word for word: parcels, place, commitment, sentence, kinds, stages that say it is done, who can fill it in.
SENTENCES: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    ("wuchedi", "", "L16", "协调推进新河五车地、小桥外、新建里棚户区改造", "", "", _PROJECT),
    ("wuchedi", "", "S07", "在老城区推动五车地棚户区改造", "", "state_return;collective_return", _PROJECT),
    ("wuchedi", "", "S06", "通过对五车地区域规划调整", "", "", "规划和自然资源部门"),
    (
        "",
        "安顺道、崇信路、赵新路周边",
        "S06",
        "对安顺道、崇信路、赵新路周边涉及的多个小区进行微调整,通过优化布局的形式,在老城区完善15分钟便民生活圈",
        "",
        "",
        "街道办、规划和自然资源部门",
    ),
    (_BOTH, "", "L40", "打造城市更新示范区。以新河庄南北河底城市更新为契机", "", "", _PROJECT),
    (_BOTH, "", "L41", "在新河庄南北河底区域空置土地多、滞留户有强烈的搬迁意愿的大背景下", "", "", "街道办"),
    (
        _BOTH,
        "",
        "S08",
        "在新河庄南、北河底区域通过城市更新,打造居住配套区和产、学、研融合示范区",
        "",
        "state_return;collective_return",
        _PROJECT,
    ),
    (_BOTH, "", "S09", "建设学校", "primary_school;middle_school", "", ""),
    (_BOTH, "", "S09", "养老院", "nursing_home", "", ""),
    (_BOTH, "", "S09", "社区服务中心", "party_service_center;street_service_center", "", ""),
    (_BOTH, "", "S09", "消防", "fire_station", "", ""),
    (_BOTH, "", "S09", "停车场", "parking", "", ""),
    (_BOTH, "", "S10", "建设公园", "park", "", ""),
    (_BOTH, "", "S10", "广场", "square", "", ""),
    (_BOTH, "", "S10", "绿带", "green_belt", "", ""),
    (_BOTH, "", "S12", "打造快速、便捷、生态、宜居的15分钟便民生活圈", "", "", "街道办"),
    (_BOTH, "", "S13", "建设配套商业体", "mall", "", ""),
    (_BOTH, "", "S13", "便民商业中心和特色便民商业街区", "", "", _PROJECT),
    (
        f"wuchedi;{_BOTH}",
        "",
        "L51",
        "全力推进辖区五车地棚户区改造和新河庄南北河底城市更新工作",
        "",
        "state_return;collective_return",
        _PROJECT,
    ),
    (
        f"wuchedi;{_BOTH}",
        "",
        "L86",
        "积极协调、配合相关部门做好五车地棚户区改造和拆迁片区土地出让前期工作,牵头做好新河庄南北河底城市更新项目",
        "",
        "state_supply;collective_supply",
        _PROJECT,
    ),
    (
        f"wuchedi;{_BOTH}",
        "",
        "S30",
        "促进两个片区的城市开发建设,宜建则建、宜绿则绿、宜园则园",
        "",
        "",
        _PROJECT,
    ),
)
#: Promises on the fictional parcels.
SAMPLE_PROMISES: tuple[tuple[str, str, str], ...] = (
    ("sample-a", "（示例）配建社区卫生服务站", "clinic_station"),
    ("sample-a", "（示例）配建老年食堂", "canteen"),
    ("sample-a", "（示例）配建口袋公园", "park"),
    ("sample-b", "（示例）利用存量用房设日间照料中心", "elderly_daycare"),
)


#: Fictional projects: number, name, problem, type, edits, costs, earliest year, years of work, and more where there is more.
PROJECTS: tuple[dict[str, object], ...] = (
    {"project": "P01", "name": "（演示）南益卫生服务站", "problem": "示例-1", "kind": "新建补短板", "level": "街区"}
    | {"edits": "two-stations#1", "cost_low": 90, "cost_high": 120, "earliest": 2026, "duration": 1},
    {"project": "P02", "name": "（演示）威海路卫生服务站", "problem": "示例-1", "kind": "新建补短板", "level": "街区"}
    | {"edits": "two-stations#2", "cost_low": 80, "cost_high": 110, "earliest": 2026, "duration": 1},
    {"project": "P03", "name": "（演示）干渠人行桥", "problem": "示例-2", "kind": "微改造", "level": "街区"}
    | {
        "edits": "canal-bridge",
        "cost_low": 360,
        "cost_high": 420,
        "earliest": 2026,
        "duration": 2,
        "yearly": "168;252",
    },
    {"project": "P04", "name": "（演示）增开出入口一", "problem": "示例-3", "kind": "微改造", "level": "小区"}
    | {"edits": "open-gates#1", "cost_low": 6, "cost_high": 15, "earliest": 2026, "duration": 1},
    {"project": "P05", "name": "（演示）增开出入口二", "problem": "示例-3", "kind": "微改造", "level": "小区"}
    | {"edits": "open-gates#2", "cost_low": 6, "cost_high": 15, "earliest": 2026, "duration": 1, "after": "P04"},
    {"project": "P06", "name": "（演示）加装电梯四部", "problem": "示例-4", "kind": "综合整治", "level": "住房"}
    | {
        "people": 240,
        "cost_low": 200,
        "cost_high": 380,
        "earliest": 2026,
        "duration": 1,
        "funds": "财政资金=80;居民出资",
    }
    | {"urgency": "尽力解决"},
    {"project": "P07", "name": "（演示）燃气立管更换", "problem": "示例-5", "kind": "市政管线", "level": "住房"}
    | {"people": 300, "cost_low": 60, "cost_high": 75, "earliest": 2026, "duration": 1, "urgency": "限时解决"},
    {"project": "P08", "name": "（演示）街角口袋公园", "kind": "微改造", "level": "街区", "earliest": 2027}
    | {"reason": "居民代表提议，造价还没有估算"},
)
#: Fictional money: source, year, 万元, what it may pay for, whether it is there, whether it carries over.
BUDGETS = (
    ("财政资金", 2026, 160, "", "已落实", ""),
    ("财政资金", 2027, 160, "", "已落实", ""),
    ("财政资金", 2028, 120, "", "拟申请", ""),
    ("专项债", 2026, 200, "微改造;市政管线", "已落实", "是"),
    ("专项债", 2027, 260, "微改造;市政管线", "拟申请", "是"),
    ("居民出资", 2027, 300, "综合整治", "拟申请", ""),
)
_PROJECT_COLUMNS = (
    *("project", "name", "level", "problem", "reason", "kind", "edits", "people", "cost_low", "cost_high", "yearly"),
    *("funds", "earliest", "duration", "status", "after", "urgency"),
)


def _table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)


def write(folder: Path) -> None:
    """Write figures, stages, promises, projects and money; of the real parcels only what the plan says, everything else is to be filled in."""
    blank = [(parcel, "", quantity, *[""] * 7, NOT_A_LINE) for parcel in REAL for quantity in ASKED]
    made_up = [(*figure, FUNDS.get((figure[0], figure[2]), ""), "", "synthetic", "示例", FICTION) for figure in FIGURES]
    _table(
        folder / "parcels.csv",
        ("parcel", "year", "quantity", "holder", "value", "high", "fund", "filled_by", "basis", "source", "note"),
        [*blank, *made_up],
    )
    _table(
        folder / "stages.csv",
        ("parcel", "stage", "date", "share", "basis", "source", "note"),
        [(*stage, "synthetic", "示例", FICTION) for stage in STAGES],
    )
    blanks: dict[str, object] = dict.fromkeys(_PROJECT_COLUMNS, "")
    _table(
        folder / "projects.csv",
        (*_PROJECT_COLUMNS, "basis", "source", "note"),
        [(*{**blanks, "status": "储备", **project}.values(), "synthetic", "示例", MADE_UP) for project in PROJECTS],
    )
    _table(
        folder / "budgets.csv",
        ("fund", "year", "amount", "types", "state", "carry", "source", "note"),
        [(*money, "示例", MADE_UP) for money in BUDGETS],
    )
    _table(
        folder / "promises.csv",
        ("parcel", "place", "commitment", "quote", "kinds", "stage", "filled_by", "note"),
        [
            *((*sentence, NOT_A_LINE if sentence[0] else "") for sentence in SENTENCES),
            *((parcel, "", "", words, kind, "", "", FICTION) for parcel, words, kind in SAMPLE_PROMISES),
        ],
    )


def plan(layers: Layers) -> dict[str, Any]:
    """The worked example: 1,120 people move in 2026, 600 return in 2029 with 1,900 who are new, on two fictional parcels."""
    shapes = {r["parcel"]: r["geometry"] for r in layers["parcels"]}
    inside = {parcel: shapely.point_on_surface(shapes[parcel]) for parcel in SAMPLES}
    old, new = "sample-a-old", "sample-a-new"

    def near(parcel: str, east: float) -> list[float]:
        return list(degrees(inside[parcel].x + east, inside[parcel].y))

    edits: list[dict[str, Any]] = [
        # without a year: what is there before the plan begins
        {
            "do": "build_homes",
            "parcel": "sample-a",
            "home": old,
            "name": "示例小区甲（虚构，现状）",
            "people": 920,
            "people_60plus": 230,
            "households": 368,
        },
        {
            "do": "build_homes",
            "parcel": "sample-b",
            "home": "sample-b-old",
            "name": "示例小区乙（虚构，现状）",
            "people": 500,
            "people_60plus": 100,
            "households": 200,
        },
        # first phase: people move away
        {
            "do": "move_households",
            "year": 2026,
            "homes": [old],
            "people": 700,
            "households": 280,
            "registered": 500,
            "holder": "owner",
            "fate": "waiting",
        },
        {
            "do": "move_households",
            "year": 2026,
            "homes": [old],
            "people": 220,
            "households": 88,
            "registered": 50,
            "holder": "tenant",
            "fate": "cash",
        },
        {
            "do": "move_households",
            "year": 2026,
            "homes": ["sample-b-old"],
            "people": 200,
            "households": 80,
            "fate": "elsewhere",
        },
        {
            "do": "open_facility",
            "year": 2026,
            "until": 2028,
            "facility": "sample-a-canteen-now",
            "kind": "canteen",
            "name": "示例临时老年食堂",
            "at": near("sample-b", 40),
        },
        # second phase: torn down, and next door renovated
        {"do": "demolish_homes", "year": 2027, "homes": [old]},
        {
            "do": "retrofit",
            "year": 2028,
            "home": "sample-b-old",
            "elevators": 4,
            "parking_places": 60,
            "property_managed": True,
        },
        {
            "do": "use_rooms",
            "year": 2028,
            "facility": "sample-b-daycare",
            "kind": "elderly_daycare",
            "home": "sample-b-old",
            "name": "示例日间照料中心",
            "capacity": 20,
        },
        # third phase: built, people return, others come
        {
            "do": "build_homes",
            "year": 2029,
            "parcel": "sample-a",
            "home": new,
            "name": "示例小区甲新居（虚构）",
            "people": 1900,
            "people_60plus": 190,
            "households": 760,
        },
        {
            "do": "return_households",
            "year": 2029,
            "parcel": "sample-a",
            "home": new,
            "people": 600,
            "households": 240,
            "registered": 450,
            "holder": "owner",
        },
        {
            "do": "build_floor_area",
            "year": 2029,
            "parcel": "sample-a",
            "quantity": "floor_homes_m2",
            "floor_area_m2": 98000,
        },
        {
            "do": "build_floor_area",
            "year": 2029,
            "parcel": "sample-a",
            "quantity": "floor_services_m2",
            "floor_area_m2": 1600,
        },
        {
            "do": "open_facility",
            "year": 2029,
            "facility": "sample-a-clinic",
            "kind": "clinic_station",
            "name": "示例卫生服务站",
            "at": near("sample-a", 0),
        },
        {
            "do": "open_facility",
            "year": 2029,
            "facility": "sample-a-canteen",
            "kind": "canteen",
            "name": "示例老年食堂",
            "at": near("sample-a", 40),
        },
    ]
    return {
        "label": "示例地块甲、乙（虚构）",
        "note": f"{FICTION}；逐年演示腾空、过渡、还迁和导入：2026 年搬离 1,120 人，2029 年还迁 600 人、导入 1,900 人",
        "edit": edits,
    }
