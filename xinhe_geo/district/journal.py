"""
Writes into a district folder that are never half done.

Old files are kept, a journal notes what is to be done, then it is done; whoever opens the folder at any moment sees the
old state or the new one. The version before is kept in `.history` inside the folder, and `undo` brings it back.

A folder may come from somebody else, and its `.history` with it. What a journal says is done only where this user wrote it
here (`own_journals` knows) or says that it may be trusted; and whoever wrote it, only files that a district consists of are
touched, inside the folder, and only where what is there and what is kept have the hashes that were noted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from ..core import (
    LAYERS,
    EnvironmentProblem,
    SourceError,
    XinheError,
    bundled_folder,
    full_disk,
    held,
    hold,
    is_full,
    let_go,
    opened,
    os_words,
    read_json,
    read_toml,
    read_whole,
    reading,
    refuse_titles,
    refused,
    remove_file,
    remove_tree,
    say,
    write_bytes,
)
from . import own_journals

HISTORY = ".history"
#: What every district folder has.
#: What works on a folder with errors, so that they can be mended.
MEANWHILE = "改好以前，check、template、add、update、rules export、rules import、undo 照常可用；要计算的命令都等改好。"
MANIFEST = "district.toml"
#: Where a folder keeps what somebody said the words in files stand for.
ANSWERS = "pois/values.csv"
#: The plan in which the steps of suggestions stand that somebody has accepted.
SUGGESTED = "scenarios/suggested.toml"
#: What a folder has that has been sealed (`seal`).
SEAL = "seal.json"
#: A journal is a list of a few files; a longer one is none of ours.
_MOST_BYTES = 1_000_000
#: No layer is longer (`core.foreign`): somebody may have left a file of holes, of a thousand gigabytes.
_MOST_KEPT = 2_000_000_000
#: What Windows does not take for a file, whatever follows the name.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{i}" for name in ("com", "lpt") for i in range(10))}


def district_folder(folder: str | Path, instead: str = "") -> Path:
    """
    Return a folder that has a manifest.

    Parameters
    ----------
    instead
        What to do where it is the bundled district, which nothing may change, in Chinese; blank where it may be that.

    Raises
    ------
    SourceError
        It is no district folder, or the bundled one.
    """
    target = Path(folder)
    if not (target / MANIFEST).is_file():
        raise SourceError(say("{0} 不是街道目录：里面没有 {1}", target.name or target, MANIFEST))
    if instead and target.resolve() == bundled_folder().resolve():
        raise SourceError(say("随程序的演示街道不能改；{0}", instead))
    return target


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other imports out of a folder; the lock dies with its process, and leaves nothing behind."""
    history = _history(folder)
    try:
        history.mkdir(exist_ok=True)
        handle = hold(within(folder, f"{HISTORY}/lock"), folder)
    except OSError as error:
        if is_full(error):
            raise full_disk(folder.name, folder) from error
        raise EnvironmentProblem(say("不能写入 {0}：{1}。检查权限和磁盘空间", folder.name, os_words(error))) from error
    if handle is None:
        raise EnvironmentProblem(say("另一个程序正在改 {0}，请等它结束后重试", folder.name))
    try:
        yield
    except OSError as error:
        if isinstance(error, XinheError):
            raise
        if is_full(error):
            raise full_disk(folder.name, folder) from error
        raise EnvironmentProblem(
            say(
                "写 {0} 时出错：{1}。检查磁盘空间和权限；若其中文件正被其他程序打开，请关闭后重试",
                folder.name,
                os_words(error),
            )
        ) from error
    finally:
        let_go(history / "lock", handle, folder)
        with suppress(OSError):
            history.rmdir()


class _Step(NamedTuple):
    """One file of a version: the hash of what was there (None where there was no file) and of what came."""

    file: str
    old: str | None
    new: str


class _Record(NamedTuple):
    """A version as noted when it was made."""

    layer: str
    source: str
    steps: list[_Step]
    text: bytes


class _Note(NamedTuple):
    """What is being done: apply a version, or undo it; the hash of that version's record."""

    version: str
    do: str
    record: str
    text: bytes


def _history(folder: Path) -> Path:
    """Return where versions are kept; what leads elsewhere is not looked into."""
    return within(folder, HISTORY)


