"""All there is to say about one entry, as data: what v1 covers, what it does not, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from devstate.chain import COVERED, MEMBERS, letter_meaning, mask_hmac
from devstate.findings.visible import visible, visible_json

from .letters import WORDS
from .moments import utc_time

if TYPE_CHECKING:
    from devstate.chain import Entry, Explanation
    from devstate.findings import Finding

__all__ = ["Detail", "Fact", "Part", "Role", "detail_of", "fault_detail", "hmac_pair"]

Role = Literal["plain", "good", "bad", "warning", "info", "quiet", "json"]

_GLYPHS = {"error": "✘", "warning": "!", "info": "i"}
_ROLES: dict[str, Role] = {"error": "bad", "warning": "warning", "info": "info"}
# The finding that shows what an HMAC should be and what it is.
_PAIR = "HMAC_MISMATCH"
# A text longer than this is cut on screen; copying gives it whole.
_MOST_TEXT = 4000
_MOST_LINES = 400


class Fact(NamedTuple):
    """One line: what it is, what it says, and how it is meant. A `json` value has line breaks."""

    label: str
    value: str
    role: Role = "plain"


class Part(NamedTuple):
    title: str
    facts: tuple[Fact, ...]


class Detail(NamedTuple):
    """`title` names the entry, `verdict` is its letter and word, `meaning` a sentence behind it or ""."""

    title: str
    verdict: str
    letter: str
    meaning: str
    parts: tuple[Part, ...]
    note: str | None = None


def detail_of(
    entry: Entry,
    explanation: Explanation | None,
    *,
    letter: str,
    findings: Iterable[Finding] = (),
    note: str | None = None,
) -> Detail:
    """The detail of an entry. `note` is that of its bookmark, "" for a bookmark without one."""
    findings = tuple(findings)
    told = {finding.code for finding in findings}
    parts = [
        _findings(findings),
        _covered(entry, explanation, link_told="CHAIN_LINK_BROKEN" in told),
        None if _PAIR in told else _seal(entry, explanation),
        _uncovered(entry),
    ]
    return Detail(
        f"Entry {entry.index:,}",
        f"{letter} {WORDS.get(letter, '')}".rstrip(),
        letter,
        _meaning(letter),
        tuple(part for part in parts if part is not None),
        None if note is None else visible(note),
    )


def fault_detail(index: int, letter: str, message: str, findings: Iterable[Finding] = ()) -> Detail:
    """The detail of an entry whose bytes cannot be decoded."""
    found = _findings(findings)
    fault = Part("cannot be read", (Fact("why", visible(message), "bad"),))
    return Detail(
        f"Entry {index:,}",
        f"{letter} {WORDS.get(letter, '')}".rstrip(),
        letter,
        _meaning(letter),
        (fault,) if found is None else (found, fault),
    )


def _meaning(letter: str) -> str:
    """The sentence behind a letter, "" where its word says all."""
    try:
        meaning = letter_meaning(letter)
    except KeyError:
        return ""
    return "" if meaning == WORDS.get(letter) else meaning


def _findings(findings: Iterable[Finding]) -> Part | None:
    facts: list[Fact] = []
    for finding in findings:
        role = _ROLES[finding.severity]
        facts.append(
            Fact("", f"{_GLYPHS[finding.severity]} {finding.code}  {visible(finding.message)}", role)
        )
        expected, actual = (
            value and visible(value[:_MOST_TEXT]) for value in (finding.expected, finding.actual)
        )
        if finding.code == _PAIR and expected and actual:
            facts += hmac_pair(expected, actual)
        else:
            facts += [
                Fact(name, value) for name, value in (("expected", expected), ("actual", actual)) if value
            ]
        if finding.remedy:
            facts.append(Fact("remedy", visible(finding.remedy), "info"))
    return Part("what is wrong", tuple(facts)) if facts else None


def hmac_pair(expected: str, actual: str) -> tuple[Fact, Fact]:
    """The two HMACs (masked) where they differ, in the words that the command has for them."""
    return (
        Fact("expected", f"{expected}  computed"),
        Fact("actual", f"{actual}  ✘ stored", "bad"),
    )


def _covered(entry: Entry, explanation: Explanation | None, *, link_told: bool) -> Part:
    facts: list[Fact] = []
    for name in COVERED:
        label = _LABELS.get(name, name)
        if name not in entry.members:
            facts.append(Fact(label, "(missing)", "bad"))
        elif not isinstance(entry.members[name], str):
            facts.append(Fact(label, f"{_json_line(entry.members[name])}  (not a text)", "bad"))
        else:
            facts.append(Fact(label, _value(name, entry.members[name])))
        if name == "ts":
            utc = utc_time(entry.ts)
            if utc is not None and not entry.ts.startswith(utc):
                facts.append(Fact("", f"{utc}Z in UTC", "quiet"))
    if explanation is not None:
        facts.append(_link(entry, explanation, told=link_told))
    return Part("covered by the HMAC (v1)", tuple(facts))


_LABELS = {"state_checksum": "state", "hmac_prev": "previous"}


def _value(name: str, value: str) -> str:
    if name == "hmac_prev":
        return mask_hmac(visible(value)) if value else '""  (first of a chain)'
    if len(value) > _MOST_TEXT:
        return f"{visible(value[:_MOST_TEXT])}…  ({len(value):,} characters)"
    return visible(value) if value else '""'


def _link(entry: Entry, explanation: Explanation, *, told: bool) -> Fact:
    if explanation.link == "good":
        return Fact(
            "link",
            "✔ begins the chain" if entry.index == 0 else f"✔ follows entry {entry.index - 1:,}",
            "good",
        )
    if entry.index == 0:
        return Fact("link", '✘ names a predecessor; the first entry has ""', "bad")
    sentence = f"✘ does not follow entry {entry.index - 1:,}"
    if not told:
        sentence += f", which has {visible(explanation.link_expected) or 'no HMAC'}"
    return Fact("link", sentence, "bad")


def _seal(entry: Entry, explanation: Explanation | None) -> Part:
    """The HMAC, where no finding has shown it."""
    stored = mask_hmac(visible(entry.hmac)) if entry.hmac else "(missing)"
    if explanation is not None and explanation.mac == "bad":
        return Part("HMAC", hmac_pair(explanation.computed or "?", stored))
    if explanation is None or explanation.mac == "unchecked":
        expected = Fact(
            "expected", "? not computed: no key for it, or a covered field cannot be read", "warning"
        )
    else:
        expected = Fact("expected", f"✔ the same, under the key {visible(explanation.key or '?')}", "good")
    return Part("HMAC", (expected, Fact("actual", stored)))


def _uncovered(entry: Entry) -> Part:
    facts: list[Fact] = []
    for name in ("cp_from", "cp_to"):
        if name in entry.members:
            value = entry.members[name]
            facts.append(
                Fact(name, visible(value[:_MOST_TEXT]) if isinstance(value, str) else _json_line(value))
            )
    known = {*MEMBERS}
    for name, value in entry.members.items():
        if name == "metadata" or name not in known:
            facts.append(Fact(visible(name[:80]), *_json_value(value)))
    if not facts:
        facts.append(Fact("", "nothing", "quiet"))
    return Part("not covered: can be changed without a trace", tuple(facts))


def _json_value(value: Any) -> tuple[str, Role]:
    if isinstance(value, Mapping | list) and value:
        return _json_lines(value), "json"
    return _json_line(value), "plain"


def _json_line(value: Any) -> str:
    return visible_json(json.dumps(value, ensure_ascii=False, default=str))[:_MOST_TEXT]


def _json_lines(value: Any) -> str:
    lines = visible_json(json.dumps(value, ensure_ascii=False, indent=2, default=str)).splitlines()
    shown = [line if len(line) <= _MOST_TEXT else line[:_MOST_TEXT] + "…" for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… {len(lines) - _MOST_LINES:,} more lines; copy the entry to see them")
    return "\n".join(shown)
