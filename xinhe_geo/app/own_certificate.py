"""
A certificate for one run: what the processes of this run know each other by, and others on the computer cannot have.

A key on the curve P-256 and a certificate that it signs itself (X.509, ECDSA with SHA-256), from the standard library alone. The key
is drawn anew for each run, is handed to processes of our own only, and is forgotten with them; whatever checks certificates
(OpenSSL) checks these.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import textwrap
from typing import NamedTuple

#: The curve (SEC 2, secp256r1): its field, the number of its points, b, and the point that generates them.
_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_POINT = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None  # None: the point at infinity

#: Kinds of values as DER numbers them.
_INTEGER, _BITS, _BYTES, _NAME, _TEXT, _TIME, _LIST, _SET = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x17, 0x30, 0x31
_TRUE = b"\x01\x01\xff"
#: Names of things (object identifiers), as DER writes them.
_KEYS = bytes.fromhex("2a8648ce3d0201")
_CURVE = bytes.fromhex("2a8648ce3d030107")
_SIGNED = bytes.fromhex("2a8648ce3d040302")
_CALLED = bytes.fromhex("550403")
_ITS_KEY, _USAGE, _BASIC, _SIGNERS_KEY = (bytes.fromhex(f"551d{n}") for n in ("0e", "0f", "13", "23"))
#: It counts whatever the clock says: nobody has its key any more when the run has ended.
_FROM, _UNTIL = b"200101000000Z", b"491231235959Z"


class OwnCertificate(NamedTuple):
    """A certificate and its key, each as text (PEM)."""

    certificate: str
    key: str


def own_certificate(name: str) -> OwnCertificate:
    """
    Return a new key and a certificate of it that it has signed itself.

    Parameters
    ----------
    name
        What the certificate says of its owner, for whoever looks at it.
    """
    secret = 1 + secrets.randbelow(_ORDER - 1)
    public = _times(secret, _POINT)
    assert public is not None
    point = b"\x04" + public[0].to_bytes(32, "big") + public[1].to_bytes(32, "big")
    known_by = hashlib.sha256(point).digest()[:20]
    owner = _der(_LIST, _der(_SET, _der(_LIST, _der(_NAME, _CALLED), _der(_TEXT, name.encode()))))
    how = _der(_LIST, _der(_NAME, _SIGNED))
    said = (
        (_BASIC, True, _der(_LIST, _TRUE)),  # it signs certificates: its own
        (_USAGE, True, _der(_BITS, b"\x02\x84")),
        (_ITS_KEY, False, _der(_BYTES, known_by)),
        (_SIGNERS_KEY, False, _der(_LIST, _der(0x80, known_by))),
    )
    more = [_der(_LIST, _der(_NAME, what), _TRUE * must, _der(_BYTES, value)) for what, must, value in said]
    body = _der(
        _LIST,
        _der(0xA0, _whole(2)),  # the third version
        _whole(1 + secrets.randbits(120)),
        how,
        owner,
        _der(_LIST, _der(_TIME, _FROM), _der(_TIME, _UNTIL)),
        owner,
        _der(_LIST, _der(_LIST, _der(_NAME, _KEYS), _der(_NAME, _CURVE)), _der(_BITS, b"\0", point)),
        _der(0xA3, _der(_LIST, *more)),
    )
    r, s = _sign(secret, body)
    certificate = _der(_LIST, body, how, _der(_BITS, b"\0", _der(_LIST, _whole(r), _whole(s))))
    bare = _der(_BYTES, secret.to_bytes(32, "big"))
    key = _der(_LIST, _whole(1), bare, _der(0xA0, _der(_NAME, _CURVE)), _der(0xA1, _der(_BITS, b"\0", point)))
    return OwnCertificate(_pem("CERTIFICATE", certificate), _pem("EC PRIVATE KEY", key))


def _plus(a: _Point, b: _Point) -> _Point:
    """Return the sum of two points of the curve."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % _FIELD == 0:
        return None
    slope = (
        (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, _FIELD) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, _FIELD)
    )
    x = (slope * slope - a[0] - b[0]) % _FIELD
    return x, (slope * (a[0] - x) - a[1]) % _FIELD


def _times(count: int, point: _Point) -> _Point:
    """Return a point added to itself so many times."""
    total: _Point = None
    while count:
        if count & 1:
            total = _plus(total, point)
        point, count = _plus(point, point), count >> 1
    return total


def _sign(secret: int, content: bytes) -> tuple[int, int]:
    """Return the signature of a content (ECDSA with SHA-256)."""
    digest = int.from_bytes(hashlib.sha256(content).digest(), "big")
    while True:
        once = 1 + secrets.randbelow(_ORDER - 1)
        point = _times(once, _POINT)
        assert point is not None
        r = point[0] % _ORDER
        s = pow(once, -1, _ORDER) * (digest + r * secret) % _ORDER
        if r and s:
            return r, s


def _der(kind: int, *parts: bytes) -> bytes:
    """Return a value as DER writes it: its kind, how long it is, what it consists of."""
    content = b"".join(parts)
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([kind]) + (bytes([size]) if size < 128 else bytes([128 + len(long)]) + long) + content


def _whole(number: int) -> bytes:
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _pem(kind: str, content: bytes) -> str:
    lines = "\n".join(textwrap.wrap(base64.b64encode(content).decode("ascii"), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"
