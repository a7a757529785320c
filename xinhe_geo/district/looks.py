"""What a district looks like in a notebook: its layers, what they rest on, what is complete, and a small map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import geopandas as gpd
import pandas as pd

from ..core import BASIS_LABELS, LAYERS, Look, amount, card, is_cleared, language, say, secret_layers, small_map


class Shown(Protocol):
    """What is shown of a district: `District` has it all."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Its manifest."""
        ...

    @property
    def year(self) -> int:
        """The year it stands for."""
        ...

    @property
    def files(self) -> pd.DataFrame:
        """The files it was read from."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def code(self) -> str:
        """Its statistical code."""
        ...

    @property
    def crs(self) -> str:
        """Its CRS."""
        ...

    @property
    def layers(self) -> Mapping[str, gpd.GeoDataFrame]:
        """Its layers."""
        ...

    @property
    def kinds(self) -> pd.DataFrame:
        """Its kinds of facilities."""
        ...

    @property
    def surveyed_kinds(self) -> frozenset[str]:
        """Kinds of which all is there."""
        ...

    @property
    def mapped_kinds(self) -> frozenset[str]:
        """Kinds seen on a map."""
        ...

    @property
    def is_demonstration(self) -> bool:
        """Whether nothing may be concluded from it."""
        ...

    def basis(self, layer: str) -> pd.Series:
        """Return what each row of a layer rests on."""
        ...


#: Kinds that are named; the others are counted.
MOST_NAMED = 6
#: What a small map shows, from the ground up.
_SHOWN = {
    "district": 'fill="#f4f4f0" stroke="#888"',
    "green": 'fill="#d9e8d0" stroke="none"',
    "water": 'fill="#cfe3f1" stroke="none"',
    "streets": 'fill="none" stroke="#b5b5ad" stroke-width="1.5"',
    "homes": 'fill="#e7c9a0" stroke="#b08a55"',
    "facilities": 'fill="#b5361c" stroke="none"',
}


def short(district: Shown) -> str:
    """Return a district in one line."""
    counts = [
        f"{_called(name)} {amount(len(district.layers[name]))}"
        for name in ("homes", "facilities", "streets")
        if name in district.layers
    ]
    plan = str(district.manifest.get("scenario", ""))
    facts = [say("{0} 年", district.year), district.crs, *counts, *([plan] if plan else []), *_mark(district)]
    return f"<District {district.name} · {' · '.join(facts)}>"


def page(district: Shown) -> str:
    """Return a district as HTML; one with secret layers without its map."""
    rows: list[list[object]] = [[say("图层"), say("行数"), say("依据"), say("文件")]]
    for name, frame in district.layers.items():
        file = str(district.files["file"].get(name, ""))
        rows.append([_called(name), amount(len(frame)), say("、").join(_bases(district.basis(name))), file])
    facts = [
        say("{0} 年", district.year) + f" · {district.crs} · {district.code}",
        *_completeness(district),
        *_mark(district),
    ]
    hidden = secret_layers(district.manifest) and not is_cleared(district.manifest)
    looks = (
        []
        if hidden
        else [Look(district.layers[n].geometry, paint) for n, paint in _SHOWN.items() if n in district.layers]
    )
    return card(district.name, facts, rows, small_map(looks))


def _called(name: str) -> str:
    return LAYERS[name].label if language() == "zh" else name.replace("_", " ")


def _bases(basis: pd.Series) -> Iterator[str]:
    for name, count in basis.value_counts(sort=False).items():
        yield f"{say(BASIS_LABELS[str(name)])} {amount(count)}"


def _completeness(district: Shown) -> Iterator[str]:
    """Say of how many kinds all is there, and of how many some, from a map."""
    labels = district.kinds["label"]
    for kinds, surveyed in ((district.surveyed_kinds, True), (district.mapped_kinds, False)):
        named = [str(labels.get(kind, kind)) for kind in labels.index if kind in kinds]
        some = say("、").join(named[:MOST_NAMED]) + ("……" if len(named) > MOST_NAMED else "")
        if named:
            yield (
                say("已普查 {0} 类：{1}", len(named), some)
                if surveyed
                else say("没有查全 {0} 类：{1}", len(named), some)
            )


def _mark(district: Shown) -> list[str]:
    return [say("演示值（不作结论）")] if district.is_demonstration else []
