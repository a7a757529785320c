"""Many districts: what is found, done, kept, failed; equal bytes whoever does the work; what is compared with what."""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import re
import shutil
import signal
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest

import xinhe_geo as xh
from xinhe_geo.app import batch as module
from xinhe_geo.app.batch import Task, districts_of, versions, work
from xinhe_geo.app.cli import main
from xinhe_geo.core.errors import EnvironmentProblem, SourceError, UnknownNameError
from xinhe_geo.report.analysis import analyse
from xinhe_geo.report.districts import DENOMINATORS, FEW_DISTRICTS, facts, over_years, ranking, side_by_side, spread
from xinhe_geo.report.pages.districts import _MAP, _clear_of_each_other, _dense, write_side_by_side

TOY = Path(__file__).parents[1] / "toy"


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def copies(folder: Path, *names: str) -> list[Path]:
    made = []
    for name in names:
        shutil.copytree(TOY, folder / name)
        made.append(folder / name)
    return made


@contextlib.contextmanager
def no_cluster(*_: Any) -> Iterator[Any]:
    """Stand in for a cluster: the same calls, in this process."""

    class Done:
        def __init__(self, key: str, row: Any) -> None:
            self.key, self.row = key, row

        def result(self) -> Any:
            return self.row

        def release(self) -> None:
            pass

    class Client:
        def run(self, function: Any, **_: Any) -> dict[str, Any]:
            return {"here": function()}

        def scheduler_info(self, **_: Any) -> dict[str, Any]:
            return {"workers": {"here": {"nthreads": 1}}}

        def submit(self, function: Any, task: Task, *, key: str, **_: Any) -> Done:
            return Done(key, function(task))

    yield Client()


class Running(list[Any]):
    def __init__(self, items: list[Any]) -> None:
        super().__init__(items)

    def __iter__(self) -> Iterator[Any]:
        while self:
            yield self.pop(0)

    add = list.append


def work_here(patch: pytest.MonkeyPatch) -> None:
    """Do the work in this process: quick, and what is tested is not Dask."""
    distributed = pytest.importorskip("distributed")
    patch.setattr(module, "_cluster", no_cluster)
    patch.setattr(distributed, "as_completed", Running)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    work_here(monkeypatch)


# --- which districts ------------------------------------------------------------------------------------------------


def test_folders_globs_catalogues_and_folders_of_folders(tmp_path: Path) -> None:
    copies(tmp_path / "区", "a", "b")
    copies(tmp_path / "另", "a")
    (tmp_path / "区" / "catalogue.csv").write_text("code,folder,status\n1,b,done\n2,gone,failed\n", "utf-8-sig")
    assert list(districts_of([tmp_path / "区" / "a"])) == ["a"]
    assert list(districts_of([tmp_path / "区"])) == ["b"]  # its catalogue says which
    assert list(districts_of([str(tmp_path / "*" / "a")])) == ["区-a", "另-a"]
    assert list(districts_of([tmp_path / "另", tmp_path / "区" / "catalogue.csv", tmp_path / "另" / "a"])) == ["a", "b"]
    with pytest.raises(SourceError, match="没有文件夹符合"):
        districts_of([str(tmp_path / "nothing*")])
    (tmp_path / "x.csv").write_text("name\nn\n", "utf-8")
    with pytest.raises(SourceError, match="没有列 folder"):
        districts_of([tmp_path / "x.csv"])


