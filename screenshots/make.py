"""Make a picture of every screen: `python screenshots/make.py`, or `make screenshots`.

An SVG and a PNG of each scene (`making/scenes.py`) are written beside this file, with a README that lists
them. Nothing in a picture depends on the machine, the hour or chance: a second run changes no byte of an SVG.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

# Before anything reads them: no animations, one time zone, no wish of the user's about colour.
os.environ.update(TEXTUAL_ANIMATIONS="none", TZ="UTC", LC_ALL="C.UTF-8")
for _name in [
    name for name in os.environ if name.startswith(("DEVSTATE_", "BEAMLINE_", "TEXTUAL_", "XDG_"))
] + ["NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"]:
    if _name != "TEXTUAL_ANIMATIONS":
        os.environ.pop(_name, None)
time.tzset()
sys.dont_write_bytecode = True
sys.path.insert(0, str(FOLDER))


def main() -> int:
    """Make the pictures; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make a picture of every screen.")
    parser.add_argument("names", nargs="*", help="only the pictures whose names begin so (default: all)")
    parser.add_argument("--into", type=Path, default=FOLDER, help="the folder to write to")
    parser.add_argument("--svg-only", action="store_true", help="no PNG (needs no rsvg-convert)")
    options = parser.parse_args()

    from making.index import write_index
    from making.png import CannotConvert, converter, to_png
    from making.scenes import pictures
    from making.stage import Stage, StageFailure

    into: Path = options.into
    into.mkdir(parents=True, exist_ok=True)
    wanted = [p for p in pictures() if not options.names or p.name.startswith(tuple(options.names))]
    try:
        program = None if options.svg_only else converter()
        # The tests run this too, maybe several at once: every run has a home of its own.
        with tempfile.TemporaryDirectory(prefix="devstate-screenshots-") as home:
            stage = Stage(Path(home))
            for picture in wanted:
                path = into / f"{picture.name}.svg"
                path.write_text(picture.take(stage), "utf-8")
                if program is not None:
                    to_png(program, path)
    except StageFailure as error:
        print(f"screenshots: {picture.name}: {error}", file=sys.stderr)
        return 1
    except CannotConvert as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 3
    if not options.names:
        _remove_old(into, {picture.name for picture in wanted})
        write_index(into / "README.md", wanted)
    print(f"{len(wanted)} pictures in {into}")
    return 0


def _remove_old(folder: Path, names: set[str]) -> None:
    """Take away pictures of scenes that are no more."""
    for path in [*folder.glob("*.svg"), *folder.glob("*.png")]:
        if path.stem not in names:
            path.unlink()


if __name__ == "__main__":
    raise SystemExit(main())