def within(folder: Path, name: str) -> Path:
    """Return a path inside a folder, unless a link on its way, or at its end, leads elsewhere."""
    found = folder / name
    inside = os.path.join(os.path.realpath(folder), *PurePosixPath(name).parts)
    if os.path.normcase(os.path.realpath(found)) != os.path.normcase(inside):
        said = say("{0} 里的 {1} 是指向别处的链接，没有动任何文件", folder.name or folder, name)
        raise refused(said, say("换成真正的文件或文件夹，或删去这个链接"))
    return found


def _not_ours(folder: Path, what: str) -> SourceError:
    said = say("{0} 里的 {1} {2}，没有照它动任何文件", folder.name or folder, HISTORY, what)
    return refused(said, say("确认文件都对以后，删去文件夹 {0} 再继续", HISTORY))


def _versions(history: Path) -> list[Path]:
    return sorted(p for p in history.glob("[0-9]*") if p.is_dir() and not p.is_symlink() and _numbered(p.name))


def _numbered(name: str) -> bool:
    return len(name) < 10 and name.isascii() and name.isdigit()


def _bytes(folder: Path, name: str) -> bytes:
    """Return the content of a small file of the history."""
    place = within(folder, name)
    content = read_whole(place, folder, _MOST_BYTES) if place.is_file() else None
    if content is None or len(content) > _MOST_BYTES:
        raise _not_ours(folder, say("读不懂"))
    return content


def _json(folder: Path, name: str) -> tuple[dict[str, Any], bytes]:
    """Return what a small file of the history says, and its bytes; what this user did not write here is parsed elsewhere."""
    text = _bytes(folder, name)
    try:
        own = own_journals.entered(folder, text)
        said = json.loads(text) if own else read_json(within(folder, name), folder, text)
    except ValueError as error:
        raise _not_ours(folder, say("读不懂")) from error
    if not isinstance(said, dict):
        raise _not_ours(folder, say("读不懂"))
    return said, text


def _read_note(folder: Path) -> _Note | None:
    """Return what an earlier process was doing when it ended, None where it had finished."""
    if not os.path.lexists(folder / HISTORY / "journal.json"):
        return None
    said, text = _json(folder, f"{HISTORY}/journal.json")
    version, do, record = said.get("version"), said.get("do"), said.get("record", "")
    if not (isinstance(version, str) and _numbered(version) and do in ("apply", "undo") and isinstance(record, str)):
        raise _not_ours(folder, say("读不懂"))
    return _Note(version, str(do), record, text)


def _read_record(folder: Path, version: str) -> _Record:
    """Return what a version consists of: every file by a name that a district has, inside the folder."""
    said, text = _json(folder, f"{HISTORY}/{version}/record.json")
    layer, source, files = said.get("layer"), said.get("source"), said.get("files")
    if not (isinstance(layer, str) and isinstance(source, str) and isinstance(files, list) and files):
        raise _not_ours(folder, say("读不懂"))
    steps = [_step(folder, step) for step in files]
    names = [step.file for step in steps]
    known = _files_of(folder, version)
    if len({name.casefold() for name in names}) < len(names) or not set(names) <= known:
        raise _not_ours(folder, say("写了不属于这个街道目录的文件"))
    for name in names:
        within(folder, name)
    return _Record(layer, source, steps, text)


def _step(folder: Path, said: object) -> _Step:
    step = said if isinstance(said, dict) else {}
    name, old, new = step.get("file"), step.get("old"), step.get("new")
    if not (isinstance(name, str) and isinstance(new, str) and (old is None or isinstance(old, str))):
        raise _not_ours(folder, say("读不懂"))
    if not _plain_name(name):
        raise _not_ours(folder, say("写了不属于这个街道目录的文件"))
    return _Step(name, old, new)


def _plain_name(name: str) -> bool:
    """Whether a name means one file inside the folder on every system."""
    parts = name.split("/")
    return (
        len(name) < 200
        and name.isprintable()
        and not set(name) & set('\\:*?"<>|')
        and all(part and part[0] != "." and part[-1] not in ". " for part in parts)
        and not any(part.partition(".")[0].strip().casefold() in _DEVICES for part in parts)
    )


