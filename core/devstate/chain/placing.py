"""Where a member stands in the bytes of an entry."""

from __future__ import annotations

__all__ = ["member_offset"]


def member_offset(raw: bytes, member: str) -> int:
    """How far into an entry's bytes the name of a top-level member stands; 0 where it is not found."""
    name = member.removeprefix("/").split("/", 1)[0].replace("~1", "/").replace("~0", "~")
    found = raw.find(b'"' + name.encode("utf-8", "replace") + b'"') if name else -1
    return max(found, 0)
