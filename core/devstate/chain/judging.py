"""Judging entries: formats, links, MACs and times, in file order, into a `Segment`.

Every entry is judged, whatever is wrong with the one before it; a link is judged against the neighbour as it is
stored. A proven block whose columns all pass is judged as a whole; anything else goes entry by entry.
"""

from __future__ import annotations

import hashlib
import re
from hmac import compare_digest
from typing import Any, cast

import msgspec

from .entry import COVERED, MEMBERS, REQUIRED, covered_bytes, mask_hmac
from .fast import FastEntry
from .faults import WARNINGS, Fault, FileFault
from .keys import Keyring, Mac
from .limits import Limits
from .listing import Block, Single
from .report import ChainContext
from .segment import BAD, UNCHECKED, FirstTime, Lone, Segment
from .strict import find_control
from .times import plain_span, sort_key

__all__ = ["Judge"]

_HEX = b"0123456789abcdef"
_HEX64 = re.compile("[0-9a-f]{64}")
_HEX64_ANY_CASE = re.compile("[0-9a-fA-F]{64}")
_DIGESTS = ("state_checksum", "hmac_prev", "hmac")
_TEXT_OR_NONE = (str, type(None))


class Judge:
    """Takes pieces in file order; `segment()` gives the outcome so far.

    `latest` is the sort key after which a time lies in the future (None: not checked).
    """

    def __init__(
        self,
        keyring: Keyring | None,
        context: ChainContext,
        limits: Limits,
        *,
        latest: str | None,
        begins_file: bool = True,
    ) -> None:
        self._macs = [Mac(key.secret.reveal()) for key in keyring.keys] if keyring else []
        self._limits = limits
        self._latest = latest
        self._begins_file = begins_file
        state = context.state_bytes
        self._state_sha256 = hashlib.sha256(state).hexdigest() if state is not None else None
        self.count = 0
        self.bad = 0
        self.first_bad: int | None = None
        self._status = bytearray()
        self._errors = bytearray()
        self._flagged: set[int] = set()  # entries of the piece at hand that have an error beside their MAC
        self._faults: list[Fault] = []
        self._counts: dict[str, int] = {}
        self._file_faults: list[FileFault] = []
        self._members: dict[str, None] = {}
        self._first_link: tuple[str | None, int] | None = None
        self._first_time: FirstTime | None = None
        self._last_hmac: str | None = None
        self._last_key: str | None = None
        self._one_checksum: str | None = None
        self._bound: int | None = None
        self._repeated: set[str] = set()
        self._lone: dict[str, Lone] = {}
        self._named: set[str] = {*COVERED, "hmac"}  # members that need no more naming
        self._last: dict[str, Any] | FastEntry | None = None

    # -- pieces ------------------------------------------------------------------------------------

    def add_fault(self, fault: FileFault) -> None:
        """A fault of the file; an entry that it stands directly before is no longer good."""
        self._file_faults.append(fault)
        if fault.at_next:
            self._flagged.add(self.count)

    def add_single(self, single: Single) -> None:
        """One entry of the strict parser."""
        for flaw in single.parsed.flaws:
            self._fault(flaw.code, single.offset + flaw.offset, flaw.member, detail=flaw.detail)
        value = single.parsed.value
        if isinstance(value, dict):
            suspicious = _may_hold_control(single.raw)
            self._add_members(cast("dict[str, Any]", value), single.offset, look_for_control=suspicious)
            return
        if value is not msgspec.UNSET:
            self._fault("FIELD_TYPE", single.offset, "", "an object", _kind(value))
        if self.count == 0:
            self._first_link = (None, single.offset)
        self._last_hmac = None
        self._last = None
        self._one_checksum = None
        self._settle(bytes((UNCHECKED,)))

    def add_block(self, block: Block) -> int | None:
        """A block of proven entries; the number of the key, where they are all good under one."""
        look_for_control = _may_hold_control(block.data)
        if not look_for_control and self._check_columns(block):
            known = block.key
            status = (
                bytes((known,)) * len(block.entries) if known is not None else self._check_block_macs(block)
            )
            self._settle(status)
            alike = status.count(status[0]) == len(status)
            return status[0] if alike and status[0] not in (BAD, UNCHECKED) else None
        for entry, offset in zip(block.entries, entry_offsets(block), strict=True):
            self._add_members(_as_members(entry), offset, look_for_control=look_for_control)
        return None

    def _add_members(self, members: dict[str, Any], offset: int, *, look_for_control: bool) -> None:
        if look_for_control and (control := find_control(members)) is not None:
            self._fault("CONTROL_CHARS", offset, control[0], detail=f"U+{ord(control[1]):04X}")
        self._check_members(members, offset)
        message, stored = covered_bytes(members), members.get("hmac")
        if message is None or not isinstance(stored, str) or not self._macs:
            status = UNCHECKED
        else:
            status = self._check_mac(self.count, offset, message, stored)
        self._settle(bytes((status,)))

    def _settle(self, status: bytes) -> None:
        """Count the entries that were just judged; one byte of `status` each."""
        errors = bytearray(len(status))
        for index in self._flagged:
            errors[index - self.count] = 1
        self._flagged.clear()
        if BAD in status or 1 in errors:
            wrong = [i for i, key in enumerate(status) if key == BAD or errors[i]]
            self.bad += len(wrong)
            if self.first_bad is None:
                self.first_bad = self.count + wrong[0]
        self._status += status
        self._errors += errors
        self.count += len(status)

    def letters(self) -> bytes:
        """Provisional letters: what the entries are by themselves."""
        letters = bytearray(self._status.translate(_PROVISIONAL))
        at = self._errors.find(1)
        while at >= 0:
            letters[at] = 66
            at = self._errors.find(1, at + 1)
        return bytes(letters)

    def segment(self) -> Segment:
        """What was found; the judge must not be used after."""
        return Segment(
            count=self.count,
            macs=bytes(self._status),
            errors=bytes(self._errors),
            faults=self._faults,
            fault_counts=self._counts,
            file_faults=self._file_faults,
            members=list(self._members),
            first_link=self._first_link,
            first_time=self._first_time,
            last_hmac=self._last_hmac,
            last_key=self._last_key,
            one_checksum=self._one_checksum,
            bound_entry=self._bound,
            repeated_actors=sorted(self._repeated),
            lone_actors=self._lone,
            last_entry=_last_texts(self._last),
        )

    # -- a block as a whole ------------------------------------------------------------------------

    def _check_columns(self, block: Block) -> bool:
        """True where formats, links and times of all entries are right; nothing is recorded otherwise."""
        entries = block.entries
        number = len(entries)
        hmacs = [entry.hmac for entry in entries]
        previous = [entry.hmac_prev for entry in entries]
        checksums = [entry.state_checksum for entry in entries]
        first = previous[0]
        if self.count:
            if self._last_hmac != first:
                return False
        elif first and not _HEX64.fullmatch(first):
            return False
        if previous[1:] != hmacs[:-1]:
            return False
        if set(map(len, hmacs)) != {64} or set(map(len, checksums)) != {64}:
            return False
        digits = "".join(hmacs) + "".join(checksums)
        if not digits.isascii() or digits.encode().translate(None, _HEX):
            return False
        span = plain_span([entry.ts for entry in entries])
        if span is None:
            return False
        earliest, last_key = span
        if self._last_key is not None and earliest < self._last_key:
            return False
        if self._latest is not None and last_key > self._latest:
            return False
        if not self.count:
            self._first_link = (first, block.offset)
            self._one_checksum = checksums[0]
        if self._first_time is None:
            self._first_time = FirstTime(earliest, entries[0].ts, self.count, block.offset)
        self._last_hmac, self._last_key = hmacs[-1], last_key
        if self._one_checksum is not None and checksums.count(self._one_checksum) != number:
            self._one_checksum = None
        if self._state_sha256 is not None and self._state_sha256 in checksums:
            self._bound = self.count + number - 1 - checksums[::-1].index(self._state_sha256)
        self._know_actors(block)
        self._know_members(block)
        self._last = entries[-1]
        return True

    def _know_actors(self, block: Block) -> None:
        actors = [entry.actor for entry in block.entries]
        offsets: list[int] = []
        for actor in set(actors).difference(self._repeated):
            if actor in self._lone or actors.count(actor) > 1:
                self._lone.pop(actor, None)
                self._repeated.add(actor)
            else:
                at = actors.index(actor)
                offsets = offsets or entry_offsets(block)
                self._lone[actor] = Lone(self.count + at, offsets[at], block.entries[at].action)

    def _know_members(self, block: Block) -> None:
        for name in ("cp_from", "cp_to", "metadata"):
            if name not in self._members and any(
                getattr(entry, name) is not msgspec.UNSET for entry in block.entries
            ):
                self._members[name] = None

    def _check_block_macs(self, block: Block) -> bytes:
        entries = block.entries
        if not self._macs:
            return bytes((UNCHECKED,)) * len(entries)
        messages = [
            f"{entry.ts}{entry.actor}{entry.action}{entry.state_checksum}{entry.hmac_prev}".encode()
            for entry in entries
        ]
        # A key that fails for the first entry of a block seldom verifies the others.
        for number, mac in enumerate(self._macs):
            if not compare_digest(mac.hexdigest(messages[0]), entries[0].hmac):
                continue
            computed = mac.hexdigests(messages)
            if compare_digest("".join(computed), "".join([entry.hmac for entry in entries])):
                return bytes((number,)) * len(entries)
            break
        offsets = entry_offsets(block)
        stored = [entry.hmac for entry in entries]
        return bytes(
            self._check_mac(self.count + i, offsets[i], message, stored[i])
            for i, message in enumerate(messages)
        )

    # -- one entry ---------------------------------------------------------------------------------

    def _check_mac(self, index: int, offset: int, message: bytes, stored: str) -> int:
        """The number of the key that the entry verifies under, or BAD, which is recorded."""
        comparable = stored.lower() if _HEX64_ANY_CASE.fullmatch(stored) else None
        computed = ""
        for number, mac in enumerate(self._macs):
            candidate = mac.hexdigest(message)
            # The right value in the wrong letter case is a fault of its format alone.
            if comparable is not None and compare_digest(candidate, comparable):
                return number
            computed = computed or candidate
        self._fault("HMAC_MISMATCH", offset, "/hmac", mask_hmac(computed), stored, index=index)
        return BAD

    def _check_members(self, members: dict[str, Any], offset: int) -> None:
        """Types, formats, link and time of the entry at `count`."""
        for name in REQUIRED:
            if name not in members:
                self._fault("FIELD_MISSING", offset, f"/{name}")
            elif not isinstance(members[name], str):
                self._fault("FIELD_TYPE", offset, f"/{name}", "a string", _kind(members[name]))
        if not isinstance(members.get("cp_from"), _TEXT_OR_NONE):
            self._fault("FIELD_TYPE", offset, "/cp_from", "a string or null", _kind(members["cp_from"]))
        if "metadata" in members and not isinstance(members["metadata"], dict):
            self._fault("FIELD_TYPE", offset, "/metadata", "an object", _kind(members["metadata"]))
        if not members.keys() <= self._named:
            self._members.update(dict.fromkeys(name for name in members if name not in self._named))
            self._named.update(members)
        for name in _DIGESTS:
            value = members.get(name)
            if not isinstance(value, str) or _HEX64.fullmatch(value):
                continue
            # An odd link of the first entry, and an empty one of any, are faults of the link alone.
            if name == "hmac_prev" and (not value or (self.count == 0 and self._begins_file)):
                continue
            why = _why_no_digest(value)
            self._fault("FIELD_FORMAT", offset, f"/{name}", "64 lowercase hex digits", value, why)
        self._check_link(members.get("hmac_prev"), offset)
        self._check_time(members.get("ts"), offset)
        self._take(members, offset)

    def _check_link(self, stored: Any, offset: int) -> None:
        if self.count == 0:
            self._first_link = (stored if isinstance(stored, str) else None, offset)
        elif isinstance(stored, str) and self._last_hmac is not None and stored != self._last_hmac:
            self._fault("CHAIN_LINK_BROKEN", offset, "/hmac_prev", self._last_hmac, stored)

    def _check_time(self, ts: Any, offset: int) -> None:
        if not isinstance(ts, str):
            return
        key = sort_key(ts)
        if key is None:
            self._fault("FIELD_FORMAT", offset, "/ts", "an RFC 3339 time", ts)
            return
        if self._first_time is None:
            self._first_time = FirstTime(key, ts, self.count, offset)
        elif self._last_key is not None and key < self._last_key:
            self._fault("TIME_REGRESSION", offset, "/ts", self._last_key, ts)
        if self._latest is not None and key > self._latest:
            self._fault("FUTURE_TIME", offset, "/ts", self._latest, ts)
        self._last_key = key

    def _take(self, members: dict[str, Any], offset: int) -> None:
        """Keep what the entries after this one, and the conclusion, need of it."""
        stored = members.get("hmac")
        self._last_hmac = stored if isinstance(stored, str) else None
        checksum = _text(members, "state_checksum")
        if self.count == 0:
            self._one_checksum = checksum
        elif checksum != self._one_checksum:
            self._one_checksum = None
        if self._state_sha256 is not None and checksum == self._state_sha256:
            self._bound = self.count
        actor = members.get("actor")
        if not isinstance(actor, str):
            pass
        elif actor in self._lone:
            del self._lone[actor]
            self._repeated.add(actor)
        elif actor not in self._repeated:
            self._lone[actor] = Lone(self.count, offset, _text(members, "action"))
        self._last = members

    def _fault(
        self,
        code: str,
        offset: int,
        member: str = "",
        expected: str | None = None,
        actual: str | None = None,
        detail: str = "",
        *,
        index: int | None = None,
    ) -> None:
        """Record a fault of the entry at `count`, or at `index`."""
        place = self.count if index is None else index
        number = self._counts.get(code, 0)
        self._counts[code] = number + 1
        if number < self._limits.findings_per_code:
            self._faults.append(Fault(code, place, offset, member, expected, actual, detail))
        if code not in WARNINGS and code != "HMAC_MISMATCH":  # the MAC has a column of its own
            self._flagged.add(place)


