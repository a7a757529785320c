"""
The only code that touches the network: asks an Overpass server for the objects of a bounding box.

Only a rounded bounding box leaves this machine. Answers are kept as they came, one file per theme, so that a broken
download goes on where it stopped. Servers ask for one request at a time, a client that names itself, and patience.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import osmium

from ..core import EnvironmentProblem, SourceError, apart, growing, say, write_bytes

HOSTS = (
    "https://overpass-api.de/api/interpreter",
    "https://overpass.kumi.systems/api/interpreter",
    "https://api.openstreetmap.fr/oapi/interpreter",
)
AGENT = "xinhe-geo (walking access for sub-district planning)"
#: Bounding boxes are rounded outwards to this, so that they say little about a boundary (degrees, about 1 km).
ROUND_DEG = 0.01
#: A walk beyond the edge: facilities and streets outside count (about 1.7 km).
MARGIN_DEG = 0.015
#: Larger than this is a city, better taken from a regional extract (degrees squared, about 2,500 km2).
LARGEST_DEG2 = 0.25

#: What is asked for, theme by theme: a small answer that arrives beats a large one that times out.
THEMES = {
    "streets": 'way["highway"];',
    "facilities": (
        'nwr["amenity"];nwr["shop"];nwr["healthcare"];nwr["leisure"];nwr["office"];nwr["craft"];nwr["social_facility"];'
        'nwr["public_transport"];nwr["railway"="station"];nwr["railway"="subway_entrance"];nwr["tourism"];'
        'node["barrier"="gate"];node["entrance"];'
    ),
    "buildings": 'wr["building"];wr["landuse"="residential"];',
    "land": 'wr["landuse"];wr["natural"="water"];wr["waterway"];way["railway"];wr["leisure"="park"];way["barrier"];',
}

Bbox = tuple[float, float, float, float]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try: `tries` per server, first wait in seconds (doubling), time-out of one answer."""

    tries: int = 4
    wait_s: float = 5.0
    busy_s: float = 30.0
    timeout_s: float = 240.0
    sleep: Callable[[float], None] = time.sleep


def rounded(bbox: Bbox, margin: float = MARGIN_DEG) -> Bbox:
    """Return (west, south, east, north) in degrees with a walk's margin, rounded outwards to 0.01 degree."""
    west, south, east, north = bbox
    if not all(map(math.isfinite, bbox)) or west >= east or south >= north:
        raise SourceError(say("范围不对：{0}。依次写 西,南,东,北（经纬度），如 117.60,39.00,117.75,39.12", bbox))
    if abs(west) > 180 or abs(east) > 180 or abs(south) > 90 or abs(north) > 90:
        raise SourceError(say("范围不是经纬度：{0}。依次写 西,南,东,北", bbox))
    low = [math.floor(round((v - margin) / ROUND_DEG, 6)) * ROUND_DEG for v in (west, south)]
    high = [math.ceil(round((v + margin) / ROUND_DEG, 6)) * ROUND_DEG for v in (east, north)]
    box = (round(low[0], 2), round(low[1], 2), round(high[0], 2), round(high[1], 2))
    if (box[2] - box[0]) * (box[3] - box[1]) > LARGEST_DEG2:
        raise SourceError(say("范围太大（超过约 2,500 平方千米）。请下载区域提取文件 .osm.pbf，再用 import 命令"))
    return box


def download(
    bbox: Bbox, folder: Path, *, hosts: Sequence[str] = HOSTS, tell: Say | None = None, patience: Patience | None = None
) -> Path:
    """
    Fetch every theme of a (rounded) box into `folder` and merge them into one extract.

    Parameters
    ----------
    bbox
        West, south, east, north in degrees, as returned by `rounded`.
    folder
        Where answers are kept (`raw-*.osm.gz`); answers already there are used.
    hosts
        Servers, tried in order.

    Returns
    -------
    file
        The merged `.osm.pbf`.

    Raises
    ------
    EnvironmentProblem
        No server answered; the message names the way with a local file.
    SourceError
        A server refused the request for good.
    """
    tell, patience = tell or (lambda _: None), patience or Patience()
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (theme, parts) in enumerate(THEMES.items(), 1):
        west, south, east, north = bbox
        box = f"[bbox:{south:.2f},{west:.2f},{north:.2f},{east:.2f}]"
        query = f"[out:xml][timeout:180]{box};({parts});(._;>;);out meta;"
        key = hashlib.sha256(query.encode()).hexdigest()[:12]
        file = folder / f"raw-{theme}-{key}.osm.gz"
        if not file.is_file():
            tell(say("下载 {0}/{1}：{2}", number, len(THEMES), theme))
            write_bytes(file, gzip.compress(_ask(query, hosts, tell, patience), mtime=0))
        else:
            tell(say("已有 {0}/{1}：{2}", number, len(THEMES), theme))
        files.append(file)
    return _merge(files, folder / "fetched.osm.pbf")


