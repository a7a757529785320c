"""
Projects that the data suggest: the best places for what is lacking, ways that help most, what a plan has to provide, what the checkup asks for.

A suggestion is an offer: a person accepts it or not (`accepting`). What it costs nobody has said. The same district gives the same
suggestions under the same ids.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import pandas as pd
import shapely

from ..access import PLAN, people_told
from ..core import (
    URGENT,
    Edit,
    Rule,
    SitingError,
    UnknownNameError,
    as_text,
    listed,
    say,
    speaking,
    word,
    work,
)
from ..district import District, Scenario, must_be_district, place_name, rule_name
from ..siting import Watch, links, provision, shortage_in_words, sites
from .checkup import TYPED_METRIC, WALKED, problems, problems_of
from .programme import promised
from .ranking import concerned, ranked, standing

#: Where suggestions come from.
SITES, LINKS, PROVISION, CHECKUP = "sites", "links", "provision", "checkup"
SOURCES = {SITES: "选址", LINKS: "增开通道", PROVISION: "配建", CHECKUP: "体检"}
#: Which sort of renewal each is, as the project table has it.
_SORTS = {SITES: "新建补短板", LINKS: "微改造", PROVISION: "新建补短板", CHECKUP: "综合整治"}
COLUMNS = (
    *("source", "name", "scope", "level", "sort", "urgency", "problems", "people", "homes", "edit", "reason"),
    *("project", "cited_by", "complete"),
)


class _Idea(NamedTuple):
    """A suggestion before anybody has looked which problems it solves."""

    source: str
    name: str
    scope: str
    edit: Edit | None = None
    problems: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()


def suggestions(
    district: District,
    *,
    plans: Sequence[Scenario] = (),
    each: int = 1,
    every: bool = False,
    sets: str | Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """
    Suggest projects, each with what it does and the problems of the checkup that it solves.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.
    plans
        Plans that build homes: what they have to provide, and nothing there does, is suggested too.
    each
        So many places, and so many ways, for every promise.
    every
        For what the checkup asks beyond the promises of the plan, too.
    sets
        Sets of the checkup whose problems count, as in `checkup`.
    progress
        Called with a short Chinese line now and then. Ctrl-C then ends the search after the promise it is at and gives what was found
        until then; a second one ends it at once.

    Returns
    -------
    suggestions
        Index suggestion (the same for the same thing at the same place, whatever else is in the district). `source` (a key of
        `SOURCES`), `name`, `scope` (what is done), `level`, `sort` (更新类型), `urgency`, `problems` (numbers of those that it
        solves alone, parted by `;`), `people` (who live in these places and are concerned, each once; missing where none is solved or
        nobody is known), `homes` (ids, parted by `;`, where it is done in homes), `edit` (None where it changes no walk),
        `reason` (why, where it solves no problem wholly), `project` (its id where it is in the project table already), `cited_by`
        (other projects that cite all its problems, parted by `;`). The same in every row: `complete` (false where Ctrl-C ended the
        search before its end). Texts are Chinese: they go into a table of the district.

    Raises
    ------
    UnknownNameError
        No such set.
    ScenarioError
        A plan that builds no homes.
    """
    must_be_district(district)
    watch = Watch(progress)
    with speaking("zh"), watch.until_stopped():
        found = problems(district, sets=sets)
        still = standing(found)
        rows: dict[str, dict[str, object]] = {}
        for idea in _asked_for(district, still):
            rows.setdefault(_id_of(idea), _told(district, _id_of(idea), idea, still))
        promises = list(_promises(district, still, every=every))
        complete = False
        try:
            with work(say("找建议项目"), len(promises) + len(plans), also=progress) as step:
                for idea in _found(district, promises, plans, each, step):
                    if watch.stopped:
                        break
                    key = _id_of(idea)
                    if key not in rows:  # the same place or way for another promise is looked at once
                        rows[key] = _told(district, key, idea, still)
                else:
                    complete = not watch.stopped
        except KeyboardInterrupt:
            if not watch.stopped:
                raise
    if watch.stopped and not rows:
        raise KeyboardInterrupt
    index = pd.Index(list(rows), name="suggestion", dtype="str")
    table = pd.DataFrame(list(rows.values()), columns=list(COLUMNS), index=index).assign(complete=complete)
    order = {source: n for n, source in enumerate(SOURCES)}
    ahead = pd.DataFrame(
        {
            "urgent": table["urgency"] != URGENT,
            "people": -table["people"].astype("float64").fillna(-1.0),
            "source": table["source"].map(order),
            "id": table.index,
        },
        index=table.index,
    )
    return table.loc[ahead.sort_values(["urgent", "people", "source", "id"], kind="stable").index]


def _found(
    district: District, promises: Sequence[Rule], plans: Sequence[Scenario], each: int, step: Callable[[str], None]
) -> Iterator[_Idea]:
    """Yield the ideas of one promise after the other, then what plans have to provide, each as it is found."""
    for rule in promises:
        step(rule_name(district, rule))
        yield from _places(district, rule, each)
        yield from _ways(district, rule, each)
    for plan in plans:
        step(plan.label or plan.name)
        yield from _provided(district, plan)


def _promises(district: District, still: pd.DataFrame, *, every: bool) -> Iterator[Rule]:
    """Yield the rules by which somebody is short: what the plan promises; with `every` also what the checkup finds lacking."""
    rows = district.rows["checkup_indicators"]
    own = rows[(rows.index.isin(set(still["indicator"])) & rows["metric"].isin(WALKED)).to_numpy()]
    found = dict.fromkeys(rule.name for rule in promised(district, PLAN))
    for name in own["rule"].dropna() if every else ():
        with suppress(UnknownNameError):  # its indicator says itself what it lacks
            found[district.rule(str(name)).name] = None
    yield from map(district.rule, found)


def _id_of(idea: _Idea) -> str:
    """Return what a suggestion is called: what is done where, without what it is named."""
    if idea.edit is None:
        said: list[object] = [idea.source, idea.name, sorted(idea.homes)]
    else:
        what = {k: v for k, v in idea.edit.what.items() if k not in ("facility", "street", "name")}
        if "at" in what:  # a new gate is known by where it is, one that is there by its id
            what.pop("gate", None)
        said = [idea.edit.do, what]
    text = json.dumps(said, ensure_ascii=False, sort_keys=True)
    return f"J{hashlib.sha256(text.encode()).hexdigest()[:7].upper()}"


def _places(district: District, rule: Rule, each: int) -> Iterator[_Idea]:
    """Yield the best places for what a promise lacks; none where it cannot be said who lacks it."""
    try:
        chosen = sites(district, rule.name, each)
    except SitingError:
        return
    for site, row in chosen.iterrows():
        gains = [row["people_gained"], row["communities_gained"]]
        if not any(float(gain) > 0 for gain in gains if not pd.isna(gain)):
            continue
        label = str(district.kinds["label"].get(row["kind"], row["kind"]))
        what = {"kind": str(row["kind"]), "xy": [round(float(v), 2) for v in row.geometry.coords[0]]}
        do = "use_rooms" if row["origin"] == "room" else "open_facility"
        aged = rule.denominator == "people_60plus"
        gained = people_told(float(row["people_60plus_gained" if aged else "people_gained"]), aged=aged)
        told = "按“{0}”选址，新增服务 {1}；位置为推算"
        if rule.metric == "presence":
            told = "按“{0}”选址，所在社区住着 {1}，设在社区内哪里都算；位置为推算"
        yield _Idea(
            SITES,
            say("新增{0}（{1}）", label, row["name"]),
            say(told, rule.label, gained),
            Edit(do, {"facility": str(site), **what}),
        )


def _ways(district: District, rule: Rule, each: int) -> Iterator[_Idea]:
    """Yield the gates, crossings and ways that bring most people inside a promise."""
    try:
        ranking = links(district, rule.name, n=each)
    except SitingError:
        return
    for _, row in ranking.iterrows():
        if not row["people_gained"] > 0:
            continue
        where = row["name"] if isinstance(row["name"], str) and row["name"] else row["crosses"]
        name = say("{0}（{1}）", row["kind_label"], where) if where else str(row["kind_label"])
        yield _Idea(LINKS, name, say("{0}；位置为推算", row["text"]), row["edit"])


def _provided(district: District, plan: Scenario) -> Iterator[_Idea]:
    """Yield what a plan has to provide and nothing there does, where its new homes are."""
    after = plan.on(district)
    homes = after.homes
    new = [] if homes is None else [home for home in after.arrived if home in homes.index]
    spot = shapely.point_on_surface(homes.geometry.loc[new].union_all()) if homes is not None and new else None
    for _, row in provision(district, plan, after=after).iterrows():
        if not row["to_build"] > 0:
            continue
        short = shortage_in_words(float(row["missing"]), str(row["unit"]))
        edit = None
        if spot is not None:
            at = [round(float(spot.x), 2), round(float(spot.y), 2)]
            edit = Edit("open_facility", {"facility": "new", "kind": str(row["kinds"]).split(";")[0], "xy": at})
        yield _Idea(
            PROVISION,
            say("{0}（方案 {1} 配建）", word(str(row["label"])), plan.label or plan.name),
            say("{0}；位置在新建住房处，待定", short),
            edit,
        )


def _asked_for(district: District, still: pd.DataFrame) -> Iterator[_Idea]:
    """Yield what the checkup asks for where no walk is in question, a community's problems of one sort together."""
    rows = district.rows["checkup_indicators"]
    metric = still["indicator"].map(rows["metric"]) if len(still) else pd.Series(dtype=object)
    own = still[(metric.notna() & ~metric.isin([*WALKED, TYPED_METRIC])).to_numpy()]
    for _, row in ranked(district, own).iterrows():
        numbers = listed(str(row["numbers"]))
        homes = sorted({str(own.loc[n, "place"]) for n in numbers} & _homes(district))
        advice = word(str(row["suggest"]) or str(row["name"]))
        where = place_name(district, row["community"])
        yield _Idea(CHECKUP, say("{0}（{1}）", advice.rstrip("。"), where), advice, None, tuple(numbers), tuple(homes))


