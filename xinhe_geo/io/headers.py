"""The words of headers: which column of a file means which column of a layer, and which are about persons and go."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from ..core import (
    LAYERS,
    PEOPLE_KINDS,
    RESIDENT,
    Column,
    Layer,
    UnknownNameError,
    datum_name,
    language,
    refuse_above,
    say,
    secret_cells,
)
from .cells import PRIVATE_VALUE, is_blank, printable
from .incoming import SPECIAL_GROUPS, Incoming, cannot_take, special_groups
from .row_report import RowReport, Where

#: What a size is called, and the unit it is counted in: "床位数" says both.
SIZES = {"床位": "床", "座位": "座", "学位": "座", "托位": "托位", "车位": "车位", "停车位": "车位", "泊位": "车位"}
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "name": ("名称", "名字", "title", "单位名称", "机构名称", "机构全称", "小区名", "点位名称", "设施名称", "项目名称"),
    "kind": (
        *("类别", "类型", "设施类别", "设施类型", "种类", "类别名称", "类型名称", "设施类别名称", "设施类型名称"),
        *("机构类型", "机构类别"),
    ),
    "state": (
        *("状态", "运营状态", "开放状态", "使用状态", "使用情况", "运营情况", "营业状态", "建设状态", "运行状态"),
        *("运营状况", "使用状况", "营业状况", "现状"),
    ),
    "households": ("户数", "总户数", "居民户数", "住户数", "常住户数"),
    "people": (
        *("常住人口", "人口", "人口数", "总人口", "常住人口数", "居住人口", "居住人口数", "人数"),
        *(f"{kind}{word}" for kind in ("户籍", "实有") for word in ("人口", "人口数", "人数")),
    ),
    "people_kind": ("口径", "人口类型", "统计口径"),
    "people_year": ("人口统计年份", "统计年份"),
    "capacity": tuple(f"{word}{end}" for word in SIZES for end in ("", "数", "数量", "总数")),
    "serves_community": ("服务的社区", "所服务的社区", "所服务社区", "服务社区名称", "覆盖社区"),
    "people_60plus": ("60岁及以上", "60岁以上", "60岁及以上人口", "60岁以上人口", "老年人口"),
    "built": ("建成年代", "建成年份", "建成时间", "建造年代", "竣工年份", "竣工时间"),
    "since": (
        *(f"{word}{end}" for word in ("开业", "启用", "投用", "开办") for end in ("时间", "年份", "年度", "日期")),
        *("投入使用年份", "投入使用时间"),
    ),
    "floor_area_m2": ("建筑面积", "总建筑面积", "面积"),
    "community": ("社区代码", "社区编码"),
    "year": ("年份", "年度"),
    "value": ("数值", "值"),
    "note": ("备注", "说明"),
}
#: What a row of a layer is called in headers, beside the layer's own label.
_NOUNS: Mapping[str, tuple[str, ...]] = {
    "parcels": ("地块",),
    "barriers": ("阻隔",),
    "landuse": ("地块", "图斑"),
    "green": ("公园",),
    "named_roads": ("道路",),
    "homes": ("居住区",),
    "gates": ("出入口", "大门"),
    "own_facilities": ("设施",),
    "entrances": ("出入口",),
    "streets": ("道路", "路段"),
}
_COORDINATES: Mapping[str, tuple[str, ...]] = {
    "lon": (
        "经度",
        "东经",
        "lon",
        "lng",
        "long",
        "longitude",
        "经度坐标",
        "坐标经度",
    ),
    "lat": ("纬度", "北纬", "lat", "latitude", "纬度坐标", "坐标纬度"),
    "x": ("x", "x坐标", "坐标x", "横坐标", "东坐标", "东向坐标", "easting"),
    "y": ("y", "y坐标", "坐标y", "纵坐标", "北坐标", "北向坐标", "northing"),
    "address": (
        "地址",
        "所在地址",
        "详细地址",
        "具体地址",
        "位置",
        "所在位置",
        "地点",
        "address",
        "所在小区",
        "小区",
        "小区名称",
    ),
    "both": ("坐标", "经纬度", "location", "lnglat", "坐标经纬度", "wkt", "geom", "geometry"),
}
#: How map services call their classification: in one text, level by level, by code.
_CLASSES: Mapping[str, tuple[str, ...]] = {
    "type": (
        "type",
        "tag",
        "category",
        "poi类型",
        "poitype",
        "高德类型",
        "百度类型",
        "腾讯类型",
        "分类",
        "所属分类",
        "行业分类",
        "CAD图层",
        "文件夹",
    ),
    "big": ("大类", "一级分类", "一级类别"),
    "middle": ("中类", "二级分类", "二级类别"),
    "small": ("小类", "三级分类", "三级类别"),
    "code": ("typecode", "类型编码", "类型代码", "分类代码", "poi编码"),
}
#: Heads of columns about persons.
ABOUT_PERSONS = re.compile(
    "身份证|证件号|公民身份|电话|手机|联系方式|联系人|姓名|户主|负责人|法人|户号|户籍号|银行卡|微信|电子邮箱|"
    "(填表|填报|制表|审核|审批|经办)人|(填表|填报|制表|审核|审批|经办|院长|主任)[:：]|"
    r"^(tel|phone|mobile|telephone|id_?card|idno|e?mail)$"
)
#: What is called by a name in a list of other things: "社区名称" among pharmacies is not a pharmacy's name.
_OTHERS_NAME = re.compile(
    "((所[属在辖]|上级|主管|隶属).*|省份?|城?市|区县?|县|乡?镇|街道|社区|居委会|村|片区|小区|楼盘|道路|街区|公司|企业|法人)名称"
)


#: No header is longer that anybody reads: what opens brackets without end is not gone through.
_MOST_HEAD = 300
#: What a header says of the datum of the coordinates under it.
_DATUMS = {"wgs84": "WGS84", "gps": "WGS84", "gcj02": "GCJ-02", "高德": "GCJ-02", "腾讯": "GCJ-02"}
_DATUMS |= {"bd09": "BD-09", "百度": "BD-09", "cgcs2000": "WGS84"}
_DATUM = re.compile("|".join(_DATUMS))
#: What offices put around the word that a header is: of which year, how many, on whose map.
_AROUND = re.compile(
    rf"^(其中|截至|核定|现有|(19|20)\d\d年?[末底度]?|poi|{_DATUM.pattern})+|(总数|数量|情况|°|m2|平方米|平米|{_DATUM.pattern})+$"
)
_YEAR_IN_HEAD = re.compile(r"(?:19|20)\d\d(?=年)")


def plain_header(text: object) -> str:
    """Return a header without brackets, units, blanks and stars, in small letters; which language it is in stays."""
    said = unicodedata.normalize("NFKC", str(text))
    said = re.sub(r"[(\[【{](?!英文).*?[)\]】}]", "", said[:_MOST_HEAD])
    return re.sub(r"[\s*:：_()\[\]【】{}]", "", said).lower()


def column_word(column: Column) -> str:
    """Return what a column is called where it is spoken of, by a header that is understood."""
    return column.name if language() == "en" else column.label


def classified(layer: Layer) -> bool:
    """Whether the rows of a layer have a kind, which map services and drawings tell by classes of their own."""
    kind = layer.names.get("kind")
    return kind is not None and kind.parent == ("kinds", "kind")


def header_words(layer: Layer) -> dict[str, str]:
    """Return every header that is understood, as `plain_header` spells it, and the column it means."""
    # What a column is called here goes before what others call another.
    found = {plain_header(word): c.name for c in [*layer.names.values()][::-1] for word in (c.label, c.name)}
    for column in layer.names.values():
        own = _SYNONYMS.get(column.name, ())
        nouns = (layer.label, *_NOUNS.get(layer.name, ()))
        if column.name == layer.key:
            own += (
                "编号",
                "id",
                "uid",
                "poiid",
                "编码",
                *(f"{n}{e}" for n in nouns for e in ("编号", "代码", "编码")),
                "CAD句柄",
            )
        if column.name == "name":
            own += (*(f"{n}名称" for n in nouns), layer.label)
        for word in own:
            found.setdefault(plain_header(word), column.name)
    for table in (_COORDINATES if layer.geometry is not None else {}, _CLASSES if classified(layer) else {}):
        for name, words in table.items():
            for word in words:
                found.setdefault(plain_header(word), f"@{name}")
    return found


def understood(heads: Sequence[object], words: Mapping[str, str]) -> int:
    """Return how many columns of a layer these heads name."""
    return len({meant for c in heads if not is_blank(c) and (meant := _word(plain_header(c), words))})


def _word(plain: str, words: Mapping[str, str]) -> str | None:
    """Return the column a header means, as it stands or without what offices put around its word."""
    usual = _AROUND.sub("", plain)
    usual = re.sub("^60周?岁及?以上(老年人?|老人)?(人?口)?数?$", "60岁以上", usual)
    return words.get(plain) or words.get(usual)


def meanings(incoming: Incoming, layer: Layer, key: str | None, report: RowReport) -> dict[str, int]:
    """Return which column of the file means what. People's columns go first, and nothing of them is kept."""
    words = header_words(layer) | _own_name(incoming.heads, layer) | _owners(incoming.heads, layer)
    found: dict[str, int] = {}
    if key is not None:
        if key not in incoming.heads:
            raise cannot_take(
                incoming.file,
                say("没有列“{0}”", printable(key)),
                say("现有列：{0}", printable(say("、").join(incoming.heads))),
            )
        found[layer.key] = incoming.heads.index(key)
    for j, head in sorted(enumerate(incoming.heads), key=_rank):
        if SPECIAL_GROUPS.search(head):
            raise special_groups(incoming.file, head)
        meaning = _meaning(head, words, incoming.short)
        reason = _private(head, [row[j] for row in incoming.rows], meaning)
        if reason:
            if found.get(layer.key) == j:
                raise cannot_take(incoming.file, say("编号列“{0}”{1}", printable(head), reason), say("换一列作编号"))
            for row in incoming.rows:
                row[j] = None
            report.say("dropped", reason, say("这一列不写入任何文件"), at=Where(column=printable(head)))
        elif j in found.values() or not head:
            continue
        elif meaning == "people" and counted_as(head) and _has_residents(incoming.heads, words):
            said = say("口径是{0}，不能和常住人口相加，没有读", say(PEOPLE_KINDS[counted_as(head)]))
            report.say("note", said, say("要用就删去常住人口一列"), at=Where(column=printable(head)))
        elif meaning is None:
            report.say(
                "note", say("不认识的列，没有读"), say("要用就改成模板里的表头"), at=Where(column=printable(head))
            )
        elif meaning in found:
            report.say(
                "note",
                say("和“{0}”是同一列，没有读", printable(incoming.heads[found[meaning]])),
                say("留一列"),
                at=Where(column=printable(head)),
            )
        else:
            found[meaning] = j
    return found


