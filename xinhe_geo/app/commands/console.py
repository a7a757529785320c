"""What the commands share: exit codes, what they say, tables, and the line that shows how far they are."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ...core import (
    UnknownNameError,
    bundled_folder,
    having_typed,
    is_cleared,
    listening,
    per_cent,
    refuse_uncleared,
    say,
    secret_layers,
    speaking,
)
from ...district import District, secrecy_of
from .helping import wrapped

#: 0 done; 1 done in part; 2 wrong command line; 3 the data; 4 the environment.
DONE, PARTLY, USAGE, DATA, ENVIRONMENT = range(5)

#: What is said of an event; its English stands in the catalogue.
MESSAGES = {
    "done": "完成：打开 {}",
    "loading": "读取街道数据",
    "documents": "读文档和函数说明",
    "copied": "{0} 个笔记本在 {1}；打开：python run.py lab",
    "receipt": "算式写在 {0}；重新加一遍：python tools/readd.py {0}",
    "changed": "与上次相比有 {0} 处变化",
    "taken": "记进台账填报表 {0} 个数；undo 可撤销",
    "typed": "专栏1 工作表里新填的 {0} 个数已计入；要长期保留，用 ledger --take 记进台账填报表",
    "drawing": "画图",
    "before_review": "送审前还缺：{}",
    "pictures": "另有 {} 张图在 {}",
    "clean": "数据格式：{0} 处错误，{1} 处提示",
    "auditing": "核查数据能支撑到什么程度",
    "applied": "已写入；要撤销用 undo 命令",
    "nothing_applied": "没有一行可以写入，目录没有改动",
    "not_applied": "还没有写入：加 --yes 写入",
    "decide": "没有写入：每一行的建议在 {}，图形对照见 {}；改好存盘，同一条命令再运行一次",
    "to_decide": "待定的行可以一次定：加 --decide 决定.xlsx 写出决定表和对照图",
    "offered": "{0} 句写在 {1}，没有一句自动收：在“收不收”写 收，改好存盘，同一条命令再运行一次",
    "suggested": "{0} 条建议写在 {1}，没有一条自动进项目库：在“采纳吗”写 采纳，造价知道就填，同一条命令再运行一次",
    "undone": "已撤销",
    "sealed": "已封存，封条号 {}：交目录时另行告诉对方，对方用 check 核对",
    "seal": "封条号 {}",
    "unchanged": "没有改动",
    "replaced": "替换了原有的 {}",
    "guarded": "有密级图层，没有核准输出（secret_outputs）：不显示各行内容",
    "solving": "计算候选点并求解",
    "proven": "已证明最优（差距 {}）",
    "not_proven": "没有证明最优，与上界还差 {}",
    "imported": "已建立街道目录 {}；下一步：python run.py report {}",
    "was_split": "建立 {0} 个街道目录，失败 {1} 个；下一步：python run.py batch {2} --out 结果",
    "starting": "启动工作进程",
    "batched": "新做 {} 个，以前做好 {} 个，失败 {} 个，没有做 {} 个；打开 {}",
    "homes_left": "人口表里有些行没有取用，连同原因在 {}",
    "leaves": "将向 {1} 发送的只有这个取整后的范围（西, 南, 东, 北）：{0}",
    "sure": "发送并下载？",
    "interrupted": "已中断；原有输出没有改动",
    "edit_next": "已写好 {0}：打开它，去掉要用的行前面的 #，填好；再用 scenario check 检查",
    "steps": "共 {0} 步，{1} 处做不了，{2} 处冲突",
    "took": "数据：{0} 处提示，见 check 命令",
}


class Inert(Console):
    """A console on which nothing that data hold steers the terminal: signs that cannot be seen are shown as question marks."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is drawn, as it may be shown, with plain texts broken as Chinese is."""
        how = options or self.options
        if isinstance(renderable, str):
            renderable = self.render_str(renderable, highlight=bool(how.highlight), markup=how.markup)
        if type(renderable) is Text and not (renderable.spans or renderable.no_wrap or how.no_wrap):
            text = renderable.copy()
            # Rich ends lines at blanks only, which leaves most of a line of Chinese empty.
            text.plain = "\n".join(
                line for said in text.plain.split("\n") for line in wrapped(said.expandtabs(), how.max_width) or [""]
            )
            renderable = text
        for segment in super().render(renderable, options):
            seen = segment.control or segment.text.isprintable()
            yield segment if seen else segment._replace(text="".join(map(_seen, segment.text)))