def _files_of(folder: Path, version: str = "") -> set[str]:
    """Return the files a district consists of: its manifest, the usual ones, what it declares now or in a version."""
    # A layer that is new was put at its usual place; by the time an undo is half done, nothing declares it any more.
    usual = {f"{layer.folder}/{name}{end}" for name, layer in LAYERS.items() for end in (".csv", ".geojson", ".gpkg")}
    found = {MANIFEST, ANSWERS, SUGGESTED, *usual}
    kept = [f"{HISTORY}/{part}{version}/{side}" for part in ("", "new-") for side in ("old", "new")] if version else []
    with reading():
        for place in (".", *kept):
            name = MANIFEST if place == "." else f"{place}/{MANIFEST}"
            with suppress(OSError, ValueError, AttributeError):
                layers = read_toml(within(folder, name), folder).get("layers", {})
                found |= {str(part["file"]) for part in layers.values() if isinstance(part, dict) and "file" in part}
    return found


def unfinished(folder: Path) -> tuple[str, str] | None:
    """Return what a folder's journal has not finished, and what to do; None where there is nothing, or the next writer finishes it."""
    try:
        note = _read_note(folder)
        if note is None or own_journals.entered(folder, note.text):
            return None
        left = _stranger(folder, say("没做完的改动"))
    except SourceError as error:
        left = error
    except OSError as error:
        return say("{0} 里的 {1} 读不出来（{2}）", folder.name or folder, HISTORY, os_words(error)), ""
    return left.what, left.remedy


def is_last_change_own(folder: Path) -> bool:
    """Return whether this user has last changed a folder here by an import."""
    with suppress(OSError, SourceError):
        versions = _versions(_history(folder))
        return bool(versions) and own_journals.entered(
            folder, _bytes(folder, f"{HISTORY}/{versions[-1].name}/record.json")
        )
    return False


def _stranger(folder: Path, what: str, record: _Record | None = None) -> SourceError:
    files = [] if record is None else [step.file for step in record.steps[:12]]
    named = "" if record is None else say("（会改：{0}）", say("、").join(files))
    where = folder.name or folder
    return refused(
        say("{0} 里记着一次{1}{2}，不是在这台电脑的这个位置写下的，所以没有照它做", where, what, named),
        say(
            "这个目录若是自己拷来或挪来的，可用 undo --trust 照着做；若是别人给的，确认文件都对以后删去文件夹 {0}",
            HISTORY,
        ),
    )


def commit(folder: Path, files: Mapping[str, bytes], layer: str, source: str) -> None:
    """
    Keep the old files, note in a journal what is to be done, do it.

    The manifest goes last: until then a new layer's file is declared nowhere, so whoever opens the folder at any moment
    sees the old state or the new one.
    """
    _refuse_sealed(folder)
    history = _history(folder)
    said: dict[str, Any] = {}
    with suppress(OSError, ValueError):  # one that cannot be read is mended by what comes
        said = read_toml(folder / MANIFEST, folder)
    refuse_titles(said, [source], "文件名")
    for name in files:
        within(folder, name)
    number = int(_versions(history)[-1].name) + 1 if _versions(history) else 1
    version = history / f"{number:03d}"
    fresh = history / f"new-{number:03d}"
    remove_tree(fresh, folder)
    try:
        steps = _prepare(folder, fresh, files)
        said = {"layer": layer, "source": source, "files": [step._asdict() for step in steps]}
        record = json.dumps(said, ensure_ascii=False, indent=1).encode()
        own_journals.enter(folder, record)
        write_bytes(fresh / "record.json", record, room=history, folder=folder)
        note = _write_note(folder, version.name, "apply", record)
    except BaseException:
        if not (history / "journal.json").is_file():
            remove_tree(fresh, folder)
        raise
    try:
        _carry_out(folder, note)
    except (OSError, SourceError):
        _step_back(folder, version, steps)
        raise


def _refuse_sealed(folder: Path) -> None:
    if os.path.lexists(folder / SEAL):
        raise SourceError(
            say(
                "{0} 已封存（{1}），没有改动任何文件。要改就先删去 {1}，改完用 seal 重新封存",
                folder.name or folder,
                SEAL,
            )
        )


def _write_note(folder: Path, version: str, do: str, record: bytes) -> _Note:
    text = json.dumps({"version": version, "do": do, "record": _sha(record)}).encode()
    own_journals.enter(folder, text)
    write_bytes(folder / HISTORY / "journal.json", text, folder=folder)
    return _Note(version, do, _sha(record), text)


