"""Facts in doubt: which rows of a district nobody has checked, what of them may be otherwise, and by how much."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import shapely

from ...core import UNCHECKED, listed
from ...district import District

FACT_COLUMNS = ("doubt", "layer", "id", "what", "metres", "spread", "probability", "drawn", "shared_by", "share", "who")
#: How well a source has to be known before a probability out of it is drawn from.
SOURCED = ("read", "second_hand")
#: What is in doubt without a row of `doubts.csv`: a facility that says of itself that it is still to be checked.
OF_ITSELF = "unchecked"


def facts_in_doubt(district: District) -> pd.DataFrame:
    """
    Return what `doubts.csv` puts in doubt of the rows that there are.

    A row that somebody has signed (`checked_by`) is in doubt only where it is named (`ids`). Of two doubts about the same thing the
    one that names it counts, else the first.

    Parameters
    ----------
    district
        What `District.load` opened; it stays as it was.

    Returns
    -------
    facts
        Index fact ("layer:id:what"), sorted. Columns `doubt` (row of the table), `layer`, `id`, `what` ("position", "existence", "gate",
        "street": whether one can pass, "stairs": whether there are some, "people"), `metres`
        (root mean square), `spread` (share of the people), `probability` (that it is as recorded;
        missing: nobody has said with a source, so both are possible), `drawn` (else an interval), `shared_by`, `share` (of the variance, 0-1),
        `who` (who finds it out, and by when, as typed; "" where nobody has said).
    """
    found: dict[str, tuple[object, ...]] = {}
    table = district.rows["doubts"]
    named = table["ids"].notna().to_numpy()
    for doubt in pd.concat([table[named], table[~named]]).itertuples():
        sourced = doubt.confidence in SOURCED
        probability = doubt.probability if sourced and doubt.what not in ("position", "people") else np.nan
        shared = doubt.shared_by if pd.notna(doubt.shared_by) and doubt.share > 0 else ""
        drawn = doubt.what == "position" or bool(np.isfinite(probability)) or (doubt.what == "people" and sourced)
        who = " ".join(str(said) for said in (doubt.duty, doubt.due) if pd.notna(said))
        told = doubt.metres, doubt.spread, probability, drawn, shared, doubt.share if shared else 0.0, who
        for row in _rows_of(district, doubt):
            found.setdefault(f"{doubt.layer}:{row}:{doubt.what}", (doubt.Index, doubt.layer, row, doubt.what, *told))
    for row in _waiting(district):
        nothing = np.nan, np.nan, np.nan, False, "", 0.0, ""
        found.setdefault(f"facilities:{row}:existence", (OF_ITSELF, "facilities", row, "existence", *nothing))
    facts = pd.DataFrame(
        list(found.values()), columns=list(FACT_COLUMNS), index=pd.Index(found, name="fact", dtype="str")
    )
    types = dict.fromkeys(("metres", "spread", "probability", "share"), "float64")
    return facts.astype(types).sort_index()


def passages(district: District) -> pd.Index:
    """Return the public streets that cross a barrier or water: bridges, underpasses and what else leads through."""
    streets = district.layers.get("streets")
    if streets is None:
        return pd.Index([], dtype="str")
    public = streets[streets["home"].isna().to_numpy()]
    across = np.zeros(len(public), np.bool_)
    tree = shapely.STRtree(public.geometry.array)
    for name in ("barriers", "water"):
        layer = district.layers.get(name)
        if layer is not None and len(layer):
            across[tree.query(layer.geometry.array, predicate="crosses")[1]] = True
    return public.index[across]


def _waiting(district: District) -> pd.Index:
    """Return the facilities that nobody has looked at yet."""
    facilities = district.facilities
    if facilities is None:
        return pd.Index([], dtype="str")
    return facilities.index[(facilities["state"] == UNCHECKED).to_numpy()]


def _rows_of(district: District, doubt: tuple[object, ...]) -> Iterator[str]:
    """Yield the rows that a doubt is about: of facilities and gates those that are open, or wait to be checked."""
    layer, ids, basis, which, classes = (getattr(doubt, name) for name in ("layer", "ids", "basis", "which", "classes"))
    rows = district.layers.get(layer)
    if rows is None:
        return
    waiting = np.zeros(len(rows), np.bool_)
    standing = ~waiting
    if layer == "facilities":
        waiting = (rows["state"] == UNCHECKED).to_numpy(dtype=bool)
        standing = (rows["state"].fillna("open") == "open").to_numpy() | waiting
    if layer == "gates":
        standing = (rows["state"] != "planned").to_numpy(dtype=bool, na_value=True)
    if pd.notna(which):
        standing = rows.index.isin(passages(district))
    if pd.notna(classes):
        standing = standing & rows["class"].isin(listed(classes)).to_numpy()
    some = standing
    if pd.notna(basis):
        own = district.basis(layer) == basis
        some = some & (waiting if basis == UNCHECKED else own.to_numpy())
    if pd.notna(ids):
        some = some & rows.index.isin(listed(ids))
    elif "checked_by" in rows:
        some = some & rows["checked_by"].isna().to_numpy()
    yield from map(str, rows.index[some])
