"""Where the process begins. Nothing else is imported before it can say how an interrupt ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status (the table in docs/reference/cli.md)."""
    try:
        from .command_line import main as run

        return run(argv)
    except KeyboardInterrupt:  # while modules were imported, or a second one while the first was being told
        return 130


if __name__ == "__main__":
    sys.exit(main())