def _rank(at: tuple[int, str]) -> tuple[bool, int]:
    """
    Return what goes before what where several columns mean the same: a later year before an earlier one.

    百度 and 腾讯 have a `type` of their own ("life", 0) beside their classification (tag, category), which goes before it.
    """
    year = _YEAR_IN_HEAD.search(at[1])
    return plain_header(at[1]).endswith("type"), -int(year.group()) if year else -9999


def one_datum(incoming: Incoming, crs: object, report: RowReport) -> Incoming:
    """Return a file that has its coordinates in several datums (lng_gcj02, lng_wgs84) with those only that are declared."""
    words = {word for one in _COORDINATES.values() for word in one}
    said = {
        j: _DATUMS[found.group()]
        for j, head in enumerate(incoming.heads)
        if (found := _DATUM.search(plain_header(head))) and _AROUND.sub("", plain_header(head)) in words
    }
    if len(set(said.values())) < 2:
        return incoming
    try:
        wanted = datum_name(str(crs))
    except UnknownNameError:
        wanted = "WGS84"
    for j in (j for j, datum in said.items() if datum != wanted):
        at = Where(column=printable(incoming.heads[j]))
        report.say(
            "note", say("坐标声明的是 {0}，这一列是 {1}，没有读", wanted, said[j]), say("要用这一列就改 --crs"), at=at
        )
        incoming.heads[j] = ""
    return incoming


