"""People conserved: who lives on each parcel at the end of each year of a plan, who left, who returned, and where the others are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ..core import HOLDERS, LAYERS, ScenarioError, UnknownNameError, at_year, say, well_called
from ..district import MAY_RETURN, District, EditedRows, Flow, Scenario, home_parcels, played

#: What is counted: 常住人口, 户籍人口, 户. They stand beside each other and are never added.
COUNTS = ("people", "registered", "households")
#: Stock and flow of one year, then where those are who ever left.
YEARLY = ("opening", "moved_out", "returned", "newcomers", "other", "closing")
SINCE = ("moved_total", "waiting", "returned_total", "elsewhere", "cash", "unsaid")
#: Who somebody is: of one 口径, of the residents without one, or of those who came in by the plan. Everybody is of one group.
RESIDENTS, NEWCOMERS = "residents", "newcomers"
GROUPS = (*HOLDERS, RESIDENTS, NEWCOMERS)
#: What is counted in a balance, and what its columns are called.
COUNT_LABELS = {"people": "常住人口", "registered": "户籍人口", "households": "户"}
FLOW_LABELS = {
    "opening": "上年末在住",
    "moved_out": "搬出",
    "returned": "还迁",
    "newcomers": "导入",
    "other": "其他变动",
    "closing": "年末在住",
    "moved_total": "累计搬出",
    "waiting": "过渡中",
    "returned_total": "已还迁",
    "elsewhere": "异地安置",
    "cash": "货币离开",
    "unsaid": "去向待填",
}
#: Who leaves or returns is of one 口径, be it said or not.
MOVES = ("out", "back")
#: Less than this is nobody: a trace of rounding.
ROUNDING = 1e-6


@well_called
def balance(
    of: District | Scenario,
    plan: Scenario | None = None,
    years: int | Iterable[int] | None = None,
    *,
    count: str = "people",
    with_conflicts: bool = False,
) -> pd.DataFrame:
    """
    Balance the people of a plan, parcel by parcel, year by year and group by group; everybody is in exactly one line of a year.

    Parameters
    ----------
    of
        A plan that `District.scenario` gave, played on that district; or a district, as it is.
    plan
        Where `of` is a district: the plan to be played on it. None: what comes and goes by its own dates.
    years
        Which years to tell; by default from the first to the last in which the plan does something.
    count
        What is counted: people (常住人口), households (户), registered (户籍人口).
    with_conflicts
        Go on although the plan contradicts itself or the district.

    Returns
    -------
    balance
        Index parcel ("" for homes on none), year, group: the 口径 that ledger or plan tell apart (`owner`, `public_tenant`, `tenant`),
        `residents` (all others who lived there before), `newcomers` (导入). First column named as `count`: who lives there at the end of the
        year; over all lines of a year it sums to the district. It equals `opening` − `moved_out` + `returned` + `newcomers` + `other`;
        `moved_total` = `waiting` + `returned_total` + `elsewhere` + `cash` + `unsaid`. Missing numbers: 数据不足.

    Raises
    ------
    ScenarioError
        A plan that does not know its district, an edit that cannot be carried out, or every conflict: which step, and why.
    UnknownNameError
        `count` is none of these three.
    """
    if count not in COUNTS:
        raise UnknownNameError("计数口径", count, list(COUNTS))
    district, told = (of, plan) if isinstance(of, District) else (getattr(of, "district", None), of)
    if not isinstance(district, District):
        raise ScenarioError(
            say("这个方案不知道算哪个街道：用 district.scenario(名字) 打开它，或写 balance(district, plan)")
        )
    kept = _kept_books(district, told, years, with_conflicts=with_conflicts)
    whole = range(
        min(kept.books) + 1, max(kept.books) + 1
    )  # who came in earlier is a newcomer in the years that are asked for, too
    table = _table(district, kept.books, whole).xs(count, level="count")
    lines: dict[tuple[str, int, str], pd.Series] = {}
    came: dict[str, pd.DataFrame] = {}
    parts = kept.books[max(kept.books)].work.parts
    for parcel in sorted(set(table.index.get_level_values("parcel")), key=lambda own: _depth(parts, str(own))):
        own = table.loc[parcel]
        everybody = own.xs("", level="holder")
        came[parcel] = _newcomers(everybody, _brought(came, parts, parcel, table))
        for group, rows in _groups(own, came[parcel]).items():
            lines |= {(str(parcel), int(year), group): row for year, row in rows.loc[list(kept.told)].iterrows()}
    made = pd.DataFrame.from_dict(lines, orient="index", columns=[*YEARLY, *SINCE])
    made.index = pd.MultiIndex.from_tuples(list(lines), names=["parcel", "year", "group"])
    made.insert(0, count, made.pop("closing"))
    return made.sort_index()


def _depth(parts: Mapping[str, str], parcel: str) -> tuple[int, str]:
    """Return after how many divisions a parcel came to be: what was divided comes before its parts."""
    number, own = 0, parcel
    while own in parts:
        number, own = number + 1, parts[own]
    return number, parcel


def _brought(
    came: Mapping[str, pd.DataFrame], parts: Mapping[str, str], parcel: str, table: pd.DataFrame
) -> pd.Series | None:
    """Return how many newcomers a parcel has of the one that it was divided from, by year: as of everybody who comes from there."""
    if parcel not in parts:
        return None
    whole = parts[parcel]
    left = -came[whole]["other"]
    gone = -table.loc[whole].xs("", level="holder")["other"]
    here = table.loc[parcel].xs("", level="holder")["other"]
    born = here.abs().gt(ROUNDING).idxmax() if here.abs().gt(ROUNDING).any() else here.index[-1]
    share = here / gone.where(gone.abs() > ROUNDING)
    return (left * share).where(left.index == born, 0.0).fillna(0.0)


def _groups(own: pd.DataFrame, came: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split the lines of a parcel, index (holder, year), into groups of which nobody is in two; `came`: those of who came in."""
    told = {str(holder): rows.droplevel("holder") for holder, rows in own.groupby(level="holder", sort=False)}
    everybody = told.pop("")
    split = {holder: rows for holder, rows in told.items() if not rows.isna().any(axis=None)}
    rest = everybody - came - sum(split.values())
    if (
        (rest < -ROUNDING).drop(columns="other").any(axis=None)
    ):  # more of a 口径 than live there: the ledger tells of others
        split, rest = {}, everybody - came
    rest = rest.mask(rest.abs() <= ROUNDING, 0.0)
    return {**split, RESIDENTS: rest, **({NEWCOMERS: came} if came.to_numpy().any() else {})}


