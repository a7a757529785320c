#!/usr/bin/env python3
"""
启动器：只要有 Python 3.11 以上，其余自动装好（装在旁边的 .venv 里，不动系统；
这个文件夹只读，就装在自己的用户文件夹里）。提示找不到 python，就写 python3
（Windows 上写 py）。

    python run.py               主任务：内置街道，完成后打开 output/index.html
    python run.py report 文件夹 --out 结果
                                自己的街道；其他命令同样写法（check、add …）
    python run.py lab           打开 JupyterLab（只在本机）
    python run.py app [文件夹]  活地图：拖动设施看谁受益（只在本机）
    python run.py notebook 03 -p profile=elderly
                                跑一个笔记本，另存断网能打开的 HTML
    python run.py docs          把文档做成从磁盘打开、能搜索的网站
    python run.py bundle --out 文件夹
                                离线包（给别的电脑：--platform win_amd64
                                --python 3.11）
    python run.py test [--all]  测试（约一分钟）；--all 含浏览器和慢测试，
                                --matrix 是发布前的；其余参数交给 pytest

Launcher, standard library only: installs the project into .venv with plain pip
(your own settings and mirrors), then runs the command. With a folder wheels/
beside it: from there, never the network.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (before anything that an old Python could trip over)
    sys.stderr.write(
        f"需要 Python 3.11 或更新的版本，现在是 {sys.version.split()[0]}（{sys.executable}）。\n"
        "This needs Python 3.11 or newer.\n"
    )
    sys.exit(4)

import argparse
import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent
#: The newest Python that the packages are known to have wheels for.
TRIED = (3, 14)


def own_folder() -> Path:
    """Return where this user's programs keep what can be made again."""
    home = Path.home()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "xinhe-geo"


def writable(folder: Path) -> bool:
    """Return whether files can be made in a folder: on a share only trying tells."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def room() -> Path:
    """
    Return the folder that .venv is made in: beside this file, or the user's own where this copy can only be read.

    A copy on a share whose .venv was made there, for this very Python, is used as it is.
    """
    if writable(ROOT):
        return ROOT
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        made = json.loads((ROOT / ".venv" / "xinhe-ready.json").read_text("utf-8"))["environment"]
        if made == [sys.implementation.name, python_version(), sysconfig.get_platform(), str(ROOT / ".venv")]:
            return ROOT
    return own_folder() / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]


def python_version() -> str:
    """Return this Python's version as in "3.11"."""
    return "{}.{}".format(*sys.version_info[:2])


ROOM = room()
ENV = ROOM / ".venv"
PYTHON = ENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENV / "xinhe-ready.json"
LOG = ENV / "install.log"
LOCK = ROOM / ".venv.lock"
WHEELS = ROOT / "wheels"
BUNDLE_NOTE = WHEELS / "bundle.json"
#: The hash of every file of a bundle: whatever has changed since is named before it is installed or run.
BUNDLE_SEAL = WHEELS / "seal.json"
#: What people change in a bundle: told, and no reason to stop.
THEIRS = ("data/", "notebooks/", "docs/")
#: What JupyterLab opens first.
WELCOME = "notebooks/00-欢迎与地图总览.ipynb"

WRONG_COMMAND, BAD_DATA, BAD_ENVIRONMENT = 2, 3, 4
INTERRUPTED = 130

#: Never part of a bundle: what running leaves behind.
LEFTOVERS = {
    ".git",
    ".venv",
    ".venv.lock",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "build",
    "dist",
    "output",
    "wheels",
}

#: What a district's manifest says of secrecy is read by the library's own file, which needs nothing that is installed.
MARKS = Path("xinhe_geo", "core", "secrecy_marks.py")

#: What every command may need beside the core: Word, slides, sheets, DXF, old workbooks.
ALWAYS = ("office",)
#: About how much the first start fetches, for whoever waits.
MEGABYTES, PACKAGES = 300, 60
#: Commands that need more than that, and the extras they need.
EXTRAS = {"batch": ("cluster",), "docs": ("docs",)}
#: What is read with an option only.
OPTIONAL = {"--population": ("raster",)}
#: What the tests need: nothing is left untested for want of a package.
TESTED = ("cluster", "dev", "docs", "lab", "raster")

#: What pip says where a package has no wheel for this Python: it finds none, or tries to compile.
NO_WHEEL = r"No matching distribution|Could not find a version|Failed to build|Could not build wheels|metadata-generation-failed"

