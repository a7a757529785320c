"""The comparison with other engines: on a made town every cause of a difference is found, and none is made up."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

# Asked for, not imported: every worker reads this file, and one of them needs it.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("osmnx") is None, reason="OSMnx is not installed")

FILE = Path(__file__).parents[2] / "benchmarks" / "conformance.py"
#: Metres in a degree of latitude, roughly; the town lies on the equator.
DEGREE = 111_195.0


@pytest.fixture(scope="module")
def suite() -> Any:
    spec = importlib.util.spec_from_file_location("conformance", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six by six blocks of 200 m with a bend in the middle of each; one street along has a sidewalk drawn apart, which OSMnx leaves out."""
    nodes, ways = {}, {}
    for i in range(7):
        for j in range(13):
            nodes[100 * i + j] = (i * 200 / DEGREE, (j * 100 + (20 if j % 2 else 0)) / DEGREE)
        ways[1000 + i] = ([100 * i + j for j in range(13)], {"highway": "residential"})
    for j in range(0, 13, 2):
        apart = {"sidewalk": "separate"} if j == 6 else {}
        ways[2000 + j] = ([100 * i + j for i in range(7)], {"highway": "residential", **apart})
    drawn = [f'<node id="{k + 1}" version="1" lon="{x:.9f}" lat="{y:.9f}"/>' for k, (x, y) in nodes.items()]
    for way, (refs, tags) in ways.items():
        said = "".join(f'<tag k="{k}" v="{v}"/>' for k, v in tags.items())
        drawn.append(
            f'<way id="{way}" version="1">{"".join(f"<nd ref={chr(34)}{r + 1}{chr(34)}/>" for r in refs)}{said}</way>'
        )
    path = tmp_path_factory.mktemp("town") / "town.osm"
    path.write_text(f'<osm version="0.6">{"".join(drawn)}</osm>', "utf-8")
    return path


@pytest.mark.slow
@pytest.mark.matrix
def test_each_difference_has_its_cause(suite: Any, town: Path) -> None:
    table = suite.compared(town)
    own, recipe, vertex = (table.loc[name] for name in ("xinhe_geo", "OSMnx, nearest nodes", "OSMnx, every vertex"))
    assert own["within 1 %"] == "100.00 %" and (table["unexplained"] == "0").all()
    assert int(recipe["snapping"].partition(":")[0]) > 100, "a bend is taken for the crossing next to it"
    assert vertex["snapping"] == "0" and "w2006" in vertex["filter"], "the street with a sidewalk drawn apart"


@pytest.mark.slow
def test_a_lost_piece_is_named_and_a_wrong_walk_is_never_explained(
    suite: Any, town: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = suite.osmnx_graph

    def torn(*asked: Any, simplify: bool) -> Any:
        graph = made(*asked, simplify=simplify)
        if not simplify:
            graph.remove_edges_from([(104, 105, 0), (105, 104, 0)])  # way 1001, in the middle
        return graph

    monkeypatch.setattr(suite, "osmnx_graph", torn)
    monkeypatch.setattr(
        suite, "ours", lambda network, extract: lambda origin, targets: 1.05 * suite.np.full(len(targets), 500.0)
    )
    table = suite.compared(town)
    assert "w1001" in table.loc["OSMnx, every vertex", "missing link"]
    assert int(table.loc["xinhe_geo", "unexplained"].partition(":")[0]) > 1000
