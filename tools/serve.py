"""
Start JupyterLab or Voilà so that Ctrl-C ends them without a traceback: while they load, while they serve, while they stop.

`python run.py lab` and `python run.py app` run this inside .venv, as `serve.py lab …` and `serve.py app …` with the program's
own options. Exit code 0: to stop a server is not an error.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any


def leave(number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
    """End at once. Kernels notice within a second or two that their server is gone, and end too."""
    os._exit(0)


#: Names of this computer on itself: what a browser may call it, and where a page that asks may come from.
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: So many pages at once, each with a Python of its own; and seconds after which one that nobody looks at any more ends.
PAGES, FORGOTTEN = 4, 180
#: Seconds for which a place is kept for a page that was let in, until its Python starts.
COMING = 20.0
OTHER_PAGE = "只接受本页面自己的请求 / only requests of this page itself"
FULL = f"已经开了 {PAGES} 个页面。关掉一个，几分钟后刷新这一页。 / {PAGES} pages are open: close one."


class Door:
    """
    Who may come in: whoever has the address that was opened, once; from then on the browser that used it, by its cookie.

    Other programs and other pages in the same browser know neither. The name the server is called by and the page that asks
    must be of this computer, so that no name out there can be made to point here.
    """

    def __init__(self) -> None:
        self.token, self.session = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.port = 0

    @property
    def cookie(self) -> str:
        """Its name: cookies know no ports, and another server of this computer may have one too."""
        return f"xinhe-{self.port}"

    def refusal(self, host: str, origins: Sequence[str]) -> str:
        """Return why a request is refused whatever it carries; "" where it is not."""
        names = [f"{name}:{self.port}" for name in LOOPBACK]
        if host.lower() not in names:
            return "只接受本机的地址 / only addresses of this computer"
        if any(origin.lower() not in [f"http://{name}" for name in names] for origin in origins):
            return OTHER_PAGE
        return ""

    def knows(self, cookie: str) -> bool:
        """Return whether this is the cookie of the browser that came in by the address."""
        return hmac.compare_digest(cookie.encode(), self.session.encode())

    def lets_in(self, token: str) -> bool:
        """Return whether this is the token of the address; true once."""
        right = bool(self.token) and hmac.compare_digest(token.encode(), self.token.encode())
        if right:
            self.token = ""
        return right


def guard(door: Door, is_full: Callable[[], bool]) -> list[Any]:
    """Return tornado's rules that come before all others: they answer what is not let in, and whoever comes in."""
    from tornado.routing import Matcher, Rule
    from tornado.web import RequestHandler

    class Refused(RequestHandler):
        """Says why."""

        def initialize(self, code: int, why: str) -> None:
            self.code, self.why = code, why

        def prepare(self) -> None:
            self.set_status(self.code)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(self.why)

    class Entered(RequestHandler):
        """Gives the cookie, and goes on to the page under an address that is no secret and stays in no history."""

        def get(self) -> None:
            self.set_header("Cache-Control", "no-store")
            self.set_header("Referrer-Policy", "no-referrer")
            self.set_header("Set-Cookie", f"{door.cookie}={door.session}; Path=/; HttpOnly; SameSite=Strict")
            # not a redirect: on the way from another page's link a browser would keep a strict cookie back
            self.finish(
                '<!DOCTYPE html><meta http-equiv="refresh" content="0;url=/"><script>location.replace("/")</script>'
            )

    class Asks(Matcher):
        """Whether a request is to be answered here instead of by the server's own pages."""

        def match(self, request: Any) -> dict[str, Any] | None:
            found = self.judge(request)
            return None if found is None else {"target_kwargs": {"code": found[0], "why": found[1]}}

        def judge(self, request: Any) -> tuple[int, str] | None:
            why = door.refusal(request.host, request.headers.get_list("Origin"))
            # a page of another server of this computer is of the same site: its pictures and frames bring the cookie, and no origin
            if why or request.headers.get("Sec-Fetch-Site", "none").lower() not in ("same-origin", "none"):
                return 403, why or OTHER_PAGE
            cookie = request.cookies.get(door.cookie)
            if cookie is None or not door.knows(cookie.value):
                return (
                    403,
                    "这个地址已经用过，或不完整。回到启动它的窗口，按 Ctrl-C 结束，再运行一次。 / Start it again.",
                )
            if request.path == "/" and request.method == "GET" and is_full():
                return 503, FULL
            return None

    class Comes(Matcher):
        """Whether a request comes with the token of the address, from this computer."""

        def match(self, request: Any) -> dict[str, Any] | None:
            if request.method != "GET" or request.path != "/" or "token" not in request.query_arguments:
                return None
            if door.refusal(request.host, request.headers.get_list("Origin")):
                return None
            return {} if door.lets_in(request.query_arguments["token"][0].decode("utf-8", "replace")) else None

    return [Rule(Comes(), Entered), Rule(Asks(), Refused)]