def _prepare(folder: Path, fresh: Path, files: Mapping[str, bytes]) -> list[_Step]:
    """
    Write what is there and what is to come beside each other; return one step for each file.

    They grow in the history itself: a room that cannot be removed is found there by the next change, and kept by no version.
    """
    steps = []
    for name, content in files.items():
        old = read_whole(folder / name, folder) if (folder / name).is_file() else None
        if old is not None:
            write_bytes(fresh / "old" / name, old, room=fresh.parent, folder=folder)
        write_bytes(fresh / "new" / name, content, room=fresh.parent, folder=folder)
        steps.append(_Step(name, None if old is None else _sha(old), _sha(content)))
    return steps


def _step_back(folder: Path, version: Path, steps: Sequence[_Step]) -> None:
    """Put back what was there, after a disk that is full or a file held open; the journal stays if even that fails."""
    with suppress(OSError, SourceError):
        for step in reversed(steps):
            place = folder / step.file
            if step.old is None:
                remove_file(place, folder)
            elif _now(folder, step.file) != step.old:
                old = read_whole(version / "old" / step.file, folder)
                write_bytes(place, old, room=version.parent, folder=folder)
        remove_file(version.parent / "journal.json", folder)
        remove_tree(version, folder)
        remove_tree(version.parent / f"new-{version.name}", folder)


def finish(folder: Path, *, trust: bool = False) -> bool:
    """
    Carry out what the journal says; again from the start where an earlier process was killed in the middle.

    Parameters
    ----------
    folder
        A folder that this process has locked.
    trust
        Also where somebody else wrote the journal, or wrote it elsewhere.

    Returns
    -------
    done
        Whether there was anything to finish.

    Raises
    ------
    SourceError
        The journal is not ours and not trusted, or does not fit the files; nothing has been touched.
    """
    history = _history(folder)
    note = _read_note(folder)
    if note is not None:
        if not trust and not own_journals.entered(folder, note.text):
            raise _stranger(folder, say("没做完的改动"))
        _carry_out(folder, note)
    for left in [*history.glob("new-*"), *(v / "new" for v in _versions(history))]:
        remove_tree(left, folder)  # a link is left alone
    for left in history.glob(".*-*"):
        if left.is_symlink() or left.is_file():
            remove_file(left, folder)
        remove_tree(left, folder)
    return note is not None


def _carry_out(folder: Path, note: _Note) -> None:
    """Do what a journal says, once everything it needs has been found to be what it was when it was noted."""
    history = _history(folder)
    journal = history / "journal.json"
    version, fresh = within(folder, f"{HISTORY}/{note.version}"), within(folder, f"{HISTORY}/new-{note.version}")
    if note.do == "apply" and not version.is_dir() and fresh.is_dir():
        _rename(fresh, version, folder)
    undoing = note.do == "undo"
    if version.is_dir():
        record = _read_record(folder, note.version)
        if note.record not in ("", _sha(record.text)):
            raise _not_ours(folder, say("前后对不上"))
        kept = _kept(folder, note.version, record, "old" if undoing else "new")
        for step in reversed(record.steps) if undoing else record.steps:
            content = kept[step.file]
            if content is None:
                remove_file(folder / step.file, folder)
                _remove_empty((folder / step.file).parent, folder)
            else:
                write_bytes(folder / step.file, content, room=history, folder=folder)
    if undoing:
        # Under another name first: half a version must not look like a whole one.
        if version.is_dir():
            own_journals.strike(folder, record.text)
            _rename(version, fresh, folder)
        remove_file(journal, folder)
        remove_tree(fresh, folder)
    else:
        remove_file(journal, folder)
        remove_tree(version / "new", folder)
    own_journals.strike(folder, note.text)


def _rename(path: Path, to: Path, folder: Path) -> None:
    """Give a folder of the history another name."""
    with held(path, folder) as (name, place), held(to, folder) as (new, _):
        os.replace(name, new, src_dir_fd=place, dst_dir_fd=place)


def _remove_empty(path: Path, folder: Path) -> None:
    """Remove a folder inside a district if nothing lies in it."""
    if path != folder:
        with suppress(OSError), held(path, folder) as (name, place):
            os.rmdir(name, dir_fd=place)


