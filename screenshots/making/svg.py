"""An SVG as Rich makes it, turned into one that is the same each time and everywhere.

Rich makes its ids of a sum over objects, names a web font, draws a text in as many parts as it was printed in,
and squeezes those that hold wide letters. Here the ids come from the name of the picture, nothing is loaded from
the network, what looks the same is drawn in the same parts, and each wide or foreign letter has its own cell.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from html import escape, unescape

from rich.cells import cell_len

__all__ = ["stable_svg"]

_ID = re.compile(r"terminal-\d+")
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_TEXT = re.compile(
    r'<text class="(?P<class>[^"]*)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)" '
    r'textLength="[^"]*" clip-path="(?P<clip>[^"]*)">(?P<text>[^<]*)</text>'
)
_TEXTS = re.compile(rf"(?:{re.sub(r'[?]P<[a-z]+>', '?:', _TEXT.pattern)}\s*)+")
_RECT = re.compile(
    r'<rect fill="(?P<fill>[^"]*)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)" '
    r'width="(?P<width>[^"]*)" (?P<rest>height="[^"]*" shape-rendering="crispEdges")/>'
)
_RECTS = re.compile(rf"(?:{re.sub(r'[?]P<[a-z]+>', '?:', _RECT.pattern)}\s*)+")
_UNDERLINED = re.compile(r"\.(\S+) \{[^}]*underline")
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
    underlined = frozenset(_UNDERLINED.findall(svg))
    svg = _TEXTS.sub(lambda found: "\n".join(_texts(found[0], underlined)) + "\n", svg)
    svg = _RECTS.sub(lambda found: "\n".join(_rects(found[0])) + "\n", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


@dataclass(frozen=True)
class _Run:
    """A text in one style on one line; `column` is where it begins."""

    style: str
    y: str
    clip: str
    column: int
    text: str

    @property
    def end(self) -> int:
        return self.column + cell_len(self.text)


def _texts(block: str, underlined: frozenset[str]) -> Iterator[str]:
    for run in _joined(_words(block), underlined):
        column = run.column
        for piece in _pieces(run.text):
            # Spaces at both ends are left out: some programs cut them off and draw the rest in their place.
            bare = piece.strip(" ")
            if bare:
                begin = column + len(piece) - len(piece.lstrip(" "))
                shown = escape(bare).replace(" ", "&#160;")
                yield (
                    f'<text class="{run.style}" x="{begin * _CELL:.6g}" y="{run.y}" '
                    f'textLength="{cell_len(bare) * _CELL:.6g}" clip-path="{run.clip}">{shown}</text>'
                )
            column += cell_len(piece)


def _words(block: str) -> Iterator[_Run]:
    for found in _TEXT.finditer(block):
        column = round(float(found["x"]) / _CELL)
        text = unescape(found["text"]).replace("\N{NO-BREAK SPACE}", " ")
        for word in text.split(" "):
            if word:
                yield _Run(found["class"], found["y"], found["clip"], column, word)
            column += cell_len(word) + 1


def _joined(words: Iterable[_Run], underlined: frozenset[str]) -> Iterator[_Run]:
    """Words of one style that follow each other, as one run; a line is never drawn under a gap."""
    run: _Run | None = None
    for word in words:
        if run is not None:
            gap = word.column - run.end
            if (run.style, run.y) == (word.style, word.y) and (
                gap == 0 or (0 < gap < 3 and run.style not in underlined)
            ):
                run = replace(run, text=run.text + " " * gap + word.text)
                continue
            yield run
        run = word
    if run is not None:
        yield run


def _rects(block: str) -> Iterator[str]:
    """The backgrounds; those of one colour that touch each other are one."""
    drawn: list[tuple[str, str, str, int, int]] = []
    for found in _RECT.finditer(block):
        begin = round(float(found["x"]) / _CELL)
        end = begin + round(float(found["width"]) / _CELL)
        if drawn and drawn[-1][:3] == (found["fill"], found["y"], found["rest"]) and drawn[-1][4] == begin:
            begin = drawn.pop()[3]
        drawn.append((found["fill"], found["y"], found["rest"], begin, end))
    for fill, y, rest, begin, end in drawn:
        yield f'<rect fill="{fill}" x="{begin * _CELL:.6g}" y="{y}" width="{(end - begin) * _CELL:.6g}" {rest}/>'


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
