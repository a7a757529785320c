"""
What long work is at: a bar in a notebook, a line in a terminal, silence everywhere else.

Work says how many steps it has and when each begins; whoever listens is told. No answer depends on it, and a notebook keeps
nothing of it: the bar is blank again when its cell has ended, so that two runs can be compared.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from .i18n import speaking
from .sentences import language, say

P = ParamSpec("P")
Result = TypeVar("Result")

#: Told what is going on (Chinese, "计算覆盖率：老年人") and how much of it is done, 0-1.
Listener = Callable[[str, float], None]

#: A bar appears when work has taken this long, and changes at most this often.
SHOWN_AFTER_S, EVERY_S = 0.4, 0.1


class _Here(threading.local):
    """Of this thread: who listens, the last one last; work under way, outermost first: what, its step, steps begun, steps in all."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.open: list[tuple[str, str, int, int]] = []


_HERE = _Here()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """
    Tell a function what goes on meanwhile, instead of showing a bar.

    Parameters
    ----------
    listener
        Called with a short Chinese text and the share done (0-1) as each step begins.
    """
    _HERE.listeners.append(listener)
    try:
        yield
    finally:
        _HERE.listeners.remove(listener)


def silence() -> None:
    """Tell nobody any more: this is a copy of the process in which somebody listens."""
    _HERE.listeners.clear()
    _HERE.open.clear()


@contextmanager
def work(what: str, steps: int, also: Callable[[str], None] | None = None) -> Iterator[Callable[[str], None]]:
    """
    Say that work begins, and take it back when it ends, however it ends.

    Parameters
    ----------
    what
        What is being done, in a few Chinese words.
    steps
        How many steps it has; one too many or too few does no harm.
    also
        Called with the name of each step, too.

    Yields
    ------
    step
        To be called with a name as each step begins. Work inside a step counts as part of it.
    """
    listener = _HERE.listeners[-1] if _HERE.listeners else _bar_of_the_cell()
    depth = len(_HERE.open)
    _HERE.open.append((what, "", 0, max(steps, 1)))

    def step(name: str) -> None:
        begun = _HERE.open[depth][2] + 1
        _HERE.open[depth] = (what, name, begun, max(steps, begun))
        if also is not None:
            also(name)
        if listener is not None:
            listener(_text(), _share())

    try:
        yield step
    finally:
        del _HERE.open[depth:]
        if not _HERE.open and listener is not None:
            listener(what, 1.0)


def told(what: str, steps: int) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """
    Make a function that says its steps to an argument `progress` say them to whoever listens, too.

    Parameters
    ----------
    what, steps
        As in `work`; `what` stands in the catalogue, and is said in the language of the argument `lang`, or that is spoken.

    Returns
    -------
    decorator
        For a function with a keyword `progress`: a callable that takes the name of a step, or None.
    """

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        @wraps(function)
        def telling(*args: P.args, **kwargs: P.kwargs) -> Result:
            asked: Any = kwargs.get("progress")
            with speaking(str(kwargs.get("lang") or language())):
                title = say(what)
            with work(title, steps, also=asked) as step:
                kwargs["progress"] = step
                return function(*args, **kwargs)

        return telling

    return decorate


def _text() -> str:
    """Return the outermost work, and the steps that have begun, from the outermost to the innermost."""
    what, steps = _HERE.open[0][0], " › ".join(name for _, name, _, _ in _HERE.open if name)
    return say("{0}：{1}", what, steps) if steps else what


def _share() -> float:
    """Return how much is done: a step that has begun counts as much of it as the work inside it has done."""
    share, part = 0.0, 1.0
    for _, _, begun, steps in _HERE.open:
        part /= steps
        share += part * max(begun - 1, 0)
    return share


# --- in a notebook ---------------------------------------------------------------------------------------------------


class _Events(Protocol):
    def register(self, event: str, function: Callable[..., object]) -> None: ...

    def unregister(self, event: str, function: Callable[..., object]) -> None: ...


class _Shell(Protocol):
    """What is wanted of IPython's shell."""

    @property
    def events(self) -> _Events: ...


class _Bar:
    """The one bar of a cell that runs: blank until work has lasted a while, and again when the cell has ended."""

    def __init__(self, shell: _Shell, show: Callable[..., Any]) -> None:
        self._handle = show({"text/html": "", "text/plain": ""}, raw=True, display_id=True)
        self._begun = self._told = time.monotonic()
        self._visible = False
        self._events = shell.events
        self._events.register("post_run_cell", self._end)

    def __call__(self, text: str, share: float) -> None:
        now = time.monotonic()
        if now - self._begun >= SHOWN_AFTER_S and (now - self._told >= EVERY_S or share >= 1):
            self._told, self._visible = now, True
            bar = f'<progress value="{share:.3f}" style="width: 14em; vertical-align: middle"></progress>'
            words = f"{html.escape(text)}　{share:.0%}"
            self._put(f'<div role="status" style="color: #5f6d77">{bar}　{words}</div>', f"{text}　{share:.0%}")

    def _end(self, *_: object) -> None:
        self._events.unregister("post_run_cell", self._end)
        if self._visible:
            self._put("", "")

    def _put(self, markup: str, text: str) -> None:
        with suppress(Exception):  # a front end that has gone away is no reason to stop counting
            self._handle.update({"text/html": markup, "text/plain": text}, raw=True)


_bars: dict[str, _Bar] = {}


def _bar_of_the_cell() -> _Bar | None:
    """Return the bar of the cell that runs; None outside Jupyter, and where something else than a cell runs."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    kernel = getattr(shell, "kernel", None)
    if shell is None or kernel is None:
        return None
    header = kernel.get_parent().get("header", {})
    if header.get("msg_type") != "execute_request":  # a hand on a live map: there is no cell to write under
        return None
    key = str(header.get("msg_id", ""))
    if key not in _bars:
        from IPython.display import display

        _bars.clear()
        _bars[key] = _Bar(shell, display)
    return _bars[key]
