"""What scale.py measured, as the tables and the figure of docs/scale.md; and what of it must hold."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "scale.md"
FIGURE = HERE.parent / "docs" / "images" / "scale.svg"
KEPT = HERE / "scale.json"
#: Two workers against one: of the time they would take if nothing were lost.
EFFICIENCY = 0.8
#: How far the cost between two measured numbers of districts may lie off the line through both.
OFF_THE_LINE = 0.1
#: How much more memory than for few districts, or for the largest alone, counts as growing.
GROWTH = 1.2
#: More processors than this taken by other work: the machine was not quiet.
BUSY = 0.15
PLACES = ((21, "滨海新区"), (250, "天津"), (3_000, ""), (40_000, "全国"))


def runs(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the runs of `batch` by name; those left out are absent."""
    return {name: run for name, run in found.items() if isinstance(run, dict) and "batch_s" in run}


def efficiency(found: dict[str, Any]) -> float | None:
    own = runs(found)
    return own["one"]["batch_s"] / 2 / own["two"]["batch_s"] if {"one", "two"} <= set(own) else None


def line(found: dict[str, Any]) -> tuple[float, float] | None:
    """Return processor seconds for starting and per district: the line through the least and the greatest number."""
    own = runs(found)
    if not {"few", "all"} <= set(own):
        return None
    a, b = own["few"], own["all"]
    slope = (b["cpu_s"] - a["cpu_s"]) / (b["districts"] - a["districts"])
    return a["cpu_s"] - slope * a["districts"], slope


def off_the_line(found: dict[str, Any]) -> float | None:
    own, fit = runs(found), line(found)
    if fit is None or "half" not in own:
        return None
    return float(own["half"]["cpu_s"] / (fit[0] + fit[1] * own["half"]["districts"]) - 1)


def faults(found: dict[str, Any]) -> list[str]:
    """Return what must hold and does not, and what could not be looked at."""
    own, said = (
        runs(found),
        [f"not measured: {k} ({v['left_out']})" for k, v in found.items() if isinstance(v, dict) and "left_out" in v],
    )

    def ask(roles: str, holds: Callable[[], bool], text: str) -> None:
        if set(roles.split()) <= set(own) and not holds():
            said.append(text)

    for role, run in own.items():
        ask(role, lambda run=run: run["status"] == {"done": run["districts"]}, f"{role}: not all districts were done")
    ask("one two", lambda: own["one"]["digest"] == own["two"]["digest"], "1 and 2 workers: other bytes")
    ask("few killed", lambda: own["few"]["digest"] == own["killed"]["digest"], "a worker killed: other bytes")
    ask("killed", lambda: own["killed"]["killed"] == 1, "no worker was killed")
    ask(
        "one two",
        lambda: (efficiency(found) or 0) >= EFFICIENCY,
        f"efficiency {efficiency(found) or 0:.2f} < {EFFICIENCY}",
    )
    ask(
        "few half all",
        lambda: abs(off_the_line(found) or 0) <= OFF_THE_LINE,
        f"cost is not linear: {off_the_line(found) or 0:+.0%}",
    )
    ask("few all", lambda: memory_grows(own) <= GROWTH, "the workers' memory grows with the number of districts")
    return said


def memory_grows(own: dict[str, dict[str, Any]]) -> float:
    """Return the workers' peak over all districts against that over few, or over the largest alone."""
    return float(own["all"]["worker_peak_mb"] / max(own[k]["worker_peak_mb"] for k in ("few", "largest") if k in own))


# --- the page --------------------------------------------------------------------------------------------------------


def write(found: dict[str, Any]) -> None:
    """Keep the figures beside this file, and put the tables and the figure into the page."""
    found = {"date": time.strftime("%Y-%m-%d")} | found
    KEPT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    FIGURE.write_text(figure(found), encoding="utf-8")
    PAGE.write_text(put_into(PAGE.read_text("utf-8"), found), encoding="utf-8")


