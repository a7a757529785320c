"""Commands and exit codes: 0 done, 2 wrong command line, 3 the data, 4 the environment."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import xinhe_geo as xh
from xinhe_geo.app.cli import COMMANDS, ENVIRONMENT, SWAYING, main
from xinhe_geo.district import District

TOY = Path(__file__).parents[1] / "toy"


@pytest.mark.slow
def test_report_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "输出 目录"
    assert main(["report", str(TOY), "--out", str(out)]) == 0
    assert (out / "index.html").is_file()
    assert "index.html" in capsys.readouterr().out


@pytest.mark.slow
def test_broken_folder_names_file_row_and_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    homes = folder / "homes/homes.geojson"
    homes.write_text(homes.read_text("utf-8").replace('"people": 200', '"people": -200'), "utf-8")
    assert main(["report", str(folder), "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert "homes/homes.geojson" in said and "B" in said and "people" in said and "-200" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.matrix
def test_check_lists_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(TOY)]) == 0
    assert "0 处错误" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "nowhere")]) == 3
    assert main(["check", str(TOY), "--lang", "en"]) == 0
    assert "0 errors" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["reprot"], ["report", str(TOY), "--preset", "plam"], ["report", str(TOY), "--yaer", "2025"]]
)
def test_wrong_command_line(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SWAYING)
def test_where_settings_of_libraries_lie_nothing_is_done(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it is: a file, a pipe at which a library would wait, a link to a device."""
    monkeypatch.chdir(tmp_path)
    for lay in (Path(name).touch, lambda: os.mkfifo(name), lambda: Path(name).symlink_to("/dev/zero")):
        lay()
        assert main(["check", str(TOY)]) == ENVIRONMENT
        assert name in capsys.readouterr().err
        Path(name).unlink()


def test_what_the_program_starts_takes_no_module_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is started anew looks where one stands before it looks in Python's own folders."""
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    monkeypatch.delenv("PYTHONSAFEPATH")
    assert main(["scenarios", "nowhere"]) == 3 and "PYTHONSAFEPATH" not in os.environ
    monkeypatch.setattr(sys, "argv", ["xinhe-geo", "scenarios", "nowhere"])
    assert main() == 3 and os.environ["PYTHONSAFEPATH"]


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.skipif(shutil.which("strace") is None, reason="what is looked for is seen by strace")
@pytest.mark.parametrize("command", ["slides", "dxf"])
def test_nothing_is_looked_for_where_one_stands(command: str, tmp_path: Path) -> None:
    """But what is refused there; and Numba asks how its own files are called from here."""
    here, trace = tmp_path / "here", tmp_path / "trace"
    here.mkdir()
    watch = [
        "strace",
        "-f",
        "-qq",
        "-o",
        str(trace),
        "-e",
        "trace=open,stat,lstat,access,openat,newfstatat",
        sys.executable,
        "-P",
    ]
    asked = [command, str(TOY), "--out", str(tmp_path / {"slides": "a.pptx", "dxf": "a.dxf"}[command])]
    done = subprocess.run(
        [*watch, "-m", "xinhe_geo", *asked],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(TOY.parents[1])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    asked_for = r'^\d+ +(?:open|stat|lstat|access|(?:openat|newfstatat|faccessat2?)\(AT_FDCWD, )\(?"([^"]+)"'
    names = re.findall(asked_for, trace.read_text("utf-8", "replace"), re.MULTILINE)
    looked = {os.path.normpath(here / name) for name in names}
    found = {os.path.relpath(place, here).partition("/")[0] for place in looked if place.startswith(f"{here}/")}
    assert names and found <= {*SWAYING, "GeoJSON:"}


@pytest.mark.parametrize("typed", [["check", "x" * 5000], ["check", "x" * 300]])
def test_a_name_that_no_file_can_have(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed) == 3
    said = capsys.readouterr().err.replace("\n", "")
    assert "Traceback" not in said and ("名字太长" in said or "没有这个文件夹" in said) and len(said) < 400


def test_import_of_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "city.osm.pbf"), "--out", str(tmp_path / "city")]) == 3
    assert "city.osm.pbf" in capsys.readouterr().err
    assert not (tmp_path / "city").exists()


@pytest.mark.slow
def test_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    assert main(["report", str(TOY), "--out", str(tmp_path / "file" / "out")]) == 4
    assert "不能写入" in capsys.readouterr().err


@pytest.mark.slow
def test_compare_scenarios_and_sites(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["scenarios"]) == 0
    assert main(["compare", "two-stations"]) == 0
    assert "受益居民" in capsys.readouterr().out
    assert main(["compare", "two-statons"]) == 2
    assert "two-stations" in capsys.readouterr().err
    out = tmp_path / "sites.csv"
    assert main(["sites", "clinic_station", "--for", str(TOY), "--csv", str(out)]) in {0, 3}
    assert main(["sites", "clinik", "--for", str(TOY)]) == 2