def _own_name(heads: Sequence[str], layer: Layer) -> dict[str, str]:
    """Return the one head that ends in 名称 ("药店名称") as the name, where no other is."""
    words, plain = header_words(layer), [plain_header(head) for head in heads]
    if "name" not in layer.names or "name" in map(words.get, plain):
        return {}
    own = [h for h in plain if h.endswith("名称") and h not in words]
    own = [h for h in own if not _OTHERS_NAME.fullmatch(h) and not ABOUT_PERSONS.search(h)]
    return {own[0]: "name"} if len(own) == 1 else {}


def _owners(heads: Sequence[str], layer: Layer) -> dict[str, str]:
    """Return the heads that name what a row belongs to ("小区" among gates), where no head is that of its code."""
    words, plain = header_words(layer), [plain_header(head) for head in heads]
    found: dict[str, str] = {}
    for column in layer.names.values():
        owner = LAYERS.get(column.parent[0]) if column.required and column.parent else None
        if owner is None or owner.geometry is None or column.name in map(words.get, plain):
            continue
        nouns = (owner.label, *_NOUNS.get(owner.name, ()))
        told = {f"{of}{noun}{end}" for of in ("", "所属", "所在") for noun in nouns for end in ("", "名称", "名")}
        found |= {head: column.name for head in plain if head in told}
    return found


