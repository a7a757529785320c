"""The commands: progress, exit codes, one clear message where something is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .errors import DataError, EnvironmentProblem, SourceError, UnknownNameError, XinheError, describe

#: 0 done; 1 done in part; 2 wrong command line; 3 the data; 4 the environment.
DONE, PARTLY, USAGE, DATA, ENVIRONMENT = range(5)

MESSAGES = {
    "zh": {
        "done": "完成：打开 {}",
        "loading": "读取街道数据",
        "clean": "检查完毕：{} 处错误，{} 处提示",
        "imported": "已建立街道目录 {}；下一步：python run.py report {}",
        "interrupted": "已中断；原有输出没有改动",
        "took": "数据：{} 处提示，见 check 命令",
    },
    "en": {
        "done": "Done: open {}",
        "loading": "Reading the district",
        "clean": "Checked: {} errors, {} warnings",
        "imported": "Made district folder {}; next: python run.py report {}",
        "interrupted": "Interrupted; earlier outputs are unchanged",
        "took": "Data: {} warnings, see the check command",
    },
}

app = typer.Typer(
    name="xinhe-geo",
    help="街道公共服务设施的步行可达分析。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)
Lang = Annotated[str, typer.Option("--lang", help="zh 或 en")]


def _text(lang: str, key: str, *args: object) -> str:
    return MESSAGES["en" if lang == "en" else "zh"][key].format(*args)


def _show(path: Path) -> str:
    """Return a path as the reader would type it: relative where it lies below the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@app.command()
def report(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录")] = Path("output"),
    year: Annotated[int | None, typer.Option("--year", help="哪一年的状态")] = None,
    planned: Annotated[bool, typer.Option("--planned", help="到期的规划设施也算开放")] = False,
    preset: Annotated[str, typer.Option("--preset", help="plan 规划目标 | td1063 体检评估 | elderly 老年人")] = "plan",
    lang: Lang = "zh",
) -> None:
    """分析一个街道，写出简报、地图、表格和 GIS 数据。"""
    from .district import District
    from .report import brief

    with _err.status(_text(lang, "loading")) as status:
        district = District.load(folder)
        if year is not None or planned:
            district = district.at(district.year if year is None else year, planned=planned)
        brief(district, out, preset=preset, progress=lambda step: status.update(escape(step)))
    _out.print(escape(_text(lang, "done", _show(out / "index.html"))))


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="街道目录；省略为随程序的演示街道")] = None,
    lang: Lang = "zh",
) -> None:
    """检查街道目录，列出每一处问题：文件、行、列、怎么改。"""
    from .district import check as check_folder

    problems = check_folder(folder)
    errors = int((problems["severity"] == "error").sum())
    if len(problems):
        table = Table("级别", "文件", "行", "列", "问题", "怎么办")
        for row in problems.itertuples(index=False):
            level = "错误" if row.severity == "error" else "提示"
            table.add_row(level, *(escape(str(v)) for v in (row.file, row.row, row.field, row.problem, row.remedy)))
        _out.print(table)
    _out.print(_text(lang, "clean", errors, len(problems) - errors))
    if errors:
        raise typer.Exit(DATA)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="OSM 提取文件：.osm.pbf .osm .osm.gz .osm.bz2")],
    out: Annotated[Path, typer.Option("--out", help="新的街道目录")],
    homes: Annotated[Path | None, typer.Option("--homes", help="人口表 CSV：id, lon, lat, population")] = None,
    name: Annotated[str | None, typer.Option("--name", help="街道名称")] = None,
    code: Annotated[str | None, typer.Option("--code", help="统计代码")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="计算用的投影坐标系；省略为当地 UTM 带")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="替换以前导入的目录")] = False,
    lang: Lang = "zh",
) -> None:
    """从 OSM 提取文件建立一个街道目录。"""
    from .sources import import_osm

    with _err.status(escape(file.name)) as status:
        taken = import_osm(
            file, out, homes=homes, name=name, code=code, crs=crs, overwrite=overwrite,
            progress=lambda step: status.update(escape(str(step))),
        )  # fmt: skip
    table = Table(*(str(c) for c in taken.reset_index().columns))
    for row in taken.reset_index().itertuples(index=False):
        table.add_row(*("" if v is None or v != v else escape(str(v)) for v in row))
    _out.print(table)
    _out.print(escape(_text(lang, "imported", _show(out), _show(out))))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. Every failure on purpose prints one clear message."""
    try:
        code = app(args=sys.argv[1:] if arguments is None else arguments, standalone_mode=False)
    except DataError as error:
        rows = error.problems[error.problems["severity"] == "error"]
        _err.print(escape(f"数据有 {len(rows)} 处错误，没有写出任何结果："))
        for row in rows.head(50).itertuples(index=False):
            _err.print(escape("  " + describe(row)))
        if len(rows) > 50:
            _err.print(escape(f"  …… 另有 {len(rows) - 50} 处，用 check 命令看全部"))
        return DATA
    except SourceError as error:
        _err.print(escape(str(error)))
        return DATA
    except UnknownNameError as error:
        _err.print(escape(str(error)))
        return USAGE
    except EnvironmentProblem as error:
        _err.print(escape(str(error)))
        return ENVIRONMENT
    except XinheError as error:
        _err.print(escape(str(error)))
        return DATA
    except typer.Exit as stop:
        return int(stop.exit_code)
    except KeyboardInterrupt:
        _err.print(_text("zh", "interrupted"))
        return ENVIRONMENT
    except Exception as error:
        return _usage_or_raise(error)
    return code if isinstance(code, int) else DONE


def _usage_or_raise(error: Exception) -> int:
    """Print what the command line got wrong, with its exit code; anything else is a fault of ours and is raised."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", USAGE))
