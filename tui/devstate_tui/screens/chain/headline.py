"""The sentences above the list: how many entries, how good, and what concerns the whole file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.content import Content

from devstate.findings import Severity
from devstate.findings.visible import visible
from devstate_tui.models.letters import WORDS, occurring, tone_of
from devstate_tui.widgets.entry_detail import LETTER_STYLES
from devstate_tui.widgets.title_line import TitlePart

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.findings import Finding
    from devstate_tui.models.chain import ChainModel

__all__ = ["file_faults", "headline", "no_entries", "progress_line", "trouble"]

_GLYPHS = {Severity.ERROR: "✘", Severity.WARNING: "!", Severity.INFO: "i"}
_STYLES = {Severity.ERROR: "$text-error", Severity.WARNING: "$text-warning", Severity.INFO: ""}

_QUIET = "$text-muted"
# Ranks of the parts of the title: where there is little room, the highest goes first. The letters that a reader
# cannot guess stay longest; how many verify stands in the status bar, too.
_NAME, _VERDICT, _ENTRIES, _HARD_LETTER, _MARK, _COUNT, _LETTER, _REST = range(8)


def headline(model: ChainModel) -> list[TitlePart]:
    """The verdict on a whole reading, and at the right what the letters of the list mean."""
    report = model.report
    parts = [TitlePart(Content.styled("Chain", "bold"), _NAME), TitlePart(_entries(model.count), _ENTRIES)]
    if report is None:
        return parts
    first = model.first_break
    verified = TitlePart(Content(f"{report.verified:,} verify"), _REST)
    if first is not None:
        parts.append(_verdict(f"✘ first break at {first:,}", "$text-error"))
        parts += [TitlePart(Content(f"{model.broken:,} broken"), _COUNT), verified]
    elif not report.ok:
        parts += [_verdict("✘ the file has errors", "$text-error"), verified]
    elif report.verified == report.entries:
        parts.append(_verdict("✔ all verify", "$text-success"))
        if any(key.weak for key in report.keys):
            parts.append(TitlePart(Content.styled("! under a weak key", "$text-warning"), _COUNT))
    else:
        parts.append(_verdict(f"? {report.verified:,} verify", "$text-warning"))
    return parts + _legend(model)


def _legend(model: ChainModel) -> list[TitlePart]:
    """The letters and marks that occur in the list, as they look there, each with its word."""
    parts: list[TitlePart] = []
    for letter in occurring(model.letters):
        style = _QUIET if letter == "U" else LETTER_STYLES[tone_of(letter)]
        words = Content.assemble((letter, f"bold {style}"), (f" {WORDS[letter]}", _QUIET))
        parts.append(TitlePart(words, _LETTER if letter in "BG" else _HARD_LETTER, right=True))
    if model.has_warnings:
        mark = Content.assemble(("!", "bold $text-warning"), (" warning", _QUIET))
        parts.append(TitlePart(mark, _MARK, right=True))
    return parts


def progress_line(progress: Progress, *, again: bool) -> list[TitlePart]:
    """How far a scan is: a number and a bar that stand still between two messages."""
    share = progress.bytes_done / progress.bytes_total if progress.bytes_total else 1.0
    done = int(share * 20)
    bar = Content.assemble(("━" * done, "$text-accent"), ("─" * (20 - done), "$text-muted"))
    parts = [
        TitlePart(Content.styled("Chain", "bold"), _NAME),
        TitlePart(Content(f"{'reading again' if again else 'reading'} {share:4.0%}"), _VERDICT),
        TitlePart(bar, _REST),
        TitlePart(_entries(progress.entries, so_far=True), _ENTRIES),
    ]
    if progress.bad == progress.entries > 1:
        # Whether that is a wrong key or a broken chain is known at the end only.
        parts.append(_verdict("? none verifies so far", "$text-warning"))
    elif progress.first_bad is not None:
        parts.append(_verdict(f"✘ first break at {progress.first_bad:,}", "$text-error"))
    return parts


def no_entries() -> list[TitlePart]:
    """The title where there is nothing to show."""
    return [TitlePart(Content.styled("Chain", "bold"), _NAME), _verdict("✘ no entries", "$text-error")]


def _verdict(words: str, style: str) -> TitlePart:
    return TitlePart(Content.styled(words, f"bold {style}"), _VERDICT)


def _entries(count: int, *, so_far: bool = False) -> Content:
    return Content(f"{count:,} {'entry' if count == 1 else 'entries'}{' so far' if so_far else ''}")


def file_faults(findings: Iterable[Finding]) -> Content | None:
    """The errors that concern the file and no single entry, one line each, with what to do."""
    faults = [f for f in findings if f.where.entry is None and f.severity is Severity.ERROR]
    if not faults:
        return None
    lines = [
        Content.assemble(
            (f"✘ {fault.code}  ", "bold $text-error"), f"{visible(fault.message)}. ", visible(fault.remedy)
        )
        for fault in faults[:2]
    ]
    if len(faults) > 2:
        lines.append(Content(f"and {len(faults) - 2} more: see the Overview"))
    return Content("\n").join(lines)


def trouble(findings: Iterable[Finding]) -> Content:
    """The page in place of the list where there is no entry to show."""
    lines = [Content.styled("There are no entries to show.", "bold"), Content("")]
    for finding in findings:
        glyph, style = _GLYPHS[finding.severity], _STYLES[finding.severity]
        lines.append(
            Content.assemble((f"{glyph} {finding.code}  ", f"bold {style}"), visible(finding.message))
        )
        if finding.where.file:
            lines.append(Content.styled(f"  {visible(finding.where.file)}", "$text-muted"))
        if finding.remedy:
            lines.append(Content(f"  {visible(finding.remedy)}"))
        lines.append(Content(""))
    lines.append(Content.styled("This screen looks again by itself when the files change.", "$text-muted"))
    return Content("\n").join(lines)
