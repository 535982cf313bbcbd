"""The sentences above the list: how many entries, how good, and what concerns the whole file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.content import Content

from devstate.findings import Severity
from devstate.findings.visible import visible

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.findings import Finding
    from devstate_tui.models.chain import ChainModel

__all__ = ["file_faults", "headline", "progress_line", "trouble"]

_GLYPHS = {Severity.ERROR: "✘", Severity.WARNING: "!", Severity.INFO: "i"}
_STYLES = {Severity.ERROR: "$text-error", Severity.WARNING: "$text-warning", Severity.INFO: ""}


def headline(model: ChainModel) -> Content:
    """The verdict on a whole reading in one line."""
    report = model.report
    parts: list[Content] = [Content.styled("Chain", "bold"), _entries(model.count)]
    if report is None:
        return Content("  ").join(parts)
    first = model.first_break
    if first is not None:
        parts.append(Content.styled(f"✘ first break at {first}", "bold $text-error"))
        parts.append(Content(f"{model.broken:,} broken, {report.verified:,} verify"))
    elif not report.ok:
        parts.append(Content.styled("✘ the file has errors", "bold $text-error"))
        parts.append(Content(f"{report.verified:,} verify"))
    elif report.verified == report.entries:
        parts.append(Content.styled("✔ all verify", "bold $text-success"))
        if any(key.weak for key in report.keys):
            parts.append(Content.styled("! under a weak key", "$text-warning"))
    else:
        parts.append(Content.styled(f"? {report.verified:,} verify", "bold $text-warning"))
    return Content("  ").join(parts)


def progress_line(progress: Progress, *, again: bool) -> Content:
    """How far a scan is: a number and a bar that stand still between two messages."""
    share = progress.bytes_done / progress.bytes_total if progress.bytes_total else 1.0
    done = int(share * 20)
    parts = [
        Content.styled("Chain", "bold"),
        Content(f"{'reading again' if again else 'reading'} {share:4.0%}"),
        Content.assemble(("━" * done, "$text-accent"), ("─" * (20 - done), "$text-muted")),
        _entries(progress.entries, so_far=True),
    ]
    if progress.bad == progress.entries > 1:
        # Whether that is a wrong key or a broken chain is known at the end only.
        parts.append(Content.styled("? none verifies so far", "bold $text-warning"))
    elif progress.first_bad is not None:
        parts.append(Content.styled(f"✘ first break at {progress.first_bad}", "bold $text-error"))
    return Content("  ").join(parts)


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
