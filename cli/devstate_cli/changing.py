"""What every changing command does: show the plan, ask, carry it out, say what was done and how to undo."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from devstate.errors import PlanRefused
from devstate.findings import visible

from .invocation import Invocation
from .outcome import Outcome
from .screen import Screen, interactive

if TYPE_CHECKING:
    from devstate.plans import Plan, Receipt

__all__ = ["carry_out", "plan_document"]

_MOST_TARGETS = 30
# How the sentence of a target begins that is neither created nor replaced as a whole.
_OTHER_VERBS = ("append", "cut", "move", "remove", "write")


def carry_out(
    plan: Plan,
    apply: Callable[[], Receipt],
    call: Invocation,
    *,
    yes: bool,
    dry_run: bool,
    note: str = "",
    next_step: str = "",
    said: Callable[[Screen], Iterable[str]] | None = None,
) -> Outcome:
    """Carry the plan out, unless `dry_run`, when the user agrees (`yes`, or an answer at a terminal).

    `said` gives the lines for a person once it is done, in place of those about files. Raises PlanRefused
    without an agreement, and what `apply` raises.
    """
    document: dict[str, Any] = {"ok": True, "plan": plan_document(plan)}
    if note:
        document["note"] = note
    if dry_run:
        document |= {"dry_run": True, "applied": [], "undo": None}
        return Outcome(document, lambda screen: [*_plan_lines(plan, note, screen), "", "nothing was changed"])
    if not yes:
        _ask(plan, note, call)
    receipt = apply()
    document |= {"applied": list(receipt.applied), "undo": receipt.undo}
    if receipt.set_aside:
        document["set_aside"] = list(receipt.set_aside)
    return Outcome(document, said or (lambda screen: _receipt_lines(plan, receipt, note, next_step, screen)))


def plan_document(plan: Plan) -> dict[str, Any]:
    """The shape `plan` of docs/reference/cli.md; contents are not in it."""
    return {
        "id": plan.id,
        "action": plan.action,
        "targets": [
            {"path": t.path, "before": t.before, "after": t.after, "diff": t.diff} for t in plan.targets
        ],
        "requires": list(plan.requires),
        "warnings": list(plan.warnings),
    }


def _ask(plan: Plan, note: str, call: Invocation) -> None:
    if not interactive():
        raise PlanRefused(
            f"{plan.action} changes files and was not confirmed; nothing was changed",
            path=plan.root,
            remedy="Add --yes to go ahead, or --dry-run to see the plan.",
        )
    screen = Screen(colour=not call.no_color)
    for line in _plan_lines(plan, note, screen):
        screen.note(line, "plain")
    sys.stderr.write("Go ahead? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise PlanRefused("not confirmed; nothing was changed", remedy="Answer y, or add --yes.")


def _plan_lines(plan: Plan, note: str, screen: Screen) -> Iterator[str]:
    # The same lines go to stdout or stderr; only stdout's colour is known to the screen, so they stay plain.
    yield f"{plan.action} in {visible(plan.root)}"
    if note:
        yield f"  fault: {visible(note)}"
    yield from _target_lines(plan)
    for requirement in plan.requires:
        yield f"  requires: {visible(requirement)}"
    for warning in plan.warnings:
        yield f"  ! {visible(warning)}"


def _target_lines(plan: Plan) -> Iterator[str]:
    for target in plan.targets[:_MOST_TARGETS]:
        verb, _, what = target.diff.partition(": ")
        if verb in _OTHER_VERBS:
            yield f"  {verb:<7}  {visible(target.path)}  {visible(what)}"
            continue
        verb = "create " if target.before is None else "replace"
        digest = f"  {target.after[:23]}…" if target.after else ""
        yield f"  {verb}  {visible(target.path)}{digest}"
    if len(plan.targets) > _MOST_TARGETS:
        yield f"  ... and {len(plan.targets) - _MOST_TARGETS:,} more (see --json)"


def _receipt_lines(plan: Plan, receipt: Receipt, note: str, next_step: str, screen: Screen) -> Iterable[str]:
    files = "1 file" if len(receipt.applied) == 1 else f"{len(receipt.applied):,} files"
    yield f"{screen.paint('✔ done', 'good')}  {plan.action}: {files} written in {visible(plan.root)}"
    if note:
        yield f"  {screen.paint('planted', 'look')}  {visible(note)}"
    for warning in plan.warnings:
        yield f"  {screen.paint('!', 'look')}  {visible(warning)}"
    for path in receipt.set_aside:
        yield f"  set aside  {visible(path)}"
    if receipt.undo:
        yield f"  {screen.paint('undo', 'dim')}  {visible(receipt.undo.removeprefix('To undo: '))}"
    if next_step:
        yield f"  {screen.paint('next', 'strong')}  {visible(next_step)}"