@pytest.mark.slow
@pytest.mark.matrix
def test_sites_of_the_bundled_district(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "sites.csv"
    assert main(["sites", "clinic_station", "--n", "1", "--csv", str(out)]) == 0
    said = capsys.readouterr().out
    assert "已证明最优" in said and "不作任何结论" in said
    assert "lon" in out.read_text("utf-8-sig").splitlines()[0]


@pytest.mark.slow
def test_a_bad_scenario_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "方案一.toml"
    path.write_text('name = "x"\n[[edit]]\ndo = "close_facility"\nfacility = "none"\n', "utf-8")
    assert main(["compare", str(path)]) == 3
    assert "close_facility" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.matrix
def test_template_add_and_undo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "--out", str(tmp_path / "模板.xlsx")]) == 0
    folder = Path(shutil.copytree(TOY, tmp_path / "toy"))
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    table = tmp_path / "站点.csv"
    table.write_text("编号,名称,类别,经度,纬度\nN1,新站,clinic_station,117.0,39.0\nN2,坏站,clinc,117.0,39.0\n", "utf-8")
    asked = ["add", str(table), "--to", str(folder), "--layer", "facilities", "--crs", "WGS84"]
    assert main(asked) in {1, 3}  # a row is refused, or the place is not this district's
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    good = xh.District.load(folder).facilities.to_crs("EPSG:4326").geometry["F1"]
    table.write_text(f"编号,名称,类别,经度,纬度\nN1,新站,canteen,{good.x:.7f},{good.y:.7f}\n", "utf-8")
    assert main([*asked, "--yes"]) == 3, "one row proves no datum"
    assert main([*asked, "--yes", "--datum-checked", "测试里量过"]) == 0
    assert "N1" in xh.District.load(folder).facilities.index
    assert main(["undo", str(folder)]) == 0
    assert {p: p.read_bytes() for p in before} == before
    assert "已撤销" in capsys.readouterr().out


@pytest.mark.slow
def test_a_kind_is_named_as_planners_name_it_and_a_wrong_one_is_answered_in_few_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sites", "卫生站", "--for", str(TOY)]) == 2
    assert "社区卫生服务站" in capsys.readouterr().err
    assert main(["links", "飞碟场", "--for", str(TOY)]) == 2
    said = "".join(capsys.readouterr().err.split())
    assert "可选：" in said and len(said) < 400, "not two hundred rule names"
    assert main(["sites", "老年食堂", "--for", str(TOY), "--n", "1"]) == 0
    assert "老年食堂" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.matrix
def test_a_ledger_of_another_plan_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", str(TOY), "--out", str(tmp_path)]) == 0
    assert "没有自己的规划目标" in capsys.readouterr().err
    for name in ("ledger.html", "communities.html"):
        head = (tmp_path / name).read_text("utf-8").split("</header>")[0]
        assert "没有自己的规划目标" in head, name
    assert main(["ledger", str(TOY), "--out", str(tmp_path), "--lang", "en"]) == 0
    assert "no commitments of its own" in capsys.readouterr().err
    assert "no commitments of its own" in (tmp_path / "ledger.html").read_text("utf-8").split("</header>")[0]


@pytest.mark.slow
def test_a_path_that_is_no_folder_is_told_from_a_folder_without_a_district(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "没有的 街道"), "--out", str(tmp_path / "out")]) == 3
    assert "没有这个文件夹" in capsys.readouterr().err
    (tmp_path / "a.txt").write_text("x")
    assert main(["check", str(tmp_path / "a.txt")]) == 3
    assert "是文件" in capsys.readouterr().out
    assert main(["check", str(tmp_path)]) == 3
    assert "district.toml" in capsys.readouterr().out
    assert main(["report", str(TOY), "--since", str(tmp_path / "old.json"), "--out", str(tmp_path / "out")]) == 3
    assert "文件不存在：old.json" in "".join(capsys.readouterr().err.split())


@pytest.mark.slow
@pytest.mark.matrix
def test_an_output_that_is_a_file_is_answered_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("x")
    assert main(["report", str(TOY), "--out", str(tmp_path / "out")]) == 4
    said = capsys.readouterr().err
    assert "已经有同名的文件" in "".join(said.split()) and "exists" not in said
    assert (tmp_path / "out").read_text() == "x"


