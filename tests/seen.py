"""What a page looks like in a browser, asked by scripts: what hinders those who do not see it or have no mouse, what cannot be read, and how it prints."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import Any

import pypdf

#: Returns what is wrong, as "rule: element".
CHECK = """() => {
  const out = [], say = (rule, e) => out.push(rule + ": " + e.outerHTML.slice(0, 120));
  const shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  const all = (selector) => Array.from(document.querySelectorAll(selector)).filter(shown);
  const named = (e) => (e.getAttribute("aria-label") || e.getAttribute("title") || e.textContent || e.value || e.placeholder || "").trim() ||
    (e.labels && e.labels.length) || document.getElementById(e.getAttribute("aria-labelledby") || "-");
  const acts = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1'])";
  if (!document.documentElement.lang) out.push("html-has-lang");
  if (!document.title.trim()) out.push("document-title");
  for (const e of all("a[href], button, select, summary, input:not([type=hidden])")) if (!named(e)) say("name", e);
  for (const e of all("a[href], button, summary")) if (e.querySelector(acts)) say("nested-interactive", e);
  for (const e of all("svg[role=img], img, canvas[role=img]"))
    if (!(e.getAttribute("alt") || e.getAttribute("aria-label") || e.querySelector(":scope > title"))) say("svg-img-alt", e);
  const ids = new Set();
  for (const e of document.querySelectorAll("[id]")) { if (ids.has(e.id)) say("duplicate-id", e); ids.add(e.id); }
  let level = 0;
  for (const e of all("h1, h2, h3, h4, h5, h6")) { const now = Number(e.tagName[1]); if (level && now > level + 1) say("heading-order", e); level = now; }
  const lands = "header, nav, main, aside, footer, [role=search], [role=region], section[aria-label], [aria-live], [role=status]";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (node.textContent.trim() && !e.closest("script, style, noscript, option") && shown(e) && !e.closest(lands)) say("region", e);
  }
  for (const e of all("*")) {
    const style = getComputedStyle(e), moves = (o, a, b) => /auto|scroll/.test(o) && a > b + 1;
    const more = moves(style.overflowY, e.scrollHeight, e.clientHeight) || moves(style.overflowX, e.scrollWidth, e.clientWidth);
    if (more && e !== document.documentElement && e !== document.body &&
      e.tabIndex < 0 && !e.querySelector(acts)) say("scrollable-region-focusable", e);
  }
  return out;
}"""
#: Adds short words that stand one character above the other, in cells of tables.
_BROKEN = """  for (const e of document.querySelectorAll("td, th")) {
    const words = document.createRange();
    words.selectNodeContents(e);
    const tops = [...words.getClientRects()].map((r) => r.top), deep = Math.max(...tops) - Math.min(...tops);
    const text = e.textContent.trim(), line = parseFloat(getComputedStyle(e).fontSize) * 0.7;
    if (/^[\u4e00-\u9fff]{2,3}$/.test(text) && shown(e) && deep > line) out.push("broken: " + text);
  }
"""
#: Returns what cannot be read, as "what: words": names over each other or over a frame, too small, a page wider than its window.
BOXES = (
    """() => {
  const out = [], shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const wide = Math.max(document.documentElement.scrollWidth, document.body.scrollWidth);
  if (wide > innerWidth + 1) out.push("wider than the window: " + wide);
  const maps = new Map();
  for (const t of document.querySelectorAll("svg text")) {
    const words = t.textContent.trim(), box = t.getBoundingClientRect(), matrix = t.getScreenCTM();
    // what lies across a whole figure (演示数据) is meant to
    if (!words || !shown(t) || box.width < 1 || t.closest("[fill-opacity], [aria-hidden=true]")) continue;
    const size = parseFloat(getComputedStyle(t).fontSize) * Math.hypot(matrix.b, matrix.d);
    if (size < 8.99) out.push("small: " + size.toFixed(1) + " " + words);
    const svg = t.ownerSVGElement, frame = svg.getBoundingClientRect();
    const beyond = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
    if (beyond > size * 0.4 && getComputedStyle(svg).overflow !== "visible") out.push("over the frame: " + words);
    // the box of turned words is larger than they are
    if (!/rotate/.test(t.getAttribute("transform") || "")) maps.set(svg, [...(maps.get(svg) || []), [words, box]]);
  }
  for (const list of maps.values()) list.forEach(([words, a], i) => list.slice(0, i).forEach(([others, b]) => {
    const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (w > 2 && h > 0.35 * Math.min(a.height, b.height)) out.push("over another: " + words + " | " + others);
  }));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.textContent.trim() || e.closest("svg, script, style, noscript, option") || !shown(e)) continue;
    const size = parseFloat(getComputedStyle(e).fontSize);
    if (size < 9) out.push("small: " + size + " " + node.textContent.trim());
  }
