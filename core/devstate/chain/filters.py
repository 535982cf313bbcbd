"""Choosing entries: one meaning of a filter for `devstate history`, for the inspector and for programs.

The inspector's syntax is words with spaces between them; all have to hold:

    actor:AGENT_3 action~router cp:CP2-LC since:2026-01-01 until:2026-02-01T12:00:00Z "free text"

`:` means equal, `~` contains (letter case ignored). The same field twice means either. `cp` looks at cp_from
and cp_to. `since` and `until` take an RFC 3339 time or the beginning of one in UTC, and include it:
`until:2026-01-31` is the end of that day. A word without a field is looked for in every name and value of the
entry, letter case ignored. Double quotes keep spaces together; a backslash in them takes the next character
as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from devstate.clock import parse_rfc3339
from devstate.errors import UsageError

from .entry import Entry

__all__ = ["EVERY_ENTRY", "EntryFilter", "Match", "filter_text", "parse_filter", "parse_moment", "quick_no"]


class Match(msgspec.Struct, frozen=True):
    """A condition on one field: equal to `value`, or, with `part`, containing it in any letter case."""

    value: str
    part: bool = False

    def holds(self, text: str) -> bool:
        return self.value.casefold() in text.casefold() if self.part else self.value == text


class EntryFilter(msgspec.Struct, frozen=True):
    """Conditions that all have to hold; a field with several matches needs one of them.

    `since` and `until` are moments in UTC, both included. Each of `text` has to occur in a name or value.
    """

    actor: tuple[Match, ...] = ()
    action: tuple[Match, ...] = ()
    cp: tuple[Match, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: tuple[str, ...] = ()

    def matches(self, entry: Entry) -> bool:
        """Whether the entry meets every condition. One whose time cannot be read lies in no span of time."""
        if self.actor and not any(match.holds(entry.actor) for match in self.actor):
            return False
        if self.action and not any(match.holds(entry.action) for match in self.action):
            return False
        if self.cp and not any(m.holds(entry.cp_to) or m.holds(entry.cp_from or "") for m in self.cp):
            return False
        if (self.since or self.until) and not self._in_time(entry.ts):
            return False
        return all(_contains(entry, phrase.casefold()) for phrase in self.text)

    def _in_time(self, ts: str) -> bool:
        moment = parse_rfc3339(ts)
        if moment is None:
            return False
        return (self.since is None or moment >= self.since) and (self.until is None or moment <= self.until)


EVERY_ENTRY = EntryFilter()

_WORD = re.compile(r'(?:(actor|action|cp|since|until)([:~]))?("(?:[^"\\]|\\.)*"|[^\s"]\S*)?', re.DOTALL)
_SPACE = re.compile(r"\s*")


def parse_filter(text: str) -> EntryFilter:
    """The filter that a text in the syntax above says; an empty one lets every entry through.

    Raises UsageError with the position (in characters from 0) of a condition without a value, a quote that is
    not closed, or a time that cannot be read.
    """
    fields: dict[str, list[Match]] = {"actor": [], "action": [], "cp": []}
    times: dict[str, datetime] = {}
    phrases: list[str] = []
    for at, field, operator, value in _words(text):
        if field in fields:
            fields[field].append(Match(value, operator == "~"))
        elif field:
            if operator == "~":
                raise _wrong(f"`{field}~` does not mean anything", at, f"Write {field}:{value}.")
            if field in times:
                raise _wrong(f"`{field}` is given twice", at, "Give it once.")
            times[field] = parse_moment(value, end=field == "until", position=f"character {at}")
        else:
            phrases.append(value)
    return EntryFilter(
        actor=tuple(fields["actor"]),
        action=tuple(fields["action"]),
        cp=tuple(fields["cp"]),
        since=times.get("since"),
        until=times.get("until"),
        text=tuple(phrases),
    )


def quick_no(chosen: EntryFilter) -> Callable[[bytes], bool]:
    """A test on the bytes of an entry that is True only where `chosen` cannot match it.

    It spares a search the parsing of nearly every entry. Where it is False, only `matches` knows.
    """
    exact = [
        [match.value.encode("utf-8", "surrogatepass") for match in matches]
        for matches in (chosen.actor, chosen.action, chosen.cp)
        if matches and not any(match.part for match in matches)
    ]
    phrases = [match.value.casefold() for match in (*_lone_parts(chosen),)]
    phrases += [phrase.casefold() for phrase in chosen.text]
    folded = [(phrase, phrase.encode("utf-8", "surrogatepass")) for phrase in phrases]

    def impossible(raw: bytes) -> bool:
        if b"\\" in raw:  # with escapes, a value may be spelled in many ways
            return False
        if any(not any(value in raw for value in values) for values in exact):
            return True
        if not folded:
            return False
        if raw.isascii():
            lower = raw.lower()
            return any(data not in lower for _, data in folded)
        # Outside ASCII only the whole text can be folded: the Kelvin sign is a k.
        text = raw.decode("utf-8", "replace").casefold()
        return any(phrase not in text for phrase, _ in folded)

    return impossible


def _lone_parts(chosen: EntryFilter) -> Iterator[Match]:
    """The matches that have to hold by themselves, and are not equalities."""
    for matches in (chosen.actor, chosen.action, chosen.cp):
        if len(matches) == 1 and matches[0].part:
            yield matches[0]


def filter_text(chosen: EntryFilter) -> str:
    """The filter in the syntax; `parse_filter` gives the same filter again."""
    words: list[str] = []
    for name, matches in (("actor", chosen.actor), ("action", chosen.action), ("cp", chosen.cp)):
        words += [f"{name}{'~' if match.part else ':'}{_quoted(match.value)}" for match in matches]
    for name, moment in (("since", chosen.since), ("until", chosen.until)):
        if moment is not None:
            words.append(f"{name}:{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z")
    words += [_quoted(phrase) for phrase in chosen.text]
    return " ".join(words)


_PARTIAL = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2})?(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)


def parse_moment(text: str, *, end: bool = False, position: str | None = None) -> datetime:
    """A moment in UTC from an RFC 3339 time or the beginning of one: `2026-01-31`, `2026-01-31T12:00`.

    With `end` it is the last microsecond of what was written: of the day, the minute or the second.
    Raises UsageError where it is no such time.
    """
    match = _PARTIAL.fullmatch(text.strip())
    moment: datetime | None = None
    span = timedelta(days=1)
    if match is not None:
        day, minute, second, fraction, zone = match.groups()
        span = timedelta(seconds=1) if second else timedelta(minutes=1) if minute else span
        whole = f"{day}T{minute or '00:00'}{second or ':00'}{fraction or ''}{zone or 'Z'}"
        moment = parse_rfc3339(whole) if second or not fraction else None
        span = timedelta(microseconds=1) if fraction else span
    if moment is None:
        raise UsageError(
            "that is not a time",
            position=position,
            remedy="Write a day (2026-01-31) or a time of RFC 3339 (2026-01-31T12:00:00Z).",
        )
    try:
        return moment + span - timedelta(microseconds=1) if end else moment
    except OverflowError:  # the last moment of year 9999
        return moment


def _words(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Position, field or "", operator or "", and value of each word."""
    at = 0
    while True:
        skipped = _SPACE.match(text, at)
        at = skipped.end() if skipped else at
        if at == len(text):
            return
        found = _WORD.match(text, at)
        field, operator, value = found.groups() if found else (None, None, None)
        if not found or value is None:
            if text.startswith('"', found.end() if found else at):
                raise _wrong(
                    "a double quote is not closed", at, 'Write "..." around words that belong together.'
                )
            raise _wrong(f"`{field}{operator}` has no value", at, f"Write {field}{operator}VALUE.")
        if found.end() < len(text) and not text[found.end()].isspace():
            raise _wrong("there is text right after a quoted value", found.end(), "Put a space between them.")
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
        yield at, field or "", operator or "", value
        at = found.end()


def _wrong(message: str, at: int, remedy: str) -> UsageError:
    return UsageError(message, position=f"character {at}", remedy=remedy)


_PLAIN = re.compile(r'(?!(?:actor|action|cp|since|until)[:~])[^\s"]\S*')


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _contains(entry: Entry, phrase: str) -> bool:
    if not entry.readable or b"\\" not in entry.raw:
        # Without escapes every name and value stands in the bytes as it is: a quick no for most entries.
        if phrase not in entry.raw.decode("utf-8", "replace").casefold():
            return False
        if not entry.readable:
            return True
    return any(phrase in text.casefold() for text in _texts(entry.members))


def _texts(value: Any) -> Iterator[str]:
    """Every name and value inside a parsed JSON value, as text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)
    elif value is None:
        yield "null"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    else:
        yield str(value)
