"""The command line: which commands there are, exit codes, one clear message where something is wrong."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pandas as pd
import typer
from rich.markup import escape
from typer.core import TyperGroup

from ..core import (
    DataError,
    EnvironmentProblem,
    ScenarioError,
    SitingError,
    SourceError,
    UnknownNameError,
    WrongValueError,
    XinheError,
    describe,
    full_disk,
    is_full,
    language,
    say,
    speaking,
)
from .commands import data, drawings, firmness, offers, parcels, plans, projects, reports, rules, siting, survey
from .commands.console import DATA, DONE, ENVIRONMENT, ERR, USAGE, finite, heeded, message
from .commands.helping import PROGRAM, help_for, mistyped

app = typer.Typer(
    name="xinhe-geo",
    help="街道公共服务设施的步行可达分析。",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
scenario_app = typer.Typer(help="方案：列出、新建、检查。", no_args_is_help=True)
rules_app = typer.Typer(name="rules", help="规则：列出、导出成 Excel 改、改完导回。", no_args_is_help=True)
app.add_typer(scenario_app, name="scenario")
app.add_typer(rules_app)

#: Every command under the name people type, in the order of `--help`.
COMMANDS: dict[typer.Typer, dict[str, Callable[..., None]]] = {
    app: {
        "report": reports.report,
        "check": data.check,
        "new": data.new,
        "import": data.import_,
        "split": data.split_,
        "ways": data.ways,
        "batch": reports.batch,
        "fetch": data.fetch,
        "compare": plans.compare,
        "plans": plans.plans,
        "provision": plans.provision_list,
        "parcels": parcels.parcels,
        "checkup": projects.checkup,
        "suggest": offers.suggest,
        "programme": projects.programme,
        "links": siting.find_links,
        "scenarios": plans.list_scenarios,
        "sites": siting.sites,
        "ledger": reports.ledger,
        "targets": offers.targets,
        "receipt": reports.receipt,
        "robustness": firmness.robustness,
        "stress": firmness.stress,
        "survey": survey.survey,
        "sheet": drawings.one_sheet,
        "atlas": drawings.make_atlas,
        "map": drawings.one_map,
        "public": drawings.public_edition,
        "slides": drawings.make_slides,
        "word": drawings.make_word,
        "template": data.template,
        "add": data.add,
        "update": data.update,
        "dxf": drawings.dxf,
        "gpkg": drawings.gpkg,
        "undo": data.undo,
        "seal": data.seal,
        "notebook": reports.run_notebook,
        "notebooks": reports.notebooks,
        "docs": reports.docs,
    },
    scenario_app: {"list": plans.list_scenarios, "new": plans.new_scenario, "check": plans.check_scenario},
    rules_app: {
        "list": rules.list_rules,
        "run": rules.run_rules,
        "export": rules.export_rules,
        "import": rules.import_rules,
    },
}
for group, commands in COMMANDS.items():
    for name, command in commands.items():
        group.command(name)(heeded(finite(command)))


#: All commands with their options take a tenth of a second to make.
_made = cache(typer.main.get_command)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. Every failure on purpose prints one clear message."""
    typed = sys.argv[1:] if arguments is None else arguments
    with speaking(_asked_in(typed)):  # what goes wrong is said in the language that was asked for
        return _run(typed, alone=arguments is None)


def _asked_in(typed: list[str]) -> str:
    """Return the language that a command is asked to speak; Chinese where it is asked for none, or for one it does not."""
    english = "--lang=en" in typed or ("--lang", "en") in pairwise(typed)
    return "en" if english else "zh"


def _run(typed: list[str], *, alone: bool) -> int:
    root = _made(app)
    if isinstance(root, TyperGroup) and (text := help_for(root, typed)) is not None:
        print(text)
        return DONE
    try:
        _take_nothing_from_here(alone=alone)
        # Our tables are small: Arrow's strings, which pandas takes where pyarrow is installed, cost a report a quarter more.
        with pd.option_context("mode.string_storage", "python"):
            code = root.main(args=typed, standalone_mode=False, prog_name=PROGRAM)
    except DataError as error:
        _say_problems(error)
        return DATA
    except (SourceError, ScenarioError, SitingError) as error:
        ERR.print(escape(str(error)))
        return DATA
    except (UnknownNameError, WrongValueError) as error:
        ERR.print(escape(str(error)))
        return USAGE
    except EnvironmentProblem as error:
        ERR.print(escape(str(error)))
        return ENVIRONMENT
    except XinheError as error:
        ERR.print(escape(str(error)))
        return DATA
    except typer.Exit as stop:
        return int(stop.exit_code)
    except (KeyboardInterrupt, typer.Abort):  # the latter where it asks, and nobody is there
        ERR.print(message(language(), "interrupted"))
        return ENVIRONMENT
    except Exception as error:
        if is_full(error):  # there is no room even for what passes
            name = Path(str(getattr(error, "filename", "") or "")).name
            ERR.print(escape(str(full_disk(name or say("临时文件")))))
            return ENVIRONMENT
        return _usage_or_raise(error)
    if code == _BY_CTRL_C:  # typer turns the interrupt into this number and says nothing
        ERR.print(message(language(), "interrupted"))
    return code if isinstance(code, int) else DONE


_BY_CTRL_C = 130
#: What Numba, Matplotlib and ezdxf take for settings of whoever stands in a folder. One of them names a folder of compiled code,
#: which is run: somebody who sends a folder is not to say so.
SWAYING = (".numba_config.yaml", "matplotlibrc", "ezdxf.ini")


def _take_nothing_from_here(*, alone: bool) -> None:
    """Refuse to work where such settings lie; as a program of its own, start no process that takes modules from here."""
    if alone:
        os.environ.setdefault("PYTHONSAFEPATH", "1")
    for name in SWAYING:
        if os.path.lexists(name):
            raise EnvironmentProblem(_in_both(_SWAYED, name))


_SWAYED = (
    "现在所在的文件夹里有 {0}，它会改变程序怎样运行。先 cd 到别的文件夹，再写这个文件夹的路径运行；是自己放的就先移开"
)


def _in_both(sentence: str, *values: object) -> str:
    """Return what somebody is told who may not have said yet which language is read: in that which is spoken, and in English."""
    told = []
    for lang in dict.fromkeys((language(), "en")):
        with speaking(lang):
            told.append(say(sentence, *values))
    return " / ".join(told)


def _say_problems(error: DataError) -> None:
    """Print the first of what is wrong with a folder, and what can be done with it all the same."""
    rows = error.problems[error.problems["severity"] == "error"]
    ERR.print(escape(say("数据有 {0} 处错误，没有写出任何结果：", len(rows))))
    for row in rows.head(50).itertuples(index=False):
        ERR.print(escape("  " + describe(row)))
    if len(rows) > 50:
        ERR.print(escape(say("  …… 另有 {0} 处，用 check 命令看全部", len(rows) - 50)))
    if error.meanwhile:
        ERR.print(escape(error.meanwhile))


def _usage_or_raise(error: Exception) -> int:
    """Print what the command line got wrong, with its exit code; anything else is a fault of ours and is raised."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # no file or folder can be called so
        name = Path(str(error.filename)).name[:40]
        ERR.print(escape(_in_both("{0}……：名字太长，没有这样的文件或文件夹。检查路径", name)))
        return DATA
    said = mistyped(error)
    if said is None:
        raise error
    ERR.print(escape(said))
    return int(getattr(error, "exit_code", USAGE))


if __name__ == "__main__":
    sys.exit(main())
