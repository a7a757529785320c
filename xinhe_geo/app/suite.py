"""The notebooks that come with the library, copied to where somebody works with them."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

from ..core import EnvironmentProblem, as_typed, cannot_write, holds, say, shipped_folder, write_bytes


def copy_notebooks(to: str | Path = "notebooks") -> list[Path]:
    """
    Copy the notebooks into a folder; commands are named in them as they are typed where the library is installed.

    Parameters
    ----------
    to
        The folder; made where there is none. One that holds some of them already gets the others.

    Returns
    -------
    files
        The notebooks in the folder, those that were there included.

    Raises
    ------
    EnvironmentProblem
        Notebooks in the folder have been changed since they were copied, or it cannot be written: nothing is copied.
    """
    folder = Path(to)
    own = {folder / file.name: _as_here(file) for file in sorted(shipped_folder("notebooks").glob("*.ipynb"))}
    changed = [path.name for path, text in own.items() if os.path.lexists(path) and not holds(path, text)]
    if changed:
        raise EnvironmentProblem(
            say(
                "{0} 里这些笔记本改过或运行过，没有覆盖：{1}。换一个文件夹，或先把它们改名",
                folder,
                say("、").join(changed),
            )
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder.name, error, folder) from error
    return [path if path.exists() else write_bytes(path, text) for path, text in own.items()]


#: A picture of a notebook that lies in the folder of the documents.
_PICTURE = re.compile(r"\]\(\.\./docs/(images/[^)]+?([^/)]+))\)")


def _as_here(file: Path) -> bytes:
    """Return a notebook whose words name the commands that exist here, and which carries its pictures with it."""
    book = json.loads(as_typed(file.read_text("utf-8")))
    for cell in book["cells"]:
        text = "".join(cell["source"])
        for place, name in _PICTURE.findall(text) if cell["cell_type"] == "markdown" else ():
            data = base64.b64encode((shipped_folder("docs") / place).read_bytes()).decode("ascii")
            cell.setdefault("attachments", {})[name] = {"image/png": data}
        if "attachments" in cell:
            cell["source"] = _PICTURE.sub(r"](attachment:\2)", text).splitlines(keepends=True)
    return (json.dumps(book, ensure_ascii=False, indent=1) + "\n").encode()
