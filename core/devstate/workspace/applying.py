"""Carrying out a plan: under the lock, against the files it was made on, each file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping

from devstate.clock import SYSTEM, Clock
from devstate.durable import (
    OS,
    Files,
    Holder,
    atomic_replace,
    create_exclusive,
    ensure_folder,
    find_leftovers,
    hold_lock,
    set_aside,
)
from devstate.errors import PlanRefused, PlanStale, StorageFault
from devstate.plans import Plan, Receipt, Target

from .places import FOLDER, LEFTOVERS, LOCK
from .planning import Content, digest_of

__all__ = ["apply_plan"]


def apply_plan(
    plan: Plan,
    *,
    holder: Holder,
    contents: Mapping[str, Content] | None = None,
    wait: float = 10.0,
    clock: Clock = SYSTEM,
    files: Files = OS,
) -> Receipt:
    """Write what the plan says, in its order; temporary files of an interrupted write are set aside first.

    `contents` gives the blocks of the targets that were planned with a callable. Raises PlanStale where a
    target is not what it was (then nothing was changed), StateLockHeld after `wait` seconds, StorageFault
    (which says what was written before).
    """
    streams = contents or {}
    for target in plan.targets:
        if target.content is None and target.path not in streams:
            raise PlanRefused(
                f"the plan does not hold the content of {target.path}",
                path=target.path,
                remedy="Make the plan anew; a plan that was stored or shown cannot be carried out.",
            )
    ensure_folder(os.path.join(plan.root, FOLDER), files=files)
    with hold_lock(os.path.join(plan.root, LOCK), holder=holder, wait=wait, clock=clock, files=files):
        aside = _clear_leftovers(plan.root, files)
        for target in plan.targets:
            _require_unchanged(plan.root, target, files)
        written: list[str] = []
        for target in plan.targets:
            try:
                _write(plan.root, target, streams, files)
            except StorageFault as error:
                if not written:
                    raise
                raise StorageFault(
                    f"{error.message}; written before that: {', '.join(written)}",
                    path=error.path,
                    remedy=f"{error.remedy} {_undo(plan, written)}",
                ) from None
            written.append(target.path)
    return Receipt(plan.id, tuple(written), _undo(plan, written), aside)


def _clear_leftovers(root: str, files: Files) -> tuple[str, ...]:
    """Move what interrupted writes left into `.trae/leftovers/`; the new paths, relative to the root."""
    moved: list[str] = []
    for leftover in find_leftovers(os.path.join(root, FOLDER), files=files):
        # All writers of ours hold the lock, so that a temporary file of ours is nobody's work any more. That
        # of another program may be: it is left where it is as long as it changes.
        try:
            place = set_aside(leftover, os.path.join(root, LEFTOVERS), files=files)
        except PlanStale:
            continue
        if place is not None:
            moved.append(os.path.relpath(place, root))
    return tuple(moved)


def _require_unchanged(root: str, target: Target, files: Files) -> None:
    place = os.path.join(root, target.path)
    now = digest_of(place, files=files)
    if now != target.before:
        how = (
            "it was removed"
            if now is None
            else "it is there already"
            if target.before is None
            else "it changed"
        )
        raise PlanStale(
            f"{target.path} is not what the plan was made for: {how}; nothing was changed",
            path=place,
            remedy="Look at the file as it is now, and repeat the command.",
        )


def _write(root: str, target: Target, streams: Mapping[str, Content], files: Files) -> None:
    place = os.path.join(root, target.path)
    ensure_folder(os.path.dirname(place), files=files)
    data = streams[target.path]() if target.content is None else target.content
    if target.before is None:
        create_exclusive(place, data, files=files)
    else:
        atomic_replace(place, data, files=files)


def _undo(plan: Plan, written: list[str]) -> str | None:
    """How a person takes the change back."""
    new = [target.path for target in plan.targets if target.before is None and target.path in written]
    changed = [target.path for target in plan.targets if target.before is not None and target.path in written]
    parts: list[str] = []
    if new:
        parts.append(f"remove {_listed(new)}")
    if changed:
        parts.append(f"restore {_listed(changed)} from version control or a backup")
    return None if not parts else f"To undo: {', '.join(parts)}."


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:5])
    return shown if len(paths) <= 5 else f"{shown} and {len(paths) - 5} more"
