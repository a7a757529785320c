"""
Opens a district folder, judges it once, projects it once.

Past this door data is trusted: nothing downstream checks a column again. `District` is frozen, and hands out shallow
copies (pandas copies on write), so that nothing a caller does to a frame changes the district.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyproj
import shapely

from .errors import DataError, Problem, UnknownNameError, problems_table, text_words
from .layers import (
    BASES,
    DEMONSTRATION,
    LAYERS,
    ON_THE_WAY,
    SCHEMA_VERSION,
    Layer,
    at_year,
    bundled_folder,
    secret_layers,
)
from .layers import check as check_rows
from .network import WalkNetwork
from .progress import work
from .values import Profile, Rule

MANIFEST = "district.toml"
_KEYS = {
    "schema", "name", "code", "crs", "data_year", "community_list_year", "surveyed_kinds", "survey_note", "credit",
    "secrecy", "made_by", "note", "layers", "publisher", "without",
    "secret_outputs",
}  # fmt: skip
_LAYER_KEYS = {"file", "crs", "basis", "source", "licence", "date", "secrecy", "note"}
#: Features farther than this from the district itself are in the wrong place, not merely outside it.
FAR_M = 50_000.0
#: Of every folder with a secret layer that this process has opened: what its manifest says of secrecy.
_SECRETS_OPENED: dict[str, dict[str, Any]] = {}
#: A metric CRS that stretches lengths by more than this at the district is the wrong one (3857 at 39 N: 29 %).
STRETCH = 0.005


def secrets_opened() -> list[dict[str, Any]]:
    """
    Return what the manifests of all secret districts that this process has opened say of secrecy.

    Frames do not know what they were computed from: whoever keeps everything a process has shown (a notebook's copy) asks
    here what mark it carries, and whether it may be kept.
    """
    return list(_SECRETS_OPENED.values())


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
    folder
        Where it was read from.
    files
        Per layer or table: file name and SHA-256.
    """

    manifest: Mapping[str, Any]
    year: int
    list_year: int
    folder: Path
    files: pd.DataFrame = field(repr=False)
    with_planned: bool = False
    #: What `check` says of the folder as it was read: warnings, for errors are refused.
    problems: pd.DataFrame = field(repr=False, default_factory=lambda: problems_table([]))
    _rows: Mapping[str, pd.DataFrame] = field(repr=False, default_factory=dict)
    #: Tables derived from this district, kept by who derives them; another year or scenario starts with none.
    memo: dict[Any, Any] = field(repr=False, init=False, default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Go to another process without what is derived; the network takes longer to build than to send."""
        kept = {f: getattr(self, f) for f in ("year", "list_year", "folder", "files", "with_planned", "problems")}
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
        folder = bundled_folder() if path is None else Path(path)
        with work("打开街道目录", len(LAYERS)) as step:
            manifest, rows, files, problems = _read(folder, step)
        if any(p.severity == "error" for p in problems):
            raise DataError(problems_table(problems), folder.name)
        if secret := secret_layers(manifest):
            marks = {name: {"secrecy": mark} for name, mark in secret.items()}
            cleared = str(manifest.get("secret_outputs", ""))
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
        if not 1900 <= int(year) <= 2200:
            raise UnknownNameError("年份", str(year), ("1900—2200 之间的整数",))
        return replace(self, year=int(year), with_planned=planned, list_year=int(communities or self.list_year))

    @property
    def rows(self) -> Mapping[str, pd.DataFrame]:
        """All rows of all layers and tables, whatever their year; index: the layer's key."""
        return MappingProxyType({name: frame.copy(deep=False) for name, frame in self._rows.items()})

    def with_rows(self, rows: Mapping[str, pd.DataFrame], *, scenario: str = "") -> District:
        """
        Return this district with other rows, as a scenario makes them.

        Parameters
        ----------
        rows
            Per layer or table: its rows, as in `rows` (layers in `crs`, metres; index: the layer's key).
        scenario
            Name of the plan; it is printed with every number.

        Returns
        -------
        District
            Another one; rows are taken as they are, nothing is checked again.
        """
        manifest = MappingProxyType({**self.manifest, "scenario": scenario}) if scenario else self.manifest
        return replace(self, _rows=MappingProxyType(dict(rows)), manifest=manifest)

    def scenario(self, name: str) -> Any:
        """
        Return a scenario of this district's folder; see `Scenario`.

        Parameters
        ----------
        name
            Its file is `scenarios/NAME.toml`.

        Returns
        -------
        Scenario
            `.on(district)` carries it out.

        Raises
        ------
        UnknownNameError
            No such scenario.
        ScenarioError
            The file cannot be read as a scenario.
        """
        known = sorted(p.stem for p in (self.folder / "scenarios").glob("*.toml"))
        if name not in known:
            raise UnknownNameError("方案", name, known)
        # A scenario knows districts, not the other way round: looked up only when asked for.
        module = importlib.import_module(".scenario", __package__)
        return module.Scenario.read(self.folder / "scenarios" / f"{name}.toml")

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
        """Kinds that were surveyed: for any other kind no features means 数据不足, not 0."""
        declared = self.manifest.get("surveyed_kinds")
        if declared is None:
            facilities = self.facilities
            return frozenset() if facilities is None else frozenset(facilities["kind"])
        return frozenset(str(k) for k in declared)

    @property
    def without(self) -> frozenset[str]:
        """Layers that the manifest says walks are counted without (`without`): none there, or left out knowingly."""
        return frozenset(str(name) for name in self.manifest.get("without", ()))

    @cached_property
    def layers(self) -> Mapping[str, gpd.GeoDataFrame]:
        """
        Declared layers in `crs`, as they stand in `year`; index: the layer's key.

        `streets` include the planner's `extra_links` (their ends joined to the streets they meet) and leave out what
        `closures` cover; `own_facilities` stand before `facilities` and replace those of the same id.
        """
        found = {name: self._layer(name) for name in self._rows if LAYERS[name].geometry}
        if "streets" in found:
            found["streets"] = _merged_streets(found["streets"], found.get("extra_links"), found.get("closures"))
        own = found.get("own_facilities")
        if own is not None:
            others = found.get("facilities")
            kept = None if others is None else others[~others.index.isin(own.index)]
            found["facilities"] = own if kept is None or kept.empty else pd.concat([own, kept])
        return MappingProxyType(found)

    def _layer(self, name: str) -> gpd.GeoDataFrame:
        frame = at_year(LAYERS[name], self._rows[name], self.list_year if name == "communities" else self.year)
        if name in ("facilities", "own_facilities") and self.with_planned:
            state = frame["state"].where(~((frame["state"] == "planned") & frame["since"].notna()), "open")
            frame = frame.assign(state=state)
        return frame

    def _get(self, name: str) -> Any:
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
        Facilities that serve in `year`: open, or planned and due where `with_planned`.

        Index: its key. Columns as in the data dictionary (docs/data-dictionary.md), geometry in `crs`; None where the folder has none.
        """
        frame = self._get("facilities")
        return None if frame is None else frame[frame["state"].fillna("open") == "open"]

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
        """The walk network of `streets`, built once."""
        streets = self.streets
        if streets is None:
            raise DataError(
                problems_table([Problem("error", "streets", MANIFEST, "", "layers.streets", "没有声明街道图层",
                                        "在 district.toml 里声明 [layers.streets]")]),
                self.folder.name,
            )  # fmt: skip
        with work("建步行网络", 1) as step:
            step(f"{len(streets):,} 段街道")
            return WalkNetwork.from_streets(streets)

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

    def profile(self, name: str | Profile) -> Profile:
        """
        Return a profile by name; a `Profile` is returned as it is.

        Parameters
        ----------
        name
            Index of `profiles`, such as "adult" or "elderly".

        Returns
        -------
        Profile
            Speed in metres per second.

        Raises
        ------
        UnknownNameError
            No such profile.
        """
        if isinstance(name, Profile):
            return name
        table = self._rows["profiles"]
        if name not in table.index:
            raise UnknownNameError("步行人群", name, list(table.index))
        row = table.loc[name]
        waits = 1.0 if pd.isna(row["waits"]) else float(row["waits"])
        source = "" if pd.isna(row["source"]) else str(row["source"])
        return Profile(name, str(row["label"]), float(row["speed_m_s"]), bool(row["steps"]), waits, source)

    def rule(self, name: str | Rule) -> Rule:
        """
        Return a rule by name; a `Rule` is returned as it is.

        Parameters
        ----------
        name
            Index of `rules`.

        Returns
        -------
        Rule
            Limits in metres and minutes.

        Raises
        ------
        UnknownNameError
            No such rule.
        """
        if isinstance(name, Rule):
            return name
        if ("rule", name) not in self.memo:
            self.memo["rule", name] = self._read_rule(name)
        rule: Rule = self.memo["rule", name]
        return rule

    def _read_rule(self, name: str) -> Rule:
        table = self._rows["rules"]
        if name not in table.index:
            raise UnknownNameError("规则", name, list(table.index))
        row = table.loc[name]
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
            **text,
        )

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
        points = gpd.GeoSeries(shapely.point_on_surface(frame.geometry.array), index=frame.index, crs=frame.crs)
        found = {}
        for layer, column in (("zones", "zone"), ("areas", "area"), ("communities", "community"), ("grid", "grid")):
            areas = self.layers.get(layer)
            if areas is None:
                found[column] = pd.Series(np.nan, index=frame.index, dtype="str")
                continue
            position = _within(points, areas)
            if column in frame.columns:
                typed = frame[column].where(frame[column].isin(areas.index))
                position = typed.where(typed.notna(), position)
            found[column] = position
        return pd.DataFrame(found)

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
            Index: the layer's key; measured, official, osm, derived, schematic or synthetic: the row's own, or its layer's
            from the manifest.

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
    def is_demonstration(self) -> bool:
        """Whether homes, streets or facilities rest on schematic or synthetic rows (DESIGN decision 8)."""
        core = [n for n in ("homes", "streets", "facilities", "communities") if n in self.layers]
        return any(self.basis(n).isin(DEMONSTRATION).any() for n in core)


def check(folder: str | Path | None = None) -> pd.DataFrame:
    """
    List every problem of a district folder; never raises for what is wrong with the data.

    Parameters
    ----------
    folder
        A folder with `district.toml`; None checks the bundled demonstration district.

    Returns
    -------
    problems
        One row per problem, empty where there is none. Columns `severity` (error, warning), `layer`, `file`, `row`,
        `field`, `problem`, `remedy` (Chinese).
    """
    return problems_table(_read(bundled_folder() if folder is None else Path(folder))[3])


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(
    folder: Path, step: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, Any], dict[str, pd.DataFrame], pd.DataFrame, list[Problem]]:
    """Read manifest, layers and tables; collect all problems."""
    problems: list[Problem] = []
    manifest = _read_manifest(folder, problems)
    declared = manifest.get("layers", {}) if isinstance(manifest.get("layers", {}), dict) else {}
    target = _metric_crs(manifest, problems)
    rows: dict[str, pd.DataFrame] = {}
    files = []
    for name, layer in LAYERS.items():
        step(layer.label)
        path, entry = folder, declared.get(name)
        if entry is None and layer.default:
            entry = _usual_entry(name)
            path = folder if (folder / entry["file"]).is_file() else bundled_folder()
        if entry is None:
            continue
        frame = _read_layer(path, layer, entry, target, problems)
        if frame is None:
            continue
        rows[name] = frame
        file = path / str(entry["file"])
        files.append(
            (name, str(entry["file"]), "本目录" if path.resolve() == folder.resolve() else "随程序", _sha256(file))
        )
    if target is not None:
        problems += _misplaced(rows, declared)
    problems += _orphans(rows, declared)
    problems += _unknown_kinds(manifest, rows, declared)
    table = pd.DataFrame(files, columns=["layer", "file", "from", "sha256"]).set_index("layer")
    return manifest, rows, table, problems


def _read_manifest(folder: Path, problems: list[Problem]) -> dict[str, Any]:
    path = folder / MANIFEST

    def wrong(field: str, problem: str, remedy: str, severity: str = "error") -> None:
        problems.append(Problem(severity, "district.toml", MANIFEST, "", field, problem, remedy))

    if not folder.is_dir():
        what = "是文件，不是文件夹" if folder.is_file() else "没有这个文件夹"
        wrong("", f"{what}：{folder.name or folder}", "检查路径有没有写错；路径里有空格时两边加引号")
        return {}
    if not path.is_file():
        wrong(
            "", f"文件不存在（{folder.name or folder}）", "每个街道目录都要有 district.toml，可照 data/district.toml 写"
        )
        return {}
    try:
        manifest = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        wrong("", f"读不懂：{text_words(error)}", "改正后再检查一次")
        return {}
    if manifest.get("schema") != SCHEMA_VERSION:
        wrong(
            "schema", f"版本是 {manifest.get('schema')}，本程序认得 {SCHEMA_VERSION}", f"写 schema = {SCHEMA_VERSION}"
        )
    if not str(manifest.get("name", "")).strip():
        wrong("name", "没有写街道名称", '写 name = "…街道"')
    if not isinstance(manifest.get("data_year"), int):
        wrong("data_year", "没有写数据年份", "写 data_year = 2022 这样的整数")
        manifest["data_year"] = 0
    layers = manifest.get("layers")
    if not isinstance(layers, dict) or not layers:
        wrong("layers", "没有声明任何图层", "至少声明 [layers.homes]、[layers.facilities]、[layers.streets]")
        manifest["layers"] = {}
    for key in sorted(set(manifest) - _KEYS):
        wrong(key, "不认识的项，已忽略", _nearest(key, _KEYS), "warning")
    _check_entries(manifest["layers"], wrong)
    _check_without(manifest, wrong)
    manifest["layers"] = {
        n: e for n, e in manifest["layers"].items() if n in LAYERS and isinstance(e, dict) and "file" in e
    }
    return manifest


def _check_entries(layers: Mapping[str, Any], wrong: Callable[..., None]) -> None:
    """Report what is wrong with the `[layers.*]` tables of a manifest."""
    for name, entry in layers.items():
        if name not in LAYERS:
            wrong(f"layers.{name}", "没有这种图层", _nearest(name, LAYERS))
        elif not isinstance(entry, dict) or "file" not in entry:
            wrong(f"layers.{name}.file", "没有写文件名", '写 file = "…"')
        else:
            for key in sorted(set(entry) - _LAYER_KEYS):
                wrong(f"layers.{name}.{key}", "不认识的项，已忽略", _nearest(key, _LAYER_KEYS), "warning")
            if LAYERS[name].geometry and entry.get("basis") not in BASES:
                wrong(f"layers.{name}.basis", f"依据类型是 {entry.get('basis')}", f"可选：{'、'.join(BASES)}")


def _check_without(manifest: dict[str, Any], wrong: Callable[..., None]) -> None:
    """Report what is wrong with the layers that walks are counted without; what is not a list counts as nothing."""
    listed = manifest.get("without", [])
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        wrong("without", "不是一列图层名称", f'写 without = ["{ON_THE_WAY[0]}"] 这样的列表')
        manifest["without"] = []
        return
    for name in listed:
        if name not in ON_THE_WAY:
            wrong("without", f"“{name}”不能写在这里", f"可写：{'、'.join(ON_THE_WAY)}（步行时可以按没有算的图层）")
        elif name in manifest["layers"]:
            wrong("without", f"写了没有 {name}，又声明了这个图层；按声明的算", f"从 without 里去掉 {name}", "warning")


def _nearest(name: str, known: Mapping[str, Any] | set[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"是否想写 {close[0]}" if close else f"可用：{'、'.join(sorted(known))}"


def _metric_crs(manifest: dict[str, Any], problems: list[Problem]) -> pyproj.CRS | None:
    """Return the CRS everything is computed in, or None (reported) where it cannot serve."""

    def wrong(problem: str, remedy: str) -> None:
        problems.append(Problem("error", "district.toml", MANIFEST, "", "crs", problem, remedy))

    text = manifest.get("crs")
    if not text:
        if manifest:
            wrong("没有写计算用的坐标系", '写投影坐标系，如 crs = "EPSG:……"（单位为米）')
        return None
    try:
        crs = pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        wrong(f"不认识的坐标系 {text}", "写 EPSG 代码")
        return None
    if not crs.is_projected or any(axis.unit_name != "metre" for axis in crs.axis_info):
        wrong(f"{text} 不是以米为单位的投影坐标系", "换成当地的投影坐标系，长度和面积才可信")
        return None
    return crs


def _usual_entry(name: str) -> dict[str, str]:
    """Return where a table lies that nobody declared: at its usual place in the folder, else among those of the program."""
    return {"file": f"{LAYERS[name].folder}/{name}.csv"}


def _read_layer(
    folder: Path, layer: Layer, entry: Mapping[str, Any], target: pyproj.CRS | None, problems: list[Problem]
) -> pd.DataFrame | None:
    """Read, judge and project one layer; None (reported) where that cannot be done."""
    file = str(entry["file"])
    path = folder / file

    def wrong(field: str, problem: str, remedy: str) -> None:
        problems.append(Problem("error", layer.name, file, "", field, problem, remedy))

    if Path(file).is_absolute() or ".." in Path(file).parts:
        wrong("file", "文件必须在街道目录里面", "写相对路径，不用 ..")
        return None
    if not path.is_file():
        wrong("file", "声明了但文件不存在", "放入文件，或从 district.toml 里删去这个图层")
        return None
    try:
        frame = _read_table(path) if layer.geometry is None else _read_features(path)
    except Exception as error:  # drivers raise many types; the message is what matters
        wrong("", f"读不出来：{str(error).splitlines()[0][:160]}", "用 GIS 或文本编辑器打开看看是否完整")
        return None
    if layer.geometry is None:
        table, found = check_rows(layer, frame, file)
        problems += found
        return table
    crs = _layer_crs(layer, entry, frame, wrong)
    if crs is None:
        return None
    frame = frame.set_crs(crs, allow_override=True)
    tidy, found = check_rows(layer, frame, file)
    problems += found
    if any(p.severity == "error" and p.field == "geometry" for p in found) or target is None:
        return None
    found = _outside_crs(layer, tidy, file, target)
    problems += found
    return None if found else tidy.to_crs(target)


def _read_table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False, na_values=[""])


def _read_features(path: Path) -> gpd.GeoDataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # drivers warn of what the check reports with row and remedy
        frame = pyogrio.read_dataframe(path)
    if not isinstance(frame, gpd.GeoDataFrame):
        frame = gpd.GeoDataFrame(frame, geometry=[None] * len(frame))
    return frame.rename_geometry("geometry") if frame.geometry.name != "geometry" else frame


def _layer_crs(layer: Layer, entry: Mapping[str, Any], frame: gpd.GeoDataFrame, wrong: Any) -> pyproj.CRS | None:
    """Return the declared CRS of a layer; the declaration is required, and a file that says otherwise is an error."""
    field = f"layers.{layer.name}.crs"
    text = entry.get("crs")
    if not text:
        wrong(field, "没有声明坐标系", '在 district.toml 里写 crs = "EPSG:4326" 或实际的坐标系；不能猜')
        return None
    try:
        crs = pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        wrong(field, f"不认识的坐标系 {text}", "写 EPSG 代码，如 EPSG:4326")
        return None
    own = frame.crs
    # GeoJSON that names no CRS is read as 4326 by every driver: that is the format's default, not the file's word.
    silent = own is not None and own.to_epsg() == 4326 and str(entry["file"]).lower().endswith((".geojson", ".json"))
    if own is not None and not silent and not own.equals(crs, ignore_axis_order=True):
        wrong(field, f"声明 {text}，文件里写的是 {own.to_string()}", "改成一致；以实际坐标为准")
        return None
    return crs


@cache
def to_degrees(crs: pyproj.CRS) -> pyproj.Transformer:
    """Return the transformer to longitude and latitude, kept: building one takes longer than drawing many a layer."""
    return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def _outside_crs(layer: Layer, frame: gpd.GeoDataFrame, file: str, target: pyproj.CRS) -> list[Problem]:
    """Report features that cannot lie where the CRSs say: swapped axes, metres taken for degrees, a wrong zone."""
    if frame.empty:
        return []
    bounds = np.asarray(frame.geometry.bounds)
    crs = frame.crs
    if crs.is_geographic:
        beyond = (np.abs(bounds[:, [0, 2]]) > 180).any(axis=1) | (np.abs(bounds[:, [1, 3]]) > 90).any(axis=1)
        lonlat = bounds
    else:
        west, south = to_degrees(crs).transform(bounds[:, 0], bounds[:, 1])
        east, north = to_degrees(crs).transform(bounds[:, 2], bounds[:, 3])
        lonlat = np.column_stack([west, south, east, north])
        beyond = ~np.isfinite(lonlat).all(axis=1)
    area = target.area_of_use
    if area is not None:
        beyond |= ~_in_area(lonlat, area)
    return [
        Problem(
            "error", layer.name, file, str(frame.index[i]), "geometry", *_why_outside(bounds[i], crs, area)
        )
        for i in np.flatnonzero(beyond)
    ]  # fmt: skip


def _in_area(lonlat: np.ndarray, area: Any, margin: float = 0.5) -> np.ndarray:
    """Return which (west, south, east, north) rows lie in a CRS's area of use, with a margin in degrees."""
    inside: np.ndarray = (
        (lonlat[:, 0] >= area.west - margin)
        & (lonlat[:, 2] <= area.east + margin)
        & (lonlat[:, 1] >= area.south - margin)
        & (lonlat[:, 3] <= area.north + margin)
    )
    return inside


def _why_outside(bounds: np.ndarray, crs: pyproj.CRS, area: Any) -> tuple[str, str]:
    at = f"（{bounds[0]:.6g}, {bounds[1]:.6g}）"
    swapped = bounds[[1, 0, 3, 2]][None, :]
    if crs.is_geographic and area is not None and _in_area(swapped, area)[0]:
        return f"经度和纬度写反了{at}", "第一列写经度，第二列写纬度"
    if crs.is_geographic and (np.abs(bounds) > 180).any():
        return f"坐标不是经纬度{at}", "这些像是以米为单位的投影坐标：把图层的 crs 改成实际的坐标系"
    return f"坐标落在计算坐标系的适用范围以外{at}", "检查图层声明的 crs、district.toml 的 crs 和坐标本身"


def _misplaced(rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield features far from the district, and a metric CRS that stretches lengths there."""
    own = next((rows[n] for n in ("district", "zones", "communities", "homes", "streets") if n in rows), None)
    if own is None or own.empty:
        return
    west, south, east, north = own.total_bounds
    crs = own.crs
    projection = pyproj.Proj(
        crs
    )  # degrees of its own datum are near enough here, and a transformer takes long to build
    lon, lat = projection((west + east) / 2, (south + north) / 2, inverse=True)
    stretch = float(np.sqrt(projection.get_factors(lon, lat).areal_scale)) - 1
    if abs(stretch) > STRETCH:
        yield Problem("error", "district.toml", MANIFEST, "", "crs", f"这个坐标系在本地把长度拉伸了 {stretch:+.1%}",
                      "换成本地的投影带，否则米数和面积都不对")  # fmt: skip
    for name, frame in rows.items():
        if LAYERS[name].geometry is None or frame.empty:
            continue
        b = np.asarray(frame.geometry.bounds)
        away = np.maximum.reduce([west - b[:, 2], b[:, 0] - east, south - b[:, 3], b[:, 1] - north])
        for i in np.flatnonzero(away > FAR_M):
            yield Problem("error", name, str(declared[name]["file"]), str(frame.index[i]), "geometry",
                          f"离街道 {away[i] / 1000:.0f} 公里", "检查坐标系和坐标；经纬度是否写反")  # fmt: skip


def _orphans(rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield codes whose parent does not exist. A parent layer that is not declared is absent, and asks nothing."""
    for name, frame in rows.items():
        file = str(declared[name]["file"]) if name in declared else f"{LAYERS[name].folder}/{name}.csv"
        for column in LAYERS[name].names.values():
            if column.parent is None or column.parent[0] not in rows:
                continue
            parent = rows[column.parent[0]].index
            codes = frame[column.name]
            for i in np.flatnonzero((codes.notna() & ~codes.isin(parent)).to_numpy()):
                yield Problem(
                    "error", name, file, str(frame.index[i]), column.name,
                    f"“{codes.iloc[i]}”在{LAYERS[column.parent[0]].label}里不存在",
                    _nearest(str(codes.iloc[i]), set(parent)) if len(parent) <= 60 else "改成已有的编号，或先补上那一行",
                )  # fmt: skip


def _unknown_kinds(
    manifest: Mapping[str, Any], rows: Mapping[str, pd.DataFrame], declared: Mapping[str, Any]
) -> Iterator[Problem]:
    if "kinds" not in rows:
        return
    known = set(rows["kinds"].index)
    for kind in manifest.get("surveyed_kinds") or ():
        if kind not in known:
            yield Problem("error", "district.toml", MANIFEST, "", "surveyed_kinds", f"没有设施类别“{kind}”",
                          _nearest(str(kind), known))  # fmt: skip
    for table, column in (("rules", "kinds"), ("norms", "kinds"), ("measures", "kinds"), ("measures", "near_kinds")):
        if table in rows and column in rows[table].columns:
            file = str(declared.get(table, {}).get("file", f"{LAYERS[table].folder}/{table}.csv"))
            for row, kinds in rows[table][column].dropna().items():
                for kind in str(kinds).split(";"):
                    if kind not in known:
                        yield Problem("error", table, file, str(row), column, f"没有设施类别“{kind}”",
                                      _nearest(kind, known))  # fmt: skip


#: An end of an added link this near to a street is joined to it (metres).
JOIN_M = 10.0
#: A closure drawn as a point shuts this much of the street to either side; one drawn as a line, what lies this near.
CLOSED_POINT_M, CLOSED_LINE_M = 0.5, 3.0


def join_ends(streets: gpd.GeoDataFrame, line: shapely.LineString) -> tuple[gpd.GeoDataFrame, shapely.LineString]:
    """
    Join both ends of a new line to the streets they meet.

    Lines join at shared vertices only, so a vertex is put into the nearest street (within 10 m), and the line's end is
    moved onto it; an end far from any street stays loose.

    Returns
    -------
    streets, line
        A new frame and a new line; what was given stays as it was.
    """
    spots = [shapely.Point(c[:2]) for c in line.coords]
    for at in (0, -1):
        streets, spots[at] = _join_end(streets, spots[at])
    return streets, shapely.LineString(spots)


def _join_end(streets: gpd.GeoDataFrame, end: shapely.Point) -> tuple[gpd.GeoDataFrame, shapely.Point]:
    if streets.empty:
        return streets, end
    found, gap = streets.sindex.nearest([end], return_all=False, return_distance=True)
    if gap[0] > JOIN_M:
        return streets, end
    row = int(found[1][0])
    parts = list(shapely.get_parts(shapely.force_2d(streets.geometry.iloc[row])))
    part = int(np.argmin(shapely.distance(np.array(parts), end)))
    along = float(parts[part].project(end))
    spot = parts[part].interpolate(along)
    coordinates = shapely.get_coordinates(parts[part])
    away = np.hypot(*(coordinates - [spot.x, spot.y]).T)
    if away.min() < 1e-3:
        return streets, shapely.Point(coordinates[int(away.argmin())])
    at = np.r_[0.0, np.cumsum(np.hypot(*np.diff(coordinates, axis=0).T))]
    parts[part] = shapely.LineString(np.insert(coordinates, int(np.searchsorted(at, along)), [spot.x, spot.y], axis=0))
    geometry = np.array(streets.geometry.array, dtype=object)
    geometry[row] = parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
    return streets.set_geometry(gpd.GeoSeries(geometry, index=streets.index, crs=streets.crs)), spot


def _merged_streets(
    streets: gpd.GeoDataFrame, links: gpd.GeoDataFrame | None, closures: gpd.GeoDataFrame | None
) -> gpd.GeoDataFrame:
    """Add the planner's links, take away what is closed."""
    if links is not None and len(links):
        joined = []
        for line in links.geometry:
            for part in shapely.get_parts(line):
                streets, _ = join_ends(streets, part)
            joined.append(shapely.union_all([join_ends(streets, p)[1] for p in shapely.get_parts(line)]))
        streets = pd.concat([streets, links.set_geometry(gpd.GeoSeries(joined, index=links.index, crs=links.crs))])
    if closures is not None and len(closures):
        width = np.where(closures.geom_type == "Point", CLOSED_POINT_M, CLOSED_LINE_M)
        shut = shapely.union_all(shapely.buffer(closures.geometry.array, width))
        touched = streets.sindex.query(shut, predicate="intersects")
        geometry = np.array(streets.geometry.array, dtype=object)
        geometry[touched] = shapely.difference(geometry[touched], shut)
        streets = streets.set_geometry(gpd.GeoSeries(geometry, index=streets.index, crs=streets.crs))
        streets = streets[~streets.geometry.is_empty]
    return streets


def _within(points: gpd.GeoSeries, areas: gpd.GeoDataFrame) -> pd.Series:
    """Return the index of the area each point lies in; the first by index where areas overlap; missing where none."""
    areas = areas.sort_index()
    point, area = areas.sindex.query(points.array, predicate="intersects")
    # areas are sorted by id, so the first hit of a point is the one with the least id
    order = np.lexsort((area, point))
    first = order[np.unique(point[order], return_index=True)[1]]
    found = np.full(len(points), np.nan, dtype=object)
    found[point[first]] = np.asarray(areas.index)[area[first]]
    return pd.Series(found, index=points.index, dtype="str")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