def _newcomers(everybody: pd.DataFrame, brought: pd.Series | None) -> pd.DataFrame:
    """
    Return the lines of those who came in by the plan: whoever leaves was a resident as long as there are any.

    `brought`: who of them came with the ground, when the parcel was divided from another.
    """
    lines, there, gone = {}, 0.0, 0.0
    for year, row in everybody.iterrows():
        with_ground = 0.0 if brought is None else float(brought[year])
        arrived = there + row["newcomers"] + with_ground
        stay = min(arrived, row["closing"]) if math.isfinite(row["closing"]) else arrived
        out = min(arrived - stay, row["moved_out"])
        gone += out
        other = stay - arrived + out + with_ground
        line = {"opening": there, "moved_out": out, "newcomers": row["newcomers"], "other": other}
        share = gone / row["moved_total"] if gone else 0.0
        lines[year] = {"returned": 0.0, **line, "closing": stay, **{c: row[c] * share for c in SINCE}}
        there = stay
    return pd.DataFrame.from_dict(lines, orient="index", columns=everybody.columns)


def accounts(
    district: District,
    plan: Scenario | None = None,
    years: int | Iterable[int] | None = None,
    *,
    with_conflicts: bool = False,
) -> pd.DataFrame:
    """
    Keep an account of every parcel and year for whatever is counted: all together, and each 口径 beside it.

    Parameters
    ----------
    district
        As it is; the plan is played on it.
    plan
        A scenario; its edits may carry years. None: what comes and goes by its own dates.
    years
        Which years to tell; by default from the first to the last in which the plan does something.
    with_conflicts
        Go on although the plan contradicts itself or the district.

    Returns
    -------
    accounts
        Index parcel ("" for homes on none), count (people 常住人口, registered 户籍人口, households 户), holder (口径; "" for all
        together), year. Each year `closing` = `opening` − `moved_out` + `returned` + `newcomers` + `other` (homes that come or go
        by their own dates, people taken in from elsewhere). Since the beginning `moved_total` = `waiting` + `returned_total` +
        `elsewhere` + `cash` + `unsaid` (nobody has said where to). Missing numbers: 数据不足. `opening` and `closing` of people
        and households are counted from the homes as they stand; the flows from the plan's edits. What the ledger says of
        registered people and of one 口径 is told where it says something, or the plan does.

    Raises
    ------
    ScenarioError
        An edit that cannot be carried out, or every conflict: which step, and why.
    """
    kept = _kept_books(district, plan, years, with_conflicts=with_conflicts)
    return _table(district, kept.books, kept.told)


