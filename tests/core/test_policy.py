"""Pages let those scripts and styles count that we put there: by their hashes, also in pages within pages and on single elements."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

import fakes
import pytest
from clock import trials
from hypothesis import given, settings
from hypothesis import strategies as st

from xinhe_geo import maps
from xinhe_geo.core import SCRIPT, by_hash, whole_page
from xinhe_geo.report.paper.page import legible, plain


def hashed(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def policy(page: str) -> str:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    return found[1]


#: Signs that turn the direction of what follows.
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SIGNS = st.characters(exclude_characters="<\0\r" + TURNING, exclude_categories=["Cs"])


@pytest.mark.parametrize("sign", TURNING)
def test_no_sign_turns_a_number_on_a_page_or_on_paper(sign: str) -> None:
    """Beside a name with one 120 would be read 021; what is known by its hash is what stands there."""
    page = whole_page(f"a{sign}", "", f"<p>甲{sign}苑 120 人<script>x='{sign}'</script>", lang="zh", policy=SCRIPT)
    assert sign not in page and "甲苑 120 人" in page and hashed("x=''") in policy(page)
    assert sign not in legible(f"甲{sign}苑 120 人") + plain(f"甲{sign}苑 120 人")


@settings(max_examples=trials(60))
@given(script=st.text(alphabet=SIGNS))
def test_a_script_is_known_by_its_hash(script: str) -> None:
    page = whole_page("a", "", f"<script>{script}</script>", lang="zh", policy=SCRIPT)
    assert hashed(script) in policy(page)
    assert "unsafe-inline" not in policy(page)


@settings(max_examples=trials(60))
@given(style=st.text(alphabet=SIGNS))
def test_a_style_is_known_by_its_hash(style: str) -> None:
    said = policy(whole_page("a", style, f'<p style="{html.escape(style)}">', lang="zh"))
    assert said.count(hashed(style)) == 1 and "unsafe-inline" not in said and "'unsafe-hashes'" in said


@settings(max_examples=trials(60))
@given(
    st.lists(
        st.sampled_from(["<script>", "<SCRIPT a='b'>", "</script>", "</Script >", "</", "<", "<s", "a", "\n", ">"])
    )
)
def test_a_script_ends_at_the_first_end_of_one(pieces: list[str]) -> None:
    """Whatever signs stand in it: as a search that goes on sign by sign would find it."""
    body = "".join(pieces)
    found = re.findall(r"<script[^>]*>(.*?)</script", body, re.DOTALL | re.IGNORECASE)
    said = policy(by_hash(f'<meta http-equiv="Content-Security-Policy" content="{SCRIPT}"><body>{body}'))
    assert set(re.findall("'sha256-[^']*'", said.partition("script-src ")[2])) == {*map(hashed, found)}


def test_looks_of_elements_count_wherever_they_stand_and_those_in_scripts_do_not() -> None:
    inner = "<style>three</style><p style='four'>"
    body = f'<script>"<style>no</style><p style=\\"none\\">"</script><svg><style>one</style><g style="a &gt; b"/></svg><iframe srcdoc="{html.escape(inner)}">'
    said = policy(whole_page("a", "", body, lang="zh", policy=SCRIPT)).partition("style-src")[2].partition(";")[0]
    assert all(hashed(text) in said for text in ("", "one", "a > b", "three", "four"))
    assert hashed("no") not in said and said.count("sha256") == 5
    assert "unsafe" not in policy(whole_page("a", "", "<p>", lang="zh"))


def test_data_is_no_script_and_a_page_within_a_page_obeys_it() -> None:
    inner = '<script>one()</script><p onclick="two(&quot;x&quot;)">'
    body = f'<script type="text/plain">data</script><script type="application/json">1</script><iframe srcdoc="{html.escape(inner)}">'
    said = policy(whole_page("a", "", body, lang="zh", policy=SCRIPT))
    assert hashed("one()") in said and hashed('two("x")') in said and "'unsafe-hashes'" in said
    assert hashed("data") not in said and hashed("1") not in said
    assert "script-src 'none'" in policy(whole_page("a", "", "<p>", lang="zh", policy=SCRIPT))


def test_a_page_without_scripts_stays_as_it_is() -> None:
    assert by_hash("<p>") == "<p>"


@pytest.mark.slow
def test_a_map_says_its_scripts(tmp_path: Path) -> None:
    maps.draw(fakes.district()).save(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text("utf-8")
    scripts = re.findall(r"<script>(.*?)</script", text, re.DOTALL)
    assert scripts and all(hashed(s) in policy(text) for s in scripts)
