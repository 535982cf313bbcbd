"""Faults in words: the sentences and remedies of chain findings."""

from __future__ import annotations

from collections.abc import Callable

from devstate.findings import CODES, Finding, Severity, Where

from .context_checks import Kinship
from .entry import mask_hmac
from .faults import WARNINGS, Fault, FileFault

__all__ = ["Placer", "entry_finding", "file_finding", "finding", "shortened"]

# Gives the line of an entry's member, from the entry's number, a byte offset and the member's pointer.
Placer = Callable[[int | None, int, str], tuple[int | None, int]]

_LONGEST = 120
_MASKED = ("/hmac", "/hmac_prev")


def shortened(text: str) -> str:
    """A value of the data, cut to what fits into a sentence."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text):,} characters)"


def finding(
    code: str,
    severity: Severity,
    message: str,
    where: Where,
    *,
    expected: str | None = None,
    actual: str | None = None,
    remedy: str | None = None,
) -> Finding:
    """A finding with the remedy of its code, unless another one is given."""
    return Finding(
        code, severity, message, where, expected, actual, CODES[code].remedy if remedy is None else remedy
    )


def file_finding(
    fault: FileFault, file: str, line: int | None, *, next_entry: int | None, entries: int
) -> Finding:
    """The finding of a fault of the file; `next_entry` is the entry that it stands directly before."""
    message = fault.detail[:1].upper() + fault.detail[1:] + f", at byte {fault.offset}"
    if fault.code == "TORN_FILE" and next_entry is None and entries:
        message += f"; the last entry that could be read is {entries - 1:,}"
    where = Where(file, next_entry, None, line, fault.offset)
    return finding(fault.code, Severity.ERROR, message + ".", where)


def entry_finding(
    fault: Fault, file: str, pointer: str, line: int | None, offset: int, kin: Kinship | None
) -> Finding:
    """The finding of a fault at one entry."""
    severity = Severity.WARNING if fault.code in WARNINGS else Severity.ERROR
    masked = fault.member in _MASKED and fault.code != "FIELD_TYPE"
    expected, actual = (
        None if value is None else mask_hmac(value) if masked else shortened(value)
        for value in (fault.expected, fault.actual)
    )
    where = Where(file, fault.index, pointer, line, offset)
    message = _SENTENCES[fault.code](fault)
    if kin is not None and fault.code == "CHAIN_LINK_BROKEN":
        message += _kinship(fault.index, kin)
    return finding(fault.code, severity, message, where, expected=expected, actual=actual)


def _kinship(index: int, kin: Kinship) -> str:
    if kin.copy_of is not None:
        return f" It is a copy of entry {kin.copy_of:,} (DUPLICATE_ENTRY)."
    if kin.predecessor is None:
        return (
            " No entry of this file has the HMAC that it names: entries before it were removed or replaced."
        )
    if kin.predecessor < index:
        return f" It follows entry {kin.predecessor:,} (REORDERED, or entries were inserted between them)."
    return f" The entry it follows now stands after it, at {kin.predecessor:,} (REORDERED)."


def _member(fault: Fault) -> str:
    return fault.member.lstrip("/")


_SENTENCES: dict[str, Callable[[Fault], str]] = {
    "HMAC_MISMATCH": lambda f: (
        f"Entry {f.index:,} does not verify: a covered field (ts, actor, action, "
        "state_checksum, hmac_prev) or its HMAC was changed after it was written."
    ),
    "CHAIN_LINK_BROKEN": lambda f: (
        f"Entry {f.index:,} does not follow entry {f.index - 1:,}: its hmac_prev is another HMAC."
    ),
    "GENESIS_LINK": lambda f: "The first entry's hmac_prev is neither empty nor an HMAC.",
    "HEAD_MISSING": lambda f: (
        "The first entry follows an entry that is not in the file: the beginning was removed."
    ),
    "FIELD_MISSING": lambda f: f"Entry {f.index:,} has no member {_member(f)!r}.",
    "FIELD_TYPE": lambda f: (
        f"{_member(f)!r} of entry {f.index:,} is {f.actual}; it has to be {f.expected}."
        if f.member
        else f"Entry {f.index:,} is {f.actual}; it has to be an object."
    ),
    "FIELD_FORMAT": lambda f: (
        f"{_member(f)!r} of entry {f.index:,} is not {f.expected}" + (f": {f.detail}." if f.detail else ".")
    ),
    "DUPLICATE_KEY": lambda f: f"Entry {f.index:,}: {f.detail}.",
    "DUPLICATE_ENTRY": lambda f: f"Entry {f.index:,} repeats entry {int(f.detail):,}.",
    "ENCODING": lambda f: f"Entry {f.index:,}: {f.detail}.",
    "CANON_UNREPRESENTABLE": lambda f: f"Entry {f.index:,}: {f.detail}.",
    "LIMIT_EXCEEDED": lambda f: f"Entry {f.index:,}: {f.detail}.",
    "TORN_FILE": lambda f: (
        f"Entry {f.index:,} cannot be read, {f.detail} (byte {f.offset}); the entries after it are judged on."
    ),
    "TIME_REGRESSION": lambda f: f"Entry {f.index:,} is older than the entry before it.",
    "FUTURE_TIME": lambda f: f"Entry {f.index:,} lies in the future.",
    "CONTROL_CHARS": lambda f: (
        f"Entry {f.index:,} holds a control or direction character ({f.detail}) in {_member(f)!r}."
    ),
    "FIELD_BOUNDARY_AMBIGUOUS": lambda f: (
        f"Entry {f.index:,}: the actor {shortened(f.actual or '')!r} is unknown, and "
        f"{shortened(f.expected or '')!r} is a beginning of actor and action together; v1 cannot tell where one ends."
    ),
}
