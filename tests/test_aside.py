"""The second process: the same answers as without it, and the same failures."""

from __future__ import annotations

import math
import operator
import os
import pickle
from pathlib import Path

import pytest

import xinhe_geo as xh
from xinhe_geo._aside import Aside

TOY = Path(__file__).parent / "toy"


def test_answers_come_in_any_order_and_failures_are_met_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with Aside(processes=2) as aside:
        assert aside._process is not None
        wrong, large, pid = aside(math.sqrt, -1.0), aside(bytes, 1 << 22), aside(os.getpid)
        assert pid() == aside._process.pid != os.getpid()
        assert len(large()) == 1 << 22
        with pytest.raises(ValueError, match=r"math domain|nonnegative"):
            wrong()
        last = aside(os.getpid)
        aside._process.kill()
        assert last() in (os.getpid(), pid())  # whoever did it: there is an answer
        assert aside(os.getpid)() == os.getpid()


def test_what_is_handed_over_again_travels_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    kept, other = [[1, 2], [1, 2]]
    with Aside(processes=2) as aside:
        first, again, both = aside(id, kept), aside(id, kept), aside(operator.is_, kept, other)
        assert first() == again()  # the very object, not a copy of it
        assert not both()
        assert aside(len, kept)() == aside(len, other)() == 2
        assert len(aside._held) == 2


def test_one_process_does_it_itself() -> None:
    with Aside(processes=1) as aside:
        assert aside(os.getpid)() == os.getpid()


def test_a_district_and_its_network_travel() -> None:
    district = xh.District.load(TOY)
    district.network  # noqa: B018  (goes along where it is there)
    copy = pickle.loads(pickle.dumps(district))
    assert copy.network.edges.equals(district.network.edges)
    assert copy.manifest == district.manifest and not copy.memo
    assert xh.coverage(copy).equals(xh.coverage(district))
    with pytest.raises(TypeError):
        copy.manifest["name"] = "x"
