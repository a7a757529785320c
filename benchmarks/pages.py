"""
Measure the pages of a report in Chromium: `python benchmarks/pages.py REPORT` prints the section, `--write` puts it into RESULTS.md.

A click is sent as soon as a page begins to load. What counts is when it was handled and painted, what the page's main thread worked in
all (its own processor time, so that a busy machine does not count), and what an update of the meeting map takes while a facility
is dragged. Each at the machine's speed and slowed down four times, in a window of 1366 x 768.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
HEAD = "## Pages in a browser: ms"
PAGES = ("index.html", "meeting.html", "communities.html", "ledger.html")
SLOWED, TIMES = (1, 4), 3
#: Notes when the first click was handled, and when what followed was painted.
NOTED = """addEventListener("pointerdown", () => {
  if (window.handled) return;
  window.handled = performance.now();
  requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = () => { window.painted = performance.now(); }; c.port2.postMessage(0); });
}, true);"""
#: Waits for that, without a string that a page's own policy would forbid.
PAINTED = "new Promise((done) => { const look = () => (window.painted ? done(window.painted) : setTimeout(look, 50)); look(); })"
#: Drags a facility a few metres further in every frame, and notes what each update took.
DRAGGED = """(n) => new Promise((done) => {
  const P = xinhe.page.on, a = xinhe.app, f = a.result.facilities.find((x) => x.serves), from = f.xy, out = [];
  let k = 0;
  P.grab(f.id);
  const step = () => {
    if (k > 5) out.push(a.updated);
    if (++k > n) { P.drop(f.id); done(out); return; }
    P.drag(f.id, [from[0] + 9 * k, from[1] + 5 * k]);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def opened(browser: Browser, page: Path, slowed: int) -> dict[str, float]:
    """Open a page once; return what was measured, in ms."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, offline=True)
    tab = context.new_page()
    tab.add_init_script(NOTED)
    session = context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    session.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    tab.goto(page.resolve().as_uri(), wait_until="commit")
    tab.mouse.click(300, 300)
    tab.wait_for_load_state("load")
    if not tab.evaluate("window.handled"):  # sent before anybody was there to hear it
        tab.mouse.click(300, 300)
    painted = tab.evaluate(PAINTED)
    tab.wait_for_timeout(500 * slowed)
    worked = {m["name"]: 1000 * m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    found = {"painted": float(painted), "thread": worked["TaskDuration"]}
    found |= {"scripts": worked["ScriptDuration"]}
    if page.name == "meeting.html":
        tab.wait_for_selector("body.xm-ready")
        tab.get_by_role("button", name="推演", exact=True).click()
        found["update"] = statistics.median(tab.evaluate(DRAGGED, 80))
    context.close()
    return found


def measured(report: Path) -> Iterator[tuple[str, int, Mapping[str, Sequence[float]]]]:
    """Yield page, how often slowed down, and what was measured each time."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu", "--no-sandbox"])
        for name in PAGES:
            for slowed in SLOWED:
                taken = [opened(browser, report / name, slowed) for _ in range(TIMES)]
                yield name, slowed, {key: [one[key] for one in taken] for key in taken[0]}
        browser.close()


def cell(values: Sequence[float] | None) -> str:
    """Return the median, and the least and the most."""
    return f"{statistics.median(values):.3g} ({min(values):.3g}-{max(values):.3g})" if values else ""


def section(report: Path, day: str) -> str:
    """Return the measurements as a section of RESULTS.md."""
    before = os.getloadavg()[0]
    rows = [
        f"| {name}, {(report / name).stat().st_size / 1000:,.0f} kB | {slowed}x | {cell(found['painted'])} | {cell(found['thread'])} "
        f"| {cell(found['scripts'])} | {cell(found.get('update'))} |"
        for name, slowed, found in measured(report)
    ]
    load = f"{before:.0f} to {os.getloadavg()[0]:.0f}"
    return "\n".join(
        [
            HEAD,
            "",
            f"Written by `python benchmarks/pages.py`, {day}; medians (least-most; {TIMES} times). Load of the machine {load} (1-minute",
            "averages): above 2 what goes by the clock (the first click, an update) is the neighbours' time too, and the least counts.",
            "Slowed down, a thread's time holds what it was kept waiting.",
            "",
            "| page | slowed | a click at the start, handled and painted, by the clock | main thread until at rest | of it scripts | update while dragging |",
            "|---|--:|--:|--:|--:|--:|",
            *rows,
            "",
        ]
    )


def kept() -> str:
    """Return the section that RESULTS.md holds, for those who write the rest of it."""
    text = RESULTS.read_text("utf-8") if RESULTS.is_file() else ""
    return "\n" + text[text.index(HEAD) :] if HEAD in text else ""


def put(section: str) -> None:
    """Put a section into RESULTS.md, in the place of the one with the same head or at the end."""
    old, head = RESULTS.read_text("utf-8") if RESULTS.is_file() else "", section.splitlines()[0]
    before, _, after = old.partition(f"{head}\n")
    _, _, rest = after.partition("\n## ")
    RESULTS.write_text(before.rstrip("\n") + f"\n\n{section}" + (f"\n## {rest}" if rest else ""), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--day", default="2026-11-30")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    text = section(given.report, given.day)
    print(text)
    if given.write:
        put(text)


if __name__ == "__main__":
    main()