def _homes(district: District) -> set[str]:
    return set() if district.homes is None else set(map(str, district.homes.index))


def _told(district: District, key: str, idea: _Idea, still: pd.DataFrame) -> dict[str, object]:
    """Return a suggestion with the problems that it solves."""
    edit = None if idea.edit is None else _named(idea.edit, key, idea.name)
    numbers = list(idea.problems) if edit is None else _solved(district, edit, still)
    own = still.loc[numbers]
    people = concerned(district, own) if numbers else math.nan
    cited = {str(k): set(listed(as_text(cell))) for k, cell in _projects(district)["problem"].items()}
    known = key in cited
    return {
        "source": idea.source,
        "name": idea.name,
        "scope": idea.scope,
        "level": _first(own["level"]) or "block",
        "sort": _SORTS[idea.source],
        "urgency": URGENT if (own["urgency"] == URGENT).any() else _first(own["urgency"]),
        "problems": ";".join(numbers),
        "people": people,
        "homes": ";".join(idea.homes),
        "edit": edit,
        "reason": "" if numbers else idea.scope,
        "project": key if known else "",
        "cited_by": ";".join(k for k, said in cited.items() if numbers and k != key and set(numbers) <= said),
    }


def _named(edit: Edit, key: str, name: str) -> Edit:
    """Return an edit whose new things are called after the suggestion: ids of candidates are another place's next time."""
    own = {"facility": key, "street": key, **({"gate": f"{key}-gate"} if "at" in edit.what else {})}
    what: Mapping[str, object] = {**edit.what, **{k: v for k, v in own.items() if k in edit.what}}
    return Edit(
        edit.do, {**what, **({"name": name} if edit.do in ("open_facility", "use_rooms", "add_street") else {})}
    )