def refuse_secret_rows(incoming: Incoming, layer: Layer, manifest: Mapping[str, object]) -> None:
    """
    Stop before rows come into a layer whose marks of secrecy it does not have: in a column, above the header, in the file's name.

    Raises
    ------
    SourceError
        Naming the strictest of them.
    """
    said, words = list[object](incoming.marks), header_words(layer)
    for j, head in enumerate(incoming.heads):
        if words.get(plain_header(head), "note") == "note":
            cells = [row[j] for row in incoming.rows]
            said += [cells[at] for at, _ in secret_cells(head, cells)]
    refuse_above(manifest, layer.name, said, printable(incoming.file))


def counted_as(head: str) -> str:
    """Return whom a header says that its numbers of people count; "" where it does not say, or says residents."""
    plain = plain_header(head)
    return next((kind for kind, label in PEOPLE_KINDS.items() if kind != RESIDENT and label in plain), "")


def _has_residents(heads: Sequence[str], words: Mapping[str, str]) -> bool:
    return any(words.get(plain_header(head)) == "people" and not counted_as(head) for head in heads)


def _meaning(head: str, words: Mapping[str, str], short: str) -> str | None:
    plain = plain_header(head)
    inner = words.get(plain.rpartition(".")[2], "") if plain not in words and "." in plain else ""
    if inner.startswith("@"):
        return inner  # an answer of a map service made a table: location.lng, detail_info.tag
    known = _word(plain, words)
    if known or not short or len(head.encode(short)) < 8:
        return known
    longer = {words[w] for w in words if w.startswith(plain)}
    return longer.pop() if len(longer) == 1 else None


def _private(head: str, cells: Sequence[object], meaning: str | None) -> str:
    """Say why a column is about persons; "" where it is not."""
    if meaning is None and ABOUT_PERSONS.search(plain_header(head)):
        return say("表头像个人信息（姓名、电话、证件号、户号）")
    filled = [str(c) for c in cells if not is_blank(c)]
    numbers = sum(1 for s in filled if any(PRIVATE_VALUE.fullmatch(v) for v in (_number_text(s), s.strip())))
    if numbers and numbers >= 0.3 * len(filled):
        return say("内容像身份证号或手机号")
    return ""


def _number_text(text: str) -> str:
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).removesuffix(".0")
