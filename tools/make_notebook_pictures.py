"""
Make the picture that each notebook begins with, by running it: the first map that it shows.

    python tools/make_notebook_pictures.py [NUMBER ...]

Needs the extras `lab` and `office`; writes `docs/images/notebooks/NN.png`. No network, no browser.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from xinhe_geo.maps import HouseMap

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS, IMAGES = ROOT / "notebooks", ROOT / "docs" / "images" / "notebooks"


def shown_by(path: Path) -> Iterator[object]:
    """Yield what the last line of each cell of a notebook gives, as Jupyter would show it."""
    names: dict[str, object] = {"display": lambda thing: None}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(tree, path.name, "exec"), names)
                yield None if last is None else eval(compile(ast.Expression(last.value), path.name, "eval"), names)


def main(numbers: Sequence[str]) -> None:
    """Run the notebooks up to their first map, in a folder of their own, and keep it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        (desk := Path(place, "clone", "notebooks")).mkdir(parents=True)
        os.chdir(desk)
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            if not numbers or path.name[:2] in numbers:
                first = next(thing for thing in shown_by(path) if isinstance(thing, HouseMap))
                png = first._repr_png_()
                if png is None:
                    sys.exit('pictures need the extra: pip install "xinhe-geo[lab]"')
                (IMAGES / f"{path.name[:2]}.png").write_bytes(png)
                print(path.name, len(png), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
