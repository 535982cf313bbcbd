"""Identifiers of runs and spans."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeAlias

from .errors import ValueTypeError

__all__ = ["RunId", "RunLike", "run_bytes", "run_text", "uuid7_text"]


class RunId(str):
    """The identifier of a run: 16 bytes, as the text of a UUID (32 hex digits, hyphens)."""

    __slots__ = ()

    @classmethod
    def new(cls, entropy: Callable[[int], bytes] | None = None) -> RunId:
        """A random one (UUIDv4), from `entropy(16)` where given."""
        return cls(uuid.UUID(bytes=entropy(16), version=4) if entropy is not None else uuid.uuid4())

    @classmethod
    def of(cls, raw: bytes) -> RunId:
        """The identifier with these 16 bytes."""
        return cls(uuid.UUID(bytes=raw))

    @property
    def bytes(self) -> bytes:
        """The 16 bytes."""
        return uuid.UUID(self).bytes


RunLike: TypeAlias = RunId | uuid.UUID | str


def run_bytes(run: object) -> bytes:
    """The 16 bytes of a RunId, UUID, or text in UUID form. Raises ValueTypeError."""
    if isinstance(run, uuid.UUID):
        return run.bytes
    if isinstance(run, str):
        try:
            return uuid.UUID(run).bytes
        except ValueError:
            raise ValueTypeError(
                f"{run!r} is not the identifier of a run",
                remedy="Give a UUID, as `devstate run list` shows it.",
            ) from None
    raise ValueTypeError(f"the identifier of a run is a RunId, a UUID or its text, not {type(run).__name__}")


def run_text(raw: bytes) -> RunId:
    """16 bytes as the text of a UUID."""
    return RunId.of(raw)


def uuid7_text(now_us: int, entropy: Callable[[int], bytes]) -> str:
    """A UUIDv7 (RFC 9562) of that moment, as text."""
    millis = (now_us // 1000) & ((1 << 48) - 1)
    rest = int.from_bytes(entropy(10), "big")
    number = millis << 80 | 0x7 << 76 | (rest >> 62 & 0xFFF) << 64 | 0b10 << 62 | rest & ((1 << 62) - 1)
    return str(uuid.UUID(int=number))