# --- the work -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_good_ones_are_done_a_broken_one_is_a_row_and_nothing_is_done_twice(
    tmp_path: Path, here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    copies(tmp_path / "in", "a", "b")
    broken = tmp_path / "in" / "坏"
    shutil.copytree(TOY, broken)
    (broken / "district.toml").write_text('schema = 1\nname = "坏街道"\n', "utf-8")
    out = tmp_path / "out"
    command = [
        "batch",
        str(tmp_path / "in" / "*"),
        str(tmp_path / "in" / "none"),
        "--out",
        str(out),
        "--only",
        "tables",
    ]
    assert main([*command, "--timings", str(tmp_path / "t.csv")]) == 1
    assert "失败 2 个" in capsys.readouterr().out
    status = pd.read_csv(out / "status.csv", index_col="key", keep_default_na=False)
    assert status.loc["坏", "name"] == "坏街道" and status.loc["坏", "problem"].startswith("数据有")
    assert status.loc["none", "problem"].startswith("找不到文件夹 none") and status.loc["a", "problem"] == ""
    times = pd.read_csv(tmp_path / "t.csv", index_col="key")
    assert dict(times["status"]) == {"a": "done", "b": "done", "none": "failed", "坏": "failed"}
    assert (times.loc[["a", "b"], ["seconds", "cpu_seconds", "peak_mb"]] > 0).all().all()
    assert sorted(p.name for p in (out / "districts").iterdir()) == ["a", "b"]
    first = files_of(out)

    # done districts are kept, also after an interruption left rubbish; the failed one is tried again
    (out / "districts" / ".xinhe-a-x7f3").mkdir()
    assert main([*command, "--timings", str(tmp_path / "t.csv")]) == 1
    assert list(pd.read_csv(tmp_path / "t.csv")["status"]) == ["kept", "kept", "failed", "failed"]
    assert files_of(out) == first

    # what was done is done again when an output is gone, an input was changed, or the parameters are others
    (out / "districts" / "a" / "tables" / "coverage.xlsx").unlink()
    (tmp_path / "in" / "b" / "note.txt").write_text("x", "utf-8")
    main([*command, "--timings", str(tmp_path / "t.csv")])
    assert list(pd.read_csv(tmp_path / "t.csv")["status"]) == ["done", "done", "failed", "failed"]
    command[1:3] = [str(tmp_path / "in" / "a")]
    main([*command, "--preset", "elderly", "--timings", str(tmp_path / "t.csv")])
    assert list(pd.read_csv(tmp_path / "t.csv")["status"]) == ["done"]


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("only", [["--only", "tables"], []], ids=["tables", "all"])
def test_the_bytes_are_those_of_a_single_report_also_when_shipped(tmp_path: Path, here: None, only: list[str]) -> None:
    copies(tmp_path / "in", "a")
    if only:
        district = module.District.load(tmp_path / "in" / "a")
        module.write_report(district, module.analyse(district), tmp_path / "single", only="tables")
    else:
        assert main(["report", str(tmp_path / "in" / "a"), "--out", str(tmp_path / "single")]) == 0
    assert main(["batch", str(tmp_path / "in"), "--out", str(tmp_path / "many"), *only]) == 0
    assert main(["batch", str(tmp_path / "in"), "--out", str(tmp_path / "shipped"), "--ship", *only]) == 0
    assert files_of(tmp_path / "many" / "districts" / "a") == files_of(tmp_path / "single")
    assert files_of(tmp_path / "shipped") == files_of(tmp_path / "many")
    status = module.batch([tmp_path / "in"], tmp_path / "shipped", ship=True, only=only[-1] if only else None)["status"]
    assert list(status) == ["kept"]  # nothing is sent that is done


def test_what_was_done_in_another_language_is_not_done(tmp_path: Path) -> None:
    ours = Task("a", str(TOY), str(tmp_path), "plan", "tables", False, {})
    module.write_text(module._record_file(tmp_path, "a"), json.dumps({**module._stamp(ours, "x"), "outputs": {}}))
    assert module._is_done(tmp_path, ours, "x") and not module._is_done(tmp_path, ours._replace(lang="en"), "x")


@pytest.mark.slow
@pytest.mark.matrix
def test_interrupted_work_is_told_and_kept(tmp_path: Path, here: None) -> None:
    copies(tmp_path / "in", "a", "b", "c")

    def stop(tick: module.Tick) -> None:
        assert tick.text.startswith("1/3 个街道")
        raise KeyboardInterrupt

    table = module.batch([tmp_path / "in"], tmp_path / "out", only="tables", progress=stop)
    assert list(table["status"]) == ["done", "not_run", "not_run"]
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "没有做" in page and "1 个代码出现不止一次" in page
    # those already handed out may have been finished behind our back; what is recorded is whole
    again = module.batch([tmp_path / "in"], tmp_path / "out", only="tables")
    assert again["status"].iloc[0] == "kept" and set(again["status"]) <= {"kept", "done"}


