"""Who gets into the live map's server: the browser that was opened, on this computer, and so many pages."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

pytest.importorskip("tornado")

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.testing import bind_unused_port
from tornado.web import Application, HTTPError, RequestHandler

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


@pytest.fixture
def serve() -> ModuleType:
    spec = importlib.util.spec_from_file_location("serve", ROOT / "tools" / "serve.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Inside(RequestHandler):
    def get(self, *_: str) -> None:
        self.finish("inside")

    post = get


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it in a thread of its own: in this one a browser that tests share may keep a loop of its own running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def visit(serve: ModuleType, requests: list[tuple[str, Mapping[str, str]]], full: bool = False) -> list[HTTPResponse]:
    """Return what a guarded server answers to requests, one after the other; {port}, {token}, {cookie} are filled in."""

    async def go() -> list[HTTPResponse]:
        door = serve.Door()
        site = Application([(r"/(.*)", Inside)])
        site.default_router.rules[:0] = serve.guard(door, lambda: full)
        socket, door.port = bind_unused_port()
        from tornado.httpserver import HTTPServer

        server, client = HTTPServer(site), AsyncHTTPClient(force_instance=True)
        server.add_socket(socket)
        words = {"port": door.port, "token": door.token, "cookie": f"{door.cookie}={door.session}"}
        answers = []
        for path, headers in requests:
            filled = {name: value.format(**words) for name, value in headers.items()}
            url = f"http://127.0.0.1:{door.port}{path.format(**words)}"
            answers.append(
                await client.fetch(HTTPRequest(url, headers=filled, follow_redirects=False), raise_error=False)
            )
        client.close()
        server.stop()
        return answers

    return apart(go)


COOKIE = {"Cookie": "{cookie}"}


def test_the_address_works_once_and_gives_the_cookie(serve: ModuleType) -> None:
    first, again, page, api = visit(
        serve, [("/?token={token}", {}), ("/?token={token}", {}), ("/", COOKIE), ("/api/kernels/x", COOKIE)]
    )
    given = first.headers["Set-Cookie"]
    assert first.code == 200 and "HttpOnly" in given and "SameSite=Strict" in given and b"inside" not in first.body
    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert again.code == 403 and "Set-Cookie" not in again.headers and "已经用过" in again.body.decode()
    assert page.body == api.body == b"inside"


@pytest.mark.parametrize(
    "path", ["/", "/?token=", "/?token=x", "/voila/files/a", "/api/kernels/x/channels", "/static/a.js"]
)
@pytest.mark.parametrize(
    "cookie", [None, "", "xinhe-{port}=", "xinhe-{port}=x", "xinhe-1={token}", "xinhe-{port}={token}"]
)
def test_nothing_is_answered_without_the_cookie(serve: ModuleType, path: str, cookie: str | None) -> None:
    (answer,) = visit(serve, [(path, {} if cookie is None else {"Cookie": cookie})])
    assert answer.code == 403 and b"inside" not in answer.body


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:{port}",
        "0.0.0.0:{port}",
    ],
)
def test_a_name_out_there_that_points_here_gets_nothing(serve: ModuleType, host: str) -> None:
    """Not even with token or cookie; and the token is not used up by it."""
    page, entry, right = visit(
        serve, [("/", {**COOKIE, "Host": host}), ("/?token={token}", {"Host": host}), ("/?token={token}", {})]
    )
    assert page.code == entry.code == 403 and "Set-Cookie" not in entry.headers
    assert right.code == 200


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://127.0.0.1:{port}.evil"],
)
def test_another_page_gets_nothing(serve: ModuleType, origin: str) -> None:
    (answer,) = visit(serve, [("/api/kernels/x/channels", {**COOKIE, "Origin": origin})])
    assert answer.code == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_names_of_this_computer(serve: ModuleType, name: str) -> None:
    headers = {**COOKIE, "Host": name + ":{port}", "Origin": f"http://{name}:{{port}}"}
    (answer,) = visit(serve, [("/", headers)])
    assert answer.body == b"inside"


def test_one_page_too_many_is_told_what_to_do(serve: ModuleType) -> None:
    page, other = visit(serve, [("/", COOKIE), ("/static/a.js", COOKIE)], full=True)
    assert page.code == 503 and "关掉一个" in page.body.decode() and other.body == b"inside"


def test_no_more_kernels_than_pages_though_all_are_asked_for_at_once(serve: ModuleType) -> None:
    class Manager:
        def __init__(self) -> None:
            self.running: list[int] = []

        def list_kernel_ids(self) -> list[int]:
            return self.running

        async def start_kernel(self, **_: object) -> int:
            await asyncio.sleep(0.01)
            self.running.append(len(self.running))
            return self.running[-1]

    manager: Any = Manager()
    is_full = serve.cap(manager)

    async def go() -> list[object]:
        return await asyncio.gather(*(manager.start_kernel() for _ in range(10)), return_exceptions=True)

    refused = [one for one in apart(go) if isinstance(one, HTTPError)]
    assert len(manager.running) == serve.PAGES and len(refused) == 10 - serve.PAGES
    assert is_full()


def test_a_place_is_kept_for_whoever_was_let_in(serve: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """So whoever is one too many is told at the door; a place that nobody took is free again."""

    class Manager:
        def __init__(self) -> None:
            self.running = ["a"]

        def list_kernel_ids(self) -> list[str]:
            return self.running

        async def start_kernel(self) -> None:
            self.running.append("b")

    manager: Any = Manager()
    now = [0.0]
    monkeypatch.setattr(serve.time, "monotonic", lambda: now[0])
    is_full = serve.cap(manager)
    assert [is_full() for _ in range(serve.PAGES)] == [False] * (serve.PAGES - 1) + [True]
    apart(manager.start_kernel)
    assert is_full(), "one came, and has its place"
    now[0] = serve.COMING + 1
    assert not is_full()


@pytest.mark.parametrize("site", ["same-site", "cross-site", "Same-Site", "x"])
def test_a_page_of_another_server_of_this_computer_gets_nothing(serve: ModuleType, site: str) -> None:
    """It is of the same site, so a browser sends the cookie along with its pictures and frames, and no origin."""
    page, by_hand, own, entry = visit(
        serve,
        [
            ("/", {**COOKIE, "Sec-Fetch-Site": site}),
            ("/", {**COOKIE, "Sec-Fetch-Site": "none"}),
            ("/api/x", {**COOKIE, "Sec-Fetch-Site": "same-origin"}),
            ("/?token={token}", {"Sec-Fetch-Site": site}),  # from the file that the browser is given
        ],
    )
    assert (page.code, by_hand.body, own.body, entry.code) == (403, b"inside", b"inside", 200)


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-Host", "X-Forwarded-Server"])
def test_what_stands_for_a_host_elsewhere_is_nothing_here(serve: ModuleType, name: str) -> None:
    bad, good = visit(
        serve,
        [("/", {**COOKIE, "Host": "evil.example", name: "127.0.0.1:{port}"}), ("/", {**COOKIE, name: "evil.example"})],
    )
    assert bad.code == 403 and good.body == b"inside"


def test_no_log_keeps_what_was_asked_with(serve: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """A token that was refused may be right the next time, and a log lies about."""
    from types import SimpleNamespace

    for status in (200, 403, 404, 500, 503):
        request = SimpleNamespace(method="GET", path="/", uri="/?token=T", query="token=T")
        serve.log(SimpleNamespace(get_status=lambda s=status: s, request=request))
    assert capsys.readouterr().err == "500 GET /\n"


def test_a_page_talks_to_its_python_by_files_where_their_names_are_short(
    serve: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve.tempfile, "gettempdir", lambda: "/tmp")
    monkeypatch.setattr(serve.sys, "platform", "linux")
    assert serve.among_files([]) == ["--KernelManager.transport=ipc"]
    assert serve.among_files(["--KernelManager.transport=tcp"]) == []
    monkeypatch.setattr(serve.tempfile, "gettempdir", lambda: "/a/folder/far/down/below/all/others")
    assert serve.among_files([]) == []
    monkeypatch.setattr(serve.sys, "platform", "win32")
    assert serve.among_files([]) == []