#: What pip says -> what a planner can do about it. The first that matches is shown.
HINTS = (
    (
        r"No space left|not enough space|Errno 28",
        "磁盘满了：安装约需 1.5 GB 空间。 / The disk is full; about 1.5 GB is needed.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "网络证书不被信任（常见于单位网络）：请信息中心给出证书文件，"
        "再运行 python -m pip config set global.cert 证书文件。"
        " / The network's certificate is not trusted; see pip's global.cert setting.",
    ),
    (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|Connection (refused|reset|aborted)|ConnectionError|ProxyError"
        r"|Name or service not known|getaddrinfo failed|Network is unreachable|Temporary failure in name resolution",
        "连不上软件源：检查网络；单位有镜像就设成镜像（python -m pip config set global.index-url 镜像地址）；"
        "没有网络就在有网的电脑上做离线包（python run.py bundle）。"
        " / The package index cannot be reached: check the network, set a mirror, or use an offline bundle.",
    ),
    (
        r"No matching distribution found|Could not find a version",
        "软件源里缺少所需版本：镜像可能没同步，稍后再试或换一个源；离线包要和这台电脑的系统、Python 版本一致。"
        " / A required version is missing from the index, mirror or bundle.",
    ),
    (
        r"Permission denied|PermissionError|WinError (5|32)|Access is denied",
        "文件被占用或不能写入：关闭正在使用 .venv 的窗口（JupyterLab、编辑器），把杀毒软件的拦截放行，再试一次。"
        " / Files are in use or cannot be written: close what uses .venv and try again.",
    ),
)


class Trouble(Exception):
    """Something about this computer that stops the work; the text says what to do."""


def say(text: str) -> None:
    """Tell the person, on stderr: standard output belongs to the command that was asked for."""
    print(text, file=sys.stderr, flush=True)


# --- is everything in place? ----------------------------------------------------------------------------------------


def environment() -> list[str]:
    """Return what a .venv is bound to: this Python's version and machine, and the folder it was made in."""
    return [sys.implementation.name, python_version(), sysconfig.get_platform(), str(ENV)]


def project() -> str:
    """Return the hash of the files that decide what is installed."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes() + b"\0")
    return digest.hexdigest()


def read_stamp() -> dict[str, object]:
    """Return what the last complete installation wrote about itself; empty if there is none."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(extras: Sequence[str]) -> None:
    """Say that the installation is complete. Written last and in one move, so that it is never half true."""
    text = json.dumps(
        {"environment": environment(), "project": project(), "extras": sorted(extras)}, ensure_ascii=False
    )
    part = STAMP.with_suffix(".part")
    part.write_text(text, "utf-8")
    os.replace(part, STAMP)


def extras_of(stamp: Mapping[str, object]) -> set[str]:
    """Return the extras that a stamp lists."""
    extras = stamp.get("extras")
    return {str(extra) for extra in extras} if isinstance(extras, list) else set()


def usable(stamp: Mapping[str, object]) -> bool:
    """Return whether .venv was completed once, by this Python, in this place, and its Python is still there."""
    if stamp.get("environment") != environment() or not PYTHON.exists():
        return False
    # On Windows python.exe in .venv is only a starter: the Python it starts may have been uninstalled.
    try:
        settings = (ENV / "pyvenv.cfg").read_text("utf-8")
    except (OSError, ValueError):
        return False
    home = re.search(r"^home\s*=\s*(.+)$", settings, re.MULTILINE)
    return home is not None and Path(home[1].strip()).is_dir()


def ready(extras: Sequence[str] = ()) -> bool:
    """Return whether the project, as it is now, is installed with these extras and those of every command."""
    stamp = read_stamp()
    return usable(stamp) and stamp.get("project") == project() and {*ALWAYS, *extras} <= extras_of(stamp)


# --- putting it in place --------------------------------------------------------------------------------------------


