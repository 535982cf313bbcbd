"""The demo workspaces by name: the sound one, with a planted fault where asked for."""

from __future__ import annotations

import msgspec

from devstate.errors import UsageError

from .building import DemoWorkspace, build
from .recipe import Recipe
from .run_counts import check_runs
from .tampers import find_tamper

__all__ = ["DEFAULT_ENTRIES", "DEFAULT_SEED", "demo_workspace"]

DEFAULT_ENTRIES = 120
DEFAULT_SEED = 7

# A planted fault stands in the middle, with sound entries on both sides to be seen beside it.
_LEAST_FOR_TAMPER = 10


def demo_workspace(
    entries: int = DEFAULT_ENTRIES, seed: int = DEFAULT_SEED, tamper: str | None = None, runs: int = 0
) -> DemoWorkspace:
    """A demo project with a history of `entries` entries (1 to 10,000,000), deterministic by `seed`.

    It verifies under the public default secret; the only warning is WEAK_KEY. `tamper` names a fault of
    `TAMPERS` to plant, which needs 10 entries or more. `runs` is how many runs of its agents the database gets
    (`build_runs`). Raises UsageError.
    """
    check_runs(runs)
    return msgspec.structs.replace(_documents(entries, seed, tamper), runs=runs)


def _documents(entries: int, seed: int, tamper: str | None) -> DemoWorkspace:
    if tamper is None:
        return build(entries, seed, Recipe())
    fault = find_tamper(tamper)
    if entries < _LEAST_FOR_TAMPER:
        raise UsageError(
            f"a demo with a planted fault needs {_LEAST_FOR_TAMPER} entries or more, not {entries}",
            remedy=f"Ask for {_LEAST_FOR_TAMPER} entries or more (--entries).",
        )
    return build(entries, seed, fault.recipe, tamper=fault.name, sentence=fault.sentence)
