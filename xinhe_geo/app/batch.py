"""
The report for many district folders: on this machine's cores, or on a Dask cluster that someone else runs.

Both ways are one way: a scheduler hands folders to worker processes, a few at a time, and each worker writes what a single
`report` would write, byte for byte. `records/KEY.json` is written last and says from what (folder, code, parameters) and
what came out, so that a district is done or not done, and never half. The comparison is made from the records.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import importlib
import importlib.metadata
import io
import json
import os
import platform
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ..core import (
    DataError,
    EnvironmentProblem,
    SourceError,
    UnknownNameError,
    XinheError,
    bundled_folder,
    cannot_write,
    csv_text,
    describe,
    opened,
    own_room,
    read_toml,
    read_whole,
    refuse_leaving,
    refuse_uncleared,
    remove_file,
    say,
    speaking,
    sweep,
    thing,
    without_mark,
    write_bytes,
    write_text,
)
from ..district import MANIFEST, District, secrecy_of
from ..io import CATALOGUE, safe_name
from ..maps import PRESETS
from ..report import (
    COMPARISON,
    LEDGER_BOOK,
    added_to,
    analyse,
    facts,
    put_in_place,
    read_json,
    refuse_foreign,
    side_by_side,
    write_report,
    write_side_by_side,
)
from ..report import RECORD as RUN

if TYPE_CHECKING:
    from distributed import Client, Future, Worker


Progress = Callable[["Tick"], object]

DISTRICTS, RECORDS = "districts", "records"
#: A district whose worker dies this often is given up: it is likely too big for the machine.
FAILURES = 3
#: Bytes of all files of a district's folder together.
_MOST_BYTES = 8_000_000_000
#: Bytes of a list of districts.
_MOST_CATALOGUE = 20_000_000
#: Seconds to wait for a scheduler that someone else runs, and for its first worker.
PATIENCE = 30.0
_LIBRARIES = (
    "numpy",
    "pandas",
    "geopandas",
    "shapely",
    "scipy",
    "numba",
    "pyproj",
    "pyogrio",
    "folium",
    "branca",
    "xlsxwriter",
)
#: Ctrl-C goes to every process of a terminal: it is for this one to say what becomes of its workers.
_DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
#: Writers set options of GDAL for the whole process, so a worker with several threads does one district at a time.
_ONE_AT_A_TIME = threading.Lock()


#: What became of each district.
STATUS = "status.csv"


class Tick(NamedTuple):
    """How far a batch is."""

    done: int
    total: int
    failed: int
    seconds_left: float
    name: str

    @property
    def text(self) -> str:
        """One line for a person, in the language that is spoken."""
        left = "" if self.seconds_left != self.seconds_left else say("，约还要 {0}", _duration(self.seconds_left))
        failed = say("，失败 {0}", self.failed) if self.failed else ""
        return say("{0}/{1} 个街道{2}{3}　{4}", self.done, self.total, failed, left, self.name)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if seconds < 90:
        return say("{0:.0f} 秒", seconds)
    return say("{0:.0f} 分钟", minutes) if minutes < 90 else say("{0:.1f} 小时", minutes / 60)


# --- which districts -------------------------------------------------------------------------------------------------


def districts_of(sources: Iterable[str | Path]) -> dict[str, Path]:
    """
    Find the district folders meant by folders, globs and catalogues.

    Parameters
    ----------
    sources
        District folders; folders of district folders (as `split` makes them); patterns with `*`, `?` or `[`; catalogues:
        CSV tables with a column `folder`, relative to the table.

    Returns
    -------
    folders
        Key -> folder, in order of key. The key names the outputs: the folder's name, with as much of the path before it as
        tells it from others.

    Raises
    ------
    SourceError
        Nothing found, or a catalogue that cannot be read.
    """
    found: dict[Path, None] = {}
    for source in sources:
        found |= dict.fromkeys(Path(os.path.abspath(folder)) for folder in _expand(str(source)))
    if not found:
        raise SourceError(say("没有给出任何街道目录"))
    depth, keys = 1, [""]
    while True:
        keys = [
            "-".join(safe_name(part) for part in folder.parts[-depth:] if part != folder.anchor) for folder in found
        ]
        if len({key.casefold() for key in keys}) == len(keys) or depth > max(len(f.parts) for f in found):
            break
        depth += 1
    return dict(sorted(zip(keys, found, strict=True)))


def _expand(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        if (path / MANIFEST).exists():
            return [path]
        if (path / CATALOGUE).exists():
            return _catalogue(path / CATALOGUE)
        inner = sorted(p.parent for p in path.glob(f"*/{MANIFEST}"))
        return inner or [path]
    if path.is_file():
        return _catalogue(path)
    if any(c in source for c in "*?["):
        folders = sorted(Path(p) for p in glob.glob(source, recursive=True) if Path(p).is_dir())
        if not folders:
            raise SourceError(say("没有文件夹符合 {0}", source))
        return folders
    return [path]  # it does not exist, which is that district's failure and not everybody's


def _catalogue(path: Path) -> list[Path]:
    content = read_whole(path, most=_MOST_CATALOGUE)
    if len(content) > _MOST_CATALOGUE:
        raise SourceError(say("{0} 太长，不像街道的目录表。每行一个街道，列 folder 写街道目录", path.name))
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(say("{0} 不是能读的 CSV 目录表。另存为“CSV UTF-8”，第一行写列名", path.name)) from error
    if not rows or "folder" not in rows[0]:
        raise SourceError(say("{0} 里没有列 folder。目录表每行一个街道，folder 写街道目录（相对于这张表）", path.name))
    named = [
        without_mark(row["folder"].strip())
        for row in rows
        if (row.get("folder") or "").strip() and row.get("status") != "failed"
    ]
    return [path.parent / folder for folder in named]


# --- what decides a result -------------------------------------------------------------------------------------------


@cache
def versions() -> dict[str, str]:
    """Return what a result depends on besides its folder: our code and tables (hashed), Python and the libraries."""
    here, lent = Path(__file__).parents[1], bundled_folder()
    total = hashlib.sha256()
    files = [
        (f"code/{p.relative_to(here).as_posix()}", p)
        for p in here.rglob("*")
        if p.suffix in (".py", ".js", ".css", ".json") and lent not in p.parents
    ]
    files += [(f"data/{name}", p) for name, p in _files(lent)]
    for name, file in sorted(files):
        total.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    found = {"xinhe-geo": f"{_version('xinhe-geo')}+{total.hexdigest()[:12]}", "python": platform.python_version()}
    return found | {name: _version(name) for name in _LIBRARIES}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "?"


def _hash_of(folder: Path) -> str:
    """Return the hash of every file of a folder with its name."""
    total = hashlib.sha256()
    files = _files(folder)
    size = sum(file.stat().st_size for _, file in files)
    if size > _MOST_BYTES:  # somebody may have put holes of a thousand gigabytes into it
        raise SourceError(
            say("{0} 里的文件共 {1:,.0f} GB，不像街道目录。移走不属于它的大文件", folder.name, size / 1e9)
        )
    for name, file in files:
        with opened(file, folder) as stream:
            total.update(f"{name}\0".encode() + hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return every file of a folder; links that lead out of it are none of its own."""
    home = os.path.realpath(folder)
    found = ((p, os.path.realpath(p) if p.is_symlink() else home) for p in folder.rglob("*") if p.is_file())
    return sorted(
        (p.relative_to(folder).as_posix(), p) for p, real in found if os.path.commonpath([home, real]) == home
    )