def ensure(*extras: str) -> None:
    """Make .venv with the project, `extras` and those of every command in it, unless it is there already."""
    if ready(extras):
        return
    with locked():
        stamp = read_stamp()
        if ready(extras):  # another start did it while this one waited
            return
        check_bundle()
        if sys.version_info[:2] > TRIED:
            newest = "{}.{}".format(*TRIED)
            say(
                f"这个 Python 是 {python_version()}，比试过的 {newest} 新：有些软件包可能还没有给它做安装包。装不上就另装一个 "
                f"Python {newest}（不必卸掉现在的），用它运行 run.py。 / This Python is newer than {newest}, the newest tried."
            )
        if not usable(stamp):
            if ENV.exists():
                say("运行环境不完整或已变动，正在重建…… / The environment is incomplete or has changed: rebuilding.")
            else:
                where = "" if ROOM == ROOT else f"这个文件夹只读，装在 {ENV}。 / This folder is read-only. "
                say(
                    f"首次运行，正在准备：下载约 {MEGABYTES} MB、{PACKAGES} 来个软件包，约一两分钟（网络慢时更久）。{where}"
                    " / First run: setting up, a minute or two."
                )
            make_environment()
            stamp = {}
        install(stamp, extras_of(stamp) | {*ALWAYS, *extras})


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one start at a time install. The system frees the lock when a start dies, so none is ever left behind."""
    try:
        ROOM.mkdir(parents=True, exist_ok=True)
        handle = open(LOCK, "ab")  # noqa: SIM115 (closed below; the message for failing to open is its own)
    except OSError as error:
        raise Trouble(
            f"这个文件夹不能写入：{ROOM}（{error.strerror}）。把整个程序文件夹复制到自己的文档目录再运行。"
            " / This folder cannot be written to: copy it to your own documents."
        ) from error
    with handle:
        waited = False
        while not take_lock(handle.fileno()):
            if not waited:
                say("另一个窗口正在安装，等它完成…… / Another start is installing: waiting for it.")
            waited = True
            time.sleep(0.3)
        yield


def take_lock(descriptor: int) -> bool:
    """Return whether the lock was free (or this file system knows no locks)."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def make_environment() -> None:
    """Make an empty .venv, in place of whatever is there."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing and importlib.util.find_spec("virtualenv") is not None:
        made = subprocess.run(
            [sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(ENV)],
            cwd=ROOT,  # `-m` takes what lies where one stands first, whoever put it there
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise Trouble(f"virtualenv 建不了运行环境 {ENV}。 / virtualenv failed.\n{made.stderr.strip()[-500:]}")
        return
    if missing:
        raise Trouble(no_venv_text(missing))
    import venv

    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=os.name != "nt", prompt="xinhe").create(ENV)
    except (subprocess.CalledProcessError, SystemExit) as error:  # Debian's own venv leaves by SystemExit
        # What filled it says why it failed: a full disk is not a Python that lacks something.
        advice = hint((getattr(error, "output", None) or b"").decode("utf-8", "replace"))
        raise Trouble(f"建不了运行环境 {ENV}。\n{advice}" if advice else no_venv_text(["ensurepip"])) from error
    except (OSError, ValueError) as error:
        raise Trouble(f"建不了运行环境 {ENV}：{error}\n{hint(str(error))}".rstrip()) from error


def no_venv_text(missing: Sequence[str]) -> str:
    """Return what to do when this Python cannot make environments (Debian and Ubuntu ship that part separately)."""
    text = f"这个 Python 缺少 {'、'.join(missing)}：{sys.executable} / This Python lacks {', '.join(missing)}.\n"
    text += (
        "不用管理员权限的办法，任选一种：\n"
        "  1. python3 -m pip install --user virtualenv（提示 externally-managed 时再加 --break-system-packages），再运行一次\n"
        "  2. 用 conda：conda env create -f environment.yml，conda activate xinhe-geo，然后 xinhe-geo report\n"
        "  3. 换一个完整的 Python（官方安装包，选“只为我安装”），用它运行 run.py\n"
    )
    if shutil.which("apt-get"):
        text += f"  有管理员的：请他装 python{python_version()}-venv 这个包\n"
    return text + " / Without an administrator: pip install --user virtualenv, or conda, or a Python of your own."


def install(stamp: Mapping[str, object], extras: set[str]) -> None:
    """Install the project with `extras`; .venv carries no stamp meanwhile."""
    before = STAMP.read_bytes() if usable(stamp) else None
    STAMP.unlink(missing_ok=True)
    try:
        pip("install", "-c", "constraints.txt", *source(), "-e", f".[{','.join(sorted(extras))}]")
    except Trouble:
        # Adding an extra without a network must not take away what worked: pip fetches everything before it changes
        # anything, so after most failures the environment is as it was.
        if before is not None and run_quietly("-m", "pip", "check"):
            STAMP.write_bytes(before)
        raise
    write_stamp(sorted(extras))
    say(
        "准备完毕；第一次分析还要编译寻路程序，多用半分钟左右。 / Ready; the first analysis also compiles the walk engine, once."
    )


def source() -> list[str]:
    """Return the options that say where packages come from: the bundle's own folder, else pip's settings."""
    return ["--no-index", "--find-links", WHEELS.name] if WHEELS.is_dir() else []


def seal_bundle(part: Path) -> str:
    """Write down the hash of every file of a bundle; return the number of that list, to be told by another way."""
    seal = part / WHEELS.name / BUNDLE_SEAL.name
    files = {p.relative_to(part).as_posix(): sha256(p) for p in sorted(part.rglob("*")) if p.is_file() and p != seal}
    seal.write_text(seal_text(files), "utf-8")
    return sha256(seal)[:16]


def seal_text(files: dict[str, str]) -> str:
    """Return how the hashes of a bundle are written down."""
    return json.dumps({"files": files}, ensure_ascii=False, indent=1) + "\n"


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_seal() -> None:
    """Raise if a file of this offline bundle is not what it was when the bundle was made, or a package has been put in."""
    if not BUNDLE_SEAL.exists():
        return
    try:
        text = BUNDLE_SEAL.read_text("utf-8")
        files = json.loads(text)["files"]
        if text != seal_text(files):  # a name that stands there twice, or another sign anywhere
            raise ValueError("not as it was written")
        wrong = [name for name, was in files.items() if not (ROOT / name).is_file() or sha256(ROOT / name) != was]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Trouble(
            f"离线包的校验清单读不懂（{error}）：重新拷贝离线包。 / The bundle's list of hashes cannot be read."
        ) from error
    here = [p.relative_to(ROOT).as_posix() for p in WHEELS.rglob("*") if p.is_file() and p != BUNDLE_SEAL]
    wrong += sorted(set(here) - set(files))
    stops = [name for name in wrong if not name.startswith(THEIRS)]
    if stops:
        raise Trouble(
            f"离线包里这些文件和做包时不一样：{'、'.join(stops[:10])}。没有安装；向做包的人要一份新的。"
            " / These files of the bundle have changed: nothing is installed."
        )
    if wrong:
        say(f"做包以后改过：{'、'.join(wrong[:10])} / Changed since the bundle was made.")


def check_bundle() -> None:
    """Raise if this is an offline bundle that was made for another kind of computer, or that has been changed."""
    check_seal()
    try:
        note = json.loads(BUNDLE_NOTE.read_text("utf-8"))
    except (OSError, ValueError):
        return
    here = machine(sysconfig.get_platform())
    if note["python"] != python_version() or note["machine"] != here:
        raise Trouble(
            f"这个离线包是给 Python {note['python']}、{note['machine']} 做的，"
            f"这台电脑是 Python {python_version()}、{here}。"
            f" / This bundle is for Python {note['python']} on {note['machine']}."
        )


def machine(tag: str) -> str:
    """Return system and processor of a platform tag: "win-amd64" and "win_amd64" are "windows amd64"."""
    tag = tag.lower().replace("-", "_").replace(".", "_")
    system = next((name for start, name in SYSTEMS.items() if tag.startswith(start)), tag)
    processor = next((word for word in PROCESSORS if tag.endswith(word)), "")
    return f"{system} {PROCESSORS.get(processor, processor)}".strip()


SYSTEMS = {"win": "windows", "linux": "linux", "manylinux": "linux", "musllinux": "musl", "macos": "macos"}
PROCESSORS = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "universal2": "arm64",
    "win32": "x86",
    "i686": "x86",
}


# --- programs -------------------------------------------------------------------------------------------------------


def child_environment() -> dict[str, str]:
    """Return the environment for programs inside .venv."""
    child = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    # GIS suites set the two above for a Python of their own, which breaks any other. UTF-8 mode: without it Windows
    # reads the editable install's path in the local code page, and a folder with 中文 in its name is not found.
    child["PYTHONUTF8"] = "1"
    if ROOM != ROOT:  # what Python and the walk engine compile is kept where it can be written
        child.setdefault("PYTHONPYCACHEPREFIX", str(ROOM / "compiled"))
        child.setdefault("NUMBA_CACHE_DIR", str(ROOM / "compiled"))
    return child


def call(*arguments: str) -> int:
    """Run .venv's Python in the folder where the user stands and return its exit code."""
    # Ctrl-C reaches the program itself, which knows how to stop (JupyterLab asks first); here it is heard and nothing is
    # done, from before the program starts. Not "ignored": what is ignored here the program would ignore too.
    heard = signal.getsignal(signal.SIGINT)
    if heard is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with subprocess.Popen([str(PYTHON), *arguments], env=child_environment()) as process:
            previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            finally:
                signal.signal(signal.SIGTERM, previous)
    finally:
        signal.signal(signal.SIGINT, heard)


