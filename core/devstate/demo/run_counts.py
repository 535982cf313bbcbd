"""How many runs a demo has; apart from what makes them, which needs the whole engine."""

from __future__ import annotations

from typing import Final

from devstate.errors import UsageError

__all__ = ["DEFAULT_RUNS", "MOST_RUNS", "check_runs"]

DEFAULT_RUNS: Final = 6
MOST_RUNS: Final = 100_000


def check_runs(runs: int) -> None:
    """Raise UsageError where a demo cannot have so many runs."""
    if not 0 <= runs <= MOST_RUNS:
        raise UsageError(
            f"a demo of {runs} runs cannot be made", remedy=f"Ask for 0 to {MOST_RUNS:,} runs (--runs)."
        )
