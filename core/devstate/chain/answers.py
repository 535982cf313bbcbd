"""The four answers of a report, and which checks stand behind them."""

from __future__ import annotations

from devstate.findings import Finding, Severity

from .keys import Keyring
from .report import Answer, Answers, ChainContext, KeyUse
from .segment import Segment

__all__ = ["answers_of", "checks_not_run", "checks_run"]


def answers_of(
    segment: Segment,
    findings: list[Finding],
    uses: tuple[KeyUse, ...],
    good: int,
    keyring: Keyring | None,
) -> Answers:
    """Integrity, authenticity, completeness and time; `good` counts the entries that are individually good."""
    codes = {one.code for one in findings}
    errors = [one for one in findings if one.severity is Severity.ERROR]
    return Answers(
        integrity=_integrity(segment, codes, errors, good),
        authenticity=_authenticity(segment, uses, codes, keyring),
        completeness=_completeness(codes, segment),
        time=_time(codes, segment),
    )


def _integrity(segment: Segment, codes: set[str], errors: list[Finding], good: int) -> Answer:
    count = segment.count
    broken = [one for one in errors if one.failure_class.value == "integrity"]
    if broken:
        entries = [one.where.entry for one in broken if one.where.entry is not None]
        place = f"first at entry {min(entries):,}" if entries else "the file as a whole is damaged"
        return Answer("no", f"{good:,} of {count:,} entries verify; {place}")
    if "WRONG_KEY" in codes:
        return Answer("unknown", f"links intact, but none of {count:,} entries verifies: wrong key")
    if "KEY_MISSING" in codes:
        return Answer("unknown", f"{count:,} links intact; HMACs not checked, no key")
    if not count:
        return Answer("unknown", "no entries")
    return Answer("yes", f"{good:,} of {count:,} entries verify (v1)")


def _authenticity(
    segment: Segment, uses: tuple[KeyUse, ...], codes: set[str], keyring: Keyring | None
) -> Answer:
    if keyring is None:
        return Answer("unknown", "no key given")
    if not uses:
        return Answer("unknown", "no entry verifies under the given key")
    if "KEY_COMPROMISED" in codes:
        return Answer("no", "a compromised key signed entries")
    weak = [use for use in uses if use.weak]
    if weak:
        kind = "public default key" if any(use.public for use in weak) else "key too short"
        return Answer("no", f"{kind}: anybody can have written them")
    names = ", ".join(dict.fromkeys(repr(use.kid) for use in uses))
    return Answer("yes", f"written with key {names}; every holder of it can have written them")


def _completeness(codes: set[str], segment: Segment) -> Answer:
    if codes & {"HEAD_MISSING", "EMPTY_HISTORY"}:
        return Answer(
            "no", "entries at the beginning are missing" if segment.count else "all entries are missing"
        )
    return Answer("unknown", "unproven: no pin; a removed tail leaves no trace")


def _time(codes: set[str], segment: Segment) -> Answer:
    wrong = [code for code in ("TIME_REGRESSION", "FUTURE_TIME") if code in codes]
    if wrong:
        times = sum(segment.fault_counts.get(code, 0) for code in wrong)
        return Answer("no", f"{times} times go back or lie in the future")
    return Answer("unknown", "claimed by the writers only")


def checks_run(keyring: Keyring | None, context: ChainContext) -> tuple[str, ...]:
    """What was checked, in words."""
    run = ["encoding and JSON", "limits", "member types and formats", "links", "order of times"]
    if keyring is not None:
        run.append("HMACs under " + ", ".join(repr(key.kid) for key in keyring.keys))
        run.append("use of keys")
    if context.now is not None:
        run.append("times against the clock")
    if context.state_bytes is not None:
        run.append("binding to state.json")
    return tuple(run)


def checks_not_run(keyring: Keyring | None, context: ChainContext) -> tuple[str, ...]:
    """What was not, and why."""
    left = ["pins and signed heads (none given)", "artifacts (devstate validate)"]
    if keyring is None:
        left.insert(0, "HMACs (no key)")
    if context.now is None:
        left.append("times against the clock (no time given)")
    if context.state_bytes is None:
        left.append("binding to state.json (there is none)")
    return tuple(left)
