"""What every command that changes a database does: plan it, let the user agree, do it, and tell what came of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from .changing import carry_out
from .databases import Place, has_database
from .invocation import Invocation
from .outcome import Outcome
from .screen import Screen

if TYPE_CHECKING:
    from devstate.plans import Plan, Target

__all__ = ["Agreement", "Change", "change_database", "changing_options", "log_targets"]


@dataclass(frozen=True)
class Agreement:
    """How far the user agrees: `--yes`, `--dry-run`, and for how many seconds to wait for the lock."""

    yes: bool
    dry_run: bool
    wait: float


@dataclass(frozen=True)
class Change:
    """What a change came to: the paths that were written, the lines for a person, the members of the document."""

    applied: tuple[str, ...]
    said: Callable[[Screen], Iterable[str]]
    document: Mapping[str, Any] = field(default_factory=dict[str, Any])
    undo: str | None = None
    set_aside: tuple[str, ...] = ()


def changing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes`, `--dry-run` and `--wait`, given to the command as `agreed`, an `Agreement`."""

    @functools.wraps(function)
    def command(*args: Any, yes: bool, dry_run: bool, wait: float, **others: Any) -> Any:
        return function(*args, agreed=Agreement(yes, dry_run, wait), **others)

    for option in (
        click.option(
            "--wait", type=click.FloatRange(0), default=10.0, metavar="SECONDS", help="For the lock (10)."
        ),
        click.option("--dry-run", is_flag=True, help="Show what would be done, and stop."),
        click.option("--yes", is_flag=True, help="Go ahead without asking."),
    ):
        command = option(command)
    return command


def change_database(
    call: Invocation,
    place: Place,
    action: str,
    targets: tuple[Target, ...],
    work: Callable[[], Change],
    agreed: Agreement,
    *,
    otherwise: Mapping[str, Any] | None = None,
) -> Outcome:
    """Do `work` once it is agreed to. The document has the members of its `Change`, else those of `otherwise`.

    Raises PlanRefused without an agreement, and what `work` raises.
    """
    from devstate.plans import Receipt

    plan = _plan(place, action, targets)
    made: list[Change] = []

    def apply() -> Receipt:
        made.append(work())
        return Receipt(plan.id, made[0].applied, made[0].undo, made[0].set_aside)

    def said(screen: Screen) -> Iterable[str]:
        return made[0].said(screen)

    done = carry_out(plan, apply, call, yes=agreed.yes, dry_run=agreed.dry_run, said=said)
    more = made[0].document if made else otherwise or {}
    return Outcome({**done.document, **more}, done.text, done.status)


def log_targets(place: Place, what: str) -> tuple[Target, ...]:
    """The targets of a change that is a commit: what is there is not touched."""
    from devstate.plans import Target

    log = Target(f"{place.shown}/wal", None, None, what)
    if has_database(place):
        return (log,)
    return (Target(place.shown, None, None, "write: a new database"), log)


def _plan(place: Place, action: str, targets: tuple[Target, ...]) -> Plan:
    """The files of a database have no digests in it, as others may be writing them."""
    import hashlib

    from devstate.plans import Plan

    identity = "\0".join([action, place.path, *(f"{target.path}\0{target.diff}" for target in targets)])
    number = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return Plan(number, action, place.root or place.path, targets)
