"""The page of what many districts cost is made of what was measured, and says what does not hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

FILE = Path(__file__).parents[1] / "benchmarks" / "scale_page.py"


@pytest.fixture(scope="module")
def page() -> Any:
    spec = importlib.util.spec_from_file_location("scale_page", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(n: int, workers: int, **more: Any) -> dict[str, Any]:
    marks = [{"done": n // 2, "s": 1.0, "worker_mb": None}, {"done": n, "s": 2.0, "worker_mb": 400}]
    return {
        "districts": n,
        "workers": workers,
        "only": "tables",
        "batch_s": 3.0 * n / workers,
        "wall_s": 3.1 * n / workers,
        "cpu_s": 3.0 * n + 8,
        "worker_peak_mb": 400,
        "client_peak_mb": 250,
        "output_mb": 1.5 * n,
        "status": {"done": n},
        "killed": 0,
        "progress": marks,
        "digest": "a",
        "others": 0.0,
        **more,
    }


def found(**more: Any) -> dict[str, Any]:
    tiles = {f"x{n}": {"extract_mb": 3.0 * n, "peak_mb": 250, "cpu_s": 10.0 * n} for n in (1, 4, 8)}
    return {
        "settings": {"machine": "a machine, 2 cores", "python": "3.11"},
        "date": "2026-01-01",
        "split": {
            "districts": 250,
            "wall_s": 100.0,
            "cpu_s": 120.0,
            "peak_mb": 300,
            "others": 0.0,
            "folders_mb": 124.0,
        },
        "few": run(25, 2),
        "killed": run(25, 2, killed=1),
        "one": run(40, 1),
        "two": run(40, 2),
        "all": run(250, 2),
        "half": run(125, 2),
        "largest": run(1, 1),
        "everything": run(12, 2, only="all", digest="b"),
        "split-memory": tiles,
        **more,
    }


def test_what_must_hold_is_looked_at(page: Any) -> None:
    assert page.faults(found()) == []
    wrong = {
        "other bytes": {"two": run(40, 2, digest="x")},
        "a worker killed: other bytes": {"killed": run(25, 2, killed=1, digest="x")},
        "no worker was killed": {"killed": run(25, 2)},
        "efficiency 0.60": {"two": run(40, 2, batch_s=100.0)},
        "not linear": {"half": run(125, 2, cpu_s=500.0)},
        "memory grows": {"all": run(250, 2, worker_peak_mb=700)},
        "not all districts were done": {"half": run(125, 2, status={"done": 124, "failed": 1})},
        "not measured: half (too long)": {"half": {"left_out": "too long"}},
    }
    for text, part in wrong.items():
        said = page.faults(found(**part))
        assert len(said) == 1 and text in said[0], said


def test_the_page_is_made_again_the_same_and_says_what_fails(page: Any) -> None:
    text = page.PAGE.read_text("utf-8")
    once = page.put_into(text, found())
    assert page.put_into(once, found()) == once
    assert (
        "efficiency 1.00" in once
        and "8 processor seconds for starting and 3.00 per district" in once
        and "nothing else ran" in once
    )
    assert "| 40,000 (全国) | 5.3 | 34 | 41 | 20 | 60 | 60 |" in once
    failing = page.put_into(text, found(two=run(40, 2, batch_s=100.0, others=1.5), half={"left_out": "too long"}))
    assert "**Does not hold: efficiency 0.60 < 0.8.**" in failing and "wall seconds mean nothing" in failing
    assert "Not measured: half (too long)" in failing
    for results in (found(), found(half={"left_out": "too long"})):
        ElementTree.fromstring(page.figure(results))
