"""Which problems to begin with: those judged alike in one community together, what has a date first, then the elderly, then people."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ..core import CLOSED, CORRECTED, DEMOLISHED, REDEFINED, SOLVED, URGENT, Rule, UnknownNameError, as_text, listed
from ..district import District

#: States of problems that nobody has to do anything about any more.
ENDED = (SOLVED, CLOSED, CORRECTED, REDEFINED, DEMOLISHED)


def standing(found: pd.DataFrame) -> pd.DataFrame:
    """
    Return the problems that somebody still has to do something about.

    Parameters
    ----------
    found
        What `problems` returned. A problem whose definition has changed stands where it is found under the new one, too.
    """
    again = (found["state"] == REDEFINED) & found["is_found"].astype(bool)
    return found[(~found["state"].isin(ENDED) | again).to_numpy()]


def is_for_elderly(district: District, rule: Rule) -> bool:
    """Return whether a rule is about people of 60 or more: it counts them, or all its kinds are theirs."""
    kinds = district.kinds.reindex(list(rule.kinds))
    return rule.denominator == "people_60plus" or bool(kinds["elderly"].fillna(False).astype(bool).all())


def ranked(district: District, found: pd.DataFrame) -> pd.DataFrame:
    """
    Put problems together and in the order in which to begin with them.

    Together are those that are judged in the same way (two sets may ask the same) and lie in the same community. Those that must be
    solved by a date come first, then those for the elderly, then those that concern most people.

    Parameters
    ----------
    district
        This year's.
    found
        What `problems` returned, or some of its rows.

    Returns
    -------
    groups
        Index group (the first indicator, and the community; the code of the district where it is all of it), first the one to
        begin with. Columns name, `indicators` (all that judge so, parted by `;`), `community` (missing: the whole district or no
        community), `numbers` (of its problems, parted by `;`), `problems` (how many places), `people` and `people_60plus` (who live
        in these places and are concerned, each once; missing where nobody is known), `urgent`, `elderly`, duty, suggest, `projects`
        (that cite any of them, parted by `;`).
    """
    lived = _Lived(district)
    rows = district.rows["checkup_indicators"]
    elderly = {str(key): _elderly(district, row) for key, row in rows.iterrows()}
    places = [as_text(place) for place in found["place"]]
    judged = found["definition"].fillna("").to_numpy(object)
    judged = np.array([d or i for d, i in zip(judged, found["indicator"], strict=True)], dtype=object)
    key = pd.DataFrame({"judged": judged, "community": [lived.community_of(place) for place in places]})
    told: dict[str, dict[str, object]] = {}
    for (_, community), numbers in key.groupby(["judged", "community"], sort=True, dropna=False).indices.items():
        own = found.iloc[numbers]
        indicators = sorted(set(own["indicator"]))
        first = own[(own["indicator"] == indicators[0]).to_numpy()].iloc[0]
        told[f"{indicators[0]}@{community or district.code or 'district'}"] = {
            "name": first["name"] if pd.notna(first["name"]) else indicators[0],
            "indicators": ";".join(indicators),
            "community": community or None,
            "numbers": ";".join(sorted(map(str, own.index))),
            "problems": len({as_text(place) for place in own["place"]}),
            "people": lived.concerned(own),
            "people_60plus": lived.concerned(own, older=True),
            "urgent": bool((own["urgency"] == URGENT).any()),
            "elderly": any(elderly.get(i, False) for i in indicators),
            **{c: next((t for t in map(as_text, own[c]) if t), "") for c in ("duty", "suggest")},
            "projects": ";".join(sorted({p for cell in own["projects"] for p in listed(as_text(cell))})),
        }
    table = pd.DataFrame(list(told.values()), index=pd.Index(list(told), name="group", dtype="str"), columns=_COLUMNS)
    people = table["people"].astype("float64").fillna(-1.0)
    return table.iloc[np.lexsort((table.index, -people, ~table["elderly"].astype(bool), ~table["urgent"].astype(bool)))]


_COLUMNS = [
    *("name", "indicators", "community", "numbers", "problems", "people", "people_60plus"),
    *("urgent", "elderly", "duty", "suggest", "projects"),
]


def concerned(district: District, found: pd.DataFrame) -> float:
    """
    Return how many people problems concern, nobody counted twice.

    Of a home with several problems the one that concerns most of its people counts: how far the others concern the same people is not
    known, so that it is the least number. Missing where of no place anybody is known.

    Parameters
    ----------
    district
        This year's.
    found
        What `problems` returned, or some of its rows.
    """
    return _Lived(district).concerned(found)


class _Lived:
    """Who lives where: by home, by community and in all."""

    def __init__(self, district: District) -> None:
        homes = district.homes
        own = pd.DataFrame(columns=["people", "people_60plus"]) if homes is None else homes[["people", "people_60plus"]]
        self.people = {
            str(k): (float(p), float(o)) for k, p, o in zip(own.index, own["people"], own["people_60plus"], strict=True)
        }
        groups = district.groups["community"] if "community" in district.groups else pd.Series(dtype=object)
        self.community = {str(k): str(v) for k, v in groups.dropna().items()}
        self.members: dict[str, list[str]] = {}
        for home, community in self.community.items():
            self.members.setdefault(community, []).append(home)

    def community_of(self, place: str) -> str:
        """Return the community of a home, a community itself, or nothing."""
        return self.community.get(place, place if place in self.members or place not in self.people else "")

    def concerned(self, found: pd.DataFrame, *, older: bool = False) -> float:
        """Return how many people some problems concern, each home's and each unknown place's once."""
        by_place: dict[str, float] = {}
        for place, people in zip(found["place"], found["people"].astype("float64"), strict=True):
            for where, count in self._within(as_text(place), float(people)):
                number = self._older(where, count) if older else count
                if not math.isnan(number):
                    by_place[where] = max(by_place.get(where, 0.0), number)
        return float(sum(by_place[where] for where in sorted(by_place))) if by_place else math.nan

    def _within(self, place: str, people: float) -> list[tuple[str, float]]:
        """Return whom a problem concerns home by home: of a community, or of the district, everybody who lives there."""
        homes = self.members.get(place, []) if place else list(self.people)
        if place in self.people or not homes:
            return [(place, people)]
        return [(home, self.people[home][0]) for home in homes if home in self.people]

    def _older(self, home: str, people: float) -> float:
        """Return how many of 60 or more are among some people of a home: as many in a hundred as in the home."""
        all_of_it, old = self.people.get(home, (math.nan, math.nan))
        return people * old / all_of_it if all_of_it > 0 else math.nan


def _elderly(district: District, row: pd.Series) -> bool:
    """Return whether an indicator is for the elderly: its row says so, or its rule is."""
    said = pd.notna(row["elderly"]) and bool(row["elderly"])
    if said or pd.isna(row["rule"]):
        return said
    try:
        return is_for_elderly(district, district.rule(str(row["rule"])))
    except UnknownNameError:
        return False
