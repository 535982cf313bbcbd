"""The few styles that texts for a terminal use, as ANSI sequences; no style where colour is off."""

from __future__ import annotations

__all__ = ["paint"]

_STYLES = {
    "bad": "1;31",
    "good": "1;32",
    "look": "1;33",
    "note": "36",
    "dim": "2",
    "strong": "1",
    "plain": "",
}


def paint(text: str, style: str, colour: bool) -> str:
    """The text in `bad good look note dim strong` or `plain`. The text has to be visible already."""
    sequence = _STYLES[style]
    return f"\x1b[{sequence}m{text}\x1b[0m" if colour and sequence and text else text