"""
    + _BROKEN
    + """  return out.map((line) => line.slice(0, 100));
}"""
)
#: Returns what cannot be read on paper, as "what: words": words under 6 points, short ones that stand one character above the other,
#: tables that a browser shrinks the whole page for.
PAPER = (
    """() => {
  const out = [], shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  if (document.documentElement.scrollWidth > innerWidth + 1) out.push("wider than the paper: " + document.documentElement.scrollWidth);
  for (const t of document.querySelectorAll("svg text")) {
    const words = t.textContent.trim(), matrix = t.getScreenCTM();
    if (!words || !shown(t) || t.closest("[fill-opacity], [aria-hidden=true]")) continue;
    const size = parseFloat(getComputedStyle(t).fontSize) * Math.hypot(matrix.b, matrix.d);
    if (size < 7.95) out.push("small on paper: " + (size * 0.75).toFixed(1) + " pt " + words);
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.textContent.trim() || e.closest("svg, script, style, noscript, option") || !shown(e)) continue;
    const size = parseFloat(getComputedStyle(e).fontSize);
    if (size < 7.95) out.push("small on paper: " + (size * 0.75).toFixed(1) + " pt " + node.textContent.trim());
  }
"""
    + _BROKEN
    + """  return [...new Set(out)].map((line) => line.slice(0, 100));
}"""
)


def filled(sheet: pypdf.PageObject) -> float:
    """Return down to which part of its height a sheet is written on."""
    rows = list[float]()

    def visit(words: str, matrix: list[float], line: list[float], font: object, size: float) -> None:
        if words.strip():
            rows.append(line[4] * matrix[1] + line[5] * matrix[3] + matrix[5])

    sheet.extract_text(visitor_text=visit)
    return 1.0 - min(rows) / float(sheet.mediabox.height) if rows else 0.0


#: Headings and the lines under them that lead to a table or picture.
LEADING = """() => [...document.querySelectorAll("h2, h3, :is(h2, h3) + :is(.line, .small), h2 + .line + .small")]
  .filter((e) => e.nextElementSibling && e.nextElementSibling.matches(".line, .small, .scroll, figure, ol, ul, p, .two")).map((e) => e.textContent)"""


def _letters(text: str) -> str:
    """Return a text without its spaces, and with the signs that a printed file has for Chinese ones as these."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def printed(chromium: Any, page: Path) -> list[str]:
    """Return what is wrong with a page on A4: sheets more than half empty before the last, a last one that holds the foot alone, what cannot be read."""
    tab = chromium.new_page()
    tab.goto(page.as_uri())
    paper = pypdf.PdfReader(io.BytesIO(tab.pdf(format="A4", prefer_css_page_size=True, print_background=True)))
    found = [f"sheet {n}: filled {part:.0%}" for n, part in enumerate(map(filled, paper.pages[:-1]), 1) if part < 0.45]
    foot = tab.evaluate("(document.querySelector('footer') || document.createElement('p')).textContent")
    led = [_letters(text) for text in tab.evaluate(LEADING)]
    for n, sheet in enumerate(paper.pages[:-1], 1):
        last = _letters(sheet.extract_text().strip().rpartition("\n")[2])
        found += (
            [f"sheet {n} ends before what it leads to: {last}"]
            if any(text == last or (len(last) > 4 and text.endswith(last)) for text in led)
            else []
        )
    if len(paper.pages) > 1 and len(paper.pages[-1].extract_text()) < len(foot) + 10:
        found.append("the last sheet holds the foot alone")
    inside = float(paper.pages[0].mediabox.width) / 0.75 - 24 / 25.4 * 96  # margins of 12 mm
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": round(inside), "height": 1000})
    found += tab.evaluate(PAPER)
    tab.close()
    return [f"{page.name} on paper: {line}" for line in found]
