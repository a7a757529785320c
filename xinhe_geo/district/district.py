"""
Opens a district folder, judges it once, projects it once.

Past this door data is trusted: nothing downstream checks a column again. `District` is frozen, and hands out shallow
copies (pandas copies on write), so that nothing a caller does to a frame changes the district.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import eq
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..core import (
    ABSENT,
    DEMONSTRATION,
    LAYERS,
    MAPPED,
    SURVEYED,
    TO_CONFIRM,
    UNCHECKED,
    UNSTATED,
    DataError,
    NetworkError,
    Problem,
    Profile,
    Rule,
    UnknownNameError,
    WrongCallError,
    WrongValueError,
    are_h3,
    at_year,
    bundled_folder,
    cell,
    guarded_problems,
    is_cleared,
    is_whole,
    layer_name,
    listed,
    no_such_name,
    path_given,
    problems_table,
    read_toml,
    refuse_titles,
    say,
    secret_layers,
    thing,
    well_called,
    work,
)
from ..network import Graph, WalkNetwork, network_of
from .journal import MANIFEST, MEANWHILE
from .looks import page, short
from .reader import OWN, judged, left_out, mapped_kinds, read_folder, rows_of_the_program, shared_promises
from .resolve import Named, meant
from .scenario import Scenario, label_of, plan_files
from .street_edits import merged_streets

#: Of every folder with a secret layer that this process has opened: what its manifest says of secrecy.
_SECRETS_OPENED: dict[str, dict[str, Any]] = {}


def secrets_opened() -> list[dict[str, Any]]:
    """
    Return what the manifests of all secret districts that this process has opened say of secrecy.

    Frames do not know what they were computed from: whoever keeps everything a process has shown (a notebook's copy) asks
    here what mark it carries, and whether it may be kept.
    """
    return list(_SECRETS_OPENED.values())


def secrecy_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder whose layers are not read; one that is unreadable counts as the strictest."""
    try:
        return read_toml(folder / MANIFEST, folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError):
        return {"secrecy": "?"}


class _Shared(Mapping[str, pd.DataFrame]):
    """Frames that are handed out as shallow copies (pandas copies on write), each when it is asked for."""

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        self._frames = frames

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self._frames[name].copy(deep=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)


_NOTHING_BUILT: Mapping[str, bool] = MappingProxyType({})
_NOBODY_MOVED: Mapping[str, float] = MappingProxyType({})
_NOBODY_CAME: Mapping[str, Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class District:
    """
    One district in one year: layers in its metric CRS, tables, and where each comes from.

    Attributes
    ----------
    manifest
        `district.toml` as read.
    year
        The year the layers stand for: homes and streets there then, facilities open then.
    list_year
        The year of the list of communities; every count of communities prints it.
    with_planned
        Whether planned facilities whose year has come count as open.
    with_unchecked
        Whether facilities that nobody has looked at yet count as open: never unless asked for, to say how much they could change.
    folder
        Where it was read from.
    files
        Per layer or table: file name and SHA-256.
    ground
        This district before any plan, None where it is that: what stands there keeps its ways to the street.
    moved
        How many people left ("out"), returned ("back") and came ("new") by a plan; empty where nobody left. "there": whom only the plan
        tells of, living there before; "there_stay": of these, who stayed.
    arrived
        For each home that a plan builds, who came in from elsewhere: people, people_60plus, households. The others there are residents.
    parted
        By layer and key, what a plan has divided, and into what: parcels, and homes with the share of each piece.
    """

    manifest: Mapping[str, Any]
    year: int
    list_year: int
    folder: Path
    files: pd.DataFrame = field(repr=False)
    with_planned: bool = False
    with_unchecked: bool = False
    #: What `check` says of the folder as it was read: warnings, for errors are refused.
    problems: pd.DataFrame = field(repr=False, default_factory=lambda: problems_table([]))
    _rows: Mapping[str, pd.DataFrame] = field(repr=False, default_factory=dict)
    #: Kinds seen on a map before a plan was carried out.
    _mapped_before: frozenset[str] = field(repr=False, default=frozenset())
    ground: District | None = field(repr=False, default=None)
    #: Homes that a plan builds, and whether with gates.
    _built: Mapping[str, bool] = field(repr=False, default_factory=dict)
    moved: Mapping[str, float] = field(repr=False, default_factory=dict)
    arrived: Mapping[str, Mapping[str, float]] = field(repr=False, default_factory=dict)
    parted: Mapping[tuple[str, str], Mapping[str, float]] = field(repr=False, default_factory=dict)
    #: Tables derived from this district, kept by who derives them; another year or scenario starts with none.
    memo: dict[Any, Any] = field(repr=False, init=False, default_factory=dict)

    def __new__(cls, *given: object, **named: object) -> Self:
        """Say how a folder is opened, or made, to whoever gives its path or layers to the class."""
        if given and isinstance(given[0], (str, os.PathLike)):
            raise WrongCallError(say("打开街道目录写 District.load({0!r})", str(given[0])))
        if set(LAYERS).intersection(named).difference(cls.__dataclass_fields__) or (given and not named):
            raise WrongCallError(
                say(
                    "街道从目录打开：换几个图层写 District.load(…).replace(homes=表, …)；从头做一个，"
                    "把表用 to_file 存成文件，再用命令 xinhe-geo new 目录 --boundary … --homes … --streets …，"
                    "然后 District.load(目录)"
                )
            )
        return super().__new__(cls)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Say what a name that a district does not have is called, or that it is a function of the library."""
            if name.startswith("_"):
                raise AttributeError(name)
            if hasattr(type(self), name):  # it is there, but what it is made of has failed: with its own words
                object.__getattribute__(self, name)
            known = [known for known in dir(type(self)) if not known.startswith("_")]
            raise AttributeError(
                say("{0}；分析是函数，如 xh.coverage(district)", no_such_name(name, known, "District"))
            )

    def __repr__(self) -> str:
        """In one line: name, year, CRS, how many of what, and whether it is a demonstration."""
        return short(self)

    def _repr_html_(self) -> str:
        """In a notebook: its layers, what they rest on, what is complete, and a small map."""
        return page(self)

    def __getstate__(self) -> dict[str, Any]:
        """Go to another process without what is derived; the network takes longer to build than to send."""
        plain = ("year", "list_year", "folder", "files", "with_planned", "with_unchecked", "problems", "_mapped_before")
        kept = {f: getattr(self, f) for f in (*plain, "ground", "_built", "moved", "arrived", "parted")}
        made = {"network": self.__dict__["network"]} if "network" in self.__dict__ else {}
        return {**kept, **made, "manifest": dict(self.manifest), "_rows": dict(self._rows)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Freeze again what came from another process."""
        frozen = {name: MappingProxyType(state[name]) for name in ("manifest", "_rows")}
        self.__dict__.update({**state, **frozen, "memo": {}})

    # --- opening

    @staticmethod
    def load(path: str | Path | None = None) -> District:
        """
        Open a district folder.

        Parameters
        ----------
        path
            A folder with `district.toml`; None opens the bundled demonstration district.

        Returns
        -------
        District
            In the year of its data (`data_year`), every layer in its metric CRS.

        Raises
        ------
        DataError
            With *every* problem of *every* layer in `.problems` (layer, file, row, field, problem, remedy).
        """
        folder = bundled_folder() if path is None else path_given(path)
        with work(say("打开街道目录"), len(LAYERS)) as step:
            manifest, rows, files, problems = read_folder(folder, step)
        if any(p.severity == "error" for p in problems):
            whole = all(p.layer != "district.toml" for p in problems if p.severity == "error")
            found = problems_table(guarded_problems(problems, manifest))
            raise DataError(found, folder.name, say(MEANWHILE) if whole else "")
        if secret := secret_layers(manifest):
            marks = {name: {"secrecy": mark} for name, mark in secret.items()}
            cleared = str(manifest["secret_outputs"]) if is_cleared(manifest) else ""
            _SECRETS_OPENED[str(folder.resolve())] = {"layers": marks, "secret_outputs": cleared}
        year = int(manifest["data_year"])
        return District(
            manifest=MappingProxyType(manifest),
            year=year,
            list_year=int(manifest.get("community_list_year", year)),
            folder=folder,
            files=files,
            problems=problems_table(problems),
            _rows=MappingProxyType(rows),
        )

    @well_called
    def at(self, year: int, *, planned: bool = False, communities: int | None = None) -> District:
        """
        Return this district as it stands in another year.

        Parameters
        ----------
        year
            Homes and streets there then, facilities open then.
        planned
            Count planned facilities whose year has come as open. They never count unless asked for.
        communities
            Year of the list of communities; unchanged by default.

        Returns
        -------
        District
            Another one; this one stays as it was.

        Raises
        ------
        UnknownNameError
            Not a year between 1900 and 2200.
        """
        if not 1900 <= (int(year) if is_whole(year) or str(year).isdecimal() else 0) <= 2200:
            raise UnknownNameError("年份", str(year), (thing("1900—2200 之间的整数"),))
        state = int(year), bool(planned), int(communities or self.list_year)
        if state == (self.year, self.with_planned, self.list_year):
            return self
        if ("at", *state) not in self.memo:  # the same state is the same district, with all that was derived from it
            ground = self.ground and self.ground.at(year, planned=planned, communities=communities)
            made = replace(self, year=state[0], with_planned=state[1], list_year=state[2], ground=ground)
            nearest = self.at(state[0], communities=state[2]) if state[1] and not self.with_planned else self
            then = (other.at(year, planned=planned, communities=communities) for other in self._origins)
            years = [known for key, known in self.memo.items() if isinstance(key, tuple) and key[0] == "at"]
            self.memo["at", *state] = made.akin_to(nearest, *then, *years)
        found: District = self.memo["at", *state]
        return found

    def akin_to(self, *others: District) -> District:
        """
        Note districts that this one was made from, or beside: what is the same there need not be derived again (`kin`).

        Parameters
        ----------
        others
            Any districts; what differs is found by comparing rows, so that none of them can make a number wrong.

        Returns
        -------
        District
            This one.
        """
        self.__dict__["_origins"] = (*self._origins, *others)
        return self

    @property
    def _origins(self) -> tuple[District, ...]:
        found: tuple[District, ...] = self.__dict__.get("_origins", ())
        return found

    def kin(
        self, layers: Iterable[str], kinds: Iterable[str] | None = None, *, state: bool = False, year: bool = True
    ) -> District | None:
        """
        Return a district this one was made from, where what is derived from some layers is the same there.

        A plan, or another year, leaves most of a district as it was: what rests on that alone need not be derived again.

        Parameters
        ----------
        layers
            What it is derived from, and which state of which year; "facilities" stands for all of them.
        kinds
            Kinds of facilities it is derived from besides; None where it rests on none.
        state
            Whether the year, the list of communities and what is known of the kinds must be the same too.
        year
            Of these also the year.

        Returns
        -------
        District or None
            None where one of the layers, or a facility of the kinds, is another one, or nothing is known of where this district
            came from.
        """
        names, asked = tuple(layers), None if kinds is None else set(kinds)
        for origin in self._origins:
            if state and self._state[not year :] != origin._state[not year :]:
                continue
            if not self._unlike(origin).isdisjoint(names):
                continue
            if "streets" in names and not self._stands_as_in(origin, names):
                continue
            if asked is None or self._changed_kinds(origin).isdisjoint(asked):
                return origin
        return None

    @cached_property
    def _state(self) -> tuple[object, ...]:
        return self.year, self.list_year, self.with_unchecked, self._known_kinds

    def _stands_as_in(self, origin: District, layers: tuple[str, ...]) -> bool:
        """Return whether what stood before any plan, to which doors and walls are held, is the same for both."""
        if "gates" in layers and self.walled_homes != origin.walled_homes:
            return False
        first = origin.ground or (origin if self.ground is origin else None)
        return self.ground is first or (
            self.ground is not None and first is not None and self.ground.kin(layers) is first
        )

    def _unlike(self, origin: District) -> frozenset[str]:
        """Return the layers and tables that are not as in another district."""
        key = ("unlike", id(origin))  # both live as long as this district
        if key not in self.memo:
            here, there = ({**d._rows, **d.layers} for d in (self, origin))
            pairs = ((name, here.get(name), there.get(name)) for name in {*here, *there})
            self.memo[key] = frozenset(
                name for name, a, b in pairs if a is not b and (a is None or b is None or not _equal(a, b))
            )
        found: frozenset[str] = self.memo[key]
        return found

    def _changed_kinds(self, origin: District) -> frozenset[str]:
        """Return the kinds of facilities of which any is not as in another district; all, in another order."""
        key = ("changed kinds", id(origin))
        if key not in self.memo:
            self.memo[key] = self._find_changed_kinds(origin)
        changed: frozenset[str] = self.memo[key]
        return changed

    def _find_changed_kinds(self, origin: District) -> frozenset[str]:
        frames = [d._rows[name] for d in (origin, self) for name in _PLANNED if name in d._rows]
        kinds = [frame["kind"].to_numpy(object) for frame in frames]
        changed: set[str] = set()
        if (self.year, self.with_unchecked) != (origin.year, origin.with_unchecked):
            serving = [d.open_facilities for d in (origin, self)]  # of another year walks alone are taken over
            ids = _changed_ids(*serving)
            if ids is None:
                return frozenset(map(str, np.concatenate(kinds)))
            return frozenset(
                str(k) for frame in serving if frame is not None for k in frame["kind"][frame.index.isin(ids)]
            )
        for name in _PLANNED:
            ids = _changed_ids(origin._rows.get(name), self._rows.get(name))
            if ids is None:
                return frozenset(map(str, np.concatenate(kinds)))
            # a row of one's own hides that of the same id: where it goes the other comes back
            changed |= {str(k) for frame, own in zip(frames, kinds, strict=True) for k in own[frame.index.isin(ids)]}
            if self.with_planned != origin.with_planned and name in self._rows:
                rows = self._rows[name]
                due: np.ndarray = ((rows["state"] == "planned") & (rows["since"] <= self.year)).to_numpy(
                    dtype=bool, na_value=False
                )
                changed |= set(map(str, self._rows[name]["kind"][due]))
        return frozenset(changed)

    @property
    def rows(self) -> Mapping[str, pd.DataFrame]:
        """All rows of all layers and tables, whatever their year; index: the layer's key."""
        return _Shared(self._rows)

    def with_rows(
        self,
        rows: Mapping[str, pd.DataFrame | None],
        *,
        scenario: str = "",
        built: Mapping[str, bool] = _NOTHING_BUILT,
        moved: Mapping[str, float] = _NOBODY_MOVED,
        arrived: Mapping[str, Mapping[str, float]] = _NOBODY_CAME,
    ) -> District:
        """
        Return this district with other rows, as a scenario makes them.

        Parameters
        ----------
        rows
            Per layer or table: its rows, as in `rows` (layers in `crs`, metres; index: the layer's key); None: it is gone. Every
            other one stays as it is.
        scenario
            Name of the plan; it is printed with every number. What stood there before the plan keeps its ways to the street;
            without a name the rows correct the data, and everything is attached to them.
        built
            Homes that the plan builds, and whether with gates.
        moved, arrived
            How many people left ("out"), returned ("back") and came ("new") by the plan; who came to which home.

        Returns
        -------
        District
            Another one; rows are taken as they are, nothing is checked again.

        Raises
        ------
        WrongValueError
            `rows` is no mapping.
        """
        if not isinstance(rows, Mapping):
            raise WrongValueError(say("rows 要写 {{图层: 表}}，如 {{'homes': homes}}，不是 {0}", type(rows).__name__))
        manifest = MappingProxyType({**self.manifest, "scenario": scenario}) if scenario else self.manifest
        before = self._mapped_before | (self.mapped_kinds if scenario else frozenset())
        ground = (self.ground or self) if scenario else self.ground
        # what is as it was stays the same frame: nothing that rests on it alone is read off or compared again
        same = {
            name: own for name, own in self._rows.items() if (new := rows.get(name)) is not None and new.equals(own)
        }
        whole = {name: frame for name, frame in {**self._rows, **rows, **same}.items() if frame is not None}
        made = replace(self, _rows=MappingProxyType(whole), manifest=manifest, _mapped_before=before, ground=ground)
        people = {what: self.moved.get(what, 0.0) + moved.get(what, 0.0) for what in {*self.moved, *moved}}
        came = {**self.arrived, **arrived}
        return replace(made, _built={**self._built, **built}, moved=people, arrived=came).akin_to(self)

    def with_parted(self, parted: Mapping[tuple[str, str], Mapping[str, float]]) -> District:
        """
        Return this district knowing what a plan has divided.

        Parameters
        ----------
        parted
            By layer and key: into what, each with its share (missing for parcels).

        Returns
        -------
        District
            This one where nothing was.
        """
        return replace(self, parted={**self.parted, **parted}).akin_to(*self._origins) if parted else self

    def parts_of(self, layer: str, key: str) -> dict[str, float]:
        """
        Return what a parcel or home has been divided into by a plan, be it in several steps.

        Parameters
        ----------
        layer, key
            "parcels" or "homes", and its id before.

        Returns
        -------
        parts
            Ids with their share of the whole; the key itself, with 1, where it was not divided.
        """
        found: dict[str, float] = {}
        for piece, share in self.parted.get((layer, key), {}).items():
            found |= {own: part * share for own, part in self.parts_of(layer, piece).items()}
        return found or {key: 1.0}

    def replace(self, **layers: pd.DataFrame | None) -> District:
        """
        Return this district with other rows in some layers, judged as a folder's are; every other layer stays.

        Parameters
        ----------
        layers
            Per layer or table its rows (`homes=frame`): the key as a column or the index, in any CRS; None takes it away. Rows that
            are new, or not as they were, and say nothing of their `basis` are taken as unstated. Columns that the layer does not
            have (docs/data-dictionary.md) are left out, with a warning; jobs, beds or seats are `capacity` and `capacity_unit`.

        Returns
        -------
        District
            Another one.

        Raises
        ------
        UnknownNameError
            No such layer.
        DataError
            Everything that is wrong with the frames, in `.problems`: CRS, keys, columns, types, geometry, and codes of what is not
            there.

        Examples
        --------
        >>> import xinhe_geo as xh
        >>> toy = xh.District.load("tests/toy")
        >>> fewer = toy.replace(facilities=toy.facilities.drop("F1"))
        >>> len(toy.facilities), len(fewer.facilities), len(fewer.homes)
        (5, 4, 5)
        """
        for name in layers:
            if name not in LAYERS:
                raise UnknownNameError("图层", name, list(LAYERS))
        given = {name: frame for name, frame in layers.items() if frame is not None}
        for name, frame in given.items():
            if isinstance(frame, pd.DataFrame) and (left := left_out(LAYERS[name], frame)):
                warnings.warn(left, stacklevel=2)
        rows, problems = judged(
            given, {k: v for k, v in self._rows.items() if k not in layers}, self.manifest, self.folder
        )
        if problems:
            raise DataError(problems_table(guarded_problems(problems, self.manifest)), self.name)
        stated = {name: _stated(self._rows.get(name), frame) for name, frame in rows.items()}
        return self.with_rows({**layers, **stated})

    def walking_on(self, network: WalkNetwork | Graph) -> District:
        """
        Return this district with a network of one's own in place of its streets.

        Parameters
        ----------
        network
            A `WalkNetwork` in `crs`, or a graph of OSMnx in any. What its streets rest on is unstated; one without a class is a
            `road`, OpenStreetMap's word for a way whose class nobody has said.

        Returns
        -------
        District
            Another one: walks go along the network as it is; its edges are the layer `streets`; own links and closures are gone.

        Raises
        ------
        DataError
            The network lies elsewhere, or has lanes of homes that are not there.
        NetworkError
            A graph without a CRS, a network in another one, or nothing to walk on.
        ValueError
            Neither a network nor a graph.
        """
        own = network_of(network, crs=self.crs)
        if own.crs != self.crs:
            raise NetworkError(
                say("路网的坐标系 {0} 不是街道的 {1}；用 from_graph(G, crs=街道.crs) 建", own.crs.to_string(), self.crs)
            )
        edges = own.edges
        lines = edges[["name", "class", "wait_s", "steps", "home", "geometry"]]
        lines = lines.assign(street=[f"{street}#{i}" for i, street in enumerate(edges["street"])])
        lines["class"] = lines["class"].fillna("road")
        gone = {name: None for name in ("extra_links", "closures") if name in self._rows}
        made = self.replace(streets=lines, **gone)
        made.__dict__["network"] = own
        return made

    def counting_unchecked(self) -> District:
        """
        Return this district as if every facility that nobody has looked at yet were what the map says.

        Returns
        -------
        District
            Another one, in which what is `unchecked` is open: what comes out of it is an upper end, never what is known.
        """
        ground = self.ground and self.ground.counting_unchecked()
        return replace(self, with_unchecked=True, ground=ground).akin_to(self)

    @well_called
    def scenario(self, name: str | Path | Scenario) -> Scenario:
        """
        Return a scenario of this district's folder; see `Scenario`.

        Parameters
        ----------
        name
            The name of its file (`scenarios/NAME.toml`), its label, or a TOML file anywhere; a `Scenario` stays the same plan.

        Returns
        -------
        Scenario
            `.on(district)` carries it out; it knows whose it is (`xh.balance`).

        Raises
        ------
        UnknownNameError
            No such scenario.
        ScenarioError
            The file cannot be read as a scenario.
        SourceError
            It leads out of the folder, or is marked as more secret than the district is.
        """
        plan = name if isinstance(name, Scenario) else Scenario.read(self._plan_file(name))
        plan.refuse_marked(self.manifest)
        return replace(plan, district=self)

    def _plan_file(self, name: Named | Path) -> Path:
        if isinstance(name, Path) or (isinstance(name, str) and name.endswith(".toml")):
            found = Path(name)
        else:
            files = plan_files(self.folder)
            labels = [] if name in files else [label_of(path) for path in files.values()]
            known = pd.DataFrame({"label": pd.Series(labels or list(files), index=list(files), dtype="str")})
            found = files[meant("方案", name, known)[1]]
        refuse_titles(self.manifest, [found.stem], "方案")
        return found

    # --- what is in it

    @property
    def name(self) -> str:
        """Name printed on maps and tables."""
        return str(self.manifest["name"])

    @property
    def code(self) -> str:
        """Statistical code: districts are joined by it, never by name."""
        return str(self.manifest.get("code", ""))

    @property
    def crs(self) -> str:
        """The projected CRS in metres that everything is computed in."""
        return str(self.manifest["crs"])

    @property
    def surveyed_kinds(self) -> frozenset[str]:
        """Kinds of which somebody says that all of them are there: for any other kind no features means 数据不足, not 0."""
        return self._known_kinds[0]

    @property
    def mapped_kinds(self) -> frozenset[str]:
        """Kinds of which some are there, from a map, and nobody knows how many are missing: who lacks them cannot be said."""
        return self._known_kinds[1]

    @property
    def known_list_year(self) -> int | None:
        """Of which year the list of communities is, where somebody has said; the year of the data is only what stands in for it."""
        told = "community_list_year" in self.manifest or self.list_year != self.manifest["data_year"]
        return self.list_year if told else None

    @cached_property
    def drawn_kinds(self) -> frozenset[str]:
        """Kinds of `mapped_kinds` that a map has shown: the manifest lists them so, or a facility has it for its basis."""
        facilities = self.layers.get("facilities")
        shown = set() if facilities is None else set(facilities["kind"][(self.basis("facilities") == "osm").to_numpy()])
        return self.mapped_kinds & (shown | set(self.manifest.get("mapped_kinds", ())))

    def key(self, layer: str, said: Named) -> str:
        """
        Return the code of what is meant: a kind, a home, a facility, a community, a parcel, a rule ….

        Parameters
        ----------
        layer
            The layer or table it stands in, as in `rows`: "kinds", "homes", "facilities", "communities", "parcels" ….
        said
            Its code, its name (in Chinese or English, width, blanks and brackets do not matter), or its row. A row of another table
            counts by its column of that name: `kind` of a facility, `home` of a gate.

        Returns
        -------
        key
            Index of the layer or table.

        Raises
        ------
        UnknownNameError
            No such thing, with the three that are most like it; or several of that name, with their codes.
        """
        if layer not in LAYERS:
            raise UnknownNameError("图层", layer, list(LAYERS))
        table = self.layers.get(layer) if LAYERS[layer].geometry else self._rows.get(layer)
        none = pd.DataFrame(index=pd.Index([], name=LAYERS[layer].key, dtype="str"))
        return meant(layer_name(layer).removesuffix("表"), said, none if table is None else table)[1]

    def completeness_of(self, kind: Named) -> str:
        """
        Say whether all facilities of a kind are there.

        Parameters
        ----------
        kind
            Code, name or row of a kind.

        Returns
        -------
        state
            "surveyed" (somebody says so), "mapped" (some were taken from a map; how many are missing is unknown) or "absent"
            (nothing is known of the kind).

        Raises
        ------
        UnknownNameError
            No such kind.
        """
        kind = self.key("kinds", kind)
        return SURVEYED if kind in self.surveyed_kinds else MAPPED if kind in self.mapped_kinds else ABSENT

    @cached_property
    def _known_kinds(self) -> tuple[frozenset[str], frozenset[str]]:
        """
        Return the kinds that were surveyed, and those seen on a map.

        A plan makes no kind complete: what it opens was put there by the planner, and says nothing of what is there besides.
        """
        facilities = self.layers.get("facilities")
        if facilities is None:
            basis = pd.Series(dtype="str", index=pd.Index([], dtype="str"))
        else:
            basis = pd.Series(self.basis("facilities").to_numpy(), index=pd.Index(facilities["kind"]))
        mapped = mapped_kinds(self.manifest, basis) | self._mapped_before
        declared = self.manifest.get("surveyed_kinds")
        if declared is None and self.manifest.get("schema") == 1:
            return frozenset(map(str, basis.index)) - mapped, mapped
        return frozenset(str(k) for k in declared or ()) - mapped, mapped

    @property
    def without(self) -> frozenset[str]:
        """Layers that the manifest says walks are counted without (`without`): none there, or left out knowingly."""
        return frozenset(str(name) for name in self.manifest.get("without", ()))

    @cached_property
    def layers(self) -> Mapping[str, gpd.GeoDataFrame]:
        """
        Declared layers in `crs`, as they stand in `year`; index: the layer's key.

        `streets` include the planner's `extra_links` (their ends joined to the streets they meet) and leave out what
        `closures` cover; `own_facilities` stand before `facilities` and replace those of the same id. A community, zone or area
        without a name is called by its key.
        """
        known = {name: self._layer_before(name) for name in self._rows if LAYERS[name].geometry}
        found = {name: self._layer(name) if frame is None else frame for name, frame in known.items()}
        if "streets" in found and known["streets"] is None:
            found["streets"] = merged_streets(found["streets"], found.get("extra_links"), found.get("closures"))
        own = found.get("own_facilities")
        if own is not None and known.get("facilities") is None:
            others = found.get("facilities")
            kept = None if others is None else others[~others.index.isin(own.index)]
            found["facilities"] = own if kept is None or kept.empty else pd.concat([own, kept])
        return MappingProxyType(found)

    def _layer_before(self, name: str) -> gpd.GeoDataFrame | None:
        """Return a layer as a district that this one was made from has it, where it is made of the same rows; None where there is none."""
        for origin in self._origins:
            when = ((d.year, d.list_year, d.with_planned, d.with_unchecked) for d in (self, origin))
            alike = all(self._rows.get(part) is origin._rows.get(part) for part in (name, *_MADE_WITH.get(name, ())))
            if alike and "layers" in vars(origin) and eq(*when):
                return origin.layers[name]
        return None

    def _layer(self, name: str) -> gpd.GeoDataFrame:
        frame = at_year(LAYERS[name], self._rows[name], self.list_year if name == "communities" else self.year)
        if name in _CALLED and frame["name"].isna().any():
            frame = frame.assign(name=frame["name"].fillna(frame.index.to_series()))
        if name in ("facilities", "own_facilities") and self.with_planned:
            state = frame["state"].where(~((frame["state"] == "planned") & frame["since"].notna()), "open")
            frame = frame.assign(state=state)
        if name in ("facilities", "own_facilities"):
            # it is in their state, or, where that is blank, in the remark of an importer; who has looked signs
            nobody = frame["checked_by"].isna()
            said = frame["state"] == UNCHECKED
            noted = frame["state"].isna() & frame["note"].fillna("").str.startswith(TO_CONFIRM)
            unchecked, checked = (said | noted) & nobody, said & ~nobody
            if unchecked.any() or checked.any():
                state = frame["state"].mask(unchecked, "open" if self.with_unchecked else UNCHECKED)
                frame = frame.assign(state=state.mask(checked, "open"))
        return frame

    def _get(self, name: str) -> gpd.GeoDataFrame | None:
        frame = self.layers.get(name)
        return None if frame is None else frame.copy(deep=False)

    @property
    def boundary(self) -> gpd.GeoDataFrame | None:
        """
        The district's own outline.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("district")

    @property
    def zones(self) -> gpd.GeoDataFrame | None:
        """
        老城区 and 新城区, or whatever zones the folder has.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("zones")

    @property
    def areas(self) -> gpd.GeoDataFrame | None:
        """
        片区.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("areas")

    @property
    def communities(self) -> gpd.GeoDataFrame | None:
        """
        Communities of `list_year`.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("communities")

    @property
    def parcels(self) -> gpd.GeoDataFrame | None:
        """
        Renewal parcels.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("parcels")

    @property
    def barriers(self) -> gpd.GeoDataFrame | None:
        """
        Lines nobody walks across: expressways, railways, canals, walls.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("barriers")

    @property
    def homes(self) -> gpd.GeoDataFrame | None:
        """
        Residential compounds (or cells, or buildings): polygons or points.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("homes")

    @property
    def gates(self) -> gpd.GeoDataFrame | None:
        """
        Gates of the compounds.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("gates")

    @property
    def facilities(self) -> gpd.GeoDataFrame | None:
        """
        All facilities of `year`, whatever their state; see `open_facilities`.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("facilities")

    @property
    def open_facilities(self) -> gpd.GeoDataFrame | None:
        """
        Facilities that serve in `year`: open, or planned and due where `with_planned`; none that is still to be checked.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        if "open" not in self.memo:
            frame = self.layers.get("facilities")
            self.memo["open"] = None if frame is None else frame[frame["state"].fillna("open") == "open"]
        found: gpd.GeoDataFrame | None = self.memo["open"]
        return None if found is None else found.copy(deep=False)

    @property
    def entrances(self) -> gpd.GeoDataFrame | None:
        """
        Entrances of facilities.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("entrances")

    @property
    def streets(self) -> gpd.GeoDataFrame | None:
        """
        Streets one can walk on, residents' lanes included.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        return self._get("streets")

    @cached_property
    def network(self) -> WalkNetwork:
        """The walk network of `streets`, built once; after a plan places keep the feet that they had before it."""
        streets = self.streets
        if streets is None:
            raise DataError(
                problems_table(
                    [
                        Problem(
                            "error",
                            "streets",
                            MANIFEST,
                            "",
                            "layers.streets",
                            say("没有声明街道图层"),
                            say("在 district.toml 里声明 [layers.streets]"),
                        )
                    ]
                ),
                self.folder.name,
            )
        same = self.kin(("streets",))
        if same is None and self.ground is not None and streets.equals(self.ground.streets):
            same = self.ground
        if same is not None:
            network: WalkNetwork = same.network
            return network
        with work(say("建步行网络"), 1) as step:
            step(say("{0:,} 段街道", len(streets)))
            made = WalkNetwork.from_streets(streets)
        return made if self.ground is None or self.ground.streets is None else made.after(self.ground.network)

    @cached_property
    def walled_homes(self) -> frozenset[str]:
        """
        Homes that are left by gates only: whose gates are in the layer.

        A gate that a plan opens in a home without known ones leaves all its other ways out as they are; a home whose known
        gates are all gone from the layer is attached like one without.
        """
        then = self if self.ground is None else self.ground
        gates = [d.layers.get("gates") for d in (self, then)]
        now, were = (set() if own is None else {*own["home"].tolist()} for own in gates)
        known = {home for home in were & now if home not in self._built}
        return frozenset(map(str, known | {home for home in now if self._built.get(str(home), False)}))

    # --- tables

    @property
    def kinds(self) -> pd.DataFrame:
        """Facility kinds; index kind; columns `label`, `group`, `essential`, `rule` (its headline rule) …."""
        return self._rows["kinds"].copy(deep=False)

    @property
    def profiles(self) -> pd.DataFrame:
        """Who walks; index profile; columns `label`, `speed_m_s` (metres per second), `steps`, `waits` (a factor), `source`."""
        return self._rows["profiles"].copy(deep=False)

    @property
    def rules(self) -> pd.DataFrame:
        """Rules of every set; index rule; columns `set`, `label`, `kinds`, `method`, `metres`, `minutes`, `profile`, `denominator`, `confidence` …."""
        return self._rows["rules"].copy(deep=False)

    def profile(self, name: Named) -> Profile:
        """
        Return a profile by code, name or row; a `Profile` is returned as it is.

        Parameters
        ----------
        name
            Of `profiles`, such as "adult" or "老年人".

        Returns
        -------
        Profile
            Speed in metres per second.

        Raises
        ------
        UnknownNameError
            No such profile, or several that are called so.
        """
        if isinstance(name, Profile):
            return name
        table = self._rows["profiles"]
        name = meant("步行人群", name, table)[1]
        if ("profile", name) not in self.memo:
            self.memo["profile", name] = self._read_profile(name)
        profile: Profile = self.memo["profile", name]
        return profile

    def _read_profile(self, name: str) -> Profile:
        row = self._rows["profiles"].loc[name]
        waits = 1.0 if pd.isna(row["waits"]) else float(row["waits"])
        source = "" if pd.isna(row["source"]) else str(row["source"])
        return Profile(name, str(row["label"]), float(row["speed_m_s"]), bool(row["steps"]), waits, source)

    def rule(self, name: Named) -> Rule:
        """
        Return a rule by code, name or row, or the one that leads a kind; of a `Rule` the kinds are looked up.

        Parameters
        ----------
        name
            Of `rules`, or of a kind that has a rule of its own (`rule` of `kinds`).

        Returns
        -------
        Rule
            Limits in metres and minutes.

        Raises
        ------
        UnknownNameError
            No such rule or kind, or a kind without a rule of its own.
        """
        if isinstance(name, Rule):
            labels = self._rows["kinds"]["label"]
            if name.label and all(kind in labels.index for kind in name.kinds):
                return name
            kinds = tuple(self.key("kinds", kind) for kind in name.kinds)
            limit = f"{name.minutes:g} 分钟" if name.method == "walk_min" else f"{name.metres:g} 米"
            return replace(name, kinds=kinds, label=name.label or f"{'、'.join(map(str, labels[list(kinds)]))} {limit}")
        key = name if isinstance(name, str) and name in self._rows["rules"].index else self._rule_meant(name)
        if key not in self._rules_read:
            self._rules_read[key] = self._read_rule(key)
        return self._rules_read[key]

    @cached_property
    def _rules_read(self) -> dict[str, Rule]:
        """The rules read so far: one collection for all districts whose tables say the same of them."""
        origin = self.kin(("rules", "commitments"))
        return {} if origin is None or origin.files is not self.files else origin._rules_read

    def _rule_meant(self, said: Named) -> str:
        """Return the rule that is named, or that leads the kind that is."""
        rules, kinds = self._rows["rules"], self._rows["kinds"]
        is_kind, key = meant("规则或设施类别", said, rules, kinds)
        if not is_kind:
            return key
        leading = kinds.at[key, "rule"]
        if isinstance(leading, str) and leading in rules.index:
            return leading
        own = rules.index[[key in str(cell).split(";") for cell in rules["kinds"]]]
        label = cell(kinds.loc[key], "label")
        raise UnknownNameError(say("领头规则（kinds.csv 的 rule 列没有填）：{0}", label), key, list(own))

    def _read_rule(self, name: str) -> Rule:
        row = self._rows["rules"].loc[name]
        text = {c: "" if pd.isna(row[c]) else str(row[c]) for c in ("standard", "clause", "source")}
        return Rule(
            name=name,
            label=str(row["label"]),
            kinds=tuple(str(row["kinds"]).split(";")),
            method=str(row["method"]),
            metres=float(row["metres"]),
            minutes=float(row["minutes"]),
            profile=str(row["profile"]),
            denominator=str(row["denominator"]),
            confidence=str(row["confidence"]),
            tier_min=None if pd.isna(row["tier_min"]) else int(row["tier_min"]),
            metric=str(row["metric"]),
            elsewhere=name in self._promised_elsewhere,
            of_plan=self.has_own_plan
            and self.has_own_rules
            and name not in self._promised_elsewhere
            and str(row["set"]) == "plan"
            and str(row["confidence"]) == "read",
            **text,
        )

    @property
    def has_own_plan(self) -> bool:
        """Whether the folder has commitments of its own: the bundled ones are another district's."""
        return "commitments" in self.files.index and self.files.at["commitments", "from"] == OWN

    @property
    def has_own_rules(self) -> bool:
        """Whether the folder has a table of rules of its own; only such rules can be what its own plan says."""
        return "rules" in self.files.index and self.files.at["rules", "from"] == OWN

    @cached_property
    def has_own_goals(self) -> bool:
        """Whether its own plan says any of its rules: commitments alone do not make the program's yardsticks goals of this place."""
        return any(self.rule(str(name)).of_plan for name in self._rows["rules"].index)

    @cached_property
    def _promised_elsewhere(self) -> frozenset[str]:
        """
        Return the rules that another place's plan promises: those of the plan that comes with the program, where it is not this one's.

        A row that was copied from there into a table of one's own is no better for it, unless somebody has verified it for this place.
        """
        if self.has_own_plan and shared_promises(self._rows["commitments"]):
            return frozenset()
        rules, theirs = self._rows["rules"], rows_of_the_program("rules")
        plan = theirs["standard"][((theirs["set"] == "plan") & (theirs["confidence"] == "read")).to_numpy()].dropna()
        named = rules["standard"].isin(plan)
        return frozenset(rules.index[named & rules["verified_by"].isna()] if self.has_own_rules else rules.index[named])

    # --- groups and basis

    @cached_property
    def groups(self) -> pd.DataFrame:
        """
        Which zone, area (片区), community and grid cell each home is in: index home, one column per grouping layer.

        A code typed on the home wins where the list of `list_year` knows it; otherwise the position decides (a point that
        lies well inside the home). A home in none has a missing value.
        """
        homes = self.homes
        if homes is None:
            return pd.DataFrame(index=pd.Index([], name="home"))
        return self.locate(homes)

    def locate(self, frame: gpd.GeoDataFrame) -> pd.DataFrame:
        """
        Say in which zone, area, community and grid cell each row lies.

        Parameters
        ----------
        frame
            Any shapes in `crs`; a code in a column `zone`, `area`, `community` or `grid` wins where the layer knows it.

        Returns
        -------
        table
            Index as `frame`; columns `zone`, `area`, `community`, `grid`; missing where in none. Shapes count where a point
            well inside them lies.
        """
        return pd.DataFrame({column: self._located(frame, layer) for layer, column in _GROUPS.items()})

    def _located(self, frame: gpd.GeoDataFrame, layer: str) -> pd.Series:
        areas, column = self.layers.get(layer), _GROUPS[layer]
        if areas is None:
            return pd.Series(np.nan, index=frame.index, dtype="str")
        inside = _within(shapely.point_on_surface(frame.geometry.to_numpy()), areas)
        position = pd.Series(inside, index=frame.index, dtype="str")
        if column not in frame.columns:
            return position
        typed = frame[column].where(frame[column].isin(areas.index))
        return typed.where(typed.notna(), position)

    def serving(self, frame: gpd.GeoDataFrame) -> pd.DataFrame:
        """
        Say which communities each facility serves: what the books say of it, before where it lies.

        Parameters
        ----------
        frame
            Facilities in `crs`. The codes in `serves_community` count where the list of `list_year` knows one of them, else the
            code in `community`, else where a point well inside the shape lies.

        Returns
        -------
        table
            A row per facility and community it serves: `facility` (index of `frame`), `community`, `by` ("serves_community",
            "community" or "position"). Facilities that serve no community have no row.
        """
        at = self._located(frame, "communities")
        own = frame["community"] if "community" in frame else pd.Series(index=frame.index, dtype="str")
        codes = set(self.layers["communities"].index) if "communities" in self.layers else set()
        by = np.where(own.isin(codes), "community", "position")
        table = pd.DataFrame({"facility": frame.index, "community": at.to_numpy(object), "by": by})
        if "serves_community" in frame:
            cells = [text if isinstance(text, str) else "" for text in frame["serves_community"]]
            lists = [[code for code in listed(text) if code in codes] for text in cells]
            some = np.array([len(own) > 0 for own in lists], dtype=bool)
            if some.any():
                table["community"] = table["community"].where(~some, pd.Series(lists))
                table["by"] = table["by"].mask(some, "serves_community")
                table = table.explode("community").drop_duplicates(["facility", "community"], ignore_index=True)
        return table[table["community"].notna()].reset_index(drop=True)

    def basis(self, layer: str) -> pd.Series:
        """
        Return what each row of a layer rests on.

        Parameters
        ----------
        layer
            A layer or table that is there.

        Returns
        -------
        basis
            Index: the layer's key; surveyed, official, osm, derived, unstated, schematic or synthetic: the row's own, or its
            layer's from the manifest.

        Raises
        ------
        KeyError
            The district has no such layer.
        """
        if ("basis", layer) not in self.memo:
            self.memo["basis", layer] = self._find_basis(layer)
        basis: pd.Series = self.memo["basis", layer]
        return basis.copy(deep=False)

    def _find_basis(self, layer: str) -> pd.Series:
        frame = self._rows[layer] if LAYERS[layer].geometry is None else self.layers[layer]
        if "basis" not in frame.columns:
            return pd.Series(self._default_basis(layer), index=frame.index)
        basis = frame["basis"].fillna(self._default_basis(layer))
        other = {"streets": "extra_links", "facilities": "own_facilities"}.get(layer, "")
        if other in self._rows:
            from_other = frame.index.isin(self._rows[other].index)
            basis = basis.where(~from_other | frame["basis"].notna().to_numpy(), self._default_basis(other))
        return basis

    def _default_basis(self, layer: str) -> str:
        return str(self.manifest.get("layers", {}).get(layer, {}).get("basis", "derived"))

    @cached_property
    def cells(self) -> str:
        """What cells the homes are, where they are cells and no compounds: "h3", "grid"; else ""."""
        homes = self.homes
        if homes is None or homes.empty:
            return ""
        said = str(self.manifest.get("layers", {}).get("homes", {}).get("cells", ""))
        return "h3" if not said and are_h3(homes.index) else said

    @cached_property
    def is_demonstration(self) -> bool:
        """Whether homes, streets or facilities rest on schematic or synthetic rows: nothing may be concluded from them."""
        core = [n for n in ("homes", "streets", "facilities", "communities") if n in self.layers]
        return any(self.basis(n).isin(DEMONSTRATION).any() for n in core)


#: Layers whose places are called by their names in every list.
_CALLED = ("communities", "zones", "areas")
#: Layers that group what lies in them, and what a column that says so is called.
_GROUPS = {"zones": "zone", "areas": "area", "communities": "community", "grid": "grid"}
#: Layers that stand in others.
_MADE_WITH = {"streets": ("extra_links", "closures"), "facilities": ("own_facilities",)}
#: Layers in which something may be planned.
_PLANNED = ("facilities", "own_facilities")


def _equal(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Return whether two layers or tables are equal, as `DataFrame.equals`, which compares shapes one by one."""
    if not (isinstance(a, gpd.GeoDataFrame) and a.columns.equals(b.columns) and a.index.equals(b.index)):
        return a.equals(b)
    columns = ((a[name], b[name]) for name in a.columns)
    return all(
        same.all() if (same := _same_shapes(here, there)) is not None else here.array.equals(there.array)
        for here, there in columns
    )


def _same_shapes(a: pd.Series, b: pd.Series) -> np.ndarray | None:
    """Return which shapes of two columns are the same; None where these are no columns of shapes."""
    if not (isinstance(a, gpd.GeoSeries) and isinstance(b, gpd.GeoSeries)):
        return None
    here, there = a.to_numpy(), b.to_numpy()
    same: np.ndarray = shapely.equals_identical(here, there) | (shapely.is_missing(here) & shapely.is_missing(there))
    return same


def _changed_ids(old: pd.DataFrame | None, new: pd.DataFrame | None) -> pd.Index | None:
    """Return the ids of rows that differ between two tables; None where the tables do, or the order of their rows."""
    if old is new:
        return pd.Index([], dtype="str")
    if old is None or new is None or not old.columns.equals(new.columns):
        return None
    a, b = old, new
    if not a.index.equals(b.index):
        a, b = old[old.index.isin(new.index)], new[new.index.isin(old.index)]
        if not a.index.equals(b.index):
            return None
    other = np.zeros(len(a), dtype=bool)
    for column in old.columns:
        here, there = a[column], b[column]
        same = _same_shapes(here, there)
        if same is None and here.array.equals(there.array):  # as most columns are
            continue
        if same is None:
            blank = here.isna().to_numpy() & there.isna().to_numpy()
            same = (here == there).to_numpy(dtype=bool, na_value=False) | blank
        other |= ~same
    return a.index[other].union(old.index.symmetric_difference(new.index))


def _stated(old: pd.DataFrame | None, new: pd.DataFrame) -> pd.DataFrame:
    """Return rows that say what they rest on: what is not as it was and does not say so is unstated."""
    if "basis" not in new.columns:
        return new
    if isinstance(old, gpd.GeoDataFrame) and old.index.is_unique:  # what came back from another CRS has not moved
        there, here = old.geometry.reindex(new.index).array, new.geometry.array
        same = shapely.equals_exact(there, here, tolerance=1e-3)
        new = new.set_geometry(gpd.GeoSeries(np.where(same, there, here), index=new.index, crs=new.crs))
    ids = _changed_ids(old, new)
    changed = np.ones(len(new), np.bool_) if ids is None else new.index.isin(ids)
    return new.assign(basis=new["basis"].mask(changed & new["basis"].isna().to_numpy(), UNSTATED))


def _within(points: np.ndarray, areas: gpd.GeoDataFrame) -> np.ndarray:
    """Return the index of the area each point lies in; the first by index where areas overlap; missing where none."""
    areas = (
        areas if areas.index.is_monotonic_increasing else areas.sort_index()
    )  # as it is it keeps its index of shapes
    point, area = areas.sindex.query(points, predicate="intersects")
    # areas are sorted by id, so the first hit of a point is the one with the least id
    order = np.lexsort((area, point))
    first = order[np.unique(point[order], return_index=True)[1]]
    found = np.full(len(points), np.nan, dtype=object)
    found[point[first]] = np.asarray(areas.index)[area[first]]
    return found
