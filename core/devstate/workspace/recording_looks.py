"""What a recording sees of the two documents: each read again only when its file is another one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from devstate.durable import OS, Files, Identity, identity_of, read_bounded
from devstate.errors import ChangedDuringRead, DevStateError
from devstate.settings import Limits
from devstate.trae import parse_state

from .places import HISTORY, STATE

__all__ = ["Documents", "HistoryLook", "StateLook"]

_ATTEMPTS = 5
_UNSEEN = Identity(-1, -1, -1, -1, -1)


class StateLook(msgspec.Struct, frozen=True):
    """The state at one moment. `fault` says why there is no document; `sha256` is of the bytes."""

    sha256: str | None = None
    document: dict[str, Any] | None = None
    fault: str | None = None


class HistoryLook(msgspec.Struct, frozen=True):
    """The entries at one moment, each as its bytes; none where `fault` says why."""

    sha256: str | None = None
    entries: tuple[msgspec.Raw, ...] = ()
    fault: str | None = None


T = TypeVar("T", StateLook, HistoryLook)


class Documents:
    """The two documents of a workspace, as they were last seen."""

    def __init__(self, root: str, *, limits: Limits, files: Files = OS) -> None:
        def state(data: bytes) -> StateLook:
            return _state(data, limits)

        self._state = _Watched(os.path.join(root, STATE), state, StateLook, limits.file_bytes, files)
        self._history = _Watched(os.path.join(root, HISTORY), _history, HistoryLook, limits.file_bytes, files)

    @property
    def state(self) -> StateLook:
        return self._state.seen

    @property
    def history(self) -> HistoryLook:
        return self._history.seen

    def look(self, *, last: bool = False) -> None:
        """See what is there now.

        A document that was readable and is not gets a second look before that is believed: many programs write
        a file in two steps. With `last` there is none to come, so that it is believed at once.
        """
        self._state.look(last)
        self._history.look(last)


class _Watched(Generic[T]):
    def __init__(
        self, place: str, parse: Callable[[bytes], T], empty: Callable[..., T], limit: int, files: Files
    ) -> None:
        self.seen: T = empty()
        self._place = place
        self._parse = parse
        self._empty = empty
        self._limit = limit
        self._files = files
        self._identity: Identity | None = _UNSEEN
        self._doubted = False

    def look(self, last: bool) -> None:
        identity: Identity | None = None
        try:
            identity = identity_of(self._place, files=self._files)
            if identity == self._identity:
                return
            found = self._read(last)
            identity = found.identity
            seen = self._parse(found.data)
        except ChangedDuringRead as error:
            if not last:
                return  # the next look is soon
            seen = self._empty(fault=error.message)
        except DevStateError as error:
            seen = self._empty(fault=error.message)
        if seen.fault is not None and self.seen.fault is None and not (last or self._doubted):
            self._doubted = True
            return
        self._doubted = False
        self._identity = identity
        self.seen = seen

    def _read(self, last: bool) -> Any:
        for _ in range(_ATTEMPTS - 1 if last else 0):
            try:
                return read_bounded(self._place, limit=self._limit, files=self._files)
            except ChangedDuringRead:
                continue
        return read_bounded(self._place, limit=self._limit, files=self._files)


def _state(data: bytes, limits: Limits) -> StateLook:
    sha256 = hashlib.sha256(data).hexdigest()
    document, findings = parse_state(data, file=STATE, limits=limits)
    if document is None:
        return StateLook(sha256, None, findings[0].message if findings else "it is no state document")
    return StateLook(sha256, document.document)


class _Listing(msgspec.Struct):
    entries: list[msgspec.Raw]


_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_listing = msgspec.json.Decoder(_Listing).decode


def _history(data: bytes) -> HistoryLook:
    """The entries as they stand in the file: whether they are good is for verification to say."""
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        listed = _listing(data).entries if data[:64].lstrip()[:1] == b"{" else _array(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = (
            str(error) if isinstance(error, msgspec.MsgspecError) else "it is nested too deeply or not UTF-8"
        )
        return HistoryLook(sha256, (), f"it is no list of entries: {why}")
    return HistoryLook(sha256, tuple(listed))