def test_ctrl_c_says_that_nothing_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(xh.District, "load", stop)
    assert main(["report", str(TOY), "--out", str(tmp_path / "out")]) == 130
    assert "已中断" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    ['import runpy; runpy.run_module("xinhe_geo", run_name="__main__")', "import xinhe_geo.__main__ as m; m.run()"],
)
def test_ctrl_c_while_everything_is_imported_is_one_line(start: str) -> None:
    """As `python -m xinhe_geo`, and as the installed command."""
    code = f"""
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "xinhe_geo.app.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
{start}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (130, "已中断；原有输出没有改动\n")


@pytest.mark.slow
@pytest.mark.one_in(2)
@pytest.mark.parametrize("module", ["xinhe_geo", "xinhe_geo.app.cli"])
def test_a_wrong_command_is_an_error_however_the_commands_are_started(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "nonsense"], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 2 and "nonsense" in done.stderr


def test_a_check_in_english_has_its_findings_in_english(capsys: pytest.CaptureFixture[str]) -> None:
    """Heads, how serious it is, what was found, what to do and what the figures rest on; names are the data's."""
    assert main(["check", str(TOY), "--lang", "en"]) == 0
    english = capsys.readouterr().out
    assert main(["check", str(TOY)]) == 0
    chinese = capsys.readouterr().out
    han, names = re.compile("[\u4e00-\u9fff]+"), District.load(TOY)
    known = "".join(str(v) for rows in names.layers.values() for v in rows.get("name", ()))
    assert han.search(chinese) and [said for said in han.findall(english) if said not in known] == []


@pytest.mark.slow
def test_tables_of_commands_are_english_but_for_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the data call by a Chinese name only (places, norms, standards) keeps it; figures are those of the Chinese."""
    folder, csv = shutil.copytree(TOY, tmp_path / "toy"), tmp_path / "list.csv"
    plan = folder / "scenarios" / "gone.toml"
    plan.parent.mkdir()
    plan.write_text('name = "gone"\nlabel = "gone"\n[[edit]]\ndo = "demolish_homes"\nhomes = ["A"]\n', "utf-8")
    commands = {
        "compare": ["compare", "gone", "--for", str(folder)],
        "check": ["scenario", "check", "gone", "--for", str(folder)],
        "robustness": ["robustness", str(folder), "--draws", "39", "--csv", str(csv)],
        "list": ["sheet", "list", str(folder)],
        "receipt": ["receipt", "plan_clinic_15", str(folder), "--out", str(tmp_path / "r.json")],
    }
    district = District.load(folder)
    known = "".join(str(v) for rows in district.rows.values() for v in rows.get("name", ())) + district.name
    han = re.compile("[\u4e00-\u9fff]+")
    for name, command in commands.items():
        assert main([*command, "--lang", "en"]) == 0
        english = capsys.readouterr().out + (csv.read_text("utf-8") if name == "robustness" else "")
        assert main(command) == 0
        chinese = capsys.readouterr().out
        assert han.search(chinese) and [said for said in han.findall(english) if said not in known] == [], name
        if name == "compare":
            shares = re.compile(r"\d+\.\d%")
            assert sorted(shares.findall(english)) == sorted(shares.findall(chinese)) != []


NUMBERS = {
    "sites": ("limit", "spacing", "within", "price", "budget", "capacity", "gap"),
    "provision": ("people", "elderly"),
    "split": ("margin",),
    "programme": ("gap",),
    "robustness": ("minutes",),
}


@pytest.mark.parametrize("said", ["inf", "-inf", "nan", "NaN", "Infinity", "1e999"])
@pytest.mark.parametrize(("command", "option"), [(c, o) for c, options in NUMBERS.items() for o in options])
def test_a_number_has_an_end(command: str, option: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed = {"sites": ["canteen", "--for", str(TOY)], "provision": ["--for", str(TOY)], "programme": [str(TOY)]}
    needed["robustness"] = [str(TOY)]
    needed["split"] = ["a.osm.pbf", "--districts", "b", "--code", "c", "--out", "d"]
    assert main([command, *needed[command], f"--{option}={said}"]) == 2
    assert f"--{option}" in capsys.readouterr().err


def test_every_number_of_the_commands_is_among_them() -> None:
    """Derived from the commands as they are: another option with a decimal number has to come into the table above."""
    found = {
        (name, parameter.replace("_", "-"))
        for names in COMMANDS.values()
        for name, command in names.items()
        for parameter, of in inspect.signature(command).parameters.items()
        if "float" in str(of.annotation)
    }
    assert found == {(c, o) for c, options in NUMBERS.items() for o in options}


@pytest.mark.parametrize("box", ["nan,1,2,3", "1,2,inf,3"])
def test_a_box_has_an_end(box: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--bbox", box, "--out", str(tmp_path / "a"), "--yes"]) == 3
    assert "不是有限的数" in capsys.readouterr().err


@pytest.mark.slow
def test_a_file_that_was_named_is_replaced_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["map", "overview", str(TOY), "--out", str(tmp_path / "a.html")]
    assert main(command) == 0 and "替换" not in capsys.readouterr().out
    assert main(command) == 0 and "替换了原有的" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("typed", [["--help"], ["rules", "list"]])
def test_who_has_read_enough_may_close_it(typed: list[str]) -> None:
    """As `| head -1` does: what is left to say is not said, and nothing goes wrong."""
    reading, writing = os.pipe()
    os.close(reading)
    typed = [sys.executable, "-m", "xinhe_geo", *typed]
    ran = subprocess.run(typed, check=False, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert "Traceback" not in ran.stderr and "Errno" not in ran.stderr, ran.stderr
