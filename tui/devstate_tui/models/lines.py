"""One line of the Overview, and how things are said in it.

Texts of the data are made visible (control characters escaped) before they come into a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devstate.findings import Finding, Severity, visible

__all__ = ["HISTORY", "Line", "Opens", "Tone", "numbered", "said", "severity_mark", "told"]

Tone = Literal["good", "bad", "look", "plain", "muted"]
Opens = Literal["chain", "entry", "artifacts", "text", "findings", "runs", "wal"]

HISTORY = ".trae/history.json"
_MARKS: dict[Severity, tuple[str, Tone]] = {
    Severity.ERROR: ("✘", "bad"),
    Severity.WARNING: ("!", "look"),
    Severity.INFO: ("i", "muted"),
}


@dataclass(frozen=True)
class Line:
    """One line of the Overview: `glyph word  text`, the tone it is said in, and what it opens.

    `entry` is the entry to open (`opens == "entry"`), `explanation` the text to show (`opens == "text"`).
    `shorter` says the same in fewer columns, the longest first: what is shown where `text` would be cut.
    `picture` is drawn quietly before the text.
    """

    id: str
    label: str
    glyph: str
    word: str
    text: str
    tone: Tone
    opens: Opens
    entry: int | None = None
    explanation: str = ""
    shorter: tuple[str, ...] = ()
    picture: str = ""


def numbered(number: int, one: str, many: str | None = None) -> str:
    """`1 entry`, `12 entries`, `100,000 entries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def told(finding: Finding, root: str) -> str:
    """What a finding says, as one line that is safe to show; paths in the workspace are relative to it."""
    return said(finding.message, root)


def said(message: str, root: str) -> str:
    """A sentence as one line that is safe to show; paths in the workspace are relative to it."""
    return visible(message.replace(root.rstrip("/") + "/", ""))


def severity_mark(severity: Severity) -> tuple[str, Tone]:
    """The glyph of a severity and the tone it is said in."""
    return _MARKS[severity]
