"""
Write the table of `docs/safety.md`: every command that writes, killed or refused by the system, and what is there then.

    python tools/make_kills.py [--every] [COMMAND ...]

Three steps of each command, or every step (hours); with commands (`scenario-new` for `scenario new`) only their rows are made anew.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "safety.md"
BEGIN, END = "<!-- kills -->\n", "<!-- /kills -->\n"
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("", "app", "io", "journeys", "ledger"))]

import killed  # noqa: E402


def name_of(command: killed.Command) -> str:
    """Return what is typed for a command."""
    return " ".join(command).strip()


def cells(outcomes: Sequence[killed.Outcome], day: str) -> list[str]:
    """Return how many steps a command has, at how many it was stopped, for each way how often what was found, and when."""
    steps, stopped = (sum(o.way == way for o in outcomes) for way in killed.WAYS[:2])
    found = [str(steps), "all" if stopped == steps else str(stopped)]
    for way in killed.WAYS:
        states = Counter(o.state for o in outcomes if o.way == way)
        found.append(", ".join(f"{states[s]} {s}" for s in ("old", "new", "unfinished", "mixed") if states[s]))
    runs, mixed = sum(o.wrong is not None for o in outcomes), sum(o.state == "mixed" for o in outcomes)
    return [*found, str(runs), str(mixed), str(len(killed.faults(outcomes))), day]


def table(rows: Mapping[str, Sequence[str]]) -> str:
    """Return the tables of what is tried, and of what is not and why."""
    heads = ["command", "steps", "stopped at", *killed.WAYS, "next runs", "mixed", "wrong", "on"]
    lines = [heads, ["---"] * len(heads)]
    lines += [[f"`{name}`", *rows.get(name, ["?"] * (len(heads) - 1))] for name in map(name_of, killed.WRITING)]
    lines += [[], ["not tried", "why"], ["---", "---"]]
    lines += [[f"`{name_of(c)}`", why] for c, why in sorted(killed.NOT_TRIED.items())]
    return "\n".join("| " + " | ".join(line) + " |" if line else "" for line in lines) + "\n"


def read(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of the page's own table."""
    for line in text.partition(BEGIN)[2].partition(END)[0].splitlines():
        parts = [part.strip() for part in line.strip("| ").split(" | ")]
        if len(parts) == 11 and parts[0].startswith("`"):
            yield parts[0].strip("`"), parts[1:]


def main(arguments: Sequence[str]) -> None:
    """Try the commands, and write the table."""
    text = TARGET.read_text("utf-8")
    rows = dict(read(text))
    named = {name_of(command): command for command in killed.WRITING}
    for name in [a.replace("-", " ") for a in arguments if a != "--every"] or named:
        command = named[name]
        with tempfile.TemporaryDirectory() as place:
            choose = killed.every if "--every" in arguments else killed.points
            outcomes, _ = killed.heard(lambda: killed.tried(Path(place) / "x", command, choose))  # noqa: B023
        rows[name] = cells(outcomes, date.today().isoformat())
        print(name, *rows[name], *killed.faults(outcomes)[:5], sep="\n  ", flush=True)
        before, _, rest = TARGET.read_text("utf-8").partition(BEGIN)
        TARGET.write_text(before + BEGIN + table(rows) + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