def put_into(page: str, found: dict[str, Any]) -> str:
    """Return the page with what stands between each pair of marks made anew."""
    for name, text in (("measured", measured(found)), ("projected", projected(found))):
        marks = f"<!-- {name} by benchmarks/scale.py -->", f"<!-- end of {name} -->"
        pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
        page, count = re.subn(pattern, lambda _, m=marks, t=text: f"{m[0]}\n{t}\n{m[1]}", page, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{PAGE.name} needs the marks {marks} once")
    return page


def measured(found: dict[str, Any]) -> str:
    own, split = runs(found), found["split"]
    said = found["settings"]
    busy = max([split["others"], *(run["others"] for run in own.values())])
    quiet = (
        "nothing else ran"
        if busy <= BUSY
        else (
            f"other work took up to {busy:.1f} processors: **wall seconds mean nothing**, processor seconds are to be trusted within a quarter"
        )
    )
    note = f"; {found['note']}" if found.get("note") else ""
    rows = [
        f"{said['machine']}, Python {said['python']}, {found.get('date', '')}; {quiet}{note}.",
        "",
        "| step | districts | wall s | processor s | per district | worker, MB | client, MB | on disk |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        f"| `split`, with homes | {split['districts']} | {split['wall_s']:.0f} | {split['cpu_s']:.0f} "
        f"| {split['cpu_s'] / split['districts']:.2f} | | {split['peak_mb']} | {split['folders_mb']:.0f} MB |",
    ]
    names = {
        "one": "`--only tables`, 1 worker",
        "two": "the same, 2 workers",
        "few": "`--only tables`, 2 workers",
        "killed": "the same, one worker killed on the way",
        "half": "`--only tables`, 2 workers",
        "all": "`--only tables`, 2 workers",
        "largest": "the largest district alone",
        "everything": "everything, 2 workers",
    }
    rows += [run_row(names[role], own[role]) for role in names if role in own]
    rows += ["", "![cost and memory against the number of districts](images/scale.svg)", "", *findings(found)]
    return "\n".join(rows)


def run_row(name: str, run: dict[str, Any]) -> str:
    return (
        f"| {name} | {run['districts']} | {run['wall_s']:.0f} | {run['cpu_s']:.0f} | {run['cpu_s'] / run['districts']:.1f} "
        f"| {run['worker_peak_mb']} | {run['client_peak_mb']} | {run['output_mb']:.0f} MB |"
    )


def findings(found: dict[str, Any]) -> list[str]:
    own, said = runs(found), []
    share, fit, off = efficiency(found), line(found), off_the_line(found)
    if share is not None:
        one, two = own["one"], own["two"]
        same = "the same bytes" if one["digest"] == two["digest"] else "**other bytes**"
        said.append(
            f"- Two workers against one, {one['districts']} districts: {one['batch_s']:.0f} and {two['batch_s']:.0f} s, **efficiency {share:.2f}** "
            f"(asked: {EFFICIENCY}), starting the workers and the comparison included; {same}."
        )
    if "killed" in own and "few" in own:
        same = "the same bytes" if own["killed"]["digest"] == own["few"]["digest"] else "**other bytes**"
        said.append(f"- A worker killed after a third of {own['few']['districts']} districts: all done, {same}.")
    if fit is not None:
        middle = "" if off is None else f"; {own['half']['districts']} districts lie {off:+.1%} off that line"
        said.append(
            f"- Cost against number, a line: {fit[0]:.0f} processor seconds for starting and {fit[1]:.2f} per district{middle}."
        )
    if {"few", "all"} <= set(own):
        most = f", the largest district alone took {own['largest']['worker_peak_mb']}" if "largest" in own else ""
        said.append(
            f"- Memory against number: a worker's peak was {own['few']['worker_peak_mb']} MB over {own['few']['districts']} districts and "
            f"{own['all']['worker_peak_mb']} over {own['all']['districts']}{most}; the client's "
            f"{own['few']['client_peak_mb']} and {own['all']['client_peak_mb']}."
        )
    tiles = found.get("split-memory", {})
    if "x8" in tiles:
        told = "; ".join(
            f"{tiles[k]['peak_mb']} MB and {tiles[k]['cpu_s']:.0f} s out of {k[1:]} times the city"
            for k in ("x1", "x4", "x8")
        )
        said.append(
            f"- `split` of the same districts took {told.replace('1 times the city', 'the city', 1)} (tiled): memory is that of the largest district."
        )
    said += [
        f"- Not measured: {k} ({v['left_out']})." for k, v in found.items() if isinstance(v, dict) and "left_out" in v
    ]
    return [
        *said,
        *(f"- **Does not hold: {fault}.**" for fault in faults(found) if not fault.startswith("not measured")),
    ]


def projected(found: dict[str, Any]) -> str:
    """Return the cost table: the measured costs per district times the number."""
    own, split = runs(found), found["split"]
    tables, all_of_it = own.get("all") or own.get("few"), own.get("everything")
    each = [(split["cpu_s"] / split["districts"], split["folders_mb"] / split["districts"])]
    each += [
        (0.0, 0.0) if run is None else (run["cpu_s"] / run["districts"], run["output_mb"] / run["districts"])
        for run in (tables, all_of_it)
    ]
    rows = [
        "| districts | `split` | `--only tables` | everything | folders | tables | everything |",
        "|--:|--:|--:|--:|--:|--:|--:|",
        "| | core-hours | core-hours | core-hours | GB | GB | GB |",
    ]
    for n, place in PLACES:
        name = f"{n:,} ({place})" if place else f"{n:,}"
        cells = [short(n * cpu / 3600) for cpu, _ in each] + [short(n * mb / 1000) for _, mb in each]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    seconds = "; ".join(f"{cpu:.2f} s and {mb:.2f} MB" for cpu, mb in each)
    rows += ["", f"Per district, for `split`, tables and everything: {seconds}, as measured above, starting included."]
    return "\n".join(rows)


def short(value: float) -> str:
    """Return two figures that count."""
    if value <= 0:
        return "—"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{float(f'{value:.1g}'):g}"


# --- the figure ------------------------------------------------------------------------------------------------------


def figure(found: dict[str, Any]) -> str:
    """Draw processor seconds against the number of districts, and a worker's memory against the number done."""
    own = runs(found)
    series = [own[k] for k in ("few", "half", "all") if k in own]
    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 300" font-family="sans-serif" font-size="12" fill="#333">',
        '<rect width="760" height="300" fill="#fff"/>',
    ]
    most = max(run["districts"] for run in series)
    costs = [(run["districts"], run["cpu_s"]) for run in series]
    out += panel(60, "processor seconds, --only tables", most, max(c for _, c in costs))
    px, py = scales(60, most, max(c for _, c in costs))
    fit = line(found)
    if fit is not None:
        out.append(
            f'<path d="M{px(0):.1f} {py(max(fit[0], 0)):.1f}L{px(most):.1f} {py(fit[0] + fit[1] * most):.1f}" stroke="#1f6f78"/>'
        )
    out += [f'<circle cx="{px(n):.1f}" cy="{py(c):.1f}" r="4.5" fill="#1f6f78"/>' for n, c in costs]
    for n, cost in costs:
        at = (
            f'x="{px(n) + 9:.1f}" y="{py(cost) + 14:.1f}"'
            if n < most
            else f'x="{px(n) - 10:.1f}" y="{py(cost) + 4:.1f}" text-anchor="end"'
        )
        out.append(f"<text {at}>{n}: {cost:.0f} s</text>")
    top = max(mark["worker_mb"] for run in series for mark in run["progress"] if mark["worker_mb"] is not None)
    out += panel(440, "MB of the larger worker, while districts are done", most, top)
    px, py = scales(440, most, top)
    for run, colour in zip(series, ("#b8860b", "#8e44ad", "#c0392b"), strict=False):
        spots = [(px(m["done"]), py(m["worker_mb"])) for m in run["progress"] if m["worker_mb"] is not None]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        if spots:
            out.append(f'<circle cx="{spots[-1][0]:.1f}" cy="{spots[-1][1]:.1f}" r="3" fill="{colour}"/>')
            short_run = run["districts"] <= most / 4
            x, anchor = (spots[0][0], "start") if short_run else (spots[-1][0], "end")
            y = spots[-1][1] + (-10 if short_run else 18)
            out.append(
                f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{run["districts"]} districts</text>'
            )
    return "\n".join([*out, "</svg>"]) + "\n"


WIDE, LOW, TALL = 280.0, 255.0, 210.0


def scales(left: float, most: float, top: float) -> tuple[Callable[[float], float], Callable[[float], float]]:
    return lambda n: left + WIDE * n / most, lambda v: LOW - TALL * v / nice(top)


def nice(top: float) -> float:
    """Return the next round number above."""
    power = 10.0 ** (len(str(int(top))) - 1)
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= top * 1.05)


def panel(left: float, title: str, most: float, top: float) -> list[str]:
    """Return axes with five marks each, from 0."""
    px, py = scales(left, most, top)
    out = [f'<text x="{left - 40}" y="22" font-weight="bold">{title}</text>']
    for i in range(6):
        value, n = nice(top) * i / 5, most * i / 5
        out.append(f'<path d="M{left} {py(value):.1f}H{left + WIDE}" stroke="#e3ded3"/>')
        out.append(f'<text x="{left - 6}" y="{py(value) + 4:.1f}" text-anchor="end">{value:,.0f}</text>')
        out.append(f'<text x="{px(n):.1f}" y="{LOW + 16}" text-anchor="middle">{n:.0f}</text>')
    return [*out, f'<text x="{left + WIDE / 2}" y="{LOW + 34}" text-anchor="middle">districts</text>']
