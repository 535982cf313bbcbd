"""What an HMAC covers, byte for byte, as pieces to show; HMACs in it stay masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from devstate.chain import mask_hmac
from devstate.findings.visible import visible

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


def explained(entry: Entry, explanation: Explanation) -> tuple[list[Piece], list[str], list[str]]:
    """The pieces of the message, sentences on the HMAC and the link, and on what is not covered."""
    pieces = [
        Piece(part.name, part.start, part.end, _shown(part.name, part.value)) for part in explanation.covered
    ]
    verdict = [f"stored    {visible(explanation.stored) or '(missing)'}"]
    if explanation.mac == "unchecked":
        verdict.append("computed  ? there is no key for it, or a covered field cannot be read")
    elif explanation.mac == "good":
        verdict.append(f"computed  ✔ the same, under the key {visible(explanation.key or '?')}")
    else:
        verdict.append(f"computed  ✘ {explanation.computed}: a field above, or the HMAC, was changed")
    if explanation.link == "good":
        verdict.append(
            "link      ✔ "
            + ("begins the chain" if entry.index == 0 else f"is the HMAC of entry {entry.index - 1}")
        )
    else:
        verdict.append(f"link      ✘ expected {visible(explanation.link_expected) or 'an empty text'}")
    names = ", ".join(visible(name[:80]) for name in explanation.uncovered)
    uncovered = [
        f"Not covered, so that a change leaves no trace: {names or 'nothing'}.",
        "Nothing stands between the fields: bytes moved from the end of one to the beginning of the next "
        "give the same HMAC.",
    ]
    return pieces, verdict, uncovered


def _shown(name: str, value: str) -> str:
    if name == "hmac_prev":
        return mask_hmac(visible(value))
    return visible(value[:_MOST_TEXT]) + ("…" if len(value) > _MOST_TEXT else "")