def test_other_versions_are_refused_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = versions()

    class Client:
        def run(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {
                "tcp://w1": ours,
                "tcp://w2": {**ours, "pandas": "0.1"},
                "tcp://w3": ModuleNotFoundError("No module named 'xinhe_geo'"),
            }

    with pytest.raises(EnvironmentProblem) as failure:
        module._require_same_versions(Client())
    text = str(failure.value)
    assert (
        f"tcp://w2：pandas 这里 {ours['pandas']}、工作进程 0.1" in text
        and "tcp://w3：没有可用的 xinhe_geo" in text
        and "w1" not in text
    )
    # a worker that joins later is told by its task
    row = work(Task("a", str(TOY), str(tmp_path), "plan", "tables", False, {**ours, "numpy": "9"}))
    assert row["status"] == "failed" and "numpy 这里 9" in row["problem"]


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **more: Any) -> Any:
        if name in ("dask", "distributed"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(EnvironmentProblem, match=re.escape('pip install "xinhe-geo[cluster]"')):
        module.batch([TOY], tmp_path / "out")


def test_wrong_settings_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="口径预设"):
        module.batch([TOY], tmp_path / "out", preset="x")
    with pytest.raises(UnknownNameError, match="输出内容"):
        module.batch([TOY], tmp_path / "out", only="maps")
    with pytest.raises(UnknownNameError, match="语言"):
        module.batch([TOY], tmp_path / "out", lang="fr")
    copies(tmp_path, "a")
    with pytest.raises(EnvironmentProblem, match="在街道目录 a 里面"):
        module.batch([tmp_path / "a"], tmp_path / "a" / "out")


@pytest.mark.slow
def test_a_worker_keeps_no_profile_of_its_work() -> None:
    """Dask's profiler keeps what it saw for as long as a worker lives: a megabyte a district."""

    def profiled() -> tuple[bool, int]:
        import dask
        from distributed import get_worker

        return dask.config.get("distributed.worker.profile.enabled"), len(get_worker().profile_history)

    with module._cluster(1, None, 1) as client:
        assert client.submit(profiled).result() == (False, 0)


@pytest.mark.slow
def test_workers_of_another_cluster_are_not_profiled_meanwhile(tmp_path: Path) -> None:
    dask: Any = pytest.importorskip("dask")
    dd: Any = pytest.importorskip("distributed")

    def profiled(dask_worker: Any) -> tuple[bool, int]:
        return "profile" in dask_worker.periodic_callbacks, len(dask_worker.profile_history)

    with (
        dask.config.set({"distributed.worker.profile.enabled": True}),
        dd.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            local_directory=tmp_path,
        ) as theirs,
        dd.Client(theirs) as other,
    ):
        assert [on for on, _ in other.run(profiled).values()] == [True]
        with module._cluster(None, theirs.scheduler_address, 1) as client:
            with dask.config.set({"distributed.worker.profile.enabled": True}):  # as their machine has it
                theirs.scale(2)
                client.wait_for_workers(2, timeout=300)
            assert client.submit(sum, [1, 2]).result() == 3
            assert list(client.run(profiled).values()) == [(False, 0)] * 2
        assert [on for on, _ in other.run(profiled).values()] == [True] * 2