class _Kept(NamedTuple):
    """The books of a plan, from the year before it begins, and the years that are asked for."""

    books: Mapping[int, _Book]
    told: Sequence[int]


def _kept_books(
    district: District, plan: Scenario | None, years: int | Iterable[int] | None, *, with_conflicts: bool
) -> _Kept:
    plan = Scenario("") if plan is None else plan
    several = plan.years or (plan.year_on(district),) if years is None else years
    asked = sorted({int(year) for year in several} if isinstance(several, Iterable) else {int(several)})
    first, last = asked[0], asked[-1]
    plan.at(max(last, plan.year_on(district))).on(district, with_conflicts=with_conflicts)
    books = _books(district, plan, range(min(first, *(plan.years or (first,))) - 1, last + 1))
    return _Kept(books, range(first, last + 1) if years is None else asked)


def _table(district: District, books: Mapping[int, _Book], years: Sequence[int]) -> pd.DataFrame:
    """Return the lines of every account in some years."""
    lines = {}
    for parcel, count, holder in _accounts(district, books[max(books)]):
        account = Account(parcel, count, holder)
        closing = {y: _or_unknown(_closing(books, account, y)) for y in books}
        for year in years:
            lines[(parcel, count, holder, year)] = _line(books, account, year, closing)
    index = pd.MultiIndex.from_tuples(list(lines), names=["parcel", "count", "holder", "year"])
    return pd.DataFrame(list(lines.values()), index=index, columns=[*YEARLY, *SINCE]).astype("float64")


class Account(NamedTuple):
    """Whom a line of the balance is about."""

    parcel: str
    counted: str
    holder: str

    def of(self, flow: Flow) -> float:
        """Return how many a flow is of what this account counts; of people of whom nobody said which 口径 they are, nobody knows."""
        number = flow.counted(self.counted)
        return number if flow.holder == self.holder or not self.holder or number == 0 else math.nan


class _Book(NamedTuple):
    """A year of a plan as played: the rows at its end, every flow until then, and what has ended of them."""

    work: EditedRows
    flows: Sequence[Flow]
    ended: Sequence[Flow]
    lived: Mapping[tuple[str, str], float]  # parcel and count: who lives there at the end of the year
    by_date: Mapping[tuple[str, str], float]  # and who comes or goes with homes that do so by their own dates

    def own(self, account: Account, what: str, *, ended: bool = False, left: bool = False) -> list[Flow]:
        """
        Return the flows of an account: who comes to its parcel or leaves it; with `left` who comes back of those that left it.

        Of one 口径 those are among them who may be of it, since the plan does not say of which they are.
        """
        flows, whose = self.ended if ended else self.flows, {account.holder}
        if account.holder and what in MOVES and self._may_be(account, what):
            whose.add("")
        own = [f for f in flows if f.what == what and (not account.holder or f.holder in whose)]
        return [f for f in own if (f.parcel if left else f.comes_to) == account.parcel]

    def _may_be(self, account: Account, what: str) -> bool:
        """Return whether anybody of a 口径 is left to move by steps that do not say of which they move."""
        if what == "back":  # who left before a parcel was divided may return to any part of it
            return any(self._may_return(account._replace(parcel=p)) for p in self.work.line_of(account.parcel))
        held = self.work.held(account.parcel, account.counted, account.holder)
        return not self._said(account, "out") >= held - ROUNDING

    def _may_return(self, account: Account) -> bool:
        gone, back = self._said(account, "out"), self._said(account, "back")
        unsaid = any(f.people != 0 for f in self.flows if (f.what, f.parcel, f.holder) == ("out", account.parcel, ""))
        return not back >= gone - ROUNDING or (unsaid and self._may_be(account, "out"))

    def _said(self, account: Account, what: str) -> float:
        own = [f for f in self.flows if (f.what, f.parcel, f.holder) == (what, account.parcel, account.holder)]
        return sum((account.of(f) for f in own), 0.0)