def _solved(district: District, edit: Edit, still: pd.DataFrame) -> list[str]:
    """Return the problems that are not found any more once an edit is carried out and nothing else."""
    rows = district.rows["checkup_indicators"]
    about = rows[(rows.index.isin(set(still["indicator"])) & rows["metric"].isin(WALKED)).to_numpy()]
    kind = edit.what.get("kind")
    touched = [
        _is_walked(district, row) if kind is None else kind in _kinds(district, row) for _, row in about.iterrows()
    ]
    about = about[touched]
    if about.empty:
        return []
    after = Scenario("suggested", edits=(edit,)).on(district)
    left = problems_of(after, about, pd.DataFrame(columns=["indicator"])).index
    asked = still[(still["indicator"].isin(about.index) & still["is_found"].astype(bool)).to_numpy()]
    return sorted(str(number) for number in asked.index.difference(left))


def _is_walked(district: District, row: pd.Series) -> bool:
    """Return whether a new way can change an indicator: not where it is judged by what a community has, or as the crow flies."""
    try:
        rule = district.rule(as_text(row["rule"]))
    except UnknownNameError:
        return False
    return row["metric"] != "communities_without" and rule.metric == "reach" and rule.method != "buffer"


def _kinds(district: District, row: pd.Series) -> Iterable[str]:
    try:
        return district.rule(as_text(row["rule"])).kinds
    except UnknownNameError:
        return ()


def _projects(district: District) -> pd.DataFrame:
    rows = district.rows.get("projects")
    return pd.DataFrame({"problem": []}, dtype=object) if rows is None else rows


def _first(values: pd.Series) -> str:
    return next((str(v) for v in values if not pd.isna(v) and v), "")