def _ask(query: str, hosts: Sequence[str], tell: Say, patience: Patience) -> bytes:
    """Ask the servers in turn until one gives a whole answer."""
    reasons, all_refused = list[str](), True
    for host in hosts:
        name = urllib.parse.urlsplit(host).hostname or host
        for attempt in range(patience.tries):
            try:
                return _whole(_post(host, query, patience.timeout_s))
            except urllib.error.HTTPError as error:
                if error.code in (400, 401, 403, 406):
                    reasons.append(say("{0} 拒绝（{1}）", name, error.code))
                    break
                all_refused, wait = False, _wait_after(error, attempt, patience)
                reasons.append(say("{0} 忙（{1}）", name, error.code))
            except (OSError, _Cut) as error:
                all_refused, wait = False, patience.wait_s * 2**attempt
                reasons.append(f"{name} {_why(error)}")
            if attempt + 1 < patience.tries:
                tell(say("{0}，{1:.0f} 秒后再试", reasons[-1], wait))
                patience.sleep(wait)
    said = say("；").join(dict.fromkeys(reasons))
    if reasons and all_refused:
        raise SourceError(say("服务器拒绝了请求：{0}。请下载区域提取文件 .osm.pbf，再用 import 命令", said))
    raise EnvironmentProblem(
        say(
            "连不上 OpenStreetMap 下载服务（{0}）。没有网络时用本地文件（.osm.pbf、.osm、.osm.gz、"
            ".osm.bz2，或只有街道的 .graphml、.gpkg）：",
            said,
        )
        + say("python run.py import 文件 --out 目录")
    )


class _Cut(Exception):
    """An answer that ended before its end, or in which the server says that it gave up."""


def _post(host: str, query: str, timeout: float) -> bytes:
    body = urllib.parse.urlencode({"data": query}).encode()
    request = urllib.request.Request(host, body, {"User-Agent": AGENT, "Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        raw = bytes(answer.read())
        packed = answer.headers.get("Content-Encoding") == "gzip"
    try:
        return gzip.decompress(raw) if packed else raw
    except (OSError, EOFError) as error:
        raise _Cut(say("答复不完整")) from error


def _whole(answer: bytes) -> bytes:
    if b"<remark>" in answer[-4000:] and b"error" in answer[-4000:].lower():
        raise _Cut(say("服务器中途放弃"))
    if not answer.rstrip().endswith(b"</osm>"):
        raise _Cut(say("答复不完整"))
    return answer


def _wait_after(error: urllib.error.HTTPError, attempt: int, patience: Patience) -> float:
    asked = str(error.headers.get("Retry-After", "")) if error.headers else ""
    if asked.isdigit():
        return float(min(int(asked), 300))
    return patience.busy_s if error.code == 429 else patience.wait_s * 2**attempt


def _why(error: BaseException) -> str:
    if isinstance(error, _Cut):
        return str(error)
    return say("超时") if isinstance(error, TimeoutError) or "timed out" in str(error) else say("无法连接")


def _merge(files: Sequence[Path], out: Path) -> Path:
    """Merge answers into one extract: every object once, nodes before ways before relations."""
    apart(_merged, files[0], files, out, into=out.parent)
    return out


def _merged(_: Path, files: Sequence[Path], out: Path) -> None:
    reader = osmium.MergeInputReader()
    for file in files:
        reader.add_file(str(file))
    threads = osmium.io.ThreadPool(2)
    with growing(out) as fresh, osmium.SimpleWriter(str(fresh), thread_pool=threads) as writer:
        reader.apply(writer)
