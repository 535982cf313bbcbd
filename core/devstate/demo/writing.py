"""Writing a demo workspace to a folder: planned first, so that it can be shown, then done."""

from __future__ import annotations

import hashlib
import os

import msgspec

from devstate.clock import SYSTEM, Clock
from devstate.durable import (
    OS,
    Files,
    Holder,
    atomic_replace,
    current_holder,
    ensure_folder,
    kind_of,
    list_folder,
    read_bounded,
)
from devstate.durable.links import create_symlink
from devstate.errors import PlanRefused, PlanStale
from devstate.plans import Plan, Receipt, Target
from devstate.workspace.applying import apply_plan
from devstate.workspace.gitignore import with_ignored
from devstate.workspace.places import LOCK, STORE
from devstate.workspace.planning import Content, plan_files

from .building import HISTORY, DemoWorkspace

__all__ = ["demo_plan", "write_demo"]

_FOLDER = ".trae"
_IGNORE = ".gitignore"


def demo_plan(root: str | os.PathLike[str], demo: DemoWorkspace, *, files: Files = OS) -> Plan:
    """What `write_demo` will make under `root`, which need not exist; nothing is changed yet.

    The targets of the history and of the database have no content and no digest: they are made while they are
    written.

    Raises PlanRefused where `root` holds a `.trae` already, or another file that the demo would replace;
    InputUnreadable.
    """
    place = os.path.abspath(root)
    if kind_of(os.path.join(place, _FOLDER), files=files) is not None:
        raise PlanRefused(
            f"{place} holds a workspace already",
            path=place,
            remedy="Give another folder, or move the folder .trae away first.",
        )
    plan = plan_files(place, _contents(place, demo, files), action="init --demo", files=files)
    occupied = [target.path for target in plan.targets if target.before and target.path != _IGNORE]
    occupied += [path for path in demo.links if kind_of(os.path.join(place, path), files=files) is not None]
    if occupied:
        raise PlanRefused(
            f"the demo would replace files of {place}: {', '.join(occupied)}",
            path=place,
            remedy="Give an empty folder.",
        )
    # The plan holds no bytes of the history: what decides them has to be in it instead.
    made = f"{demo.entries} entries made from the seed {demo.seed}"
    if demo.sentence:
        made += f"; {demo.sentence}"
    targets = tuple(
        msgspec.structs.replace(target, diff=f"created: {made}") if target.path == HISTORY else target
        for target in plan.targets
    )
    return msgspec.structs.replace(
        plan,
        id=hashlib.sha256(f"{plan.id} {made}".encode()).hexdigest()[:12],
        targets=(*targets, *_others(demo)),
    )


def write_demo(
    root: str | os.PathLike[str],
    demo: DemoWorkspace,
    *,
    plan: Plan | None = None,
    holder: Holder | None = None,
    wait: float = 10.0,
    clock: Clock = SYSTEM,
    files: Files = OS,
) -> Receipt:
    """Write the demo, each file whole or not at all, as `plan` says (made now where none is given).

    Raises what `demo_plan` raises, PlanStale where the folder has changed since the plan, StateLockHeld,
    StorageFault.
    """
    place = os.path.abspath(root)
    now = demo_plan(place, demo, files=files)
    if plan is not None and plan != now:
        raise PlanStale(
            f"{place} is not what the plan was made for; nothing was changed",
            path=place,
            remedy="Look at the folder as it is now, and repeat the command.",
        )
    fresh = kind_of(place, files=files) is None or not list_folder(place, files=files)
    contents = _contents(place, demo, files)
    receipt = apply_plan(
        msgspec.structs.replace(
            now, targets=tuple(target for target in now.targets if target.path in contents)
        ),
        holder=holder or current_holder("init --demo"),
        contents={path: content for path, content in contents.items() if not isinstance(content, bytes)},
        wait=wait,
        clock=clock,
        files=files,
    )
    others = tuple(target.path for target in now.targets if target.path not in contents)
    for path in others:
        _write_other(place, path, demo, files)
    return msgspec.structs.replace(
        receipt,
        applied=(*receipt.applied, *others),
        undo=f"To undo: remove the folder {place}." if fresh else receipt.undo,
    )


def _contents(place: str, demo: DemoWorkspace, files: Files) -> dict[str, bytes | Content]:
    """What an ordinary plan can write; the writer itself uses the lock file, and links are no files."""
    ignore = os.path.join(place, _IGNORE)
    old = read_bounded(ignore, files=files).data if kind_of(ignore, files=files) == "file" else None
    contents: dict[str, bytes | Content] = {path: data for path, data in demo.files.items() if path != LOCK}
    if demo.has_history:
        contents[HISTORY] = demo.history_chunks
    ignored = with_ignored(old)
    if ignored is not None:
        contents[_IGNORE] = ignored
    return contents


def _others(demo: DemoWorkspace) -> list[Target]:
    """What is made after the rest: the links, for a planted stale lock the text of the lock file, the database."""
    others = [Target(path, None, None, f"a symbolic link to {target}") for path, target in demo.links.items()]
    if LOCK in demo.files:
        others.append(Target(LOCK, None, None, "the text of a lock whose holder is gone"))
    if demo.runs:
        runs = "1 run" if demo.runs == 1 else f"{demo.runs} runs"
        others.append(
            Target(STORE, None, None, f"created: a database with {runs} made from the seed {demo.seed}")
        )
    return others


def _write_other(place: str, path: str, demo: DemoWorkspace, files: Files) -> None:
    name = os.path.join(place, path)
    if path == STORE:
        from .runs import build_runs

        build_runs(name, runs=demo.runs, seed=demo.seed, entries=demo.entries, files=files)
        return
    ensure_folder(os.path.dirname(name), files=files)
    if path in demo.links:
        create_symlink(name, demo.links[path])
    else:
        atomic_replace(name, demo.files[path], files=files)
