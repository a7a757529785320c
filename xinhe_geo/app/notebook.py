"""
For notebooks: tables that sort when a heading is clicked, and a run with other parameters that is kept.

A run leaves an executed copy and one HTML file that loads nothing. nbconvert's own pages ask the network for scripts, so
the page is written here: text, folded code, and what each cell showed. Running needs the extra `lab`. What is kept says how
it is to be kept, and nothing is kept of a secret layer that nobody has cleared.
"""

from __future__ import annotations

import ast
import html
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..core import (
    EnvironmentProblem,
    SourceError,
    UnknownNameError,
    XinheError,
    amount,
    csv_text,
    how_to_install,
    keeping,
    refuse_uncleared,
    say,
    strictness,
    web_file,
    whole_page,
    write_text,
)
from ..district import District
from ..maps import badges_of
from ..report import added_to, marked_rows

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from pandas.io.formats.style import Styler

PARAMETERS = "parameters"
#: What a page shows of several forms of the same output.
FORMS = ("text/html", "image/svg+xml", "image/png", "text/plain")
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
#: Asks a kernel, after the last cell, what the districts it has opened say of secrecy.
ASK = "import json\nfrom xinhe_geo.district import secrets_opened\nprint(json.dumps(secrets_opened()))"
#: Errors that say themselves what to write instead.
OWN_WORDS = {"UnknownNameError", "ValueError"}


#: Sorts a table by the column whose heading is clicked: numbers as numbers, blanks and words for "unknown" last. It sits in
#: the table's own attribute, so that it works wherever the table is put, without a script element.
SORT = (
    "const th=event.target.closest('thead th');if(th){const b=this.tBodies[0],i=th.cellIndex,"
    "d=th.ariaSort==='ascending'?-1:1,text=r=>r.cells[i].textContent.trim(),"
    "num=t=>parseFloat(t.replace(/[,，%＋+]/g,'').replace('−','-')),none=t=>t===''||t==='—'||t==='数据不足',"
    "cmp=(r,q)=>{const s=text(r),t=text(q);if(none(s)||none(t))return none(s)-none(t);const x=num(s),y=num(t);"
    "return d*(isNaN(x)||isNaN(y)?s.localeCompare(t,'zh'):x-y)};"
    "Array.from(b.rows).sort(cmp).forEach(r=>b.append(r));"
    "for(const o of th.parentNode.cells)o.ariaSort='none';th.ariaSort=d===1?'ascending':'descending'}"
)


