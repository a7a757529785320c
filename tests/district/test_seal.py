"""A sealed folder: any byte that has changed is named before its file is read, and nothing else is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st

from xinhe_geo.app.cli import DATA, DONE, main
from xinhe_geo.core import SourceError
from xinhe_geo.district import broken, check, commit, locked, number, reader, seal, undo
from xinhe_geo.district.journal import SEAL
from xinhe_geo.district.seal import is_own, is_vouched

TOY = Path(__file__).parents[1] / "toy"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return shutil.copytree(TOY, tmp_path / "toy")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shutil.copytree(TOY, tmp_path_factory.mktemp("sealed") / "toy")
    seal(folder)
    return folder


@pytest.mark.slow
def test_a_seal_is_the_same_for_the_same_files(tmp_path: Path, toy: Path) -> None:
    told = seal(toy)
    assert told == number(toy) == seal(shutil.copytree(TOY, tmp_path / "other")) and len(told) == 19
    assert seal(toy) == told and broken(toy) == {} and check(toy).empty
    assert check(shutil.copytree(toy, tmp_path / "copy")).empty


@settings(max_examples=trials(60), deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_named_and_not_parsed(sealed: Path, data: st.DataObject) -> None:
    files = sorted(p for p in sealed.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(files))
    old = path.read_bytes()
    at, bit = data.draw(st.integers(0, len(old) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(old[:at] + bytes([old[at] ^ (1 << bit)]) + old[at + 1 :])
    try:
        assert list(broken(sealed)) == [path.relative_to(sealed).as_posix()]
    finally:
        path.write_bytes(old)
    assert broken(sealed) == {}


@pytest.mark.parametrize("name", ["district.toml", "homes/homes.geojson", SEAL])
def test_check_does_not_read_what_has_changed(toy: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    seal(toy)
    path = toy / name
    path.write_bytes(path.read_bytes().replace(b'"', b"'", 1))
    read: list[str] = []

    def noted(path: Path, _: Path) -> None:
        read.append(path.name)
        raise SourceError("x。y")

    monkeypatch.setattr(reader, "read_layer", noted)
    found = check(toy)
    assert name in set(found.loc[found["severity"] == "error", "file"]) and path.name not in read
    assert found.iloc[0]["file"] == name and "没有读它" in found.iloc[0]["problem"]
    with pytest.raises(SourceError, match="封条对不上"):
        seal(toy)
    assert len(seal(toy, again=True)) == 19 and broken(toy) == {}


def test_what_is_missing_or_added_is_named(toy: Path) -> None:
    seal(toy)
    (toy / "homes" / "gates.geojson").unlink()
    (toy / "pois" / "kinds.csv").write_text("kind\n", "utf-8")
    assert broken(toy) == {"homes/gates.geojson": "封条里有，现在没有", "pois/kinds.csv": "封条里没有"}


@pytest.mark.slow
def test_a_sealed_folder_is_not_changed(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["seal", str(toy)]) == DONE and number(toy) in capsys.readouterr().out
    with locked(toy), pytest.raises(SourceError, match="已封存"):
        commit(toy, {"homes/homes.geojson": b"x"}, "homes", "a.csv")
    (toy / ".history").mkdir()
    with pytest.raises(SourceError, match="已封存"):
        undo(toy)
    assert broken(toy) == {}
    (toy / "homes" / "homes.geojson").write_bytes(b"{}")
    assert main(["check", str(toy)]) == DATA and main(["seal", str(toy)]) == DATA
    assert main(["seal", str(toy), "--again"]) == DONE


def test_what_is_sealed_here_is_ours_until_it_changes(tmp_path: Path, toy: Path) -> None:
    assert not is_own(toy)
    seal(toy)
    assert is_own(toy) and not is_own(shutil.copytree(toy, tmp_path / "copy"))
    (toy / "homes" / "homes.geojson").write_bytes(b"{}")
    assert not is_own(toy)


@pytest.mark.parametrize(
    "said", ["", "[]", "{}", '{"files": 5}', '{"files": {"../x": "y"}}', json.dumps({"files": {}})]
)
def test_a_seal_that_is_none_is_said(toy: Path, said: str) -> None:
    (toy / SEAL).write_text(said, "utf-8")
    assert list(broken(toy)) == [SEAL]


@pytest.mark.parametrize(
    ("file", "wrong", "read"),
    [
        ("homes/homes.geojson", "homes/homes.geojson", False),
        ("homes/a.shp", "homes/a.dbf", False),
        ("homes/a.gpkg", "homes/a.gpkg-wal", False),
        ("homes/a.gdb", "homes/a.gdb/a00000001.gdbtable", False),
        ("HOMES/Homes.geojson", "homes/homes.geojson", False),
        ("./homes//homes.geojson", "homes/homes.geojson", False),
        ("homes\\homes.geojson", "homes/homes.geojson", False),
        ("homes/caf\u00e9.geojson", "homes/cafe\u0301.geojson", False),
        ("homes/homes.geojson", "homes/homes2.geojson", True),
        ("homes/homes.geojson", "pois/homes.geojson", True),
        ("output/homes.geojson", "", False),
        (".xinhe-a/homes.geojson", "", False),
        ("homes/seal.json", "", False),
    ],
)
def test_nothing_is_read_that_the_seal_does_not_vouch_for(tmp_path: Path, file: str, wrong: str, read: bool) -> None:
    """What is read together with a file counts, what other systems find under its name, and what no seal covers."""
    (tmp_path / SEAL).touch()
    assert is_vouched(tmp_path, file, {wrong: "封条以后改过"} if wrong else {}) == read
    (tmp_path / SEAL).unlink()
    assert is_vouched(tmp_path, file, {})


def test_a_plan_that_has_changed_is_not_read_for_what_projects_name(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (toy / "scenarios").mkdir()
    (toy / "scenarios" / "a.toml").write_text('name = "a"\n', "utf-8")
    seal(toy)
    (toy / "scenarios" / "a.toml").write_text('name = "b"\n', "utf-8")
    monkeypatch.setattr(reader, "project_problems", lambda *_: pytest.fail("read"))
    monkeypatch.setattr(reader, "_read_layer", lambda *_: None)
    assert list(check(toy)["file"]) == ["scenarios/a.toml"]
    with pytest.raises(pytest.fail.Exception):
        (toy / SEAL).unlink()
        check(toy)


@pytest.mark.slow
def test_a_layer_where_no_seal_reaches_is_named_and_not_read(toy: Path) -> None:
    (toy / "output").mkdir()
    (toy / "homes" / "homes.geojson").rename(toy / "output" / "homes.geojson")
    manifest = toy / "district.toml"
    manifest.write_text(manifest.read_text("utf-8").replace('"homes/homes.geojson"', '"output/homes.geojson"'), "utf-8")
    assert check(toy).query("file == 'output/homes.geojson'").empty
    seal(toy)
    (found,) = check(toy).query("file == 'output/homes.geojson'").itertuples()
    assert found.severity == "error" and "封条管不到它" in found.problem