def cap(manager: Any) -> Callable[[], bool]:
    """
    Let a manager start no more kernels than pages, also where several are asked for at once.

    Returns
    -------
    is_full
        Whether there is no place for another page; where there is, it is kept for the one who asked.
    """
    from tornado.web import HTTPError

    starting, start_kernel, coming = 0, manager.start_kernel, list[float]()

    def taken() -> int:
        coming[:] = [then for then in coming if time.monotonic() - then < COMING]
        return len(manager.list_kernel_ids()) + starting + len(coming)

    async def at_most(**how: object) -> Any:
        nonlocal starting
        del coming[:1]
        if taken() >= PAGES:
            raise HTTPError(503)
        starting += 1
        try:
            return await start_kernel(**how)
        finally:
            starting -= 1

    def is_full() -> bool:
        full = taken() >= PAGES
        if not full:
            coming.append(time.monotonic())
        return full

    manager.start_kernel = at_most
    return is_full


def log(handler: Any) -> None:
    """Tell of what failed in here; not of what was refused, nor what was asked with it: a log may be kept, and tokens are asked with."""
    if handler.get_status() >= 500 and handler.get_status() != 503:
        say(f"{handler.get_status()} {handler.request.method} {handler.request.path}")


def among_files(arguments: Sequence[str]) -> list[str]:
    """
    Return what keeps the talk between a page and its Python among files that only this person can open.

    By the network of this computer whoever else works on it could listen. Only where such names are known to be short enough.
    """
    short = sys.platform == "linux" and len(tempfile.gettempdir()) < 30
    return ["--KernelManager.transport=ipc"] if short and not any("transport" in a for a in arguments) else []


def open_in_browser(address: str, page: Path) -> None:
    """Open an address by way of a file that only this person can read: everybody on a computer sees its command lines."""
    head = '<!DOCTYPE html><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url='
    with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(f'{head}{address}">')
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()


def app(arguments: Sequence[str]) -> None:
    """Show notebooks as pages without code, to whoever has the address."""
    from jupyter_core.utils import run_sync
    from tornado.ioloop import IOLoop
    from traitlets import default
    from voila.app import Voila

    door = Door()
    os.chdir(Path(__file__).parent)  # Voilà runs the `voila.py` of the folder it stands in, whoever put it there

    class Page(Voila):  # type: ignore[misc]
        """Voilà, which says where the page is and how it ends, and ends at once."""

        @default("log_level")
        def _only_errors(self) -> int:
            return logging.ERROR

        @property
        def display_url(self) -> str:
            return f"http://127.0.0.1:{self.port}/?token={door.token}"

        def init_settings(self) -> dict[str, Any]:
            settings: dict[str, Any] = super().init_settings()
            self.is_full = cap(self.kernel_manager)
            return settings

        def start(self) -> None:
            loop = IOLoop.current()

            def end(*_: object) -> None:
                signal.signal(signal.SIGINT, leave)
                loop.asyncio_loop.call_soon_threadsafe(loop.stop)  # type: ignore[attr-defined]

            signal.signal(signal.SIGINT, end)
            loop.add_callback(lambda: say(f"{self.display_url}  在这个窗口按 Ctrl-C 结束。 / Ctrl-C here ends it."))
            super().start()

        def listen(self) -> None:
            if self.ip not in ("127.0.0.1", "localhost", "::1"):
                say(f"只在本机打开，不能用 {self.ip}。 / On this computer only.")
                os._exit(2)

            self.app.default_router.rules[:0] = guard(door, self.is_full)
            self.app.settings["log_function"] = log
            listen = self.app.listen

            def known(port: int, *rest: Any, **more: Any) -> Any:
                door.port = port
                return listen(port, *rest, **more)

            self.app.listen = known
            super().listen()

        def launch_browser(self) -> None:
            open_in_browser(self.display_url, Path(self.connection_dir, "open.html"))

        def stop(self) -> None:
            shutil.rmtree(self.connection_dir, ignore_errors=True)
            # A page's kernel keeps nothing. Asked to end in the middle of its work it would print a traceback.
            run_sync(self.kernel_manager.shutdown_all)(now=True)

    cull = [f"--MappingKernelManager.cull_idle_timeout={FORGOTTEN}", "--MappingKernelManager.cull_interval=30"]
    Page.launch_instance([*arguments, *cull, *among_files(arguments)])


#: JupyterLab without what runs programs unasked: Voilà runs the notebook that a link names, `jupyter_lsp` what lies in the folder
#: one stands in, and so do templates of pages that nbconvert finds there. And another page's links bring no cookie.
ALONE = [
    "--ServerApp.jpserver_extensions={'voila.server_extension': False, 'jupyter_lsp': False}",
    "--TemplateExporter.extra_template_basedirs=[]",
    "--IdentityProvider.cookie_options={'samesite': 'Strict'}",
]


def lab(arguments: Sequence[str]) -> None:
    """Open JupyterLab, which at a terminal asks before it ends: its kernels keep what was computed."""
    from jupyter_server.serverapp import ServerApp
    from jupyterlab.labapp import LabApp

    def end(*_: object) -> None:
        server: Any = ServerApp.instance() if ServerApp.initialized() else None
        if getattr(server, "io_loop", None) is None:
            leave()
        signal.signal(signal.SIGINT, leave)
        server.stop(from_signal=True)

    # Where there is no terminal, and on Windows, it does not ask, and left to itself would leave its kernels behind.
    signal.signal(signal.SIGINT, end)
    say("结束：在这个窗口按两次 Ctrl-C，或按一次再输入 y。 / To end: Ctrl-C twice here, or once and then y.")
    LabApp.launch_instance([*ALONE, *arguments])


def say(text: str) -> None:
    """Tell the person."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    {"app": app, "lab": lab}[sys.argv[1]](sys.argv[2:])