def run_quietly(*arguments: str) -> bool:
    """Return whether .venv's Python does this without complaint."""
    done = subprocess.run(
        [str(PYTHON), *arguments], cwd=ROOT, env=child_environment(), capture_output=True, check=False
    )
    return done.returncode == 0


def pip(*arguments: str, python: Sequence[str] = ("-m", "pip")) -> None:
    """Run pip from the project's folder, show what it is fetching, and turn its failure into advice."""
    # PIP_USER: a user-wide "install for me alone" setting cannot work inside an environment.
    child = child_environment() | {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    command = [str(PYTHON), *python, *arguments]
    lines: list[str] = []
    NOW.update(packages=0, began=time.monotonic())
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in lines_of(process):
                lines.append(line)
                show_progress(line)
        except BaseException:
            process.terminate()
            raise
    show_progress(None)
    LOG.write_text("".join(lines), "utf-8")
    if process.returncode:
        text = "".join(lines)
        advice, errors = hint(text), [line for line in lines if line.startswith("ERROR")]
        told = errors or (
            [] if advice else lines[-8:]
        )  # of what pip says, causes; all of it only where nobody has better words
        said = [
            "安装没有成功，下次运行会接着修。 / Installing failed; the next run repairs it.",
            advice,
            "".join(told)[-1500:].rstrip(),
        ]
        raise Trouble("\n".join([*filter(None, said), f"完整记录 / full log: {LOG}"]))


def lines_of(process: "subprocess.Popen[str]") -> Iterator[str]:
    """Yield what a program prints, line by line, and an empty text for every second in which it prints nothing."""
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen(pipe: Iterable[str]) -> None:
        for line in pipe:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=listen, args=(process.stdout,), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            line = ""
        if line is None:
            return
        yield line


#: What pip is at, and since when.
NOW: dict[str, float] = {"since": 0.0, "packages": 0, "began": 0.0, "told": 0.0}
#: The same in words.
AT = {"text": ""}
#: Where the line cannot be written over (a log, another program), a line is said this often, in seconds.
EVERY_S = 20


def show_progress(line: str | None) -> None:
    """Show what pip is at, how far and how long, on one line that is written over; a line now and then where it cannot be."""
    found = re.match(
        r"\s*(Collecting|Processing|Downloading|Using cached|Installing collected packages:) (.*)", line or ""
    )
    if found:
        words = {"Collecting": "查找 / finding", "Processing": "读取 / reading"}
        NOW["packages"] += found[1] == "Collecting"
        size = re.search(r"\(([\d.]+ [kM]B)\)", found[2])
        # Of a file only package and version: with all its tags the line would be cut in the middle of a figure.
        name = "-".join(found[2].partition(" (")[0].split("-")[:2])[:22]
        text = f"  第 {NOW['packages']:.0f} 个，{words.get(found[1], '下载 / downloading')} {name}"
        text += f"（{size[1]}）" if size else ""
        if found[1].startswith("Installing"):
            text = f"  正在安装 {found[2].count(',') + 1} 个软件包，还要一会儿 / installing"
        AT["text"] = text
        NOW["since"] = time.monotonic()
    elif line:
        return
    now = time.monotonic()
    seconds, whole = int(now - NOW["since"]), int(now - NOW["began"])
    text = "" if line is None else AT["text"] + (f"，已 {whole} 秒" if seconds >= 5 and AT["text"] else "")
    if not sys.stderr.isatty():
        if text and now - max(NOW["told"], NOW["began"]) >= EVERY_S:
            NOW["told"] = now
            say(f"{AT['text']}，已 {whole} 秒")
        return
    sys.stderr.write(f"\r{text:<72}\r" if os.name == "nt" else f"\r\033[K{text}")
    sys.stderr.flush()


def hint(text: str) -> str:
    """Return what can be done about a failure, from what was said about it; empty if that is not known."""
    if sys.version_info[:2] > TRIED and re.search(NO_WHEEL, text):
        newest = "{}.{}".format(*TRIED)
        return (
            f"这个 Python（{python_version()}）太新，有的软件包还没有给它做安装包：另装一个 Python {newest}（不必卸掉现在的），用它运行 "
            f"run.py。 / This Python is too new: install Python {newest} beside it and run run.py with that."
        )
    return next((advice for pattern, advice in HINTS if re.search(pattern, text)), "")


# --- commands of the launcher itself --------------------------------------------------------------------------------


def report() -> int:
    """Do the main job: the bundled district, into the project's own output folder."""
    ensure()
    return call("-P", "-m", "xinhe_geo", "report", "--out", str(results() / "output"))


def results() -> Path:
    """Return the folder for outputs: beside this file, else where the user stands, else the user's own."""
    places = [ROOT, Path.cwd(), Path.home()]
    found = next((place for place in places if writable(place)), ROOT)
    if found != ROOT:
        say(f"程序文件夹只读，结果写在 {found / 'output'}。 / The program's folder is read-only; results go there.")
    return found


def test(arguments: Sequence[str]) -> int:
    """Run the tests: those of a minute, and the slow ones of packages that are being changed; all of them; or all there is."""
    rest = [argument for argument in arguments if argument not in ("--all", "--matrix")]
    ensure(*TESTED)
    # Where this is set, every program that a test starts would compile the whole library again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = ["-m", "pytest", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")]
    # Paths that the user names count from where the user stands; without any, all tests are meant.
    named = any(not argument.startswith("-") and Path(argument.partition("::")[0]).exists() for argument in rest)
    if "--all" in arguments:
        command += ["-m", "not matrix", "--trials=30"]
    elif "--matrix" not in arguments and not any(argument.startswith("-m") for argument in rest):
        changed = [] if named else changed_packages()
        if changed:
            say(f"改动未提交，慢测试也跑：{'、'.join(changed)} / Not committed yet: slow tests of these run too.")
        command += ["-m", f"({' or '.join(['not slow', *changed])}) and not browser and not matrix", "--trials=10"]
    # All of them on every core, and one process more, since browsers and programs are waited for; a file's tests stay together,
    # because they share what is costly to make.
    workers = str((os.cpu_count() or 1) + 1)
    spread = [] if named or any(argument.startswith(("-n", "--pdb")) for argument in rest) else ["-n", workers]
    spread += ["--dist", "loadfile"] if spread else []
    return call(*command, *spread, *rest, *([] if named else [str(ROOT / "tests")]))


def changed_packages() -> list[str]:
    """Return the packages with changes that git has not been given, in the library or in its tests."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return []
    asked = ["git", "-C", str(ROOT), "status", "--porcelain", "--no-renames", "-uall", "-z", "--", "xinhe_geo", "tests"]
    told = subprocess.run(asked, capture_output=True, check=False).stdout.decode("utf-8", "replace")
    parts = [Path(entry[3:]).parts for entry in told.split("\0") if entry]
    packages = {part[1] for part in parts if len(part) > 2}
    return sorted(
        name for name in packages if (ROOT / "xinhe_geo" / name).is_dir() and (ROOT / "tests" / name).is_dir()
    )


def lab(arguments: Sequence[str]) -> int:
    """Open JupyterLab on this computer only, in Chinese, asking nobody on the network for news or updates."""
    ensure("lab")
    settings = ENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        defaults = {
            "@jupyterlab/translation-extension:plugin": {"locale": "zh_CN"},
            "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        }
        settings.write_text(json.dumps(defaults, indent=1), "utf-8")
    command = ["-P", str(ROOT / "tools" / "serve.py"), "lab", "--ServerApp.ip=127.0.0.1", "--LabApp.news_url=None"]
    command += [
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if not any(not argument.startswith("-") for argument in arguments):
        command += [f"--ServerApp.root_dir={ROOT}", f"--LabApp.default_url=/lab/tree/{quote(WELCOME)}"]
    return call(*command, *arguments)


def app(arguments: Sequence[str]) -> int:
    """Open the live map of a district as a page without code, on this computer only."""
    folders = [argument for argument in arguments if not argument.startswith("-")]
    if len(folders) > 1:
        say(f"只能写一个街道目录：{'、'.join(folders)}。 / One district folder at most.")
        return WRONG_COMMAND
    if folders and not Path(folders[0], "district.toml").is_file():
        say(f"不是街道目录（里面没有 district.toml）：{folders[0]}。 / Not a district folder.")
        return BAD_DATA
    if folders and is_guarded(Path(folders[0])):
        say(
            f"没有打开：{folders[0]} 里有密级图层（或 district.toml 读不懂），没有核准输出。只在涉密机上用，经核准可在 "
            'district.toml 写 secret_outputs = "核准人 日期"。 / Not opened: a layer is secret and its outputs are not cleared.'
        )
        return BAD_DATA
    ensure("lab")
    os.environ["XINHE_FOLDER"] = str(Path(folders[0]).resolve()) if folders else ""
    web = ROOT / "xinhe_geo" / "app" / "web"
    # Voilà's own page asks the network for fonts; the template beside the notebook does not.
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(web), os.environ.get("JUPYTER_PATH")]))
    command = ["-P", str(ROOT / "tools" / "serve.py"), "app", str(web / "app.ipynb"), "--Voila.ip=127.0.0.1"]
    command += [
        "--VoilaConfiguration.template=xinhe",
        "--VoilaConfiguration.theme=light",
        "--VoilaConfiguration.show_tracebacks=True",
    ]
    return call(*command, *(argument for argument in arguments if argument.startswith("-")))


def notebook(arguments: Sequence[str]) -> int:
    """Run one of the project's notebooks with other parameters; the command itself is the library's."""
    ensure("lab")
    own = [] if "--from" in arguments else ["--from", str(ROOT / "notebooks")]
    return call("-P", "-m", "xinhe_geo", "notebook", *arguments, *own)


#: The layers of a district that are about renewal: internal unless somebody says otherwise.
RENEWAL = ("parcels", "parcel_facts", "stages", "promises", "problems", "projects", "budgets", "costs")


def bundle(arguments: Sequence[str]) -> int:
    """Copy the project and every package it needs into a folder that installs without a network."""
    parser = argparse.ArgumentParser(prog="python run.py bundle", description=bundle.__doc__)
    parser.add_argument("--out", required=True, type=Path, help="新文件夹 / a new folder")
    parser.add_argument(
        "--platform",
        action="append",
        default=[],
        metavar="TAG",
        help="win_amd64、manylinux_2_28_x86_64、macosx_14_0_arm64；缺省：这台电脑",
    )
    parser.add_argument("--python", default=python_version(), metavar="X.Y", help="目标电脑的 Python 版本")
    parser.add_argument(
        "--extras", default="lab", help="逗号分隔；缺省 lab；只要命令行就写 --extras=（office 总在里面）"
    )
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        parser.error(f"已经存在，请换一个新文件夹：{out}")
    if not re.fullmatch(r"3\.\d+", options.python):
        parser.error(f"--python 应当像 3.11：{options.python}")
    files = project_files()
    secret = secret_layers(files)
    if secret:
        say(f"没有做离线包：里面会带上密级图层 / No bundle: it would carry secret layers:\n{chr(10).join(secret)}")
        say(
            "离线包是拿到别的电脑上用的。把涉密的街道目录移到程序的文件夹之外，按保密规定另行拷贝，再做离线包；核准输出"
            "（secret_outputs）也不解除这一条。 / Move such folders out of the project first."
        )
        return BAD_DATA
    unconfirmed = renewal_files(files)
    if unconfirmed:
        say(
            f"没有做离线包：里面会带上更新地块、方案和资金的内部资料 / No bundle: it would carry renewal files:\n{chr(10).join(unconfirmed)}"
        )
        say('可以给人，就在那个目录的 district.toml 写 renewal_outputs = "确认人 日期" / Confirm it there first.')
        return BAD_DATA
    ensure()
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for name in files:
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, part / name)
    say(f"复制了 {len(files)} 个文件，正在下载安装包…… / Files copied; fetching packages.")
    wheels = part / WHEELS.name
    extras = {*ALWAYS, *filter(None, options.extras.split(","))}
    fetch_wheels(wheels, options.platform, options.python, sorted(extras))
    tag = options.platform[0] if options.platform else sysconfig.get_platform()
    note = {"python": options.python, "machine": machine(tag)}
    (wheels / BUNDLE_NOTE.name).write_text(json.dumps(note) + "\n", "utf-8")
    number = seal_bundle(part)
    if out.exists():
        out.rmdir()
    os.replace(part, out)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    say(
        f"离线包做好了：{out}（{size / 1e6:.0f} MB，校验号 {number}）。拷到目标电脑，在那里运行 python run.py。"
        " / The bundle is ready: copy it and run run.py there."
    )
    return 0


def secret_layers(files: Iterable[str]) -> list[str]:
    """Return a line for every layer or plan that is marked as secret among these files, and for what cannot be judged."""
    found = []
    for name in files:
        plan = Path(name).parent.name == "scenarios" and name.endswith(".toml")
        if Path(name).name.casefold() != "district.toml" and not plan:
            continue
        try:
            said = tomllib.loads((ROOT / name).read_text("utf-8-sig"))
            marks = marks_module().marks_of(said)
            titled = marks_module().title_mark(f"{Path(name).stem} {said}") if plan else None
            if titled:
                marks = {"方案": titled}
        except (OSError, ValueError, ImportError, RecursionError) as error:
            found.append(f"{name}：读不懂，密级不明（{error}）")
            continue
        for layer, mark in marks.items():
            if mark.secret:
                unclear = "" if mark.understood else "（读不懂，按绝密）"
                found.append(f"{name}　{layer}：{mark.text}{unclear}")
    return found


def renewal_files(files: Sequence[str]) -> list[str]:
    """Return the ledgers and plans of renewal among these files, of districts where nobody has confirmed that they may be handed on."""
    found = []
    for name in files:
        if Path(name).name.casefold() != "district.toml":
            continue
        manifest = tomllib.loads((ROOT / name).read_text("utf-8-sig"))
        if marks_module().renewal_is_confirmed(manifest):
            continue
        home = Path(name).parent
        layers = manifest.get("layers", {})
        own = {(home / str(layers[x]["file"])).as_posix() for x in RENEWAL if "file" in layers.get(x, {})}
        plans = [f for f in files if home / "scenarios" in Path(f).parents]  # plans, and the layers beside them
        found += [f for f in files if f in own or f in plans]
    return found


def marks_module() -> ModuleType:
    """Return the library's file on marks of secrecy, without the library."""
    spec = importlib.util.spec_from_file_location("xinhe_secrecy_marks", ROOT / MARKS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_guarded(folder: Path) -> bool:
    """Return whether a district folder has a secret layer that nobody has cleared, or its manifest cannot be judged."""
    place = folder / "district.toml"
    try:
        if place.stat().st_size > 60_000:  # nobody writes as much, and a longer one may take minutes to read
            return True
        manifest = tomllib.loads(place.read_text("utf-8-sig"))
        marks = marks_module()
    except (OSError, ValueError, ImportError, RecursionError):
        return True
    secret = any(mark.secret for mark in marks.marks_of(manifest).values())
    return secret and not marks.is_cleared(manifest)


def project_files() -> list[str]:
    """Return the project's own files: those git tracks, or without git all but the leftovers of running."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
        names = [name for name in listed.stdout.decode("utf-8").split("\0") if name and (ROOT / name).is_file()]
        if "pyproject.toml" in names:
            return names
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in LEFTOVERS and not name.endswith(".egg-info"))
        found += [Path(folder, name).relative_to(ROOT).as_posix() for name in sorted(names) if name not in LEFTOVERS]
    return found


def fetch_wheels(folder: Path, platforms: Sequence[str], version: str, extras: Sequence[str]) -> None:
    """Download the wheels of everything the project needs, and of what builds it, for one kind of computer."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = metadata["project"]["dependencies"] + metadata["build-system"]["requires"]
    for extra in extras:
        if extra not in metadata["project"].get("optional-dependencies", {}):
            raise Trouble(f"没有附加组 {extra}。 / No extra named {extra}.")
        needed += metadata["project"]["optional-dependencies"][extra]
    options = ["download", "--only-binary", ":all:", "-c", "constraints.txt", "-d", str(folder), *source()]
    if not platforms and version == python_version():
        pip(*options, *needed)
        return
    tags = [tag for name in platforms or [native_tag()] for tag in platform_tags(name)]
    for tag in tags:
        options += ["--platform", tag]
    options += ["--python-version", version, "--implementation", "cp"]
    pip(*options, *needed, python=("-c", FOREIGN_PIP, json.dumps(marker_values(tags[0], version))))


#: pip chooses wheels for `--platform` but judges "only on Windows" and "only before 3.12" by the Python it runs on, so
#: a bundle made on Linux would lack colorama on Windows. Here the other computer's values are put in their place.
FOREIGN_PIP = """
import json, sys
from pip._vendor.packaging import markers
values = json.loads(sys.argv.pop(1))
markers.default_environment = lambda: dict(values)
from pip._internal.cli.main import main
sys.exit(main())
"""


def native_tag() -> str:
    """Return a platform tag that wheels for this computer carry."""
    tag = re.sub(r"[-.]", "_", sysconfig.get_platform())
    return tag.replace("linux_", "manylinux_2_28_", 1) if tag.startswith("linux_") else tag


def platform_tags(name: str) -> list[str]:
    """Return every tag that a computer accepting `name` accepts: newer Linux systems run what older ones do."""
    found = re.fullmatch(r"manylinux_2_(\d+)_(\w+)", name)
    if not found:
        return [name]
    return [f"manylinux_2_{minor}_{found[2]}" for minor in range(int(found[1]), 4, -1)] + [f"manylinux2014_{found[2]}"]


def marker_values(tag: str, version: str) -> dict[str, str]:
    """Return what environment markers are judged by on a computer that `tag` runs on."""
    system, _, processor = machine(tag).partition(" ")
    names = {"windows": ("nt", "win32", "Windows"), "macos": ("posix", "darwin", "Darwin")}
    os_name, sys_platform, platform_system = names.get(system, ("posix", "linux", "Linux"))
    spelling = {
        ("Linux", "amd64"): "x86_64",
        ("Darwin", "amd64"): "x86_64",
        ("Linux", "arm64"): "aarch64",
        ("Windows", "amd64"): "AMD64",
        ("Windows", "arm64"): "ARM64",
    }
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": os_name,
        "platform_machine": spelling.get((platform_system, processor), processor),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": platform_system,
        "platform_version": "",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": sys_platform,
    }


def main(arguments: Sequence[str]) -> int:
    """Do what is asked and return the exit code."""
    if Path(sys.prefix).resolve() == ENV.resolve() and sys.prefix != sys.base_prefix:
        # Started from inside .venv, which may have to be rebuilt: let the Python that made it do the work.
        base = getattr(sys, "_base_executable", sys.executable)
        if base != sys.executable:
            return subprocess.call([base, __file__, *arguments])
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    own = {"test": test, "lab": lab, "app": app, "notebook": notebook, "bundle": bundle}
    try:
        if command in ("-h", "--help"):
            print(__doc__.strip() if __doc__ else "")
            return call("-P", "-m", "xinhe_geo", "--help") if ready() else 0
        if not command:
            return report()
        if command in own:
            return own[command](rest)
        ensure(
            *EXTRAS.get(command, ()), *(extra for option in OPTIONAL if option in rest for extra in OPTIONAL[option])
        )
        return call("-P", "-m", "xinhe_geo", *arguments)
    except Trouble as trouble:
        say(str(trouble))
        return BAD_ENVIRONMENT
    except OSError as error:
        advice = hint(str(error)) or "检查磁盘空间和文件夹的权限，再运行一次。 / Check disk space and permissions."
        say(f"电脑不让做这一步：{error.strerror or error}（{error.filename or ROOT}）。{advice}")
        return BAD_ENVIRONMENT
    except KeyboardInterrupt:
        say("\n已中断，下次运行会接着完成。 / Interrupted; the next run carries on.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
