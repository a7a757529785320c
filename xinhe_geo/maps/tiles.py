"""Online tiles under a map, asked for by name and with the user's own key; refused unless their datum is the data's."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from ..core import SourceError, UnknownNameError, say, web_file


class Tiles(NamedTuple):
    """Online tiles that are asked for: their name and the user's own key."""

    name: str
    key: str = ""


class OnlineTiles(NamedTuple):
    """Where online tiles come from: addresses with the key in them, deepest zoom, the one host that is asked, credit."""

    addresses: list[str]
    max_zoom: int
    host: str
    credit: str


def online(asked: Tiles) -> OnlineTiles:
    """
    Return where online tiles come from.

    Raises
    ------
    SourceError
        Tiles of another datum than the data's, an address of one's own (its datum is unknown), or a missing or odd key.
    UnknownNameError
        No such tiles.
    """
    tiles, key = asked
    known = json.loads(web_file("maps/tiles.json"))
    for entry in known.values():
        if any(word in tiles.lower() for word in entry.get("refused", ())):
            raise SourceError(
                say(
                    "{0}的瓦片是 {1} 坐标，街道数据是 WGS84/CGCS2000：叠在一起会差出三五百米。请改用天地图："
                    'tiles="tianditu"，key 填自己申请的密钥',
                    entry["label"],
                    entry["datum"],
                )
            )
    if tiles not in known or "addresses" not in known[tiles]:
        if "/" in tiles:
            raise SourceError(
                say("不接受自写的瓦片地址：它用哪种坐标无从核对。可用：")
                + say("、").join(k for k, v in known.items() if "addresses" in v)
            )
        raise UnknownNameError("在线底图", tiles, [k for k, v in known.items() if "addresses" in v])
    if not re.fullmatch(r"[0-9A-Za-z]{8,64}", key):
        raise SourceError(say("在线底图要用自己申请的密钥（字母和数字），写在 key 里；程序不带密钥"))
    found = known[tiles]
    addresses = [address.replace("{key}", key) for address in found["addresses"]]
    return OnlineTiles(addresses, found["max_zoom"], found["host"], found["credit"])
