"""Writing to the terminal: results to stdout, everything else to stderr, colour only where it is wanted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from devstate.errors import StorageFault

from .standard_streams import let_go

__all__ = ["OutputLost", "Screen", "interactive"]

_WIDEST = 110


class OutputLost(StorageFault):
    """Stdout does not take what was to be written, a full disk behind it for example. What follows goes nowhere."""


def interactive() -> bool:
    """Whether a person sits at both ends: a question can be asked and answered."""
    return _is_terminal(sys.stdin) and (_is_terminal(sys.stderr) or _is_terminal(sys.stdout))


class Screen:
    """Where output goes, how wide it is, whether it has colour, and whether HMACs are shown whole."""

    def __init__(self, *, colour: bool = True, unmasked: bool = False) -> None:
        plain = not colour or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self.colour = not plain and _is_terminal(sys.stdout)
        self.colour_of_notes = not plain and _is_terminal(sys.stderr)
        self.unmasked = unmasked
        self.width = _width()
        self._progress = ""
        self._shown_at = 0.0
        for stream in (sys.stdout, sys.stderr):
            # An ASCII-only locale must not turn a verdict into a crash.
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="backslashreplace")

    def paint(self, text: str, style: str) -> str:
        """The text in a style of `devstate.findings.paint`, for stdout."""
        from devstate.findings import paint

        return paint(text, style, self.colour)

    def hmac(self, text: str) -> str:
        """A stored HMAC as it may be shown: masked unless the user asked for it whole."""
        from devstate.chain import mask_hmac
        from devstate.findings import visible

        return visible(text if self.unmasked else mask_hmac(text))

    def write(self, text: str) -> None:
        """To stdout, as it is. Raises BrokenPipeError where nobody reads it, OutputLost where it cannot be written."""
        self._clear()
        try:
            sys.stdout.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _output_lost(error) from error

    def utf8(self) -> None:
        """From now on stdout is UTF-8 whatever the locale says: what programs read has that encoding."""
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="strict")

    def flush(self) -> None:
        """Raises what `write` does."""
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _output_lost(error) from error

    def note(self, text: str, style: str = "dim") -> None:
        """A line for the person, to stderr."""
        from devstate.findings import paint

        try:
            self._clear()
            sys.stderr.write(paint(text, style, self.colour_of_notes) + "\n")
            sys.stderr.flush()
        except OSError:  # nobody can be told, and the status says the rest
            let_go(sys.stderr)

    def progress(self, verb: str) -> Callable[[Any], None] | None:
        """A callback for long verifications that draws on stderr; None where stderr is no terminal.

        Nothing is drawn in the first half second: most work is done by then.
        """
        if not _is_terminal(sys.stderr):
            return None
        started = time.monotonic()

        def draw(progress: Any) -> None:
            now = time.monotonic()
            if now - started < 0.5 or now - self._shown_at < 0.1:
                return
            self._shown_at = now
            share = progress.bytes_done / max(1, progress.bytes_total)
            filled = int(share * 24)
            bad = f", {progress.bad:,} bad" if progress.bad else ""
            bar = "█" * filled + "░" * (24 - filled)
            self._clear()
            self._progress = f"{verb} {bar} {share:4.0%}  {progress.entries:,} entries{bad}"
            sys.stderr.write("\r" + self._progress)
            sys.stderr.flush()

        return draw

    def _clear(self) -> None:
        if self._progress:
            sys.stderr.write("\r" + " " * len(self._progress) + "\r")
            sys.stderr.flush()
            self._progress = ""


def _output_lost(error: OSError) -> OutputLost:
    let_go(sys.stdout)
    return OutputLost(
        f"the output could not be written: {error.strerror or error}",
        remedy="Write it to where there is room, and run the command again.",
    )


def _width() -> int:
    if not _is_terminal(sys.stdout):
        return 100
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        columns = 0
    if columns <= 0:  # some terminals do not say
        columns = 80
    return max(40, min(columns, _WIDEST))


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:  # closed
        return False
