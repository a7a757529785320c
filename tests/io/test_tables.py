"""The bundled tables (kinds, OSM tags, profiles, rules) say what the plan and the standards say, and no more."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sight import difference, linear

from xinhe_geo.core.schema import LAYERS, bundled_folder
from xinhe_geo.core.validate import check_rows
from xinhe_geo.io.tag_rules import read_tag_rules

REFERENCE = Path(__file__).parents[2] / "../shared/reference"
TABLES = (
    "kinds",
    "osm_tags",
    "profiles",
    "rules",
    "decays",
    "doubts",
    "norms",
    "commitments",
    "measures",
    "contradictions",
)
#: Keys of the reference list of standards that are no facilities: levels of the circle, planning zones, and parts of streets.
NOT_FACILITIES = {"settlement", "zone", "crossing", "sidewalk"}
#: Kinds that nothing on foot is asked of, and why (data/standards/README.md says it to planners).
UNRATED = {"green_belt": "沿线长度", "fire_station": "车行时间", "logistics_park": "与道路的距离"}
SETS = (
    "plan",
    "reference",
    "elderly",
    "essential",
    "td1063",
    "gb50180",
    "td1062",
    "tianjin",
    "yikezhong",
    "wanzheng",
    "tiyu",
)
#: What may be claimed, strongest first: a row may never claim more than the reference does.
STRENGTH = ("read", "second_hand", "recalled", "convention")


def raw(name: str) -> pd.DataFrame:
    path = bundled_folder() / LAYERS[name].folder / f"{name}.csv"
    return pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {name: check_rows(LAYERS[name], raw(name), f"{name}.csv")[0] for name in TABLES}


def reference(name: str) -> pd.DataFrame:
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"没有参考资料 {name}（../shared/reference 不在）")
    return pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_passes_its_own_declaration(name: str) -> None:
    _, problems = check_rows(LAYERS[name], raw(name), f"{name}.csv")
    assert problems == []


@pytest.mark.parametrize(
    "file", [*(f"{LAYERS[name].folder}/{name}.csv" for name in TABLES), "pois/osm_layers.csv", "pois/densities.csv"]
)
def test_excel_opens_a_table_as_utf8_and_lines_end_in_lf(file: str) -> None:
    data = (bundled_folder() / file).read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in data
    assert data.endswith(b"\n")


@pytest.mark.parametrize("name", TABLES)
def test_codes_exist_where_they_point(name: str, tables: dict[str, pd.DataFrame]) -> None:
    for column in LAYERS[name].names.values():
        if column.parent is None:
            continue
        codes = tables[name][column.name].dropna()
        assert set(codes) <= set(tables[column.parent[0]].index), column.name


def test_every_rule_names_known_kinds(tables: dict[str, pd.DataFrame]) -> None:
    for rule, kinds in tables["rules"]["kinds"].items():
        parts = kinds.split(";")
        assert len(parts) == len(set(parts)), rule
        assert set(parts) <= set(tables["kinds"].index), rule


def test_a_headline_rule_covers_its_kind_and_is_shown_with_the_plan(tables: dict[str, pd.DataFrame]) -> None:
    kinds, rules = tables["kinds"], tables["rules"]
    for kind, rule in kinds["rule"].items():
        if isinstance(rule, str):
            assert kind in rules.loc[rule, "kinds"].split(";"), kind
            assert rules.loc[rule, "set"] in ("plan", "reference"), kind  # of which the plan itself says nine
    assert set(kinds.index[kinds["rule"].isna()]) == set(UNRATED)


def test_the_lead_of_a_kind_fits_its_headline_rule(tables: dict[str, pd.DataFrame]) -> None:
    kinds, rules = tables["kinds"], tables["rules"]
    rated = kinds[kinds["rule"].notna()]
    head = rules.loc[rated["rule"]]
    presence = head["metric"].to_numpy() == "presence"
    assert (presence == (rated["lead"] == "community").to_numpy()).all()
    circles = head[(rated["lead"] == "circle").to_numpy()]
    assert set(circles["method"]) == {"walk_min"}
    assert set(circles["minutes"]) == {15.0}
    assert set(rated.index[rated["lead"] == "community"]) == {
        "elderly_daycare",
        "canteen",
        "fitness",
        "party_service_center",
    }
    assert set(rated.index[rated["lead"] == "circle"]) == {"clinic_center", "clinic_station"}


def test_other_kinds_lead_with_a_distance_on_the_network(tables: dict[str, pd.DataFrame]) -> None:
    kinds, rules = tables["kinds"], tables["rules"]
    tier = kinds[(kinds["lead"] == "tier") & kinds["rule"].notna()]
    methods = rules.loc[tier["rule"], "method"].to_numpy()
    assert set(tier.index[methods != "network_m"]) == {"hospital"}  # the one radius whose definition was read


def test_rule_sets_and_what_marks_each(tables: dict[str, pd.DataFrame]) -> None:
    rules = tables["rules"]
    assert set(rules["set"]) == set(SETS)
    by = {name: rules[rules["set"] == name] for name in SETS}
    assert set(by["td1063"]["method"]) == {"buffer"}
    assert set(by["td1063"]["denominator"]) == {"area_m2"}
    assert set(by["gb50180"]["denominator"]) == {"area_m2"}
    assert set(by["elderly"]["profile"]) == {"elderly"}
    assert set(by["elderly"]["denominator"]) == {"people_60plus"}
    assert set(by["elderly"]["method"]) == {"walk_min"}
    assert set(by["wanzheng"]["metric"]) == {"presence"}
    presence = rules[rules["metric"] == "presence"]
    assert set(presence["denominator"]) == {"community"}


def test_the_tiers_have_their_distances(tables: dict[str, pd.DataFrame]) -> None:
    """5 minutes 300 m, 10 minutes 500 m, 15 minutes 1000 m, unless a rule itself says otherwise."""
    rules = tables["rules"]
    usual = {5.0: 300.0, 10.0: 500.0, 15.0: 1000.0}
    metro = {f"{name}_metro_station" for name in ("plan", "elderly", "gb50180")}
    exceptions = metro | {"tianjin_elderly_700", "tiyu_fitness_bike"}
    odd = {rule for rule, row in rules.iterrows() if row["minutes"] in usual and row["metres"] != usual[row["minutes"]]}
    assert odd == exceptions


def test_the_essential_set_is_the_essential_kinds(tables: dict[str, pd.DataFrame]) -> None:
    kinds, rules = tables["kinds"], tables["rules"]
    essential = list(kinds.index[kinds["essential"]])
    assert len(essential) == 13
    assert list(rules.loc[rules["set"] == "essential", "kinds"]) == essential


def test_profiles(tables: dict[str, pd.DataFrame]) -> None:
    speeds = tables["profiles"]["speed_m_s"].to_dict()
    assert speeds == {
        "adult": 1.1,
        "elderly": 0.8,
        "frail": 0.6,
        "wheelchair": 0.6,
        "with_child": 0.9,
        "bicycle": 4.17,
    }
    assert not tables["profiles"].loc[["wheelchair", "bicycle"], "steps"].any()
    assert tables["profiles"]["source"].str.len().min() > 10


def test_the_measure_of_colours_sees_a_red_green_trap() -> None:
    assert difference("#CC3311", "#228833") < 20 < difference("#CC3311", "#5C7CFA")


def test_colours_of_a_group_differ_for_everybody_and_stand_out_on_paper(tables: dict[str, pd.DataFrame]) -> None:
    for group, rows in tables["kinds"].groupby("group"):
        for (a, ca), (b, cb) in itertools.combinations(rows["colour"].items(), 2):
            assert difference(ca, cb) >= 20, (group, a, b)
    for kind, colour in tables["kinds"]["colour"].items():
        assert re.fullmatch(r"#[0-9A-F]{6}", colour), kind
        luminance = float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour))
        assert 1.05 / (luminance + 0.05) >= 3, kind  # WCAG: graphics against white, and white symbols on them


def test_symbols_are_one_character_and_tell_kinds_apart(tables: dict[str, pd.DataFrame]) -> None:
    symbols = tables["kinds"]["symbol"]
    assert (symbols.str.len() == 1).all()
    assert symbols.is_unique
    assert tables["kinds"]["label"].is_unique
    assert tables["kinds"]["label_en"].is_unique


# --- OSM tags --------------------------------------------------------------------------------------------------------


def test_tag_rules_are_readable_and_ids_follow_kinds() -> None:
    for rule in read_tag_rules():
        assert rule.name.rsplit("-", 1)[0] == rule.kind
        assert rule.tags


def test_a_clinic_is_not_taken_for_a_community_health_station_unseen() -> None:
    rules = read_tag_rules()

    def kind(**tags: str) -> str | None:
        return next((r.kind for r in rules if r.matches(tags)), None)

    assert kind(amenity="clinic", name="拉薇口腔") is None
    assert kind(amenity="doctors", name="王大夫诊所") is None
    assert kind(amenity="clinic", name="某街社区卫生服务站") == "clinic_station"
    assert kind(amenity="hospital", name="某街社区卫生服务中心") == "clinic_center"
    assert kind(amenity="clinic", name="Health Post 7") == "clinic_station"
    for rule in rules:
        if rule.kind == "clinic_station" and not any(key == "name" for key, _ in rule.tags):
            assert rule.note.startswith("须人工确认"), rule.name


def test_the_layers_an_import_fills_are_declared_and_take_what_the_table_gives_them() -> None:
    table = pd.read_csv(bundled_folder() / "pois/osm_layers.csv", dtype="str", encoding="utf-8-sig").fillna("")
    assert list(table.columns) == ["id", "layer", "form", "value", "tags", "not_tags", "note"]
    assert table["id"].is_unique
    assert (table["id"].str.rsplit("-", n=1).str[0] == table["layer"]).all()
    types = {"area": "Polygon", "line": "LineString", "point": "Point"}
    for row in table.itertuples(index=False):
        assert types[row.form] in LAYERS[row.layer].geometry, row.id
    barriers = table[table["layer"] == "barriers"]
    assert set(barriers["value"]) <= set(LAYERS["barriers"].names["kind"].values)
    homes = {"house", "unsure", "other", "elsewhere", "land"}
    assert set(table.loc[table["layer"] == "homes", "value"]) == homes


# --- against the reference -------------------------------------------------------------------------------------------


def test_every_kind_of_the_reference_is_there(tables: dict[str, pd.DataFrame]) -> None:
    text = REFERENCE / "standards.md"
    if not text.is_file():
        pytest.skip("没有参考资料 standards.md（../shared/reference 不在）")
    section = text.read_text("utf-8").split("## 4.")[1].split("归类纪律")[0]
    cells = re.findall(r"\|\s*([a-z_/ ]+?)\s*(?=\|)", section)
    keys = {key.strip() for cell in cells for key in cell.split("/") if key.strip()}
    assert keys and keys - NOT_FACILITIES <= set(tables["kinds"].index)  # of others there may be any number


def test_the_essential_kinds_are_those_of_s04(tables: dict[str, pd.DataFrame]) -> None:
    commitments = reference("commitments.csv").set_index("id")
    kinds = tables["kinds"]
    assert set(commitments.loc["S04", "kinds"].split(";")) == set(kinds.index[kinds["essential"]])


def test_every_kind_of_a_commitment_has_a_rule_or_a_reason(tables: dict[str, pd.DataFrame]) -> None:
    plan = tables["rules"][tables["rules"]["set"].isin(["plan", "reference"])]
    covered = {kind for kinds in plan["kinds"] for kind in kinds.split(";")}
    promised = {kind for kinds in reference("commitments.csv")["kinds"] for kind in kinds.split(";") if kind}
    assert promised - covered <= set(UNRATED)


#: The reference's standards as this table names them.
STANDARDS = {
    "GB 50180-2018": "GB50180-2018",
    "TD/T 1063-2021": "TD/T1063-2021",
    "TD/T 1062-2021": "TD/T1062-2021",
    "天津一刻钟便民生活圈方案": "tianjin",
    "河西区15分钟居家养老服务圈": "tianjin",
    "天津市绿地系统规划(2021—2035)": "tianjin",
    "《城市一刻钟便民生活圈建设指南》": "一刻钟",
    "完整居住社区建设标准": "完整居住社区",
    "国家体育总局释义": "体育总局",
    "《新河街道“十四五”纲要》": "plan",
}


#: The kind is in the list (read), its distance is the tier's (second hand): the weaker of the two is claimed.
TIER_DISTANCE = {"《城市一刻钟便民生活圈建设指南》", "天津一刻钟便民生活圈方案", "完整居住社区建设标准"}


def stated_for(row: pd.Series, known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the reference that state, for one of the rule's kinds, the limit the rule's claim rests on."""
    same = known[known["standard"] == STANDARDS[row["standard"]]]
    same = same[[bool(set(k.split(";")) & set(row["kinds"].split(";"))) for k in same["kind"]]]
    if row["metric"] == "presence":
        return same[same["capacity_rule"] == "count_per_community>=1"]
    # A distance that was read or recalled is the claim, also where the rule walks it at another pace; minutes are the
    # claim where minutes were read.
    by_time = row["method"] == "walk_min" and row["confidence"] == "read"
    column, limit = ("minutes", row["minutes"]) if by_time else ("distance_m_max", row["metres"])
    return same[pd.to_numeric(same[column], errors="coerce") == limit]


