"""
Make the pictures of the README from a fresh report of the bundled district.

    python tools/make_pictures.py

Needs the `dev` extra and a Chromium on the PATH; writes `docs/images/*.png`. No network.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import xinhe_geo as xh

IMAGES = Path(__file__).parent.parent / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def shoot(browser: Browser, page: Path, image: Path, width: int, height: int) -> None:
    """Save what the first screen of a page shows."""
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_timeout(1500)
    tab.screenshot(path=image)
    context.close()


def main() -> None:
    """Report into a temporary folder and photograph it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as where:
        output = Path(where) / "output"
        xh.brief(xh.District.load(), output)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=ARGUMENTS
            )
            shoot(browser, output / "index.html", IMAGES / "brief.png", 1280, 1180)
            shoot(browser, output / "maps" / "plan_clinic_15.html", IMAGES / "clinic.png", 1366, 768)
            browser.close()


if __name__ == "__main__":
    main()
