"""One history entry of the v1 format, exact: its bytes, its place, and all its members."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["COVERED", "MEMBERS", "REQUIRED", "Entry", "covered_bytes", "mask_hmac"]

# What the v1 HMAC is taken over: these values, concatenated in this order without a delimiter.
COVERED = ("ts", "actor", "action", "state_checksum", "hmac_prev")

# The known members in the order of the reference serialisation.
MEMBERS = (
    "ts",
    "actor",
    "action",
    "cp_from",
    "cp_to",
    "state_checksum",
    "hmac_prev",
    "hmac",
    "metadata",
)

REQUIRED = ("ts", "actor", "action", "cp_to", "state_checksum", "hmac_prev", "hmac")


class Entry(msgspec.Struct, frozen=True):
    """An entry as it stands in the file: nothing is dropped and nothing is normalised.

    `raw` holds the bytes from `{` to `}`, `offset` the place of the first one in the file, `members` the parsed
    members in file order (empty where the bytes are damaged beyond reading, see `readable`).
    The properties give "" (None for the optional ones) where a member is absent or not a string.
    """

    index: int
    offset: int
    raw: bytes
    members: dict[str, Any]
    readable: bool = True

    def _text(self, name: str) -> str:
        value = self.members.get(name)
        return value if isinstance(value, str) else ""

    @property
    def ts(self) -> str:
        return self._text("ts")

    @property
    def actor(self) -> str:
        return self._text("actor")

    @property
    def action(self) -> str:
        return self._text("action")

    @property
    def cp_from(self) -> str | None:
        return self._text("cp_from") or None

    @property
    def cp_to(self) -> str:
        return self._text("cp_to")

    @property
    def state_checksum(self) -> str:
        return self._text("state_checksum")

    @property
    def hmac_prev(self) -> str:
        return self._text("hmac_prev")

    @property
    def hmac(self) -> str:
        return self._text("hmac")

    @property
    def metadata(self) -> dict[str, Any] | None:
        value = self.members.get("metadata")
        return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]

    @property
    def unknown(self) -> dict[str, Any]:
        """The members that the format does not name."""
        return {name: value for name, value in self.members.items() if name not in MEMBERS}


def covered_bytes(members: dict[str, Any]) -> bytes | None:
    """The message of the v1 HMAC, or None where a covered member is no encodable string."""
    parts: list[str] = []
    for name in COVERED:
        value = members.get(name)
        if not isinstance(value, str):
            return None
        parts.append(value)
    try:
        return "".join(parts).encode()
    except UnicodeEncodeError:  # a lone surrogate has no bytes to sign
        return None


def mask_hmac(text: str) -> str:
    """The first 16 characters and `...`, as HMACs are shown in texts, findings and logs."""
    return text if len(text) <= 16 else text[:16] + "..."