def sortable(frame: pd.DataFrame, name: str = "table", *, digits: int = 1, missing: str = "数据不足") -> Styler:
    """
    Return a frame as a table for the screen: a click on a heading sorts, texts stand left, numbers right.

    Parameters
    ----------
    frame
        What to show; units belong into its column names. A named index becomes the first column, one without a name is
        not shown.
    name
        Tells the tables of one page apart; the same name gives the same bytes.
    digits
        Decimal places.
    missing
        What stands where nothing is known.

    Returns
    -------
    styler
        A pandas `Styler`: further formats and bars may be added to it.
    """
    keys = [name for name in frame.index.names if name is not None]
    # one row of headings, whatever the index: a second one would hold nothing but its name
    frame = (frame.reset_index() if keys else frame.reset_index(drop=True)).rename_axis(columns=None)
    words = [c for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
    numbers = frame.columns[[pd.api.types.is_float_dtype(kind) for kind in frame.dtypes]]
    figures: dict[Any, Callable[[float], str]] = dict.fromkeys(numbers, partial(amount, digits=digits, unknown=missing))
    table = frame.style.set_uuid(name).format(figures, precision=digits, thousands=",", na_rep=missing)
    table = table.set_properties(subset=keys, **{"font-weight": "600"}) if keys else table
    arrows = [
        {"selector": f'thead th[aria-sort="{way}"]::after', "props": f'content: " {mark}";'}
        for way, mark in (("ascending", "▲"), ("descending", "▼"))
    ]
    table = table.set_table_styles(
        [{"selector": "thead th", "props": "cursor: pointer; vertical-align: bottom; min-width: 4em;"}, *arrows]
    )
    left = {name: [{"selector": "", "props": f"text-align: left; min-width: {_ems(frame[name])}em;"}] for name in words}
    table = table.set_table_styles(left, overwrite=False) if left else table
    table = table.set_table_attributes(f'onclick="{SORT}" title="{say("点表头排序")}"')
    return table.hide()


def _ems(texts: pd.Series) -> int:
    """Return how wide a column of texts is at least, in characters: names on a line or two, sentences no narrow stack."""
    longest = max((len(str(text)) for text in texts.dropna()), default=0)
    return min(longest, 10) if longest <= 30 else 16


def keep(what: pd.DataFrame | Styler | str, path: str | Path, district: District) -> Path:
    """
    Write a table or figure of a notebook into a file that carries its marks, as maps and workbooks do.

    Parameters
    ----------
    what
        A frame (.csv; a named index becomes the first column), what `sortable` returns (.html), or text (a picture as .svg,
        which carries its marks already).
    path
        Where to; an earlier file is replaced.
    district
        What it was computed from.

    Returns
    -------
    path
        The file.

    Raises
    ------
    SourceError
        A layer of the district is secret, and nobody has cleared its outputs.
    EnvironmentProblem
        The file cannot be written.
    """
    path = Path(path)
    refuse_uncleared(district.manifest, say("存下 {0}", path.name))
    if isinstance(what, pd.DataFrame):
        named = any(name is not None for name in what.index.names)
        text = "\ufeff" + csv_text(marked_rows(what.reset_index() if named else what, district), index=False)
    elif isinstance(what, str):
        text = what
    else:
        badges = "　".join(html.escape(words) for _, words in badges_of(district, district.is_demonstration, "zh"))
        page = what.to_html(doctype_html=True, encoding="utf-8")
        text = page.replace("<body>", f"<body>\n<p><b>{html.escape(district.name)}　{badges}</b></p>", 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


class Refused(UnknownNameError):
    """A parameter that the notebook does not take; the message is the notebook's own."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)


def run_notebook(
    name: str,
    parameters: Sequence[str] = (),
    *,
    folder: Path = Path("notebooks"),
    out: Path | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> tuple[Path, Path]:
    """
    Run a notebook and keep it.

    Parameters
    ----------
    name
        Its number ("03"), its file name, or a path.
    parameters
        "name=value" each; texts need no quotes, several numbers or words are written with commas.
    folder
        Where the notebooks lie; it is the working folder, so that the notebook's own outputs go where they always go.
    out
        Folder for the two files; by default `../output/notebooks` of the notebook.
    progress
        Told which cell is run.

    Returns
    -------
    copy, page
        The executed notebook and its HTML.

    Raises
    ------
    EnvironmentProblem
        Jupyter is not installed (extra `lab`).
    UnknownNameError
        No such notebook or parameter, or a value that the notebook refuses, in its own words.
    XinheError
        A cell failed: which one, and why.
    SourceError
        The notebook opened a district with a secret layer whose outputs nobody has cleared: neither file is written.
    """
    refuse_uncleared({}, "存下笔记本")  # of what is typed; districts are asked for at the end
    nbformat, nbclient = _jupyter()
    path = _found(name, folder)
    book = nbformat.reads(path.read_text("utf-8"), as_version=4)
    given = _set_parameters(book, parameters, nbformat)
    cells = [number for number, cell in enumerate(book.cells) if cell.cell_type == "code"]

    def tell(cell: NotebookNode, cell_index: int) -> None:
        if cell_index in cells:
            progress(say("{0}：第 {1}／{2} 格", path.stem, cells.index(cell_index) + 1, len(cells)))

    book.cells.append(nbformat.v4.new_code_cell(ASK))
    client = nbclient.NotebookClient(
        book,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,  # a picture stands beside each live view: what the view is made of is as large as all the rest
        on_cell_execute=tell,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=40"],
    )
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        if error.ename in OWN_WORDS and given:
            raise Refused(say("{0}（{1}）：{2}", path.name, say("，").join(given), error.evalue)) from None
        raise XinheError(say("{0} 没有跑完：{1}：{2}", path.name, error.ename, error.evalue)) from None
    mark = _mark_of(json.loads("".join(o["text"] for o in book.cells.pop().outputs if o.get("name") == "stdout")), path)
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":  # what a bar of progress leaves: a place with nothing in it
            cell.outputs = _joined([o for o in cell.outputs if any(o.get("data", {"": o}).values())])
    top = nbformat.v4.new_markdown_cell(f"**{mark}**")
    top["id"] = "mark"
    book.cells.insert(0, top)
    target = path.parent.parent / "output" / "notebooks" if out is None else out
    stem = "-".join([path.stem, *(re.sub(r"[^\w.]+", "-", text.partition("=")[2]).strip("-") for text in given)])
    copy, page = target / f"{stem}.ipynb", target / f"{stem}.html"
    with added_to(target) as room:
        write_text(room / copy.name, nbformat.writes(book) + "\n")
        write_text(room / page.name, page_of(book, path.stem))
    return copy, page


def _mark_of(opened: Sequence[Mapping[str, object]], path: Path) -> str:
    """Return how a notebook is to be kept that has opened these secret districts; refuse where nobody has cleared them."""
    for manifest in opened:
        refuse_uncleared(manifest, say("存下笔记本 {0}", path.name))
    return keeping(max(opened, key=strictness, default={}))


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Return outputs with what was printed in one go put together: bars of progress that came between are gone."""
    kept: list[NotebookNode] = []
    for output in outputs:
        before = kept[-1] if kept else {}
        if output["output_type"] == "stream" and before.get("name") == output["name"]:
            before["text"] += output["text"]
        else:
            kept.append(output)
    return kept


def _jupyter() -> tuple[ModuleType, ModuleType]:
    try:
        import ipykernel  # noqa: F401 (what cells run in)
        import mistune  # noqa: F401 (what texts are read by)
        import nbclient
        import nbformat
    except ImportError as error:
        raise EnvironmentProblem(
            say("运行笔记本需要 JupyterLab（缺 {0}）：{1}", error.name, how_to_install("lab", "notebook"))
        ) from error
    return nbformat, nbclient


def _found(name: str, folder: Path) -> Path:
    """Return the notebook that is meant by its number, name or path."""
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    known = sorted(p for p in folder.glob("*.ipynb") if p.is_file())
    if not known:
        copied = say("python run.py notebooks 文件夹")
        raise SourceError(
            say("{0} 里没有笔记本；用 --from 写明笔记本在哪个文件夹，还没有的先用 {1} 复制一份", folder, copied)
        )
    wanted = name.zfill(2) if name.isdigit() else path.stem
    for file in known:
        if wanted in (file.stem, file.stem.partition("-")[0]):
            return file.resolve()
    raise UnknownNameError("笔记本", name, [file.stem for file in known])


def _set_parameters(book: NotebookNode, parameters: Sequence[str], nbformat: ModuleType) -> list[str]:
    """Put a cell with the given values after the notebook's own parameters; return them as written there."""
    if not parameters:
        return []
    at = next((i for i, cell in enumerate(book.cells) if PARAMETERS in cell.metadata.get("tags", [])), None)
    known = {} if at is None else _assigned(book.cells[at].source)
    lines = []
    for text in parameters:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign:
            raise Refused(say("参数要写成 名=值，不是 {0}；可选的名：{1}", text, say("、").join(known)))
        if at is None or name not in known:
            raise UnknownNameError("参数", name, list(known))
        meant = _value(value, known[name])
        if _is_number(known[name]) and not _is_number(meant):
            raise Refused(say("{0} 要写数（几个用逗号隔开），不是 {1}；平时是 {2}", name, value, known[name]))
        lines.append(f"{name} = {meant!r}")
    cell = nbformat.v4.new_code_cell(
        "# 这次运行改了的参数\n" + "\n".join(lines), metadata={"tags": ["injected-parameters"]}
    )
    cell["id"] = "given"
    book.cells.insert((at or 0) + 1, cell)
    return [line.replace(" = ", "=") for line in lines]


def _assigned(source: str) -> dict[str, object]:
    """Return names and values of a cell of plain assignments."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _is_number(value: object) -> bool:
    """Whether a value is a number, or a list of nothing but numbers."""
    several = value if isinstance(value, (tuple, list)) else (value,)
    return len(several) > 0 and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in several)


def _value(text: str, usual: object) -> object:
    """Return what is meant: as Python writes it, else as text; where a list is usual, words and single numbers make one."""
    if isinstance(usual, str):
        return text.strip("'\"")
    several = isinstance(usual, (tuple, list))
    try:
        value = ast.literal_eval(text.replace("，", ","))
    except (ValueError, SyntaxError):
        return tuple(word.strip("'\" ") for word in re.split("[,，]", text)) if several else text
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(say("{0} 不是有限的数；写 10、0.5 这样的数", text))
    return (value,) if several and isinstance(value, (int, float, str)) else value


# --- the page --------------------------------------------------------------------------------------------------------


#: A picture in the text of a notebook.
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")


def page_of(book: NotebookNode, title: str) -> str:
    """Return an executed notebook (an nbformat 4 node) as one HTML page that loads nothing; code is folded away."""
    import mistune

    text = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])
    parts = []
    for cell in book["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            # the picture at the top is of another run, and a file beside the notebook; the maps of this one follow
            parts.append(f"<section>{text(_PICTURE.sub('', source))}</section>")
            continue
        own = cell.get("metadata", {}).get("tags", [])
        is_open = " open" if PARAMETERS in own or "injected-parameters" in own else ""
        word = "参数" if is_open else "代码"
        parts.append(
            f"<details{is_open}><summary>{word}</summary><pre><code>{html.escape(source)}</code></pre></details>"
        )
        parts += [f'<div class="out">{_shown(output)}</div>' for output in cell["outputs"]]
    content = "\n".join(parts)
    return whole_page(
        title, f"\n{web_file('app/notebook.css')}", f"<main>\n{content}\n</main>", lang="zh", policy=POLICY
    )


def _shown(output: Mapping[str, Any]) -> str:
    """Return an output as HTML: the library's own tables and maps as they are, everything else as text."""
    if output["output_type"] == "stream":
        return f"<pre>{html.escape(''.join(output['text']))}</pre>"
    data = output.get("data", {})
    form = next((form for form in FORMS if form in data), "")
    content = "".join(data[form]) if form else ""
    if form in ("text/html", "image/svg+xml"):
        return content
    if form == "image/png":
        return f'<img alt="" src="data:image/png;base64,{html.escape(content.strip())}">'
    return f"<pre>{html.escape(content)}</pre>"