_PROVISIONAL = bytes(66 if key == BAD else 69 if key == UNCHECKED else 71 for key in range(256))


def entry_offsets(block: Block) -> list[int]:
    """Where each entry of a block begins in the file."""
    offsets = [block.offset]
    between = block.layout.between
    ahead = len(block.layout.last) + len(block.layout.gap)
    found = block.data.find(between)
    while found >= 0:
        offsets.append(block.offset + found + ahead)
        found = block.data.find(between, found + ahead)
    return offsets


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _last_texts(last: dict[str, Any] | FastEntry | None) -> list[str]:
    """`Segment.last_entry` of the last entry."""
    if last is None:
        return []
    members = last if isinstance(last, dict) else _as_members(last)
    return [_text(members, name) for name in ("ts", "actor", "action", "cp_to", "state_checksum", "hmac")]


def _as_members(entry: FastEntry) -> dict[str, Any]:
    return {name: value for name in MEMBERS if (value := getattr(entry, name)) is not msgspec.UNSET}


# The UTF-8 of CONTROL beyond ASCII by its first byte, which most blocks do not hold at all.
# A test holds the two together.
_CONTROL_UTF8 = tuple(
    (first, re.compile(pattern))
    for first, pattern in (
        (0xC2, rb"\xc2[\x80-\x9f]"),
        (0xD8, rb"\xd8\x9c"),
        (0xE2, rb"\xe2(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9])"),
    )
)


def _may_hold_control(data: bytes) -> bool:
    """Whether a text of a proven block can hold a control character: escaped, DEL, or beyond ASCII."""
    if b"\\" in data or b"\x7f" in data:
        return True
    return not data.isascii() and any(
        first in data and pattern.search(data) for first, pattern in _CONTROL_UTF8
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    for kinds, name in (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a string"),
        (list, "an array"),
    ):
        if isinstance(value, kinds):
            return name
    return "an object"


def _why_no_digest(value: str) -> str:
    if _HEX64_ANY_CASE.fullmatch(value):
        return "uppercase digits"
    return f"{len(value)} characters" if len(value) != 64 else "a character that is no hex digit"
