"""The fast path: whole blocks decoded into typed entries, and proven by encoding them again.

Where the encoded form equals the block byte for byte, the block has no duplicate member, no unknown member, no
other order, no stray escape and no other white space, so the typed entries say all that the bytes say. The types
refuse what would survive that comparison and still be a fault: floats, integers beyond 2^53 - 1, deep nesting.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from .layout import Layout

__all__ = ["FAST_DEPTH", "FastEntry", "decode_block"]

_Integer = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]
_J0 = str | bool | None | _Integer
_J1 = _J0 | list[_J0] | dict[str, _J0]
_J2 = _J0 | list[_J1] | dict[str, _J1]
_J3 = _J0 | list[_J2] | dict[str, _J2]

# The deepest nesting that the types admit: file, entry, metadata, and the three levels inside it.
FAST_DEPTH = 7


class FastEntry(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The members in the reference order; absent optional ones stay absent."""

    ts: str
    actor: str
    action: str
    cp_from: str | msgspec.UnsetType | None = msgspec.UNSET
    cp_to: str
    state_checksum: str
    hmac_prev: str
    hmac: str
    metadata: dict[str, _J3] | msgspec.UnsetType = msgspec.UNSET


class _Entries(msgspec.Struct):
    entries: list[Any]


_decode = msgspec.json.Decoder(list[FastEntry]).decode
_encode = msgspec.json.Encoder().encode
_format = msgspec.json.format


def decode_block(block: bytes, layout: Layout) -> list[FastEntry] | None:
    """The entries of a block that runs from the first `{` to the last `}`, or None where it is not proven."""
    try:
        entries = _decode(b"[%b]" % block)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    value = entries if layout.form == "array" else _Entries(entries)
    formatted = _format(_encode(value), indent=layout.indent)
    if layout.eol != "\n":  # no text of a proven block holds a raw line end
        formatted = formatted.replace(b"\n", layout.eol.encode())
    start = len(layout.opening)
    if len(formatted) != start + len(block) + len(layout.closing) or not formatted.startswith(block, start):
        return None
    return entries