# --- one district, in a worker ---------------------------------------------------------------------------------------


class Task(NamedTuple):
    """What a worker is told: names and settings, and the folder itself only where it is shipped."""

    key: str
    folder: str
    out: str
    preset: str
    only: str | None
    force: bool
    versions: Mapping[str, str]
    lang: str = "zh"
    shipped: bytes | None = None


def work(task: Task) -> dict[str, Any]:
    """
    Do one district and return its row; whatever goes wrong with it is said in the row and harms no other.

    Returns
    -------
    row
        `key`, `status` (done / kept / failed), `problem`, `seconds`, `cpu_seconds`, `peak_mb` (of the worker so far), and where
        the folder was shipped `result`: a zip of the outputs.
    """
    with speaking(task.lang):
        return _worked(task)


def _worked(task: Task) -> dict[str, Any]:
    begun, cpu = time.perf_counter(), time.process_time()
    row: dict[str, Any] = {"key": task.key, "status": "failed", "problem": ""}
    try:
        differing = _differences(task.versions, versions())
        if differing:
            raise EnvironmentProblem(say("工作进程的版本不同：{0}", differing))
        with _ONE_AT_A_TIME:
            row |= _at_home(task) if task.shipped is None else _shipped(task)
    except DataError as error:
        wrong = error.problems[error.problems["severity"] == "error"]
        said = say("；").join(describe(r) for r in wrong.head(3).itertuples(index=False))
        row["problem"] = say("数据有 {0} 处错误：{1}", len(wrong), said)
    except XinheError as error:
        row["problem"] = str(error)
    except OSError as error:
        row["problem"] = str(cannot_write(Path(str(error.filename or task.out)).name, error))
    except Exception as error:
        row["problem"] = say("程序出错（{0}：{1}）。单独运行 report 看详细情况", type(error).__name__, error)
    used = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu, "peak_mb": _peak_mb()}
    return row | used


