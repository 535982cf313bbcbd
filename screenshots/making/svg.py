"""An SVG as Rich makes it, turned into one that is the same each time and everywhere.

Rich makes its ids of a sum over objects, names a web font, and squeezes texts that hold wide letters. Here
the ids come from the name of the picture, nothing is loaded from the network, and each wide or foreign
letter stands in its own cell.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator
from html import escape, unescape

from rich.cells import cell_len

__all__ = ["stable_svg"]

_ID = re.compile(r"terminal-\d+")
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_TEXT = re.compile(
    r'<text class="(?P<class>[^"]*)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)" '
    r'textLength="[^"]*" clip-path="(?P<clip>[^"]*)">(?P<text>[^<]*)</text>'
)
_CELL = 12.2  # pixels: Rich's width of a column
# A letter of Fira Code is 8/13 of its size wide: at this size, and not at 20, it fills a column exactly.
_MATRIX = ("font-size: 20px;", "font-size: 19.825px;\n        font-variant-ligatures: none;")
_SIGNS = frozenset("!#$%&*+-./:;<=>?@\\^_|~")
_RIGHT_TO_LEFT = ("R", "AL", "AN")


def stable_svg(svg: str, name: str) -> str:
    """The picture with ids made of `name`."""
    svg = _ID.sub(f"t{zlib.crc32(name.encode()):08x}", svg)
    svg = svg.replace(*_MATRIX)
    svg = _FONT_FACE.sub("", svg)
    svg = svg.replace("font-family: Fira Code, monospace;", 'font-family: "Fira Code", monospace;')
    svg = svg.replace("font-family: arial;", 'font-family: "DejaVu Sans", Arial, sans-serif;')
    svg = _TEXT.sub(lambda found: "\n".join(_texts(found)), svg)
    svg = svg.replace("</text><", "</text>\n<").replace("/><rect", "/>\n<rect")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _texts(found: re.Match[str]) -> Iterator[str]:
    at = float(found["x"])
    for piece in _pieces(unescape(found["text"]).replace("\N{NO-BREAK SPACE}", " ")):
        # Spaces at both ends are left out: some programs cut them off and draw the rest in their place.
        bare = piece.strip(" ")
        if bare:
            begin = at + (len(piece) - len(piece.lstrip(" "))) * _CELL
            shown = escape(bare).replace(" ", "&#160;")
            yield (
                f'<text class="{found["class"]}" x="{begin:.6g}" y="{found["y"]}" '
                f'textLength="{cell_len(bare) * _CELL:.6g}" clip-path="{found["clip"]}">{shown}</text>'
            )
        at += cell_len(piece) * _CELL


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that can be placed alone: plain runs, right-to-left runs, else letter by letter.

    Two signs such as `->` or `..` are never in one piece: the font would draw another sign for both.
    """
    piece, kind = "", ""
    for letter in text:
        joined = bool(piece) and (cell_len(letter) == 0 or piece.endswith("\u200d"))
        spaced = letter == " " and kind == "right-to-left"  # the words of such a line are one run
        of = kind if joined or spaced else _kind(letter)
        signs = bool(piece) and letter in _SIGNS and piece[-1] in _SIGNS
        if piece and not joined and (of != kind or of == "alone" or signs):
            yield piece
            piece = ""
        piece, kind = piece + letter, of
    if piece:
        yield piece


def _kind(letter: str) -> str:
    if ord(letter) < 0x250 or 0x2000 <= ord(letter) < 0x2070:
        return "plain"
    if unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT:
        return "right-to-left"
    return "alone"
