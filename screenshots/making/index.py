"""The page that lists the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["write_index"]

_BEGINNING = """# Pictures of every screen

Made by `make screenshots`, on the demo workspace; do not edit them. A name says what is shown, in which theme
(`nocolor` is a terminal with `NO_COLOR` set), and how many columns and rows the terminal has. Each picture
is there as SVG and as PNG.

"""


class _Listed(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def heading(self) -> str: ...
    @property
    def sentence(self) -> str: ...


def write_index(path: Path, pictures: Sequence[_Listed]) -> None:
    """Write the page: a section for each heading, in the order of the pictures."""
    lines: list[str] = []
    heading = ""
    for picture in pictures:
        if picture.heading != heading:
            heading = picture.heading
            lines += ["", f"## {heading}", ""] if lines else [f"## {heading}", ""]
        lines.append(
            f"- [{picture.name}]({picture.name}.png) ([SVG]({picture.name}.svg)): {picture.sentence}"
        )
    path.write_text(_BEGINNING + "\n".join(lines) + "\n", "utf-8")