def test_no_rule_claims_more_than_the_reference(tables: dict[str, pd.DataFrame]) -> None:
    """The limit a rule is judged by must be in the reference with at least the confidence the rule claims."""
    known = reference("rules.csv")
    for rule, row in tables["rules"].iterrows():
        if row["confidence"] == "convention":
            continue
        if row["metric"] == "reach" and row["confidence"] == "second_hand" and row["standard"] in TIER_DISTANCE:
            assert row["metres"] in (500.0, 1000.0), rule
            continue
        rows = stated_for(row, known)
        assert len(rows), rule
        assert min(STRENGTH.index(c) for c in rows["confidence"]) <= STRENGTH.index(row["confidence"]), rule


def test_what_is_recalled_never_calls_itself_a_national_standard(tables: dict[str, pd.DataFrame]) -> None:
    rules = tables["rules"]
    loose = rules[rules["confidence"] != "read"]
    for column in ("label", "note", "source"):
        assert not loose[column].fillna("").str.contains("国标|规范要求|不达标").any(), column
    assert "凭记忆" in "".join(rules.loc[rules["confidence"] == "recalled", "source"].unique())
    assert rules.loc[rules["confidence"] == "recalled", "source"].str.contains("凭记忆").all()
    assert rules.loc[rules["confidence"].isin(["read", "second_hand"]), "source"].notna().all()


def test_the_plan_is_quoted_word_for_word(tables: dict[str, pd.DataFrame]) -> None:
    plan = REFERENCE / "plan.txt"
    if not plan.is_file():
        pytest.skip("没有规划原文 plan.txt（../shared/reference 不在）")
    text = plan.read_text("utf-8")
    rules = tables["rules"]
    quoted = rules[rules["note"].fillna("").str.startswith("原文：")]
    assert len(quoted) >= 9
    for rule, note in quoted["note"].items():
        quote = re.match(r"原文：“(.+)”。", note)
        assert quote is not None, rule
        assert quote.group(1) in text, rule