def _peak_mb() -> float:
    """Return the most memory this process has held so far, in MB; missing on systems that do not count it."""
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1024**2 if platform.system() == "Darwin" else 1024)


def _at_home(task: Task) -> dict[str, Any]:
    """Do a district whose folder and outputs this worker reaches by path."""
    folder, out = Path(task.folder), Path(task.out)
    if not folder.is_dir():
        raise SourceError(
            say("找不到文件夹 {0}。检查路径；工作进程在别的机器上时，要用共享存储，或加 --ship", folder.name)
        )
    inputs = _hash_of(folder)
    if not task.force and _is_done(out, task, inputs):
        return {"status": "kept"}
    remove_file(_record_file(out, task.key), out)
    _report(task, folder, out, inputs)
    return {"status": "done"}


def _report(task: Task, folder: Path, out: Path, inputs: str) -> None:
    """Write a district's report, then its record."""
    target = out / DISTRICTS / task.key
    refuse_uncleared(secrecy_of(folder), "写出报告")
    district = District.load(folder)
    results = analyse(district, preset=task.preset)
    write_report(district, results, target, only=task.only)
    run = (target / RUN).read_bytes()
    made = {**json.loads(run)["files"], RUN: hashlib.sha256(run).hexdigest()}
    record = {**_stamp(task, inputs), "outputs": made, "facts": facts(district, results)}
    write_text(_record_file(out, task.key), json.dumps(record, ensure_ascii=False, indent=1) + "\n", folder=out)


def _stamp(task: Task, inputs: str) -> dict[str, Any]:
    asked = {"preset": task.preset, "only": task.only, "lang": task.lang}
    return {"inputs": inputs, "parameters": asked, "versions": dict(task.versions)}


def _record_file(out: Path, key: str) -> Path:
    return out / RECORDS / f"{key}.json"


def _read_record(out: Path, key: str) -> dict[str, Any] | None:
    return read_json(_record_file(out, key)) or None


def _is_done(out: Path, task: Task, inputs: str) -> bool:
    """Whether an earlier run did the same, and all it wrote is still there, unchanged."""
    record = _read_record(out, task.key)
    if record is None or any(record.get(name) != value for name, value in _stamp(task, inputs).items()):
        return False
    target = out / DISTRICTS / task.key
    with suppress(OSError):
        return all(hashlib.sha256((target / n).read_bytes()).hexdigest() == h for n, h in record["outputs"].items())
    return False


