"""`--help`, in the language that is asked for and as wide as the screen: what people do every day first, then everything else by what it is for."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from ...core import as_typed, english, language, nearest, say

PROGRAM = as_typed("python run.py")
#: Which commands are for what, in the order of the first screen; each stands in one group.
GROUPS: Mapping[str, Sequence[str]] = {
    "每天用": ("report", "check", "add", "update", "ledger", "sites", "compare", "sheet"),
    "数据": ("new", "import", "fetch", "split", "ways", "template", "survey", "targets", "undo", "seal"),
    "方案": (
        "plans",
        "scenarios",
        "scenario",
        "parcels",
        "checkup",
        "suggest",
        "programme",
        "provision",
        "links",
        "stress",
    ),
    "出图": ("map", "atlas", "slides", "word", "public", "dxf", "gpkg"),
    "高级": ("batch", "receipt", "robustness", "rules", "notebook", "notebooks", "docs"),
}
#: What is written in the place of an argument, by its name in the code; in English this is it.
_WRITTEN = {
    "extract": "提取文件",
    "figure": "编号",
    "file": "文件",
    "folder": "文件夹",
    "folders": "文件夹…",
    "kind": "类别",
    "name": "名称",
    "other": "另一方案",
    "parcel": "地块",
    "rule": "规则",
    "scenario": "方案",
    "text": "规划文本",
    "theme": "图",
    "what": "图",
}
#: Wider than this, a line is hard to read; narrower, nothing can be laid out.
_WIDEST, _NARROWEST = 100, 40
#: No line begins with one of these, and none ends with one of those, as anybody who sets Chinese text knows.
_NOT_FIRST, _NOT_LAST = "，。；：、）！？”》…", "（“《"


def help_for(root: TyperGroup, arguments: Sequence[str]) -> str | None:
    """
    Return the help that a command line asks for; None where it asks for none.

    Parameters
    ----------
    root
        The program.
    arguments
        What was typed: `--help` after a command, or a group of commands and nothing else.
    """
    command: TyperCommand | TyperGroup = root
    path: list[str] = []
    for word in arguments:
        found = command.commands.get(word) if isinstance(command, TyperGroup) else None
        if not isinstance(found, TyperCommand | TyperGroup):
            break
        command = found
        path.append(word)
    alone = isinstance(command, TyperGroup) and len(path) == len(arguments)
    if "--help" not in arguments and not alone:
        return None
    width = min(max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST), _WIDEST)
    if command is root:
        lines = _first_screen(root, width)
    elif isinstance(command, TyperGroup):
        lines = _group(command, " ".join([PROGRAM, *path]), width)
    else:
        lines = _command(command, " ".join([PROGRAM, *path]), width)
    return "\n".join(lines)


def mistyped(error: Exception) -> str | None:
    """
    Return what is wrong with a command line and how it is written: in Chinese and as the parser says it; in English as it does.

    None where the parser has not said what is wrong: then it is no fault of who typed. The parser's classes are told by what
    they carry, because where they stand has changed between its versions.
    """
    plain = getattr(error, "format_message", None)
    if plain is None:
        return None
    english = str(plain())
    context = getattr(error, "ctx", None)
    said = english if language() == "en" else _misuse(error, english, getattr(context, "command", None))
    typed = getattr(context, "command_path", PROGRAM)
    other = "" if typed == PROGRAM else say("；全部命令：{0} --help", PROGRAM)
    same = "" if said == english else f" / {english}"
    return f"{say('命令写得不对：')}{said}{same}\n{say('怎么写：{0} --help{1}', typed, other)}"


def _misuse(error: Exception, english: str, command: object) -> str:
    option = getattr(error, "option_name", None)
    param = getattr(error, "param", None)
    name = "、".join(param.opts) if isinstance(param, TyperOption) else ""
    name = name or (_argument(param).strip("[]") if isinstance(param, TyperArgument) else "")
    if option is not None and hasattr(error, "possibilities"):
        known = [o for p in getattr(command, "params", []) if isinstance(p, TyperOption) for o in p.opts]
        close = nearest(option, known)
        return f"没有 {option} 这个选项" + (f"；{close}" if close else "")
    if option is not None:
        return f"{option} 后面要写一个值"
    if hasattr(error, "param_type"):
        told = _said(getattr(param, "help", None))
        return f"缺少 {name}" + (f"（{told}）" if told else "")
    if english.startswith("No such command"):
        asked = (re.findall(r"'([^']*)'", english) or [""])[0]
        close = nearest(asked, list(getattr(command, "commands", {})))
        return f"没有 {asked} 这个命令" + (f"；{close}" if close else "")
    if english.startswith("Got unexpected extra argument"):
        more = re.sub(r"^.*?\(s?\)?\s*\(?|\)$", "", english.removeprefix("Got unexpected extra argument"))
        return (
            f"多写了 {more}：这个命令不认得多出来的那一项（路径里有空格时两边加引号）；"
            "自己的街道目录写在 --for 后面的命令有：sites、links、compare、provision、scenario、template"
        )
    if name and not any(columns(sign) == 2 for sign in english):
        kind = next((said for word, said in _WANTED.items() if word in english), "")
        return f"{name} 后面写的不对" + (f"：{kind}" if kind else "")
    return english


#: What the parser wanted, as it says it, and in Chinese.
_WANTED = {
    "integer": "要写一个整数",
    "float": "要写一个数",
    "path": "要写一个文件或文件夹",
    "boolean": "要写 true 或 false",
}


def _first_screen(root: TyperGroup, width: int) -> Iterator[str]:
    yield from wrapped(say("用法：{0} 命令 …　　每个命令的说明：{0} 命令 --help", PROGRAM), width)
    known = {name: _said(command.help) for name, command in root.commands.items()}
    indent = max(map(len, known)) + 4
    for title, names in GROUPS.items():
        yield _head(title)
        for name in names:
            yield from _entry(name, known[name], indent, width)


def _group(group: TyperGroup, typed: str, width: int) -> Iterator[str]:
    yield say("用法：{0} 命令 …", typed)
    yield from wrapped(_said(group.help), width)
    yield _head("命令")
    indent = max(map(len, group.commands)) + 4
    for name, command in group.commands.items():
        yield from _entry(name, _said(command.help), indent, width)


def _command(command: TyperCommand, typed: str, width: int) -> Iterator[str]:
    given = [p for p in command.params if isinstance(p, TyperArgument)]
    options = [p for p in command.params if isinstance(p, TyperOption)]
    names = [_argument(p) for p in given]
    yield from wrapped(say("用法：{0} [选项]", " ".join([typed, *names])), width)
    yield ""
    yield from wrapped(_said(command.help), width)
    if given:
        yield ""
        yield _head("后面写")
        for name, argument in zip(names, given, strict=True):
            yield from _entry(name, _said(argument.help), 18, width)
    yield ""
    yield _head("选项")
    for option in sorted(options, key=lambda o: not o.required):
        yield from _entry(_option(option), _told(option), 26, width)


def _argument(argument: TyperArgument) -> str:
    own = (argument.name or "").strip("_")
    name = own.upper() if language() == "en" else argument.metavar or _WRITTEN.get(own, "值")
    return name if argument.required else f"[{name}]"


def _option(option: TyperOption) -> str:
    names = say("、").join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {_said(option.metavar or '值')}"


def _told(option: TyperOption) -> str:
    said = say("（必写）") if option.required else ""
    usual = option.default
    shown = isinstance(usual, str | int | float) and not isinstance(usual, bool) and usual != ""
    return said + _said(option.help) + (say("（不写为 {0}）", usual) if shown else "")


def _said(text: str | None) -> str:
    """Return a text of the help in the language that is spoken."""
    own = " ".join((text or "").split())
    return own if language() == "zh" else english()["help"].get(own, own)


def _head(text: str) -> str:
    return say("{0}：", _said(text)).rstrip()


def _entry(name: str, text: str, indent: int, width: int) -> Iterator[str]:
    """Yield a name and what it is for, side by side; below each other where the name is long."""
    lines = wrapped(text, width - indent - 2)
    if columns(name) + 2 > indent:
        yield f"  {name}"
        name = ""
    for line in lines or [""]:
        yield f"  {name}{' ' * (indent - columns(name))}{line}".rstrip()
        name = ""


def columns(text: str) -> int:
    """Return how many columns a text takes on a screen: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WFA" else 1 for sign in text)


def wrapped(text: str, width: int) -> list[str]:
    """
    Return a text in lines that are no wider than a screen; nothing is left out but blanks where a line ends.

    Parameters
    ----------
    text
        Chinese breaks anywhere but before a closing sign, Latin words and commands between blanks.
    width
        Columns of the screen.
    """
    lines, line = [], ""
    for part in _parts(text):
        if line and columns((line + part).rstrip()) > width:
            lines.append(line.rstrip())
            line = part.lstrip()
        else:
            line += part
        while columns(line.rstrip()) > width and len(line) > 1:  # a path longer than a line
            fits = next(n for n in range(len(line), 0, -1) if n == 1 or columns(line[:n]) <= width)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line.rstrip()] if line.strip() else lines


def _parts(text: str) -> list[str]:
    """Return the pieces of a text between which a line may end."""
    parts: list[str] = []
    for sign in text:
        wide = columns(sign) == 2
        glued = bool(parts) and (
            sign in _NOT_FIRST
            or parts[-1][-1] in _NOT_LAST
            or (not wide and sign != " " and columns(parts[-1][-1]) == 1 and parts[-1][-1] != " ")
        )
        if glued or (sign == " " and parts):
            parts[-1] += sign
        else:
            parts.append(sign)
    return parts
