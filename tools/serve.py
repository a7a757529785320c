"""
Start JupyterLab or Voilà so that Ctrl-C ends them without a traceback: while they load, while they serve, while they stop.

`python run.py lab` and `python run.py app` run this inside .venv, as `serve.py lab …` and `serve.py app …` with the program's
own options. Exit code 0: to stop a server is not an error.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any


def leave(number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
    """End at once. Kernels notice within a second or two that their server is gone, and end too."""
    os._exit(0)


def app(arguments: Sequence[str]) -> None:
    """Show notebooks as pages without code."""
    from jupyter_core.utils import run_sync
    from tornado.ioloop import IOLoop
    from traitlets import default
    from voila.app import Voila

    class Page(Voila):  # type: ignore[misc]
        """Voilà, which says where the page is and how it ends, and ends at once."""

        @default("log_level")
        def _only_errors(self) -> int:
            return logging.ERROR

        def start(self) -> None:
            loop = IOLoop.current()

            def end(*_: object) -> None:
                signal.signal(signal.SIGINT, leave)
                loop.asyncio_loop.call_soon_threadsafe(loop.stop)  # type: ignore[attr-defined]

            signal.signal(signal.SIGINT, end)
            loop.add_callback(lambda: say(f"{self.display_url}  在这个窗口按 Ctrl-C 结束。 / Ctrl-C here ends it."))
            super().start()

        def stop(self) -> None:
            shutil.rmtree(self.connection_dir, ignore_errors=True)
            # A page's kernel keeps nothing. Asked to end in the middle of its work it would print a traceback.
            run_sync(self.kernel_manager.shutdown_all)(now=True)

    Page.launch_instance(list(arguments))


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
    LabApp.launch_instance(list(arguments))


def say(text: str) -> None:
    """Tell the person."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    {"app": app, "lab": lab}[sys.argv[1]](sys.argv[2:])