def _seen(sign: str) -> str:
    return "?" if sign not in "\n\t" and unicodedata.category(sign)[0] == "C" else sign


OUT = Inert(highlight=False)
ERR = Inert(stderr=True, highlight=False)
Since = Annotated[
    Path | None, typer.Option("--since", help="上次输出里的 run.json（或那个文件夹）：列出与上次相比的变化")
]
Plan = Annotated[
    str | None,
    typer.Option("--plan", help="方案名或 TOML 文件：写这个方案实施后的样子，并与现状相比；标题写明方案、年份、含假定"),
]
Against = Annotated[str | None, typer.Option("--against", help="不与现状比，改与另一个方案比（与 --plan 一起用）")]
Year = Annotated[int | None, typer.Option("--year", help="看哪一年末；省略为数据年，写了方案为方案自己的年份")]
WithConflicts = Annotated[bool, typer.Option("--with-conflicts", help="方案自相矛盾也照算，并写明")]
Ranges = Annotated[
    bool, typer.Option("--ranges", help="每个数旁边写明：没有核过的事核实后在多少到多少之间，会不会改判（多用几秒）")
]
Lang = Annotated[str, typer.Option("--lang", help="zh 或 en")]


def message(lang: str, key: str, *args: object) -> str:
    """Return what is said of an event, in Chinese unless `lang` is "en"."""
    with speaking("en" if lang == "en" else "zh"):
        return say(MESSAGES[key], *args)


@contextmanager
def watched(text: str) -> Iterator[Callable[[str], None]]:
    """Show a line that says what the work is at and how much of it is done; give what says something else there."""
    with ERR.status(escape(text)) as status:

        def show(said: str) -> None:
            status.update(Text(said))

        with listening(lambda what, done: show(f"{what}　{per_cent(done, 0)}")):
            yield show


def grid(*columns: str, title: str | None = None) -> Table:
    """Return an empty table whose long Chinese cells wrap instead of being cut off."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def opened(folder: Path | None, doing: str) -> District:
    """
    Open a district for a command that writes or prints what is in it.

    Raises
    ------
    SourceError
        A layer is secret, and nobody has cleared its outputs: before anything is computed, written or printed.
    """
    refuse_uncleared(secrecy_of(bundled_folder() if folder is None else folder), doing)
    return District.load(folder)


@contextmanager
def replacing(lang: str, *files: Path | None) -> Iterator[None]:
    """Say of files that the user named, and that are written meanwhile, which of them were there before."""
    before = [file for file in files if file is not None and file.exists()]
    yield
    for file in before:
        OUT.print(escape(message(lang, "replaced", shown_path(file))))


def saved(lang: str, path: Path | None, write: Callable[[Path], object]) -> None:
    """Write a file, where the user named one, and say where it is."""
    if path is not None:
        with replacing(lang, path):
            write(path)
        OUT.print(escape(message(lang, "done", shown_path(path))))


def ending(out: Path, suffix: str) -> Path:
    """
    Return a file that a user named, if it ends as its format does.

    Raises
    ------
    UnknownNameError
        It ends otherwise.
    """
    if out.suffix.lower() != suffix:
        raise UnknownNameError("文件格式", out.suffix or out.name, [suffix])
    return out


def finite(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes no number without end, and none that is no number: `inf`, `nan`, `1e999`."""

    @wraps(command)
    def checked(*args: object, **given: object) -> None:
        for name, value in given.items():
            if isinstance(value, float) and not math.isfinite(value):
                option = name.strip("_").replace("_", "-")
                raise typer.BadParameter(
                    say("--{0} 写的是 {1}，不是有限的数；写 10、0.5 这样的数，或不写这一项", option, str(value))
                )
        command(*args, **given)

    return checked


def heeded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that makes nothing of a district that is marked less strictly than what is typed: a number, a name, a file."""

    @wraps(command)
    def careful(*args: object, **given: object) -> None:
        with having_typed(text for value in given.values() for text in _texts(value)):
            command(*args, **given)

    return careful


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of an option; of a path its last part, for where a folder lies says nothing of what is in it."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str | Path):
        yield Path(value).name if isinstance(value, Path) or Path(value).is_absolute() else value


def is_guarded(folder: Path | None) -> bool:
    """Return whether a folder has a secret layer whose outputs nobody has cleared: nothing of its rows is printed."""
    manifest = secrecy_of(bundled_folder() if folder is None else folder)
    return bool(secret_layers(manifest)) and not is_cleared(manifest)


def shown_path(path: Path) -> str:
    """Return a path as the reader would type it: relative where it lies below the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