def _books(district: District, plan: Scenario, years: range) -> dict[int, _Book]:
    """Play a plan; what has ended keeps its flows, and they are turned back in the year after."""
    books: dict[int, _Book] = {}
    ended: list[Flow] = []
    before: EditedRows | None = None
    until = {number: e.what.get("until") for number, e in enumerate(plan.edits, 1)}
    for work, _ in played(plan, district, years):
        if before is not None:
            ended = [*ended, *(f for f in before.flows if until.get(f.step) == work.year - 1)]
        lived = _lived(work)
        by_date = {} if before is None else _by_date(district, before, work)
        books[work.year] = _Book(work, [*work.flows, *ended], ended, lived, by_date)
        before = work
    return books


def _lived(work: EditedRows) -> dict[tuple[str, str], float]:
    """Return how many people and households live on each parcel; missing where it is unknown of one home."""
    homes = work.standing("homes")
    on = home_parcels(homes, work.rows.get("parcels"))
    found: dict[tuple[str, str], float] = {}
    for count in ("people", "households"):
        for parcel, number in zip(on, homes[count].astype("float64").to_numpy(), strict=True):
            found[parcel, count] = found.get((parcel, count), 0.0) + float(number)
    return found


def _by_date(district: District, before: EditedRows, now: EditedRows) -> dict[tuple[str, str], float]:
    """Return who comes and goes with the district's own homes, whose first or last year it is."""
    found: dict[tuple[str, str], float] = {}
    homes, layer = district.rows.get("homes"), LAYERS["homes"]
    if homes is None:
        return found
    old = before.frame("homes")
    own = old[[before.whole_of(str(home))[0] in homes.index for home in old.index]]
    goes = _not_in(at_year(layer, own, before.year), at_year(layer, own, now.year))
    # as the plan stands now: what has ended is undone in the rows of homes that are gone, too
    still = now.frame("homes")
    goes = pd.concat([goes[~goes.index.isin(still.index)], still[_key_in(still, goes)]])
    comes = _not_in(at_year(layer, own, now.year), at_year(layer, own, before.year))
    for rows, sign in ((goes, -1.0), (comes, 1.0)):
        on = home_parcels(rows, before.rows.get("parcels"))  # what is divided this year takes over who is there then
        for count in ("people", "households"):
            for parcel, number in zip(on, rows[count].astype("float64").to_numpy(), strict=True):
                found[parcel, count] = found.get((parcel, count), 0.0) + sign * float(number)
    return found