def _shipped(task: Task) -> dict[str, Any]:
    """Do a district that came as bytes, and return its outputs as bytes."""
    with tempfile.TemporaryDirectory(prefix="xinhe-") as name:
        folder, out = Path(name) / "in" / Path(task.folder).name, Path(name) / "out"
        _unpack(task.shipped or b"", {"in": folder, "out": out})
        # The bundled district does not travel: every worker has the same, and as itself its tables are its own.
        folder = folder if folder.exists() else bundled_folder()
        _report(task, folder, out, _hash_of(folder))
        return {"status": "done", "result": _pack({"": out})}


def _pack(folders: Mapping[str, Path], extra: Mapping[str, Path] | None = None) -> bytes:
    """Return files as a zip, the same files always the same bytes."""
    named = [(f"{p}/{n}" if p else n, file, folder) for p, folder in folders.items() for n, file in _files(folder)]
    named += [(name, file, file.parent) for name, file in (extra or {}).items()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, file, folder in sorted(named):
            packed.writestr(zipfile.ZipInfo(name), read_whole(file, folder), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _unpack(packed: bytes, folders: Mapping[str, Path]) -> None:
    """Put a zip's files below the folder that the first part of their name stands for ("" for all)."""
    with zipfile.ZipFile(io.BytesIO(packed)) as source:
        for name in source.namelist():
            first, _, rest = name.partition("/")
            place = folders[""] / name if "" in folders else folders[first] / rest
            write_bytes(place, source.read(name))


# --- many districts, from the client ---------------------------------------------------------------------------------


def batch(
    sources: Iterable[str | Path],
    out: str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    preset: str = "plan",
    only: str | None = None,
    ship: bool = False,
    force: bool = False,
    lang: str = "zh",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """
    Write the report of many districts and their comparison.

    Parameters
    ----------
    sources
        As `districts_of` takes them.
    out
        Folder for `districts/KEY/` (what `report` writes), `records/KEY.json`, and the comparison: `index.html`,
        `tables/comparison.xlsx`, `gis/comparison.gpkg`, `status.csv`.
    workers
        Processes on this machine, of one thread each; by default one per core.
    scheduler
        Instead: address of a running Dask scheduler, such as ``tcp://10.0.0.5:8786``, whose workers have this package.
    preset, only
        As `report.brief` and `report.write_report`.
    ship
        Send each folder to its worker as bytes and get the outputs back, where there is no shared storage.
    force
        Do again what an earlier run has done with the same folder, code and parameters.
    lang
        "zh" or "en": reports and comparison; what an earlier run wrote in the other language is done anew.
    progress
        Called with a `Tick` whenever a district is finished.

    Returns
    -------
    table
        Index key, in order. Columns `name`, `code`, `status` (done / kept: done by an earlier run / failed / not_run:
        stopped before its turn), `problem` (Chinese: as errors are told everywhere), `seconds`, `cpu_seconds`, `peak_mb` (of its worker until then).

    Raises
    ------
    EnvironmentProblem
        Dask is not installed, the scheduler cannot be reached, or its workers have other versions.
    SourceError, UnknownNameError
        No districts; no such preset or language.
    """
    if preset not in PRESETS:
        raise UnknownNameError("口径预设", preset, list(PRESETS))
    if only not in (None, "tables"):
        raise UnknownNameError("输出内容", str(only), ["tables"])
    with speaking(lang):
        folders, target = districts_of(sources), Path(os.path.abspath(out))
        # Outputs inside a district folder would change its hash, and be read as its data.
        inside = [f.name for f in folders.values() if f == target or f in target.parents]
        if inside:
            raise EnvironmentProblem(say("输出文件夹在街道目录 {0} 里面。用 --out 另写一个文件夹", inside[0]))
        _refuse_foreign(folders, target)
        tasks = [
            Task(key, str(folder), str(target), preset, only, force, versions(), lang)
            for key, folder in folders.items()
        ]
        rows: dict[str, dict[str, Any]] = {}
        try:
            with _cluster(workers, scheduler, len(tasks)) as client:
                _require_same_versions(client)
                try:
                    _run(client, tasks, ship, rows, progress or (lambda _: None))
                except KeyboardInterrupt:
                    rows |= {
                        t.key: {"status": "not_run", "problem": say("中断前还没有做")}
                        for t in tasks
                        if t.key not in rows
                    }
        finally:  # now none of our own workers writes any more
            _clear(target, folders)
        table = pd.DataFrame.from_dict({key: rows[key] for key in folders}, orient="index")
        table = table.reindex(columns=["status", "problem", "seconds", "cpu_seconds", "peak_mb"]).rename_axis("key")
        return _compare(target, folders, table, "index.html" if only is None else "tables/coverage.xlsx")


def _refuse_foreign(folders: Mapping[str, Path], target: Path) -> None:
    """Nothing is replaced that no batch has written: told before anything is computed."""
    refuse_foreign(target, (STATUS, *COMPARISON))
    for key in folders:
        place = _record_file(target, key)
        if os.path.lexists(place) and (
            place.is_symlink() or not {"outputs", "facts"} <= set(_read_record(target, key) or {})
        ):
            raise EnvironmentProblem(
                say("{0}/{1} 不是本程序写的，没有动它；把它移走，或用 --out 另写一个文件夹", RECORDS, place.name)
            )


@contextmanager
def _cluster(workers: int | None, scheduler: str | None, districts: int) -> Iterator[Client]:
    """Give a client of the cluster asked for: one of this machine's own processes, or one that runs already."""
    try:
        import dask
        import distributed
    except ImportError as error:
        raise EnvironmentProblem(say('批量计算要用 dask：先装 pip install "xinhe-geo[cluster]"')) from error
    dd: Any = distributed  # it has no types
    if workers is not None and workers < 1:
        raise UnknownNameError("工作进程数", str(workers), [thing("1 或更大的整数")])
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": FAILURES,
        "distributed.comm.timeouts.connect": f"{PATIENCE:g}s",
        "distributed.worker.use-file-locking": False,
        "distributed.admin.log-length": 0,
        "distributed.worker.profile.enabled": False,  # it keeps what it saw, second by second, for as long as a worker lives
        # Several MB as an argument is what --ship is: not worth a warning each time.
        "distributed.admin.large-graph-warning-threshold": "1GB",
    }
    if scheduler is None:
        settings["distributed.worker.preload"] = [_DEAF]
        # its ports for browsers answer nothing: which districts these are is nobody else's on this computer
        settings |= {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    with dask.config.set(settings), tempfile.TemporaryDirectory(prefix="xinhe-dask-") as scratch:
        if scheduler is None:
            count = min(workers or _cores(), max(districts, 1))
            with (
                dd.LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=50,
                    local_directory=scratch,
                    host="127.0.0.1",
                    **_secured(dd),
                ) as cluster,
                dd.Client(cluster) as client,
            ):
                yield client
            return
        try:
            client = dd.Client(scheduler, timeout=PATIENCE)
        except (OSError, ValueError, TimeoutError) as error:
            raise EnvironmentProblem(
                say("连不上调度器 {0}（{1}）。检查地址（形如 tcp://主机:8786）和网络", scheduler, type(error).__name__)
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError as error:
                raise EnvironmentProblem(
                    say("调度器 {0} 上还没有工作进程：先启动 dask worker {0}", scheduler)
                ) from error
            with _unprofiled(client):
                yield client


def _secured(dd: Any) -> dict[str, Any]:
    """
    Return how the processes of a run know each other: by a certificate made for it, so that no other account can join or listen.

    What somebody has told Dask of encryption counts instead: nothing is said then.
    """
    told = dd.Security()
    if told.require_encryption or any(getattr(told, name) for name in _TOLD):
        return {}
    return {"security": dd.Security.temporary()}


#: What somebody says who has certificates of their own.
_TOLD = ("tls_ca_file", "tls_scheduler_cert", "tls_worker_cert", "tls_client_cert")


@contextmanager
def _unprofiled(client: Client) -> Iterator[None]:
    """
    Switch Dask's profiler off in the workers of someone else's cluster, also in those that join, as long as this lasts.

    It keeps what it saw, second by second, and a worker grows with every district. Later it is as it was.
    """
    import distributed

    dd: Any = distributed

    class Unprofiled(dd.WorkerPlugin):  # type: ignore[misc]
        """Defined here so that it travels as it is, also to workers without this package, which are refused by name later."""

        def setup(self, worker: Worker) -> None:
            names = ("profile", "profile-cycle")
            # A worker that is just joining starts those that it still has.
            self.stopped = {n: worker.periodic_callbacks.pop(n) for n in names if n in worker.periodic_callbacks}
            for callback in self.stopped.values():
                callback.stop()
            for kept in (worker.profile_history, worker.profile_keys_history, worker.profile_keys):
                kept.clear()

        def teardown(self, worker: Worker) -> None:
            worker.periodic_callbacks.update(self.stopped)
            for callback in self.stopped.values():
                callback.start()

    name = f"xinhe-unprofiled-{uuid.uuid4()}"
    client.register_plugin(Unprofiled(), name=name)
    try:
        yield
    finally:
        with suppress(Exception):  # a scheduler that is gone has no profiler either
            forget: Callable[..., object] = client.unregister_worker_plugin  # its own types leave this one out
            forget(name)


def _cores() -> int:
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _require_same_versions(client: Client) -> None:
    """Refuse a cluster whose workers would give other results, and say where they differ."""
    ours = versions()
    faults = []
    for worker, theirs in sorted(client.run(versions, on_error="return").items()):
        is_there = isinstance(theirs, Mapping)
        said = (
            _differences(ours, theirs)
            if is_there
            else say("没有可用的 xinhe_geo（{0}：{1}）", type(theirs).__name__, theirs)
        )
        if said:
            faults.append(say("{0}：{1}", worker, said))
    if faults:
        more = say("\n  …… 另有 {0} 个", len(faults) - 5) if len(faults) > 5 else ""
        raise EnvironmentProblem(
            say("工作进程和这里的版本不同，结果会不一样，没有开始。在工作进程的机器上装同样的版本：\n  ")
            + "\n  ".join(faults[:5])
            + more
        )


def _differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    none = say("没有")
    return say("，").join(
        say("{0} 这里 {1}、工作进程 {2}", name, ours.get(name, none), theirs.get(name, none))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    )


def _run(
    client: Client, tasks: Sequence[Task], ship: bool, rows: dict[str, dict[str, Any]], progress: Progress
) -> None:
    """Hand out tasks, a few more than there are workers at any time, and collect their rows."""
    import distributed

    dd: Any = distributed
    waiting = _to_do(tasks, ship, rows)
    begun, fresh, names = time.perf_counter(), 0, {}
    running = dd.as_completed([])

    def hand_out(n: int) -> None:
        for task in islice(waiting, n):
            future = client.submit(work, task, key=f"xinhe-{task.key}-{time.monotonic_ns()}", pure=False)
            names[future.key] = task
            running.add(future)

    hand_out(2 * _threads(client) + 2)
    for future in running:
        task = names.pop(future.key)
        rows[task.key] = _row_of(future, task)
        future.release()
        fresh += rows[task.key]["status"] != "kept"
        left = (len(tasks) - len(rows)) * (time.perf_counter() - begun) / fresh if fresh else float("nan")
        failed = sum(row["status"] == "failed" for row in rows.values())
        progress(Tick(len(rows), len(tasks), failed, left, Path(task.folder).name))
        hand_out(max(1, 2 * _threads(client) + 2 - len(names)))


def _threads(client: Client) -> int:
    return sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())


def _to_do(tasks: Sequence[Task], ship: bool, rows: dict[str, dict[str, Any]]) -> Iterator[Task]:
    """Yield tasks in order; where folders are shipped, packed only now, and those done already are not sent at all."""
    for task in tasks:
        if not ship:
            yield task
            continue
        folder, out = Path(task.folder), Path(task.out)
        try:
            if not folder.is_dir():
                raise SourceError(say("找不到文件夹 {0}。检查路径", folder.name))
            refuse_leaving(secrecy_of(folder), "发给别的机器（--ship）")
            if not task.force and _is_done(out, task, _hash_of(folder)):
                rows[task.key] = {"status": "kept", "problem": ""}
                continue
            remove_file(_record_file(out, task.key), out)
            # What people filled into an earlier ledger is carried over, so it travels too, with the record that it is ours.
            before = out / DISTRICTS / task.key
            earlier = {
                f"out/{DISTRICTS}/{task.key}/{name}": before / name
                for name in (RUN, LEDGER_BOOK)
                if task.only is None and (before / name).is_file()
            }
            sent = {} if folder == bundled_folder().resolve() else {"in": folder}
            yield task._replace(shipped=_pack(sent, earlier))
        except (OSError, XinheError) as error:
            rows[task.key] = {"status": "failed", "problem": str(error)}


def _row_of(future: Future[dict[str, Any]], task: Task) -> dict[str, Any]:
    """Return a finished task's row; a worker that died again and again is that district's failure."""
    try:
        row: dict[str, Any] = future.result()
        if "result" in row:
            _receive(row.pop("result"), task)
        return row
    except XinheError as error:  # what came back could not be put in its place here
        return {"status": "failed", "problem": str(error)}
    except Exception as error:
        if type(error).__name__ == "KilledWorker":
            told = "工作进程 {0} 次中途停止，多半是内存不够。减少 --workers 或换内存更大的机器"
            said = say(told, FAILURES + 1)
        else:
            said = say("工作进程没有做完（{0}：{1}）", type(error).__name__, error)
        return {"status": "failed", "problem": said}


def _receive(packed: bytes, task: Task) -> None:
    """Put shipped outputs where a worker with shared storage would have put them."""
    out = Path(task.out)
    target = out / DISTRICTS / task.key
    target.parent.mkdir(parents=True, exist_ok=True)
    with own_room(target) as room:
        _unpack(packed, {"": room})
        put_in_place(room / DISTRICTS / task.key, target)
        write_text(_record_file(out, task.key), _record_file(room, task.key).read_text("utf-8"), folder=out)


def _clear(out: Path, folders: Mapping[str, Path]) -> None:
    """Remove what workers that died left half-written beside the places of these districts."""
    for place, name in ((out / DISTRICTS, "{}"), (out / RECORDS, "{}.json")):
        for key in folders:
            sweep(place, place / name.format(key), about_to=0)


# --- the comparison --------------------------------------------------------------------------------------------------


def _compare(out: Path, folders: Mapping[str, Path], table: pd.DataFrame, page: str) -> pd.DataFrame:
    """Write the comparison of all districts that are done, and the table of what became of each."""
    good = [key for key in table.index if table.at[key, "status"] in ("done", "kept")]

    def records() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for key in good:
            record = _read_record(out, key)
            if record is not None:
                yield key, record["facts"]

    names: dict[str, dict[str, str]] = {key: _named(folder) for key, folder in folders.items()}
    table.insert(0, "name", [names[key]["name"] for key in table.index])
    table.insert(1, "code", [names[key]["code"] for key in table.index])
    status = table[["name", "code", "status", "problem"]].copy()
    # The same districts give the same bytes, whether done now or earlier.
    status["status"] = status["status"].replace({"kept": "done"})
    with added_to(out) as room:
        write_text(room / STATUS, csv_text(status), mark=True)
        if good:
            districts, values = side_by_side(records())
            write_side_by_side(districts, values, status, room, page=page)
    if not good:  # what an earlier run compared is no longer so
        refuse_foreign(out, COMPARISON)
        for file in COMPARISON:
            try:
                (out / file).unlink(missing_ok=True)
            except OSError as error:
                raise cannot_write(Path(file).name, error) from error
    return table


def _named(folder: Path) -> dict[str, str]:
    """Return name and code of a folder, as far as it can be read."""
    try:
        said = read_toml(folder / MANIFEST, folder)
    except (OSError, ValueError):
        said = {}
    return {"name": str(said.get("name", folder.name)), "code": str(said.get("code", ""))}
