"""Which layers are secret, what outputs carry their mark, and what may not be written at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from .errors import SourceError
from .i18n import say
from .schema import LAYERS

# --- what may leave the house ---------------------------------------------------------------------------------------

#: Words of `secrecy` in a manifest that keep a layer in the house, the strictest last.
SECRET = ("confidential", "secret", "涉密", "秘密", "机密", "绝密")
#: Fewer people (or households) than this could be recognised.
SMALL = 10


def secret_layers(manifest: Mapping[str, object]) -> dict[str, str]:
    """Return the layers a manifest marks as secret, and the word it uses; the whole folder's mark counts for each."""
    own = str(manifest.get("secrecy", "")).strip()
    declared = manifest.get("layers")
    layers: Mapping[str, object] = declared if isinstance(declared, Mapping) else {}
    marks = {n: str(e.get("secrecy") or own).strip() for n, e in layers.items() if isinstance(e, Mapping)}
    return {name: mark for name, mark in marks.items() if mark.lower() in SECRET}


def strictest(manifest: Mapping[str, object]) -> str:
    """Return the strictest secret mark of a manifest's layers; "" where none is secret."""
    return max(secret_layers(manifest).values(), key=lambda mark: SECRET.index(mark.lower()), default="")


def keeping(manifest: Mapping[str, object]) -> str:
    """Return the words that say how whatever is made of a district is to be kept: as a secret, or as internal."""
    mark = strictest(manifest)
    return say("{0} 按保密规定保管", mark) if mark else say("内部资料 注意保管")


def refuse_secret(manifest: Mapping[str, object], layers: Iterable[str], doing: str) -> None:
    """
    Stop an output that would carry a secret layer out of the house.

    Raises
    ------
    SourceError
        Naming every such layer. Example: ``图层 设施 的密级是 秘密，不能导出 DXF``
    """
    secret = secret_layers(manifest)
    named = [f"{LAYERS[n].label if n in LAYERS else n} 的密级是 {secret[n]}" for n in layers if n in secret]
    if named:
        raise SourceError(f"图层 {'；'.join(named)}，不能{doing}。去掉这个图层，或由有权的人核定密级后改 district.toml")


def refuse_uncleared(manifest: Mapping[str, object], doing: str) -> None:
    """
    Stop every file made from a district with a secret layer, unless its manifest says who cleared that (`secret_outputs`).

    What goes to others by its nature (the public edition, a drawing for the design institute, a download) is refused all the
    same: `refuse_secret`.

    Raises
    ------
    SourceError
        Naming every such layer.
    """
    declared = manifest.get("layers")
    if isinstance(declared, Mapping) and not str(manifest.get("secret_outputs", "")).strip():
        refuse_secret(
            manifest, declared, f'{doing}（只在涉密机上用，经核准可在 district.toml 写 secret_outputs = "核准人 日期"）'
        )


def suppressed(counts: pd.Series, *, fewer_than: int = SMALL) -> pd.Series:
    """
    Return counts of people or households as an output that leaves the house may show them.

    Parameters
    ----------
    counts
        Numbers, one for each place; missing ones stay missing.
    fewer_than
        Numbers from 1 to below this become missing. 0 stays: nobody can be recognised in it.

    Returns
    -------
    counts
        The same index, `Float64`; print a missing one as "少于 10".

    Notes
    -----
    A single hidden number beside a printed total could be worked out: print totals of groups only, or round them.
    """
    number = pd.to_numeric(counts, errors="coerce").astype("Float64")
    return number.mask(((number > 0) & (number < fewer_than)).fillna(False))
