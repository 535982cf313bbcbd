"""Values of records and moments in words: short, masked, and safe to print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from devstate.findings import shortened

from .invocation import Invocation

__all__ = ["Veil", "ago", "lasted", "moment", "size_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = 1 << 16
_UNMASKED_WIDTH = 1000
_HMAC_NAME = re.compile("hmac|signature|seal|mac$", re.IGNORECASE)
_HMAC = re.compile("[0-9A-Fa-f]{64}")
_HMAC_BYTES = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")
_STEPS = ((31_557_600, "year"), (2_629_800, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))


class Veil:
    """What may be shown: HMACs masked in texts unless the user wants them whole, configured secrets never."""

    def __init__(self, call: Invocation) -> None:
        from .judging import settings_around

        self.unmasked = call.unmasked
        self._secrets = _secrets(settings_around(call))

    def text(self, text: str) -> str:
        """A text for a person; not shortened, and not yet made visible."""
        if not self.unmasked:
            from devstate.trae import mask

            return mask(text, secrets=[secret.encode() for secret in self._secrets])
        return self._without_secrets(text)

    def secret_in(self, data: bytes) -> bool:
        """Whether raw bytes hold a secret."""
        return any(secret.encode() in data for secret in self._secrets)

    def hidden(self, data: bytes) -> set[int]:
        """The places of raw bytes that may not be shown: HMACs behind their 16th digit, and secrets."""
        found: set[int] = set()
        if not self.unmasked:
            for match in _HMAC_BYTES.finditer(data):
                found.update(range(match.start() + 16, match.end()))
        for secret in self._secrets:
            start = data.find(raw := secret.encode())
            while start >= 0:
                found.update(range(start, start + len(raw)))
                start = data.find(raw, start + 1)
        return found

    def document(self, value: Any) -> Any:
        """A value for a program: HMACs are whole, as documents have them; secrets are not."""
        return _walked(value, self._without_secrets) if self._secrets else value

    def value(self, value: Any, width: int, *, name: object = None) -> str:
        """A value of the engine on one line of at most `width` characters. `name` is what it is the value of."""
        from devstate.engine.jsonable import jsonable

        return self.line(jsonable(value), width, name=name)

    def line(self, value: Any, width: int, *, name: object = None) -> str:
        """The same for a value that is JSON already."""
        import json

        is_hmac = isinstance(value, str) and isinstance(name, str) and _HMAC_NAME.search(name)
        if is_hmac and not self.unmasked and _HMAC.fullmatch(value):
            value = f"{value[:16]}..."
        if self.unmasked:
            width = max(
                width, _UNMASKED_WIDTH
            )  # what was asked for whole is not cut by the width of the screen
        text = json.dumps(_cut(value, width), ensure_ascii=False, separators=(", ", ": "))
        return shortened(self.text(text), width)

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, "[MASKED]")
        return text


def moment(us: int | None) -> str:
    """Microseconds of the epoch as `2026-01-31T12:00:00Z`, 20 characters; `-` for None."""
    if us is None:
        return "-"
    try:
        at = _EPOCH + timedelta(microseconds=us)
    except OverflowError:  # a time that no calendar has: the data may hold anything
        return str(us)
    return at.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def ago(us: int | None, now: int) -> str:
    """How long before `now` (us) that was, in one unit: `3 minutes ago`."""
    if us is None:
        return ""
    seconds = (now - us) / 1e6
    if seconds < 0:
        return "in the future" if seconds < -1 else "now"
    for length, unit in _STEPS:
        if seconds >= length:
            number = int(seconds // length)
            return f"{number:,} {unit}{'s' if number != 1 else ''} ago"
    return "now" if seconds < 1 else f"{int(seconds)} s ago"


def lasted(start: int | None, end: int | None) -> str:
    """How long something took, `850 us`, `12.3 ms`, `4.20 s` or `2 h 03 min`; `` where it goes on."""
    if start is None or end is None:
        return ""
    us = end - start
    if us < 1000:
        return f"{us} us"
    if us < 1_000_000:
        return f"{us / 1000:.3g} ms" if us < 999_500 else "1.00 s"
    if us < 60_000_000:
        return f"{us / 1e6:.2f} s"
    minutes, seconds = divmod(us // 1_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def size_of(number: int) -> str:
    """Bytes in words: `999 B`, `1.2 KB`, `34 MB`."""
    size = float(number)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{number} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"


def _secrets(settings: Any) -> tuple[str, ...]:
    from devstate.errors import DevStateError
    from devstate.workspace import resolve_keyring

    try:
        keyring, _ = resolve_keyring(settings)
    except DevStateError:  # a key that cannot be read cannot be found in the data either
        return ()
    found: list[str] = []
    for key in keyring.keys if keyring is not None else ():
        secret = key.secret.reveal()
        # The public one of the format is named in documents: it is no secret.
        if len(secret) >= 8 and secret != b"beamline-secret-key-v1":
            found.append(secret.decode("utf-8", "replace"))
    return tuple(sorted(found, key=len, reverse=True))


def _walked(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            change(name) if isinstance(name, str) else name: _walked(item, change)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_walked(item, change) for item in value]
    return value


def _cut(value: Any, width: int) -> Any:
    """The beginning of a value, enough for `width` characters of JSON: a document may have megabytes."""
    most = max(4, width)
    if isinstance(value, str):
        # Far behind what is shown: an HMAC or secret that is cut in two would not be known as one.
        return value[:_TEXT]
    if isinstance(value, dict):
        return {name[:_TEXT]: _cut(item, width) for name, item in list(value.items())[:most]}
    if isinstance(value, list):
        return [_cut(item, width) for item in value[:most]]
    return value
