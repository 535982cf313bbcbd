"""The conclusion: what the faults of a whole file mean together, and what nobody can conclude from it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from devstate.findings import Finding, Severity, Where
from devstate.lines import lines_of

from .answers import answers_of, checks_not_run, checks_run
from .context_checks import Kinship, ambiguous_actors, kin_of, state_sha256
from .entry import MEMBERS
from .faults import WARNINGS, Fault
from .framing import End
from .index import HistoryIndex
from .keys import Keyring
from .keyuse import KeyFault, judge_keys
from .limits import Limits
from .placing import member_offset
from .report import ChainContext, ChainReport, Head, KeyUse
from .segment import BAD, Segment
from .source import Source
from .wording import entry_finding, file_finding, finding

__all__ = ["Verified", "conclude"]

_HEX64 = re.compile("[0-9a-f]{64}")
_SEVERITIES = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}

_NOT_PROVABLE = (
    "that no writer with the key rewrote the whole chain",
    "that every event was recorded",
    "that cp_from, cp_to, metadata and unknown members are as they were written (1.0 and 1 look alike)",
    "when an entry was really made",
    "who of those that hold the key wrote an entry",
)


class Verified(msgspec.Struct, frozen=True):
    """The outcome of judging a whole file."""

    segment: Segment
    end: End
    index: HistoryIndex
    source: Source


def conclude(
    verified: Verified, keyring: Keyring | None, context: ChainContext, limits: Limits
) -> ChainReport:
    """The report on a file whose entries have all been judged."""
    segment, end = verified.segment, verified.end
    uses, key_faults = judge_keys(segment.macs, keyring) if keyring else ((), [])
    wrong_key = keyring is not None and _is_wrong_key(segment)
    faults = _all_faults(segment, context, limits)
    if wrong_key:
        faults = [fault for fault in faults if fault.code != "HMAC_MISMATCH"]
    letters = _letters(segment, keyring, faults, key_faults, unchecked=wrong_key)
    findings = [
        *_file_findings(verified, context),
        *_entry_findings(verified, faults, context),
        *_key_findings(key_faults, segment, context, limits),
        *_key_state(segment, keyring, uses, context, wrong_key=wrong_key),
        *_state_findings(segment, context),
        *_facts(segment, end, context),
    ]
    findings += _beyond_the_cap(segment, context, limits, skip="HMAC_MISMATCH" if wrong_key else None)
    findings.sort(key=_order)
    at = letters.translate(_BAD_ONLY).find(b"B")
    broken = at if at >= 0 else None
    verified_count = sum(letters.count(letter) for letter in (b"G", b"U", b"Y"))
    return ChainReport(
        file=context.file,
        size=verified.source.size,
        sha256=end.sha256,
        form=end.form,
        style=end.style,
        entries=segment.count,
        verified=verified_count,
        first_bad=broken,
        letters=letters,
        head=_head(segment),
        keys=uses,
        answers=answers_of(segment, findings, uses, verified_count, keyring),
        findings=tuple(findings),
        checks_run=checks_run(keyring, context),
        checks_not_run=checks_not_run(keyring, context),
        not_provable=_NOT_PROVABLE,
        bound_entry=segment.bound_entry,
        one_checksum=segment.one_checksum is not None and segment.count > 0,
    )


_BAD_ONLY = bytes(66 if value in b"BR" else 46 for value in range(256))


def _is_wrong_key(segment: Segment) -> bool:
    """Links intact, formats right, and nothing verifies: that is another key, not tampering."""
    return (
        segment.count >= 2
        and segment.macs.count(BAD) == segment.count
        and 1 not in segment.errors
        and not segment.file_faults
        and segment.first_link is not None
        and segment.first_link[0] == ""
    )


def _all_faults(segment: Segment, context: ChainContext, limits: Limits) -> list[Fault]:
    """The faults of the entries, with those that only the whole file shows."""
    faults = list(segment.faults)
    if segment.first_link is not None:
        stored, offset = segment.first_link
        if stored:
            code = "HEAD_MISSING" if _HEX64.fullmatch(stored) else "GENESIS_LINK"
            faults.insert(0, Fault(code, 0, offset, "/hmac_prev", "", stored))
    ambiguous = ambiguous_actors(segment, context.agents)
    for actor, lone, known in ambiguous[: limits.findings_per_code]:
        faults.append(Fault("FIELD_BOUNDARY_AMBIGUOUS", lone.index, lone.offset, "/actor", known, actor))
    segment.fault_counts["FIELD_BOUNDARY_AMBIGUOUS"] = len(ambiguous)
    return faults


def _letters(
    segment: Segment,
    keyring: Keyring | None,
    faults: Iterable[Fault],
    key_faults: Iterable[KeyFault],
    *,
    unchecked: bool,
) -> bytes:
    if unchecked:
        return b"E" * segment.count
    table = bytearray(b"E" * 256)
    table[BAD] = ord("B")
    for number, key in enumerate(keyring.keys if keyring else ()):
        table[number] = ord({"retired": "Y", "compromised": "R"}.get(key.status, "U" if key.weak else "G"))
    letters = bytearray(segment.macs.translate(bytes(table)))
    for fault in key_faults:
        if fault.code == "KEY_OUT_OF_RANGE":
            for number in range(fault.run.first, fault.run.last + 1):
                letters[number] = ord("B")
    at = segment.errors.find(1)
    while at >= 0:
        letters[at] = ord("B")
        at = segment.errors.find(1, at + 1)
    for fault in faults:  # those that only the whole file shows
        if fault.code not in WARNINGS:
            letters[fault.index] = ord("B")
    return bytes(letters)


def _head(segment: Segment) -> Head | None:
    if not segment.last_entry:
        return None
    ts, actor, action, cp_to, checksum, hmac = segment.last_entry
    return Head(segment.count - 1, hmac, ts, actor, action, cp_to, checksum)


# -- findings --------------------------------------------------------------------------------------


def _file_findings(verified: Verified, context: ChainContext) -> list[Finding]:
    segment = verified.segment
    found = segment.file_faults
    lines = lines_of(verified.source.pread, (fault.offset for fault in found))
    result: list[Finding] = []
    for fault in found:
        entry = _entry_at(verified, fault.offset) if fault.at_next else None
        result.append(
            file_finding(
                fault, context.file, lines.get(fault.offset), next_entry=entry, entries=segment.count
            )
        )
    if segment.count == 0 and verified.end.form is not None and not found and context.state_bytes is not None:
        result.append(
            finding(
                "EMPTY_HISTORY",
                Severity.ERROR,
                "The history holds no entry, but the project has a state.",
                Where(context.file),
            )
        )
    return result


def _entry_at(verified: Verified, offset: int) -> int | None:
    """The entry that begins at a byte offset."""
    low, high = 0, len(verified.index)
    while low < high:
        middle = (low + high) // 2
        if verified.index.entry(middle, verified.source).offset < offset:
            low = middle + 1
        else:
            high = middle
    return low if low < len(verified.index) else None


def _entry_findings(verified: Verified, faults: list[Fault], context: ChainContext) -> list[Finding]:
    index, source = verified.index, verified.source
    kin = kin_of(faults, index, source)
    copies = [
        Fault("DUPLICATE_ENTRY", fault.index, fault.offset, detail=str(kin[fault.index].copy_of))
        for fault in faults
        if fault.code == "CHAIN_LINK_BROKEN" and kin[fault.index].copy_of is not None
    ]
    places: list[tuple[Fault, int]] = []
    for fault in (*faults, *copies):
        offset = fault.offset
        if fault.member:
            entry = index.entry(fault.index, source)
            if offset == entry.offset:  # otherwise the strict parser has found the place itself
                offset += member_offset(entry.raw, fault.member)
        places.append((fault, offset))
    lines = lines_of(source.pread, (offset for _, offset in places))
    prefix = "/entries" if verified.end.form == "entries" else ""
    nobody: Kinship | None = None
    return [
        entry_finding(
            fault,
            context.file,
            f"{prefix}/{fault.index}{fault.member}",
            lines.get(offset),
            offset,
            kin.get(fault.index, nobody),
        )
        for fault, offset in places
    ]


def _key_findings(
    faults: list[KeyFault], segment: Segment, context: ChainContext, limits: Limits
) -> list[Finding]:
    result: list[Finding] = []
    counts: dict[str, int] = {}
    for fault in faults:
        counts[fault.code] = counts.get(fault.code, 0) + 1
        if counts[fault.code] > limits.findings_per_code:
            continue
        run = fault.run
        span = f"entry {run.first:,}" if run.first == run.last else f"entries {run.first:,} to {run.last:,}"
        severity = Severity.WARNING if fault.code in WARNINGS else Severity.ERROR
        message = f"{fault.detail[:1].upper()}{fault.detail[1:]}: {span}."
        result.append(finding(fault.code, severity, message, Where(context.file, run.first)))
    segment.fault_counts.update(counts)
    return result


def _key_state(
    segment: Segment,
    keyring: Keyring | None,
    uses: Iterable[KeyUse],
    context: ChainContext,
    *,
    wrong_key: bool,
) -> list[Finding]:
    """Findings about the keys themselves: none, the wrong one, a public or short one."""
    where = Where(context.file)
    if keyring is None:
        message = "No secret is configured, so no entry can be checked; only formats and links were."
        return [finding("KEY_MISSING", Severity.ERROR, message, where)]
    result: list[Finding] = []
    if wrong_key:
        names = ", ".join(repr(key.kid) for key in keyring.keys)
        message = (
            f"All {segment.count:,} links are intact and no entry verifies under {names}: "
            "this is not the key that the chain was written with."
        )
        result.append(finding("WRONG_KEY", Severity.ERROR, message, where))
    used = {use.kid for use in uses}
    for key in keyring.keys:
        if not key.weak or (key.kid not in used and not context.protected):
            continue
        severity = Severity.ERROR if context.protected and not context.allow_public_key else Severity.WARNING
        what = "a public default secret" if key.public else "a secret of fewer than 16 characters"
        message = f"The key {key.kid!r} is {what}: anybody can write entries that verify."
        result.append(finding("WEAK_KEY", severity, message, where))
    return result


def _state_findings(segment: Segment, context: ChainContext) -> list[Finding]:
    if context.state_bytes is None or not segment.last_entry:
        return []
    current = state_sha256(context.state_bytes)
    named = segment.last_entry[4]
    if named == current:
        return []
    if segment.bound_entry is not None:
        how = f"the last entry that names it is {segment.bound_entry:,}; later entries name other states"
    elif segment.one_checksum is not None and segment.count > 1:
        how = f"all {segment.count:,} entries name one and the same other state, so no state was ever bound"
    else:
        how = "no entry names it: it was changed without an entry"
    message = f"state.json as it stands is not the state of the last entry: {how}."
    last = segment.count - 1
    where = Where(context.file, last, None)
    return [finding("STATE_UNBOUND", Severity.WARNING, message, where, expected=current, actual=named)]


def _facts(segment: Segment, end: End, context: ChainContext) -> list[Finding]:
    """What a reader has to know, and no check can mend."""
    where = Where(context.file)
    result: list[Finding] = []
    if segment.members:
        # Which of the known ones came first depends on where blocks begin; the report must not.
        named = [name for name in MEMBERS if name in segment.members]
        named += [name for name in segment.members if name not in MEMBERS]
        message = "Not covered by the v1 HMAC, so they can change unnoticed: " + ", ".join(named) + "."
        result.append(finding("UNCOVERED_FIELD", Severity.INFO, message, where))
    if end.irregular is not None and end.form is not None:
        offset, why = end.irregular
        message = f"The bytes are not the reference serialisation: {why} (byte {offset})."
        result.append(
            finding("FORMAT_NONCANONICAL", Severity.INFO, message, Where(context.file, offset=offset))
        )
    if segment.count:
        message = (
            "Nothing outside the file says how many entries there should be: a removed tail leaves no trace."
        )
        result.append(finding("COMPLETENESS_UNPROVEN", Severity.INFO, message, where))
        message = "No check of this file can prove: " + "; ".join(_NOT_PROVABLE) + "."
        result.append(finding("NOT_PROVABLE", Severity.INFO, message, where))
    return result


def _beyond_the_cap(
    segment: Segment, context: ChainContext, limits: Limits, *, skip: str | None
) -> list[Finding]:
    """One finding for all that were counted but not listed."""
    result: list[Finding] = []
    for code, number in segment.fault_counts.items():
        if number > limits.findings_per_code and code != skip:
            severity = Severity.WARNING if code in WARNINGS else Severity.ERROR
            message = (
                f"{number - limits.findings_per_code:,} more entries have the finding {code}; the first "
                f"{limits.findings_per_code:,} are listed (setting limits.findings_per_code)."
            )
            result.append(finding(code, severity, message, Where(context.file)))
    return result


def _order(one: Finding) -> tuple[int, bool, int, int, str]:
    where = one.where
    return (
        _SEVERITIES[one.severity],
        where.entry is None and where.offset is None,
        where.offset if where.offset is not None else 0,
        where.entry if where.entry is not None else -1,
        one.code,
    )
