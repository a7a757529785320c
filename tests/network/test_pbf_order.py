"""The order of nodes told from how a PBF packs them is that which every object, one by one, has."""

from __future__ import annotations

import random
from pathlib import Path

import osmium
import pytest

from xinhe_geo.network.osm_file import _is_in_order, opened
from xinhe_geo.network.pbf_order import nodes_in_order


def written(path: Path, ids: list[int], *, way_first: bool = False) -> Path:
    with osmium.SimpleWriter(str(path)) as writer:
        way = osmium.osm.mutable.Way(id=5, nodes=ids[:2], tags={"highway": "path"})
        if way_first:
            writer.add_way(way)
        for number in ids:
            writer.add_node(osmium.osm.mutable.Node(id=number, location=(117.6, 39.05)))
        if not way_first:
            writer.add_way(way)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_order_that_looking_at_each_finds(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    ids = sorted(rng.sample(range(1, 10 ** rng.choice([4, 9, 12])), 9_000))  # more than a block holds
    swapped, twice, below = list(ids), [*ids], [-7, *ids]
    a, b = rng.randrange(9_000 - 1), rng.randrange(9_000)
    swapped[a], swapped[a + 1] = swapped[a + 1], swapped[a]
    twice.insert(b, ids[b])
    cases = {"sorted": ids, "swapped": swapped, "twice": twice, "below": below, "mixed": rng.sample(ids, len(ids))}
    for name, own in cases.items():
        for first in (False, True):
            path = written(tmp_path / f"{name}{first}.osm.pbf", own, way_first=first)
            told = nodes_in_order(path)
            assert told is (name == "sorted" and not first), name
            if seed == 0:
                monkeypatch.setattr("xinhe_geo.network.osm_file.nodes_in_order", lambda path: None)
                assert _is_in_order(opened(path), path) == told
                monkeypatch.undo()


def test_what_is_no_pbf_or_is_damaged_is_looked_at_one_by_one(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.osm.pbf", list(range(1, 500))).read_bytes()
    rng = random.Random(1)
    for data in (b"", b"<?xml version='1.0'?><osm/>", whole[:-9], b"\0\0\0\1", bytes(range(256)) * 20):
        (tmp_path / "file").write_bytes(data)
        assert nodes_in_order(tmp_path / "file") in (None, True)  # True: nothing in it is out of order
    for _ in range(200):
        torn = bytearray(whole)
        for _ in range(3):
            torn[rng.randrange(len(torn))] = rng.randrange(256)
        (tmp_path / "file").write_bytes(torn)
        nodes_in_order(tmp_path / "file")  # says something, and raises nothing
