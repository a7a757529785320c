"""Every example of a docstring runs, on the toy district, as it stands there."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "xinhe_geo").rglob("*.py")
    if "\n    >>> " in path.read_text("utf-8")
)


def test_there_are_some() -> None:
    assert "xinhe_geo.access.curves" in WITH_EXAMPLES


@pytest.mark.slow
@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_run(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    failed, tried = doctest.testmod(importlib.import_module(module), report=True)
    assert tried and not failed