@pytest.mark.slow
@pytest.mark.matrix
def test_two_processes_and_one_killed_give_the_same(
    tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = copies(tmp_path / "in", "a", "b", "c")
    module.batch(folders, tmp_path / "one", only="tables")
    monkeypatch.undo()
    killed: list[int] = []

    def kill_one(client: Any) -> None:
        pids = client.run(os.getpid)
        killed.append(next(iter(pids.values())))
        os.kill(killed[0], signal.SIGKILL)

    real = module._run

    def run(client: Any, *rest: Any) -> None:
        real_submit, n = client.submit, [0]

        def submit(*args: Any, **more: Any) -> Any:
            future = real_submit(*args, **more)
            n[0] += 1
            if n[0] == 3:
                kill_one(client)
            return future

        client.submit = submit
        real(client, *rest)

    monkeypatch.setattr(module, "_run", run)
    table = module.batch(folders, tmp_path / "two", workers=2, only="tables")
    assert killed and list(table["status"]) == ["done"] * 3
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


@pytest.mark.matrix
def test_everything_is_the_same_whoever_does_it(tmp_path: Path, scheduler: str) -> None:
    """Maps, sheets and documents included: by one worker, by two, by a cluster with and without its own storage."""
    folders = copies(tmp_path / "in", "甲", "乙")
    manifest = folders[1] / "district.toml"
    code = str(tomllib.loads(manifest.read_text("utf-8"))["code"])
    manifest.write_text(manifest.read_text("utf-8").replace(code, code[::-1]).replace("玩具", "另一"), "utf-8")
    ways: dict[str, dict[str, Any]] = {
        "one": {"workers": 1},
        "two": {"workers": 2},
        "far": {"scheduler": scheduler},
        "shipped": {"scheduler": scheduler, "ship": True},
    }
    for way, settings in ways.items():
        table = module.batch(folders, tmp_path / way, **settings)
        assert list(table["status"]) == ["done", "done"], table["problem"].tolist()
        assert table["code"].nunique() == 2
    files = files_of(tmp_path / "one")
    assert {Path(name).suffix for name in files} >= {".html", ".xlsx", ".gpkg", ".json", ".csv"}
    for way in ways:
        made = files_of(tmp_path / way)
        assert [name for name in {*files, *made} if made.get(name) != files.get(name)] == []


# --- the comparison -------------------------------------------------------------------------------------------------


def record(code: int, value: float | None, **more: Any) -> dict[str, Any]:
    x = 117 + code % 10 * 0.05
    y = 39 + code // 10 * 0.05
    outline = f"POLYGON (({x} {y}, {x + 0.05} {y}, {x + 0.05} {y + 0.05}, {x} {y + 0.05}, {x} {y}))"
    indicator = {
        "rule": "r",
        "label": "某类 <15 分钟>",
        "definition": "d",
        "kinds": "某类",
        "asks": "步行时间不超过 15 分钟",
        "standard": "参考值（未核）",
        "value": value,
        "denominator": "people" if value is not None else "",
        "size": 20_000.0,
        "served": None if value is None else value * 20_000,
        "unserved_people": None,
        "homes": 60,
        "largest_home": 0.05,
        "share_buffer": 0.9,
        "share_network_m": value,
        "share_walk_min": value,
        "outside_share": 0.0,
        "minutes": 9.0,
        "facilities": 5,
        "facilities_near": 7,
        "headline": "数据不足：没有调查过某类",
        "mark": "",
        **more,
    }
    return {
        "district": {
            "code": str(code),
            "name": "新河街道",
            "crs": "",
            "year": 2024,
            "list_year": 2024,
            "demonstration": bool(more.get("mark")),
            "rests_on": "",
            "survey_note": "",
            "outline_basis": "",
            "area_km2": 20.0,
            "homes": 60,
            "cells": False,
            "facilities": 50,
            "people": 20_000.0,
            "people_60plus": None,
            "area_m2": None,
        },
        "outline": outline,
        "indicators": [indicator],
    }


def sample() -> list[tuple[str, dict[str, Any]]]:
    usual = [0.70, 0.72, 0.74, 0.74, 0.76, 0.78, 0.80, 0.82]
    records = [record(i, v) for i, v in enumerate(usual)]
    records += [
        record(8, 0.05, facilities=0, minutes=31.0),
        record(9, 0.99, mark="演示值（不作结论）"),
        record(10, 1.0, homes=3, largest_home=0.6),
        record(11, 0.5, denominator="homes"),
        record(12, 0.5, definition="other"),
        record(13, None),
    ]
    return [(f"k{i:02d}", r) for i, r in enumerate(records)]


@pytest.mark.slow
def test_a_home_is_a_share_of_its_own_denominator_only() -> None:
    district = xh.District.load(TOY)
    shares = pd.DataFrame(facts(district, analyse(district))["indicators"]).set_index("rule")
    largest = shares["largest_home"].astype("float64")
    assert (shares["denominator"] == "communities").any()
    assert largest[(shares["denominator"] == "communities").to_numpy()].isna().all()
    assert largest.dropna().between(0, 1).all() and largest["plan_clinic_15"] == pytest.approx(200 / 360)


def test_a_name_near_the_edge_of_a_map_stays_whole() -> None:
    (left,) = _clear_of_each_other([(0.0, 50.0)], ["玩具街道"])
    (right,) = _clear_of_each_other([(_MAP[0], 50.0)], ["玩具街道"])
    assert left[0] >= 24 and right[0] <= _MAP[0] - 24


def test_only_like_is_ranked_with_like() -> None:
    districts, values = side_by_side(sample())
    assert len(districts) == 14 and values["key"].tolist() == districts.index.tolist()
    rows = values.set_index("key")
    assert rows.loc[["k07", "k03", "k02", "k08"], "rank"].tolist() == [1, 5, 5, 9]
    assert rows["no_rank"].tolist()[9:] == [
        "演示值（不作结论）",
        "样本小",
        "口径或分母与多数不同",
        "口径或分母与多数不同",
        "",
    ]
    assert rows.loc["k08", "outlier"] == "low" and (rows["outlier"] != "").sum() == 1
    assert (
        rows.loc["k08", "why"].startswith("界内没有某类")
        and "步行时间中位数 31.0 分钟（中位 9.0 分钟）" in rows.loc["k08", "why"]
    )
    line = spread(values).loc["r"]
    assert (line["ranked"], line["demo"], line["small"], line["unlike"], line["no_data"]) == (9, 1, 1, 2, 1)
    assert line["median"] == 0.74 and line["pooled"] == pytest.approx(
        np.mean([0.70, 0.72, 0.74, 0.74, 0.76, 0.78, 0.80, 0.82, 0.05])
    )
    assert ranking(values, "r", districts["name"])["key"].tolist()[:2] == ["k07", "k06"]


def test_few_districts_have_no_outliers() -> None:
    few = [*sample()[: FEW_DISTRICTS - 2], sample()[8]]
    assert (side_by_side(few)[1]["outlier"] == "").all()


@pytest.mark.slow
def test_page_workbook_and_layers_say_the_same_and_load_nothing(tmp_path: Path) -> None:
    districts, values = side_by_side(sample())
    status = districts[["name", "code"]].assign(status="done", problem="")
    status.loc["zz"] = ["<b>坏</b>", "", "failed", "数据有 1 处错误：<script>"]
    write_side_by_side(districts, values, status, tmp_path)
    first = files_of(tmp_path)
    write_side_by_side(districts, values, status, tmp_path)
    assert files_of(tmp_path) == first and sorted(first) == [
        "gis/comparison.gpkg",
        "index.html",
        "tables/comparison.xlsx",
    ]
    page = first["index.html"].decode()
    assert "default-src 'none'" in page and not re.search(r"<script|https?://|<b>坏", page)
    assert "&lt;script&gt;" in page and "&lt;15 分钟&gt;" in page
    assert (
        "1,000 / 20,000" in page
        and DENOMINATORS["people"] in page
        and "样本小" in page
        and "14 个街道中 1 个是演示" in page
    )
    assert page.count("<use ") == 14 and page.count('class="n">—') >= 5
    book = openpyxl.load_workbook(tmp_path / "tables" / "comparison.xlsx")
    assert book.sheetnames == ["指标", "排名", "街道×指标", "街道", "离群"]
    ranks = [row[1] for row in book["排名"].iter_rows(min_row=4, values_only=True)]
    assert ranks[0] == "1" and ranks[-1] == "数据不足"
    layer = pyogrio.read_dataframe(tmp_path / "gis" / "comparison.gpkg", layer="指标_r")
    assert len(layer) == 14 and layer["rank_text"].tolist() == ranks


def in_years(*known: tuple[int, float | None, str]) -> list[tuple[str, dict[str, Any]]]:
    """The same district in several years (year, share, definition), and another one once."""
    found = []
    for year, share, definition in known:
        one = record(1, share, definition=definition)
        found.append((f"k{year}", {**one, "district": {**one["district"], "year": year}}))
    return [*found, ("other", record(2, 0.4))]


def test_a_district_in_several_years_is_a_line_and_no_repetition(tmp_path: Path) -> None:
    districts, values = side_by_side(in_years((2026, 0.8, "a"), (2024, 0.5, "a"), (2025, None, "a")))
    table = over_years(districts, values)
    assert table["year"].tolist() == [2024, 2025, 2026]
    assert table["value"].tolist()[::2] == [0.5, 0.8] and np.isnan(table["value"].iloc[1])
    status = districts[["name", "code"]].assign(status="done", problem="")
    write_side_by_side(districts, values, status, tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "逐年" in page and "2025 年 数据不足" in page and "代码出现不止一次" not in page
    section = page.split("<h2>逐年</h2>")[1].split("</section>")[0]
    assert section.count("<circle") == 2 and 'stroke-width="2"' not in section, "no line over a year nobody knows"
    asked_otherwise = side_by_side(in_years((2024, 0.5, "a"), (2025, 0.6, "b")))
    assert over_years(*asked_otherwise).empty, "shares of different questions are no line"


def test_a_district_in_several_years_is_ranked_drawn_and_counted_once(tmp_path: Path) -> None:
    """By its latest year; the same code in another place is another district, and told of."""
    records = in_years((2024, 0.9, "a"), (2026, 0.5, "a"))
    once = side_by_side([row for row in records if row[0] != "k2024"])
    districts, values = side_by_side(records)
    assert districts["same_as"].to_dict() == {"k2024": "k2026", "k2026": "k2026", "other": "other"}
    kept = values[values["key"] != "k2024"].set_index("key")
    pd.testing.assert_frame_equal(kept, once[1].set_index("key"))
    pd.testing.assert_frame_equal(spread(values), spread(once[1]))
    assert values.set_index("key").loc["k2024", "no_rank"] == "同一街道较早的一份"
    status = districts[["name", "code"]].assign(status="done", problem="")
    write_side_by_side(districts, values, status, tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "<h1>2 个街道的比较</h1>" in page and page.count("<use ") == 2 and "代码出现不止一次" not in page
    away = [
        (key, {**r, "outline": "POLYGON((9 9, 9.1 9, 9.1 9.1, 9 9.1, 9 9))"} if key == "k2024" else r)
        for key, r in records
    ]
    districts, values = side_by_side(away)
    assert (districts["same_as"] == districts.index).all() and over_years(districts, values).empty
    write_side_by_side(districts, values, status, tmp_path)
    assert "1 个代码出现不止一次" in (tmp_path / "index.html").read_text("utf-8")


def test_a_crowd_on_the_map_is_drawn_again_larger() -> None:
    rng = np.random.default_rng(3)
    spread_out, crowd = rng.uniform((0, 0), (560, 420), (40, 2)), rng.normal((400, 100), 12, (60, 2))
    x, y, wide, high = _dense(np.concatenate([spread_out, crowd]), np.repeat([40.0, 5.0], [40, 60])) or (0, 0, 0, 0)
    inside = ((crowd >= (x, y)) & (crowd <= (x + wide, y + high))).all(axis=1)
    assert inside.mean() > 0.75 and wide < 560 / 2 and wide / high == pytest.approx(2)
    assert _dense(spread_out, np.full(40, 5.0)) is None  # few districts
    everywhere = rng.uniform((0, 0), (560, 420), (400, 2))
    assert _dense(everywhere, np.full(400, 9.0)) is None  # small all over: nothing to enlarge


def test_what_the_system_refuses_a_district_is_told_in_words(tmp_path: Path) -> None:
    """Whichever step it is: here the record of the earlier run, which is a folder, cannot be removed."""
    (tmp_path / "records" / "toy.json" / "x").mkdir(parents=True)
    row = module.work(Task("toy", str(TOY), str(tmp_path), "plan", None, False, module.versions()))
    assert row["status"] == "failed" and "toy.json" in row["problem"] and "程序出错" not in row["problem"]
    assert not (tmp_path / "districts").exists()


@pytest.mark.slow
def test_a_cluster_of_ones_own_is_seen_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """On this computer only, without a dashboard, by a certificate of the run; what Dask is told of encryption is left to Dask."""
    distributed = pytest.importorskip("distributed")
    import dask

    asked: list[dict[str, Any]] = []

    def started(**given: Any) -> Any:
        routes = [dask.config.get(f"distributed.{who}.http.routes") for who in ("scheduler", "worker")]
        asked.append(given | {"encrypted": distributed.Security().require_encryption, "routes": routes})
        return contextlib.nullcontext("cluster")

    monkeypatch.setattr(distributed, "LocalCluster", started)
    monkeypatch.setattr(distributed, "Client", lambda *given, **_: contextlib.nullcontext(given))
    told = ({}, {"require-encryption": True}, {"tls.ca-file": "/theirs.pem"}, {"tls.worker.cert": "/theirs.pem"})
    for said in told:
        with dask.config.set({f"distributed.comm.{k}": v for k, v in said.items()}), module._cluster(1, None, 1):
            pass
    assert [given["encrypted"] for given in asked] == [False, True, False, False]
    assert ["security" in given for given in asked] == [True, False, False, False], "Dask's own settings decide"
    own = asked[0]["security"]
    assert own.require_encryption and own.tls_ca_file == own.tls_worker_cert == own.tls_scheduler_cert
    for given in asked:
        assert given["host"] == "127.0.0.1" and given["scheduler_kwargs"] == {"dashboard": False}
        assert given["routes"] == [[], []], "its ports for browsers answer nothing"
        assert "protocol" not in given


@pytest.mark.slow
def test_nobody_without_the_certificate_reaches_a_worker() -> None:
    dd: Any = pytest.importorskip("distributed")
    with module._cluster(1, None, 1) as client:
        info = client.scheduler_info()
        addresses = [info["address"], *info["workers"], *(w["nanny"] for w in info["workers"].values())]
        assert len(addresses) == 3 and all(address.startswith("tls://127.0.0.1:") for address in addresses)
        assert client.submit(sum, [1, 2]).result() == 3
        for address in addresses:
            for stranger in (address, address.replace("tls", "tcp")):
                with pytest.raises((OSError, TypeError, TimeoutError, ValueError)):
                    dd.Client(stranger, timeout=2).close()


@pytest.mark.parametrize(("cells", "said"), [((), "个小区"), ((0, 1), "个小区或格网单元"), (range(14), "个格网单元")])
def test_a_comparison_calls_homes_what_they_are_in_its_districts(
    cells: Sequence[int], said: str, tmp_path: Path
) -> None:
    """Cells are not said to be compounds, in words of page and workbook alike; one figure for each kind of district."""
    records = [(key, {**r, "district": {**r["district"], "cells": i in cells}}) for i, (key, r) in enumerate(sample())]
    districts, values = side_by_side(records)
    status = districts[["name", "code"]].assign(status="done", problem="")
    write_side_by_side(districts, values, status, tmp_path)
    with zipfile.ZipFile(tmp_path / "tables" / "comparison.xlsx") as book:
        sheets = book.read("xl/sharedStrings.xml").decode("utf-8")
    page = (tmp_path / "index.html").read_text("utf-8")
    assert f"不足 10 {said}、" in page and f"<t>{said[1:]}数</t>" in sheets
    assert ("小区" in page + sheets) == (len(cells) < 14)
