"""
The live map of a notebook: facilities are dragged, added and closed, and Python says at once who is served.

The page draws and asks; every number on it is computed here, by the same doors, search and shares as `coverage`. One
question is under way at a time, so that dragging never outruns the answers. Needs the extra `lab` (anywidget).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from ..access import coverage
from ..core import (
    EnvironmentProblem,
    UnknownNameError,
    XinheError,
    by_cells,
    escape,
    has_launcher,
    how_to_install,
    language,
    named_by_homes,
    refuse_uncleared,
    say,
    speaking,
    unturned,
    web_file,
)
from ..district import District, Named, Scenario, kind_name, must_be_district, rule_name
from .drawing import picture
from .live_model import LiveModel
from .live_numbers import changes, state_of, warnings
from .live_walk import walk_shown
from .meeting import (
    DEMONSTRATION_TEXT,
    badges,
    degree_frame,
    first_view,
    foot_texts,
    frame_bounds,
    kind_rows,
    looks,
    numbered_codes,
    packed_areas,
    packed_base,
    packed_homes,
    packed_network,
    packed_parcels,
    profile_rows,
)
from .scripts import spoken_script
from .still import image

#: Scripts of the map, in the order they build on each other.
LIVE_SCRIPTS = ("maps/meeting-engine.js", "maps/meeting-walk.js", "maps/meeting-map.js", "maps/live.js")
#: The picture is hidden where the map below it is alive; where it is not, JupyterLab's own word about that is.
_ONE_OF_TWO = (
    "<style>.jp-OutputArea-child:has(.xl-still):has(+.jp-OutputArea-child .xl){display:none}"
    ".jp-OutputArea-child:has(.xl-still)+.jp-OutputArea-child .jp-OutputArea-output.jupyter-widgets:not(:has(*)){display:none}</style>"
)
#: So long after the last change the kept picture is drawn anew, in seconds.
_RESTED_S = 2.0


@named_by_homes
def live(
    district: District,
    kind: Named | None = None,
    *,
    profile: Named | None = None,
    minutes: float | None = None,
    height: int = 620,
) -> Any:
    """
    Show a map on which facilities can be dragged, added and closed, with the coverage following at once.

    Parameters
    ----------
    district
        What stands today; every change is counted against it.
    kind
        The kind of facility to begin with (its headline rule of `kinds.csv`); None takes the first that is promised.
    profile
        Who walks, instead of the rule's own profile.
    minutes
        Walking time in minutes, instead of the rule's own limit and method.
    height
        Height of the map in pixels.

    Returns
    -------
    widget
        An `anywidget.AnyWidget`. `widget.selected`: ids of the homes selected on the map (a list; may be set and observed).
        `widget.scenario()`: what was done, as a `Scenario` whose numbers are the same in `coverage` and `compare`.
        `widget.served()`: index home; columns name, people, people_60plus, before and served (shares 0-1), minutes or metres
        (to the nearest facility), facility. `widget.add(kind, xy)`, `.move(facility, xy)`, `.close_facility(facility)`,
        `.restore(facility)`, `.undo()`, `.redo()`, `.reset()` do by program what is done on the map; `xy` in metres in the
        district's CRS. Kept as a page, it is a picture without a script.

    Raises
    ------
    SourceError
        A layer of the district is secret, and nobody has cleared its outputs.
    EnvironmentProblem
        anywidget is not installed (extra `lab`).
    UnknownNameError
        No such kind (with a rule of its own) or profile.
    DataError
        The district has no homes or no streets.
    ValueError
        `minutes` is not a number above 0; or no district.
    """
    must_be_district(district)
    refuse_uncleared(district.manifest, "打开活地图")
    widget = _widget_class(language(), by_cells())
    model = LiveModel(district)
    model.ask(model.first_kind if kind is None else kind, profile, minutes)
    return widget(model, height)


def _drawing(model: LiveModel) -> str:
    """Return what the page draws and never changes: the base map, streets, homes, communities, kinds, walkers."""
    district = model.district
    west, south, east, north = frame_bounds(district)
    origin = np.floor(np.array([west, south]))
    outlines = {name: numbered_codes(district, name) for name in ("zones", "communities")}
    homes = packed_homes(district, outlines, origin)
    nowhere = dict.fromkeys(("place", "edge", "at", "access", "x", "y", "gate"), "")
    none: dict[str, list[Any]] = {name: [] for name in ("id", "name", "kind", "state", "community", "typed", "books")}
    content = {
        "name": district.name,
        "demo": district.is_demonstration,
        "demo_text": say(DEMONSTRATION_TEXT),
        "badges": badges(district),
        "foot": foot_texts(district),
        "rules": [],
        "kinds": kind_rows(district, model.kinds),
        "profiles": profile_rows(district),
        "askable": [{"id": str(kind), "label": kind_name(district, str(kind))} for kind in model.askable],
        "origin": origin.tolist(),
        "bounds": [west, south, east, north],
        "first": first_view(district),
        "degrees": degree_frame(district, (west, south, east, north)),
        "net": packed_network(district),
        "walls": {"xy": "", "count": "", "name": []},
        "gates": "",
        "homes": homes,
        "zones": outlines["zones"],
        "communities": outlines["communities"],
        "community_areas": packed_areas(district),
        "facilities": {**none, "xy": "", "doors": nowhere, "inside": {"place": "", "point": "", "metres": ""}},
        "parcels": packed_parcels(district, origin),
        "base": packed_base(district, origin),
        "style": looks(),
    }
    return unturned(json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


class LiveControls:
    """What the widget does, apart from the traits it shares with the page."""

    _model: LiveModel
    send: Callable[..., None]
    _repr_mimebundle_: Callable[..., Any]
    _kept: Any = None
    _timer: asyncio.TimerHandle | None = None
    _chosen = ""
    _lang = "zh"

    def __repr__(self) -> str:
        model = self._model
        with speaking(self._lang):
            told = "<活地图 {0}：{1}，{2} 处改动>"
            return say(told, model.district.name, rule_name(model.district, model.rule), len(changes(model)))

    def _repr_html_(self) -> str:
        with speaking(self._lang):
            return self._still()

    def _still(self) -> str:
        """Return the map as a picture, with what is to be done to drag facilities."""
        model, after = self._model, self._after()
        cover = coverage(after, rules=[model.rule], profile=model.walker)
        how = say("这里是活地图的静态图；拖动设施要在 JupyterLab 里运行这个笔记本。")
        how += say("也可以用 python run.py app。") if has_launcher() else ""
        note = f"<p>{how}</p>"
        note += "".join(f'<p role="alert"><strong>{escape(text)}</strong></p>' for text in warnings(model))
        drawn = picture(after, cover, rule=model.rule, lang=self._lang)
        return f'<div class="xl-still">{image(drawn, repr(self))}{note}</div>{_ONE_OF_TWO}'

    def _after(self) -> District:
        """Return the district as it is after what was done."""
        model = self._model
        return self.scenario().on(model.district, with_conflicts=True) if changes(model) else model.district

    # what the page asks for

    def _heard(self, _: object, message: Mapping[str, Any], __: object) -> None:
        """Answer the page; a request that cannot be carried out comes back as a sentence."""
        said = ""
        try:
            self._act(message)
        except (XinheError, ValueError) as error:
            said = str(error)
        home = message.get("home") if message.get("do") == "walk" else None
        self._tell(said, message.get("seq"), message.get("view"), home if isinstance(home, int) else None)
        self._keep_soon()

    def _act(self, message: Mapping[str, Any]) -> None:
        model, do = self._model, message.get("do")
        label = str(message.get("facility", ""))
        if "chosen" in message:
            self._chosen = str(message["chosen"])
        if do == "ask":
            model.ask(str(message.get("kind")), message.get("profile") or None, message.get("minutes"))
        elif do == "move":
            self._chosen = label
            model.move(label, message.get("xy"), message.get("grip"))  # type: ignore[arg-type]
        elif do == "add":
            self._chosen = model.add(str(message.get("kind")), message.get("xy"))  # type: ignore[arg-type]
        elif do in ("close", "restore"):
            getattr(model, do)(label)
        elif do in ("step_back", "step_forward", "reset"):
            getattr(model, do)()

    def _tell(self, said: str = "", seq: object = None, view: object = None, home: int | None = None) -> None:
        """Tell the page what stands now; the walk of a home only where it was just asked for, so that none is ever an old one."""
        model = self._model
        with speaking(self._lang):
            content, arrays = state_of(model, self._chosen)
            if home is not None and 0 <= home < len(model.homes.names):
                content["walk"] = walk_shown(model, self._after(), home) or {"home": home, "legs": None}
        text = self.scenario().text()
        self.send({"state": content, "toml": text, "say": said, "seq": seq, "view": view}, buffers=arrays)

    # what a notebook keeps

    def _ipython_display_(self) -> None:
        """Show the picture, and the map below it: whichever of the two works where the notebook is opened is seen."""
        from IPython.display import display as untyped

        display: Callable[..., Any] = untyped

        refuse_uncleared(self._model.district.manifest, "打开活地图")
        self._kept = display({"text/html": self._repr_html_(), "text/plain": repr(self)}, raw=True, display_id=True)
        data = self._repr_mimebundle_()[0]
        display({**data, "text/html": "<span></span>"}, raw=True)

    def _keep_soon(self) -> None:
        """Draw the picture anew once the hand has rested, so that a notebook keeps what was seen last."""
        if self._kept is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        with suppress(RuntimeError):  # no kernel is listening: a program asked
            self._timer = asyncio.get_running_loop().call_later(_RESTED_S, self._keep_now)

    def _keep_now(self) -> None:
        self._kept.update({"text/html": self._repr_html_(), "text/plain": repr(self)}, raw=True)

    # what a program does

    def scenario(self, name: str = "live", label: str = "活地图方案") -> Scenario:
        """Return what was done as a `Scenario`."""
        return self._model.scenario(name, label)

    def served(self) -> pd.DataFrame:
        """Return index home; name, people, people_60plus, before, served, minutes or metres, facility."""
        model = self._model
        answer = model.count(model.plan)
        table = model.facts[["name", "people", "people_60plus"]].copy()
        table["before"], table["served"] = model.before, answer.share
        table["minutes" if model.rule.method == "walk_min" else "metres"] = answer.cost
        table["facility"] = pd.array(answer.nearest, dtype="str")
        return table.rename_axis("home")

    def add(self, kind: str, xy: Sequence[float], name: str | None = None) -> str:
        """Open a facility at `xy` (metres in the district's CRS); return its id."""
        self._chosen = self._model.add(kind, xy, name)
        self._tell()
        return self._chosen

    def move(self, facility: str, xy: Sequence[float]) -> None:
        """Put a facility at `xy` (metres in the district's CRS)."""
        self._model.move(self._model.known(facility), xy)
        self._tell()

    def close_facility(self, facility: str) -> None:
        """Close a facility; called again, it opens."""
        self._model.close(self._model.known(facility))
        self._tell()

    def restore(self, facility: str) -> None:
        """Put a facility back as it stands today."""
        self._model.restore(self._model.known(facility))
        self._tell()

    def undo(self) -> None:
        """Take the last step back."""
        self._model.step_back()
        self._tell()

    def redo(self) -> None:
        """Take the step that was undone again."""
        self._model.step_forward()
        self._tell()

    def reset(self) -> None:
        """Go back to what stands today."""
        self._model.reset()
        self._tell()


@cache
def _widget_class(lang: str = "zh", cells: bool = False) -> Callable[[LiveModel, int], LiveControls]:
    """Return the class of the widget in a language and for a name of homes; made on first use (anywidget may lack)."""
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise EnvironmentProblem(say("活地图需要 anywidget：{0}", how_to_install("lab", "lab"))) from error

    class LiveMap(LiveControls, anywidget.AnyWidget):
        """The live map; see `live`."""

        _esm = "\n".join(spoken_script(web_file(name)) for name in LIVE_SCRIPTS)
        _lang = lang
        _css = web_file("maps/live.css")
        _content = traitlets.Unicode().tag(sync=True)
        height = traitlets.Int(620).tag(sync=True)
        selected = traitlets.List(traitlets.Unicode()).tag(sync=True)

        def __init__(self, model: LiveModel, height: int) -> None:
            self._model = model
            super().__init__(_content=_drawing(model), height=height)
            self.on_msg(self._heard)

        @traitlets.validate("selected")
        def _known_homes(self, proposal: Mapping[str, Any]) -> list[str]:
            known = set(map(str, self._model.homes.names))
            wrong = [home for home in proposal["value"] if home not in known]
            if wrong:
                raise UnknownNameError("小区", wrong[0], sorted(known))
            return list(dict.fromkeys(proposal["value"]))

        def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
            bundle = anywidget.AnyWidget._repr_mimebundle_(self, **kwargs)
            if bundle is None:
                return None
            data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
            return {**data, "text/html": self._repr_html_(), "text/plain": repr(self)}, metadata

    return LiveMap
