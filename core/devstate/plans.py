"""A plan: what a change will do, said before it is done.

`Workspace.plan_*()` makes one, every face shows it, `Workspace.apply(plan)` carries out exactly that. Between
the two the inputs may change; `apply` compares the digests and raises `PlanStale` rather than guess.
"""

from __future__ import annotations

import msgspec

__all__ = ["Plan", "Receipt", "Target"]


class Target(msgspec.Struct, frozen=True):
    """One file that the plan changes.

    `path` is relative to the workspace root. `before` and `after` are `sha256:<hex>` of the whole file, None
    where it does not exist. `diff` is a unified diff or a sentence, for people. `content` is what will be written;
    where it is None, the content is made while it is written, and `after` is None too.
    """

    path: str
    before: str | None
    after: str | None
    diff: str
    content: bytes | None = None


class Plan(msgspec.Struct, frozen=True):
    """What will change, what that requires, what to be warned of. `id` is derived from the content."""

    id: str
    action: str
    root: str
    targets: tuple[Target, ...]
    requires: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """What `apply` did: the paths written, in order, and how to undo it (None where it cannot be).

    `set_aside` are the places that leftovers of an earlier, interrupted write were moved to.
    """

    plan_id: str
    applied: tuple[str, ...]
    undo: str | None = None
    set_aside: tuple[str, ...] = ()
