"""What an HMAC covers, byte for byte, as pieces to show; HMACs in it stay masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from devstate.chain import mask_hmac
from devstate.findings.visible import visible

from .detail import Fact, hmac_pair

if TYPE_CHECKING:
    from devstate.chain import Entry, Explanation

__all__ = ["Piece", "explained"]

_MOST_TEXT = 2000


class Piece(NamedTuple):
    """A covered field: the bytes `[start, stop)` of the message, as text to show."""

    name: str
    start: int
    stop: int
    text: str


def explained(entry: Entry, explanation: Explanation) -> tuple[list[Piece], list[Fact], list[str]]:
    """The pieces of the message, facts on the HMAC and the link, and sentences on what is not covered."""
    pieces = [
        Piece(part.name, part.start, part.end, _shown(part.name, part.value)) for part in explanation.covered
    ]
    actual = visible(explanation.stored) or "(missing)"
    if explanation.mac == "bad":
        verdict = [*hmac_pair(explanation.computed or "?", actual)]
        verdict.append(Fact("", "A field above, or the HMAC itself, was changed.", "quiet"))
    elif explanation.mac == "good":
        same = Fact("expected", f"✔ the same, under the key {visible(explanation.key or '?')}", "good")
        verdict = [same, Fact("actual", actual)]
    else:
        unknown = "? not computed: there is no key for it, or a covered field cannot be read"
        verdict = [Fact("expected", unknown, "warning"), Fact("actual", actual)]
    verdict.append(_link(entry, explanation))
    names = ", ".join(visible(name[:80]) for name in explanation.uncovered)
    uncovered = [
        f"Not covered, so that a change leaves no trace: {names or 'nothing'}.",
        "Nothing stands between the fields: bytes moved from the end of one to the beginning of the next "
        "give the same HMAC.",
    ]
    return pieces, verdict, uncovered


def _link(entry: Entry, explanation: Explanation) -> Fact:
    if explanation.link == "good":
        last = (
            "begins the chain" if entry.index == 0 else f"hmac_prev is the HMAC of entry {entry.index - 1:,}"
        )
        return Fact("link", f"✔ {last}", "good")
    if entry.index == 0:
        return Fact("link", '✘ hmac_prev names a predecessor; the first entry has ""', "bad")
    before = visible(explanation.link_expected) or "no HMAC"
    return Fact(
        "link", f"✘ hmac_prev is another HMAC than that of entry {entry.index - 1:,}, {before}", "bad"
    )


def _shown(name: str, value: str) -> str:
    if name == "hmac_prev":
        return mask_hmac(visible(value))
    return visible(value[:_MOST_TEXT]) + ("…" if len(value) > _MOST_TEXT else "")
