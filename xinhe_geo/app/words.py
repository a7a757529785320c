"""What columns of results are called in notebooks, table by table, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping

TABLES: Mapping[str, Mapping[str, str]] = {
    "headlines": {
        "label": "指标",
        "headline": "结果",
        "mark": "标记",
        "alternatives": "换算法",
        "standard_text": "依据",
    },
    "gaps": {
        "name": "小区",
        "community": "社区",
        "people_unserved": "不可达人口（人）",
        "people_60plus_unserved": "其中60岁及以上（人）",
        "minutes": "步行（分钟）",
        "gate_minutes": "到出入口（分钟）",
        "wait_minutes": "过街等候（分钟）",
        "street_minutes": "沿街（分钟）",
        "reason": "原因",
    },
    "ways": {
        "people_served": "可达人口（人）",
        "people_60plus_served": "其中60岁及以上（人）",
        "share": "份额（%）",
        "reason": "说明",
    },
    "changes": {
        "plan": "方案",
        "label": "指标",
        "before": "实施前（%）",
        "after": "实施后（%）",
        "people_gain": "受益居民（人）",
        "people_lose": "受影响居民（人）",
        "people_new_served": "导入人口可达（人）",
        "people_new_unserved": "导入人口不可达（人）",
        "homes_gain": "受益小区",
        "homes_lose": "受影响小区",
    },
    "sites": {
        "tag": "图上编号",
        "name": "位置",
        "people_gained": "新增可达人口（人）",
        "people_60plus_gained": "其中60岁及以上（人）",
        "share_before": "之前份额（%）",
        "share_after": "之后份额（%）",
        "reason": "说明",
        "site": "候选点",
    },
    "promises": {
        "编号": "编号",
        "quote": "原文",
        "label": "怎么量",
        "verdict": "判定",
        "value": "数值",
        "target_text": "目标",
        "needs": "缺什么",
    },
    "rows": {
        "row": "行",
        "key": "编号",
        "result": "结果",
        "column": "列",
        "value": "值",
        "reason": "原因",
        "remedy": "怎么办",
    },
    "day": {
        "name": "小区",
        "minutes": "全天（分钟）",
        "walked": "走路（分钟）",
        "rests": "歇几次",
        "longest": "最长一段（分钟）",
        "places": "去的几处",
        "people_60plus": "60岁及以上（人）",
    },
    "walkers": {
        "label": "人群",
        "speed": "步速（米/秒）",
        "km": "街道（千米）",
        "hectares": "范围（公顷）",
        "people_served": "够得着的常住人口（人）",
        "people_60plus_served": "其中60岁及以上（人）",
    },
    "hulls": {
        "exact_ha": "按路截断（公顷）",
        "hull_ha": "子图加凸壳（公顷）",
        "iou": "重合度（0—1）",
        "wrong_ha": "多画进来的（公顷）",
    },
}
#: What of a list of what a plan must provide is shown.
PROVIDED = (
    "方案",
    "配什么",
    "单位",
    "应配",
    "方案自带可用",
    "周边可接纳",
    "还缺",
    "须新建（取整）",
    "结论",
    "依据与可信度",
    "标记",
)