def _not_in(rows: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    return rows[[not found for found in _key_in(rows, others)]]


def _key_in(rows: pd.DataFrame, others: pd.DataFrame) -> list[bool]:
    """Return which rows are among others, by key and first year: a home may stand twice, in different years."""
    other = set(zip(others.index, others["since"].fillna(-1), strict=True))
    return [key in other for key in zip(rows.index, rows["since"].fillna(-1), strict=True)]


def _accounts(district: District, book: _Book) -> list[tuple[str, str, str]]:
    """Return whom to tell of: everybody everywhere, and what the ledger or the plan says of registered people and each 口径."""
    places = (district.rows.get("parcels"), book.work.rows.get("parcels"))
    parcels = sorted({str(parcel) for own in places if own is not None for parcel in own.index} | set(book.work.parts))
    found = []
    for parcel in [*parcels, ""]:
        for count in COUNTS:
            for holder in ("", *HOLDERS):
                own = [f for f in book.flows if f.parcel == parcel and f.what != "in" and holder in ("", f.holder)]
                said = any(not math.isnan(float(getattr(f, count))) for f in own if f.people != 0)
                known = parcel != "" and not math.isnan(book.work.held(parcel, count, holder))
                if (count != "registered" and not holder) or (
                    parcel and (said or known) and not (holder and count == "registered")
                ):
                    found.append((parcel, count, holder))
    return found


def _closing(books: Mapping[int, _Book], account: Account, year: int) -> float:
    """Return who lives there at the end of a year: counted from homes, or what the ledger says less who left since."""
    if account.counted in ("people", "households") and not account.holder:
        return books[year].lived.get((account.parcel, account.counted), 0.0)
    begin = min(books)
    first, last = books[begin].work, books[max(books)].work
    stock = first.stock(account.parcel, account.counted, account.holder)
    if account.parcel in last.parts and account.parcel not in first.parts:
        stock = 0.0 * last.held(
            account.parcel, account.counted, account.holder
        )  # before it was divided from another it had nobody
    told = stock + _since(books, account, begin, year)
    if not account.holder or not math.isnan(told):
        return told
    # where nobody lives any more, nobody of any 口径 does: whoever the steps say left
    whole = account._replace(holder="")
    empty = [y for y in books if begin < y <= year and _closing(books, whole, y) == 0]
    return _since(books, account, max(empty), year) if empty and _closing(books, whole, begin) > 0 else told


def _since(books: Mapping[int, _Book], account: Account, begin: int, year: int) -> float:
    """Return by how many an account has grown from the end of one year to that of another."""
    gone, back, new, taken = (_change(account, books[begin], books[year], w) for w in ("out", "back", "new", "in"))
    over, left, given = (_change(account, books[begin], books[year], w, ended=True) for w in ("out", "new", "in"))
    return back + new + taken + over - gone - left - given


def _sum(account: Account, book: _Book, what: str, *, ended: bool = False) -> float:
    return sum((account.of(f) for f in book.own(account, what, ended=ended)), 0.0)


def _change(account: Account, before: _Book, now: _Book, what: str, *, ended: bool = False) -> float:
    """Return by how much a sum has changed; what was there before and still is does not make it unknown."""
    old, new = (Counter(repr(f) for f in book.own(account, what, ended=ended)) for book in (before, now))

    def unmatched(book: _Book, left: Counter[str]) -> float:
        total = 0.0
        for flow in book.own(account, what, ended=ended):
            if left[repr(flow)] > 0:
                left[repr(flow)] -= 1
                total += account.of(flow)
        return total

    return unmatched(now, new - old) - unmatched(before, old - new)


def _line(books: Mapping[int, _Book], account: Account, year: int, closing: Mapping[int, float]) -> dict[str, float]:
    """Return one year of an account: its flows, and where those are who ever left."""
    now, before = books[year], books[year - 1]

    def during(what: str, *, ended: bool = False) -> float:
        return _change(account, before, now, what, ended=ended)

    other = during("in") - during("in", ended=True) - during("new", ended=True)
    if not account.holder:
        other += now.by_date.get((account.parcel, account.counted), 0.0)
    told = {
        "opening": closing[year - 1],
        "moved_out": during("out"),
        "returned": during("back") + during("out", ended=True),
        "newcomers": during("new"),
        "other": other,
        "closing": closing[year],
        **_whereabouts(account, now),
    }
    return {key: number if key in _CHANGES else _or_unknown(number) for key, number in told.items()}


#: What can be less than nothing: all else is a number of people.
_CHANGES = ("moved_out", "returned", "newcomers", "other")


def _or_unknown(number: float) -> float:
    """Return a number of people; unknown where steps that contradict each other would leave less than nobody."""
    return math.nan if number < -ROUNDING else number


def _whereabouts(account: Account, book: _Book) -> dict[str, float]:
    """Return where those are who ever left: who returned was waiting, or nobody had said where to."""

    def away(*fates: str) -> float:
        out = [f for f in book.own(account, "out") if f.fate in fates]
        over = [f for f in book.own(account, "out", ended=True) if f.fate in fates]
        return sum((account.of(f) for f in out), 0.0) - sum((account.of(f) for f in over), 0.0)

    back = sum((account.of(f) for f in book.own(account, "back", left=True)), 0.0)
    waiting, unsaid = (away(fate) for fate in MAY_RETURN)
    from_waiting = (
        min(waiting, back) if math.isfinite(back) else back
    )  # nobody knows how many are back, so how many wait
    return {
        "moved_total": _sum(account, book, "out"),
        "waiting": waiting - from_waiting,
        "returned_total": back + _sum(account, book, "out", ended=True),
        "elsewhere": away("elsewhere"),
        "cash": away("cash"),
        "unsaid": unsaid - (back - from_waiting),
    }
