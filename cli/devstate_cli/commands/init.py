"""`devstate init`: a new workspace, empty or a demo."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from devstate.errors import UsageError
from devstate_cli.changing import carry_out
from devstate_cli.command import command, invocation_of
from devstate_cli.invocation import Invocation
from devstate_cli.outcome import Outcome

if TYPE_CHECKING:
    from devstate.plans import Plan, Receipt

__all__ = ["init"]


@command(
    "init",
    examples=(
        "devstate init --dry-run",
        "devstate init my-project --yes",
        "devstate init demo --demo --entries 1000 --runs 20 --seed 3 --yes",
        "devstate init broken --demo --tamper HMAC_MISMATCH --yes",
    ),
    help=(
        "Make a workspace in DIR (default: here): a state.json, and a history.json with a first entry signed "
        "with your secret.\n\n"
        "With --demo a made-up project instead, deterministic for a seed, signed with the public development "
        "key, with runs of its agents to replay and compare; --tamper CODE plants a fault (`--tamper help` lists them)."
    ),
)
@click.argument("directory", required=False, metavar="DIR", type=click.Path())
@click.option("--demo", is_flag=True, help="A made-up project with a history.")
@click.option("--entries", type=int, metavar="N", help="Entries of the demo (120).")
@click.option("--seed", type=int, metavar="S", help="Seed of the demo (7).")
@click.option("--runs", type=int, metavar="N", help="Runs in the demo's database (6), 0 for no database.")
@click.option("--tamper", metavar="CODE", help="Plant this fault in the demo.")
@click.option("--actor", metavar="A", help="Actor of the first entry (default: you).")
@click.option("--yes", is_flag=True, help="Go ahead without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would be made, and stop.")
@click.option("--wait", type=click.FloatRange(0), default=10.0, metavar="SECONDS", help="For the lock (10).")
@click.pass_context
def init(
    context: click.Context,
    directory: str | None,
    demo: bool,
    entries: int | None,
    seed: int | None,
    runs: int | None,
    tamper: str | None,
    actor: str | None,
    yes: bool,
    dry_run: bool,
    wait: float,
) -> Outcome:
    call = invocation_of(context)
    if not demo and any(option is not None for option in (entries, seed, runs, tamper)):
        raise UsageError("--entries, --seed, --runs and --tamper belong to a demo", remedy="Add --demo.")
    if tamper == "help":
        return _tampers()
    root = os.path.abspath(directory or call.directory or os.getcwd())
    if demo:
        plan, apply, note = _demo(root, entries, seed, runs, tamper, wait)
    else:
        plan, apply, note = _empty(call, root, actor, wait)
    place = "" if root == os.getcwd() else f" -C {shlex.quote(root)}"
    done = f"devstate{place} status"
    if demo and any(os.environ.get(name) for name in ("BEAMLINE_HMAC_SECRET", "HMAC_SECRET")):
        # A demo is signed with the public secret: under the one that is set, it would be WRONG_KEY.
        done = f"env -u BEAMLINE_HMAC_SECRET -u HMAC_SECRET {done}"
    return carry_out(plan, apply, call, yes=yes, dry_run=dry_run, note=note, next_step=done)


def _empty(
    call: Invocation, root: str, actor: str | None, wait: float
) -> tuple[Plan, Callable[[], Receipt], str]:
    from devstate.workspace import Workspace, load_workspace_settings

    settings = load_workspace_settings(root, flags=call.flags(actor=actor))
    workspace = Workspace(root, settings=settings)
    plan = workspace.plan_init()
    return plan, lambda: workspace.apply(plan, wait=wait), ""


def _demo(
    root: str, entries: int | None, seed: int | None, runs: int | None, tamper: str | None, wait: float
) -> tuple[Plan, Callable[[], Receipt], str]:
    from devstate.demo import (
        DEFAULT_ENTRIES,
        DEFAULT_RUNS,
        DEFAULT_SEED,
        demo_plan,
        demo_workspace,
        write_demo,
    )

    demo = demo_workspace(
        entries=DEFAULT_ENTRIES if entries is None else entries,
        seed=DEFAULT_SEED if seed is None else seed,
        tamper=tamper,
        runs=DEFAULT_RUNS if runs is None else runs,
    )
    plan = demo_plan(root, demo)
    return plan, lambda: write_demo(root, demo, plan=plan, wait=wait), demo.sentence


def _tampers() -> Outcome:
    from devstate.demo import TAMPERS

    document = {
        "ok": True,
        "tampers": [
            {"name": t.name, "code": t.code, "sentence": t.sentence, "found_by": t.found_by}
            for t in TAMPERS.values()
        ],
    }

    def lines() -> Iterator[str]:
        width = max(map(len, TAMPERS))
        for tamper in TAMPERS.values():
            yield f"{tamper.name:<{width}}  {tamper.sentence} (devstate {tamper.found_by})"

    return Outcome(document, lambda screen: lines())
