"""
Coverage-guided fuzzing of the doors: whatever the bytes of a file, it is taken or refused with one of our errors.

Not a test of the suite: it needs atheris (Apache-2.0, Linux only, not among the test tools) and minutes.

    pip install atheris
    PYTHONPATH=.:tests:tests/io python tests/hostile/fuzz.py -max_total_time=300

Crashing inputs are kept in the working directory; the first byte of one chooses its kind.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["xinhe_geo.io"]):
    adding = importlib.import_module("xinhe_geo.io.add")
    current_layer = importlib.import_module("xinhe_geo.io.current_layer")

from test_hostile import KINDS, TOY, sound

from xinhe_geo.core import reading
from xinhe_geo.core.errors import XinheError

PLACE = Path(tempfile.mkdtemp(prefix="fuzz-"))


def take(data: bytes) -> None:
    """Give `add` a file of these bytes."""
    kind = KINDS[data[0] % len(KINDS)] if data else KINDS[0]
    path = PLACE / f"a.{kind}"
    path.write_bytes(data[1:])
    try:
        adding.add(path, TOY, "facilities", crs="WGS84", fill={"类别": "canteen"})
    except XinheError as error:
        assert len(str(error)) < 3000, "a message as long as a file"


def main() -> None:
    """Start from sound files of every kind."""
    warnings.simplefilter("ignore")
    state = current_layer.read_folder(TOY)
    current_layer.read_folder = lambda folder: state
    adding.check_copy = lambda *_: []  # it reads the whole folder again, which is the same every time
    seeds = PLACE / "seeds"
    seeds.mkdir()
    for i, kind in enumerate(KINDS):
        (seeds / kind).write_bytes(bytes([i]) + sound(kind))
    try:
        atheris.Setup([*sys.argv, "-max_len=20000", "-rss_limit_mb=3000", "-timeout=60", str(seeds)], take)
        with reading(PLACE):  # in this process, where it is seen which lines run
            atheris.Fuzz()
    finally:
        shutil.rmtree(PLACE, ignore_errors=True)


if __name__ == "__main__":
    main()