def _kept(folder: Path, version: str, record: _Record, side: str) -> dict[str, bytes | None]:
    """Return the bytes to write by file, None for a file to remove; nothing is written unless every hash is right."""
    found: dict[str, bytes | None] = {}
    for step in record.steps:
        wanted = step.old if side == "old" else step.new
        content = _content(folder, f"{HISTORY}/{version}/{side}/{step.file}") if wanted is not None else None
        if (None if content is None else _sha(content)) != wanted:
            raise _not_ours(folder, say("里留存的 {0} 和记录对不上", step.file))
        if _now(folder, step.file) not in (step.old, step.new):
            raise SourceError(
                say("{0} 在导入以后又改过，接着做会丢掉那些修改。先把它另存，或手工从 {1} 恢复", step.file, HISTORY)
            )
        found[step.file] = content
    return found


def _now(folder: Path, name: str) -> str | None:
    content = _content(folder, name)
    return None if content is None else _sha(content)


def _content(folder: Path, name: str) -> bytes | None:
    """Return the bytes of a file, None where there is none; of one that is longer than any layer, which is no layer, nothing."""
    place = within(folder, name)
    if not place.is_file():
        return None
    with opened(place, folder) as stream:
        return stream.read() if os.fstat(stream.fileno()).st_size <= _MOST_KEPT else b""


def _changed_since(file: str, record: _Record, version: str) -> SourceError:
    """Return why an import is not undone, and how to undo it by hand without losing what was changed since."""
    back = say("、").join(step.file for step in record.steps if step.old is not None)
    away = say("、").join(step.file for step in record.steps if step.old is None)
    steps = [
        say("把 {0} 另存一份", file),
        *([say("把 {0}/{1}/old 里的 {2} 拷回原位", HISTORY, version, back)] if back else []),
        *([say("删去这一次才有的 {0}", away)] if away else []),
        say("删去文件夹 {0}/{1}", HISTORY, version),
        say("把自己改的那几处照另存的补进 {0}", file),
    ]
    numbered = say("；").join(f"{n}. {text}" for n, text in enumerate(steps, 1))
    return SourceError(
        say(
            "{0} 在导入以后手工改过，撤销会丢掉那些修改，没有动任何文件。把改的几处一字不差改回去就能撤销，或手工撤销：{1}",
            file,
            numbered,
        )
    )


def recover(folder: str | Path, *, trust: bool = False) -> bool:
    """
    Finish what a killed import or undo left half done; return whether there was anything.

    Raises
    ------
    SourceError
        What is half done was not written by this user here, and is not trusted, or does not fit the files.
    """
    target = Path(folder)
    if not (target / HISTORY).is_dir():
        return False
    with locked(target):
        return finish(target, trust=trust)


def undo(folder: str | Path, *, trust: bool = False) -> pd.DataFrame:
    """
    Bring back, byte for byte, the files as they were before the last import into a folder.

    Parameters
    ----------
    folder
        A district folder.
    trust
        Also where the import was written by somebody else, or where the folder has been copied or moved since: what its
        history says was then written by whoever had it. Only files of the district are ever touched, trusted or not.

    Returns
    -------
    files
        Index file; columns `layer`, `source` (the file whose import is undone), `what` (restored, removed).

    Raises
    ------
    SourceError
        Nothing to undo, a file has been changed since, or the history is not ours and not trusted, or does not fit the files.
    EnvironmentProblem
        The folder cannot be written, or another process is writing it.
    """
    target = Path(folder)
    if not target.is_dir():
        raise SourceError(say("没有这个文件夹：{0}。检查路径", target.name or target))
    if not (target / HISTORY).is_dir():
        raise SourceError(say("{0} 没有可以撤销的导入", target.name or target))
    _refuse_sealed(target)
    with locked(target):
        finish(target, trust=trust)
        versions = _versions(target / HISTORY)
        if not versions:
            raise SourceError(say("{0} 没有可以撤销的导入", target.name or target))
        record = _read_record(target, versions[-1].name)
        if not trust and not own_journals.entered(target, record.text):
            raise _stranger(target, say("导入"), record)
        for step in record.steps:
            if _now(target, step.file) != step.new:
                raise _changed_since(step.file, record, versions[-1].name)
        _kept(target, versions[-1].name, record, "old")
        _carry_out(target, _write_note(target, versions[-1].name, "undo", record.text))
    lines = [(s.file, record.layer, record.source, "removed" if s.old is None else "restored") for s in record.steps]
    return pd.DataFrame(lines, columns=["file", "layer", "source", "what"]).set_index("file")
