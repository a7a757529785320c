"""Made-up districts of `fakes` with hostile words in them, and coverages of one rule before and after."""

from __future__ import annotations

import fakes
import pandas as pd

PAYLOADS = (
    "<img src=x onerror=window.pwned=1>",
    "</script><script>window.pwned=2</script>",
    "${window.pwned=3}`+(window.pwned=4)+`",
    "\"'-->\u2028]]>&lt;{{7*7}}",
)


def poisoned(text: str) -> fakes.MadeUpDistrict:
    """Return the district with `text` in every field that is text, and in every table."""
    d = fakes.district()
    for name, frame in d.layers.items():
        codes = {"kind", "state", "community", "home", "zone", "class", "basis", "facility"}
        words = [c for c in frame.columns if c not in codes | {"geometry"} and frame[c].dtype.kind not in "if"]
        d.layers[name] = frame.assign(**dict.fromkeys(words, text), note=text)
    d.name = text
    d.manifest = {**d.manifest, "credit": text, "made_by": text}
    d.kinds = d.kinds.assign(label=text, label_en=text, colour=text, symbol=text)
    return d


def two_covers() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return coverages of one rule: the second reaches h00 no longer, h70 newly, and half of h01."""
    first = fakes.cover(("clinic15",))
    first = first.assign(served=first["served"].fillna(0.0))
    second = first.copy()
    first.loc[("h70", "clinic15"), "served"], second.loc[("h70", "clinic15"), "served"] = 0.0, 1.0
    first.loc[("h00", "clinic15"), "served"], second.loc[("h00", "clinic15"), "served"] = 1.0, 0.0
    first.loc[("h01", "clinic15"), "served"], second.loc[("h01", "clinic15"), "served"] = 1.0, 0.5
    return first, second
