"""From rows to the bytes of a history: signed, laid out, and cut into chunks, as a stream.

The layout is the reference serialisation: `json.dumps(entries, indent=4, ensure_ascii=False)`, no newline at
the end. A test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from devstate.chain.keys import PUBLIC_SECRETS, Mac

from .rows import Row

__all__ = ["PUBLIC_SECRET", "framed", "signed"]

PUBLIC_SECRET = PUBLIC_SECRETS[0].encode()
"""The public default secret of development: a demo verifies without any set-up, with a WEAK_KEY warning."""

_CHUNK = 1 << 18


def signed(rows: Iterable[Row], mac_at: Callable[[int], Mac], *, first_prev: str = "") -> Iterator[str]:
    """The entries as text, from `{` to `}`, each linked to the one before and signed."""
    prev = first_prev
    for index, (ts, actor, action, cp_from, cp_to, checksum, metadata) in enumerate(rows):
        # A lone surrogate cannot be signed; rows never hold one.
        mac = mac_at(index).hexdigest(f"{ts}{actor}{action}{checksum}{prev}".encode())
        tail = "" if metadata is None else f',\n        "metadata": {metadata}'
        yield (
            f'{{\n        "ts": "{ts}",\n        "actor": {_quoted(actor)},\n'
            f'        "action": {_quoted(action)},\n'
            f'        "cp_from": {_quoted(cp_from)},\n        "cp_to": {_quoted(cp_to)},\n'
            f'        "state_checksum": "{checksum}",\n        "hmac_prev": "{prev}",\n'
            f'        "hmac": "{mac}"{tail}\n    }}'
        )
        prev = mac


def framed(entries: Iterable[str]) -> Iterator[bytes]:
    """The array around the entries, in chunks of about 256 KiB."""
    parts: list[str] = []
    size = 0
    separator = "[\n    "
    for entry in entries:
        parts.append(separator)
        parts.append(entry)
        separator = ",\n    "
        size += len(entry)
        if size >= _CHUNK:
            yield "".join(parts).encode()
            parts.clear()
            size = 0
    parts.append("[]" if separator.startswith("[") else "\n]")
    yield "".join(parts).encode()


@lru_cache(maxsize=1024)
def _quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)
