"""The verdict on a chain in words and as a document: the verdict first, then why, then what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from devstate.findings import (
    Finding,
    Severity,
    counted,
    findings_document,
    render_finding,
    render_text,
    visible,
)

from .screen import Screen

if TYPE_CHECKING:
    from devstate.chain import Answer, ChainReport

    from .judging import Judged

__all__ = [
    "MARKS",
    "VERDICTS",
    "answers_document",
    "head_document",
    "mark_of",
    "verdict_document",
    "verdict_lines",
]

# status -> mark, style, words
VERDICTS = {
    0: ("✔", "good", "VERIFIED"),
    1: ("✘", "bad", "BROKEN"),
    3: ("?", "look", "CANNOT DECIDE"),
    4: ("!", "look", "VERIFIED, BUT AGAINST POLICY"),
    5: ("?", "look", "NO VERDICT"),
}
MARKS = {"yes": ("✔", "good"), "no": ("✘", "bad"), "unknown": ("?", "look")}

# What the four answers and the small print say in full.
_SAID_ELSEWHERE = {"COMPLETENESS_UNPROVEN", "NOT_PROVABLE"}
_QUESTIONS = ("integrity", "authenticity", "completeness", "time")


def verdict_document(judged: Judged, status: int, *, unmasked: bool) -> dict[str, Any]:
    """The members of `devstate.verify/1` after its schema."""
    report = judged.report
    document: dict[str, Any] = {
        "ok": status == 0,
        "file": judged.file,
        "entries": report.entries if report else 0,
        "verified": report.verified if report else 0,
        "first_bad": report.first_bad if report else None,
        "head": head_document(report, unmasked=unmasked),
        "keys": _keys_document(report),
        "answers": answers_document(report),
        "findings": findings_document(judged.findings),
        "elapsed_ms": round(judged.elapsed_ms, 1),
    }
    if report is not None:
        document |= {
            "bytes": report.size,
            "sha256": report.sha256,
            "form": report.form,
            "style": report.style,
            "checks_run": list(report.checks_run),
            "checks_not_run": list(report.checks_not_run),
            "not_provable": list(report.not_provable),
        }
    return document


def head_document(report: ChainReport | None, *, unmasked: bool) -> dict[str, Any] | None:
    """Index and HMAC of the last entry; the HMAC masked unless the user asked for it whole."""
    from devstate.chain import mask_hmac

    if report is None or report.head is None:
        return None
    head = report.head
    return {"index": head.index, "hmac": head.hmac if unmasked else mask_hmac(head.hmac)}


def answers_document(report: ChainReport | None) -> dict[str, Any]:
    """`{"status", "sentence"}` for each of the four questions."""
    unread = {"status": "unknown", "sentence": "the history could not be read"}
    if report is None:
        return dict.fromkeys(_QUESTIONS, unread)
    answers: dict[str, Any] = {}
    for name in _QUESTIONS:
        answer: Answer = getattr(report.answers, name)
        answers[name] = {"status": answer.status, "sentence": answer.sentence}
    return answers


def _keys_document(report: ChainReport | None) -> list[dict[str, Any]]:
    return [
        {
            "kid": key.kid,
            "first": key.first,
            "last": key.last,
            "public": key.public,
            "weak": key.weak,
            "status": key.status,
        }
        for key in (report.keys if report else ())
    ]


def verdict_lines(judged: Judged, status: int, screen: Screen) -> Iterator[str]:
    """The verdict for a person, at most some forty lines."""
    report = judged.report
    yield headline(judged, status, screen)
    yield ""
    for name, answer in answers_document(report).items():
        mark, style = mark_of(answer["status"], failed=name == "integrity" or status == 3)
        lines = wrapped(answer["sentence"], screen.width - 19)
        yield f"  {screen.paint(f'{name:<12}', 'dim')}  {screen.paint(mark, style)}  {lines[0]}"
        yield from (" " * 19 + line for line in lines[1:])
    shown = [f for f in judged.findings if report is None or f.code not in _SAID_ELSEWHERE]
    yield from finding_lines(shown, report.first_bad if report else None, screen)
    if report is not None:
        yield ""
        yield from _small_print(report, screen)
    yield ""
    first, *rest = wrapped(next_step(judged, status, screen), screen.width - 8)
    yield f"  {screen.paint('next', 'strong')}  {first}"
    yield from (" " * 8 + line for line in rest)


def mark_of(status: str, *, failed: bool) -> tuple[str, str]:
    """Mark and style of an answer; a `no` that fails nothing (a public key in development) is not red."""
    return ("!", "look") if status == "no" and not failed else MARKS[status]


def headline(judged: Judged, status: int, screen: Screen) -> str:
    """The first line: the verdict, the file, how many entries are good."""
    mark, style, words = VERDICTS.get(status, VERDICTS[3])
    report = judged.report
    if report is None:
        what = "could not be read"
    elif report.entries == 0:
        what = "no entries"
    elif status == 0 or report.verified == report.entries:
        what = f"{report.verified:,} of {report.entries:,} entries are good"
    elif report.first_bad is not None:
        what = f"{report.verified:,} of {report.entries:,} entries are good, first bad {report.first_bad:,}"
    else:
        what = f"{report.verified:,} of {report.entries:,} entries are good"
    return f"{screen.paint(f'{mark} {words}', style)}  {visible(judged.file)}: {what}"


def finding_lines(findings: Sequence[Finding], first_bad: int | None, screen: Screen) -> Iterator[str]:
    """The first break in full, then the other errors and warnings, then notes, each on a line."""
    notes = [finding for finding in findings if finding.severity is Severity.INFO]
    others = [finding for finding in findings if finding.severity is not Severity.INFO]
    first = next(
        (
            f
            for f in others
            if first_bad is not None and f.where.entry == first_bad and f.severity is Severity.ERROR
        ),
        None,
    )
    if first is not None:
        others.remove(first)
        yield ""
        yield f"  {screen.paint('First break', 'strong')}"
        yield render_finding(first, colour=screen.colour, width=screen.width)
    if others:
        yield ""
        title = f"Also found: {counted(others)}" if first is not None else f"Found: {counted(others)}"
        yield f"  {screen.paint(title, 'strong')}"
        yield render_text(others, colour=screen.colour, width=screen.width, limit=19 if first else 20)
    if notes:
        yield ""
        for note in notes[:6]:
            lines = wrapped(note.message, max(20, screen.width - 6 - len(note.code)))
            yield f"  {screen.paint('i', 'note')} {screen.paint(note.code, 'note')}  {lines[0]}"
            yield from (" " * (6 + len(note.code)) + line for line in lines[1:3])


def _small_print(report: ChainReport, screen: Screen) -> Iterator[str]:
    for title, sentences in (
        ("not checked", report.checks_not_run),
        ("cannot be proven", report.not_provable),
    ):
        if sentences:
            text = "; ".join(visible(sentence) for sentence in sentences)
            lines = wrapped(text, screen.width - 20)
            yield f"  {screen.paint(f'{title:<16}', 'dim')}  {screen.paint(lines[0], 'dim')}"
            yield from (" " * 20 + screen.paint(line, "dim") for line in lines[1:])
    if report.head is not None:
        head = f"entry {report.head.index:,}  {screen.hmac(report.head.hmac)}  {visible(report.head.ts[:40])}"
        yield f"  {screen.paint('head'.ljust(16), 'dim')}  {head}"


def next_step(judged: Judged, status: int, screen: Screen) -> str:
    """What a person does now."""
    report = judged.report
    if status in (3, 5):
        undecided = [f for f in judged.findings if f.failure_class in ("undecidable", "io") and f.remedy]
        return visible(undecided[0].remedy) if undecided else "Give what is missing, then verify again."
    if status == 1 and report is not None and report.first_bad is not None:
        return (
            f"devstate history show {report.first_bad}   and compare:  git log -p -- {visible(judged.file)}"
        )
    if status == 1:
        return "Restore the file from an earlier copy (git log -p, a backup), then verify again."
    if any(finding.code == "WEAK_KEY" for finding in judged.findings):
        return "Sign with a secret of your own (BEAMLINE_HMAC_SECRET): with a public one anybody can forge."
    if status == 4:
        return "Settle the warnings above; without --strict they do not fail."
    if report is not None and report.head is not None:
        return "Keep count and head outside the repository; a shortened file verifies too."
    return "devstate validate   checks state, schemas and artifacts as well."


def wrapped(text: str, width: int) -> list[str]:
    """The visible text on lines of at most `width`, cut at spaces."""
    lines = [""]
    for word in visible(text).split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
