"""From SVG to PNG, by `rsvg-convert`: other converters shift the columns of a terminal.

The colours are then counted: a terminal has few, and a picture with a palette is a quarter as large.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

__all__ = ["CannotConvert", "converter", "to_png"]

_INSTALL = "On Debian and Ubuntu: apt-get install librsvg2-bin fonts-firacode. Or make only SVGs: --svg-only"


_COLOURS = 256


class CannotConvert(Exception):
    """A program or a font is missing; the text says which one and where it comes from."""


def converter() -> str:
    """The path of `rsvg-convert`. Raises CannotConvert where it or the font of the pictures is missing."""
    if find_spec("PIL") is None:
        raise CannotConvert("a PNG needs the package pillow: pip install -c constraints.txt -e '.[dev]'")
    program = shutil.which("rsvg-convert")
    if program is None:
        raise CannotConvert(f"a PNG needs the program rsvg-convert. {_INSTALL}")
    lister = shutil.which("fc-list")
    if lister is not None:
        fonts = subprocess.run([lister, ":", "family"], capture_output=True, text=True, check=False).stdout
        if "Fira Code" not in fonts:
            raise CannotConvert(f"a PNG needs the font Fira Code: without it columns shift. {_INSTALL}")
    return program


def to_png(program: str, svg: Path) -> None:
    """Write the PNG beside the SVG, in its own size. Raises CannotConvert with what the program said."""
    from PIL import Image  # only here: SVGs alone can be made without it

    done = subprocess.run([program, str(svg)], capture_output=True, check=False)
    if done.returncode:
        raise CannotConvert(f"{svg.name}: {done.stderr.decode(errors='replace').strip()}")
    with Image.open(io.BytesIO(done.stdout)) as image:
        few = image.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(svg.with_suffix(".png"), optimize=True)
