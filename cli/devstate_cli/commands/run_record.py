"""`devstate run record`: a command as a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from devstate.errors import DevStateError, UsageError
from devstate.findings import visible
from devstate_cli.command import Command, invocation_of
from devstate_cli.databases import checked_name, db_option, has_database, place_of, waited
from devstate_cli.invocation import Invocation
from devstate_cli.outcome import Outcome, error_document
from devstate_cli.screen import Screen

if TYPE_CHECKING:
    from devstate.engine import Database
    from devstate.plans import Plan
    from devstate.settings import Settings
    from devstate.workspace.recording import Recorded
    from devstate_cli.child_process import Ended
    from devstate_cli.databases import Place

__all__ = ["run_record"]

_COMMAND = "devstate.recorded_command"
_SHORT = 8


class _Record(Command):
    """What stands after `--` is the command's, its options too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, mark, command = _split(args)
        if not mark and own and not ctx.resilient_parsing and not {"--help", "-h"} & set(own):
            raise UsageError(
                "the command to record stands after `--`",
                remedy="devstate run record [--name N] [--tag T] -- CMD ARGUMENTS",
            )
        ctx.meta[_COMMAND] = command
        return super().parse_args(ctx, own)


def _split(args: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in args:
        return args, False, []
    at = args.index("--")
    return args[:at], True, args[at + 1 :]


@click.command(
    "record",
    cls=_Record,
    schema="run.record",
    options_metavar="[OPTIONS] -- CMD [ARGUMENTS]...",
    examples=(
        "devstate run record -- make test",
        "devstate run record --name nightly --tag ci -- ./scripts/nightly.sh",
        "devstate run record --json -- python agent.py",
    ),
    help=(
        "Run CMD and record what it does to state.json and history.json as a run, step by step: versions of the "
        "state by changed path, new entries, its exit status. `devstate replay` and `devstate diff` read it.\n\n"
        "CMD has this terminal and its exit status is this command's: 127 where there is no such command, 126 where "
        "it cannot be executed, 128 + n where signal n ended it. It may use the workspace and the database itself, "
        "and DEVSTATE_RUN_ID names its run. With --json what CMD prints goes to stderr, and the document follows "
        "on stdout. The environment is never recorded, and known secrets in CMD are masked."
    ),
)
@click.option("--name", metavar="N", help="Name of the run (default: the first words of CMD).")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Show what would be recorded where, and stop.")
@click.option("--wait", type=click.FloatRange(0), default=10.0, metavar="SECONDS", help="For the lock (10).")
@db_option
@click.pass_context
def run_record(
    context: click.Context,
    name: str | None,
    tags: tuple[str, ...],
    dry_run: bool,
    wait: float,
    db: str | None,
) -> Outcome | int:
    from devstate.workspace import find_root, load_workspace_settings

    call = invocation_of(context)
    argv: list[str] = context.meta[_COMMAND]
    if not argv:
        raise UsageError(
            "there is no command to record", remedy="Put it after `--`: devstate run record -- CMD"
        )
    checked_name(name, "Choose another --name.")
    root = find_root(call.directory)
    settings = load_workspace_settings(root, flags=call.flags())
    place = place_of(call, db)
    if dry_run:
        return _planned(call, root, place, argv, name, settings)
    return _record(call, root, place, argv, name, tags, wait, settings)


def _record(
    call: Invocation,
    root: str,
    place: Place,
    argv: list[str],
    name: str | None,
    tags: tuple[str, ...],
    wait: float,
    settings: Settings,
) -> Outcome | int:
    from msgspec import structs

    from devstate.durable import current_holder
    from devstate.engine import Database
    from devstate.workspace.recording import RUN_VARIABLE, Recording
    from devstate_cli.child_process import Signals, run_child

    screen = Screen(colour=not call.no_color, unmasked=call.unmasked)
    secrets = _secrets(settings)
    holder = current_holder("run record")
    closing: str | None = None
    with Signals() as signals:
        database = waited(lambda: Database.open(place.path, shared=True), wait)
        try:
            parent = _parent(database, os.environ.get(RUN_VARIABLE), screen)
            recording = Recording.begin(
                database,
                root,
                argv,
                actor=settings.actor or f"{holder.user}@{holder.host}",
                cwd=os.getcwd(),
                name=name,
                tags=tags,
                parent=parent,
                secrets=secrets,
                limits=settings.limits,
            )
            looking = _Looking(recording.look)
            ended = run_child(
                argv,
                signals,
                environ={**os.environ, RUN_VARIABLE: recording.run_id},
                stdout=2 if call.json else None,
                meanwhile=looking,
            )
            recording.trouble = recording.trouble or looking.trouble
            recorded = recording.finish(ended.status, problem=ended.problem)
        finally:
            try:
                database.close()
            except DevStateError as error:  # the status of the command counts, not that of the disk
                closing = str(error)
    if closing is not None:
        recorded = structs.replace(recorded, trouble=recorded.trouble or closing)
    return _told(call, screen, place, recorded, ended, parent)


class _Looking:
    """Looks while the command runs. An error in a look must not leave the command alone: it ends the looking."""

    def __init__(self, look: Any) -> None:
        self.trouble: str | None = None
        self._look = look

    def __call__(self) -> None:
        if self.trouble is None:
            try:
                self._look()
            except Exception as error:
                # The text of an unknown error may quote anything: only its kind is told.
                self.trouble = f"an unexpected error ({type(error).__name__})"


def _told(
    call: Invocation, screen: Screen, place: Place, recorded: Recorded, ended: Ended, parent: str | None
) -> Outcome | int:
    document: dict[str, Any] = {
        "ok": recorded.status == "completed" and recorded.trouble is None,
        "run": recorded.run_id,
        "name": recorded.name,
        "parent": parent,
        "db": place.path,
        "status": recorded.status,
        "exit_code": recorded.exit_code,
        "seconds": recorded.seconds,
        "state_changes": recorded.changes,
        "entries_appended": recorded.appended,
        "rewrites": recorded.rewritten,
        "unreadable": recorded.unreadable,
        "trouble": recorded.trouble,
    }
    if ended.problem is not None:
        error = DevStateError(ended.problem, remedy=ended.remedy)
        error.code = "COMMAND_NOT_STARTED"
        document |= error_document(error)
        if not call.json:
            screen.note(f"✘ {visible(ended.problem)}", "bad")
            screen.note(f"  → {visible(ended.remedy)}", "plain")
    if call.json:
        return Outcome(document, lambda screen: (), ended.status)
    if recorded.trouble is not None:
        screen.note(f"! the record is not complete: {visible(recorded.trouble)}", "look")
    screen.note(_summary(recorded), "dim" if recorded.status == "completed" else "look")
    return ended.status


def _summary(recorded: Recorded) -> str:
    parts = [
        f"{recorded.changes:,} {'change' if recorded.changes == 1 else 'changes'} of the state",
        f"{recorded.appended:,} {'entry' if recorded.appended == 1 else 'entries'} appended",
    ]
    if recorded.rewritten:
        parts.append(f"the history rewritten {_times(recorded.rewritten)}")
    if recorded.unreadable:
        parts.append(f"a document unreadable {_times(recorded.unreadable)}")
    return f"run {recorded.run_id[:_SHORT]} {recorded.status}: {', '.join(parts)}, exit {recorded.exit_code}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _parent(database: Database, text: str | None, screen: Screen) -> str | None:
    """The run that this command is itself recorded in, where it is in the same database."""
    from devstate.engine import EngineError

    if not text:
        return None
    try:
        known = database.run_status(text).value != "not_found"
    except EngineError:
        known = False
    if not known:
        screen.note("DEVSTATE_RUN_ID names no run of this database: the new run has no parent")
    return text if known else None


def _secrets(settings: Settings) -> list[bytes]:
    """Every secret that is known here. What is configured but cannot be read is not known."""
    from devstate.workspace import resolve_keyring

    keyring, _ = resolve_keyring(settings)
    found = [key.secret.reveal() for key in keyring.keys] if keyring is not None else []
    if settings.secrets.value is not None:
        found.append(settings.secrets.value.reveal())
    found += [os.fsencode(os.environ.get(name, "")) for name in ("BEAMLINE_HMAC_SECRET", "HMAC_SECRET")]
    return list(dict.fromkeys(secret for secret in found if secret))


def _planned(
    call: Invocation, root: str, place: Place, argv: list[str], name: str | None, settings: Settings
) -> Outcome:
    from devstate.plans import Target
    from devstate.workspace.recording import run_name
    from devstate.workspace.recording_masking import Masker
    from devstate_cli.changing import carry_out

    masker = Masker(_secrets(settings))
    words = masker.words(argv)
    title = masker.words([name])[0] if name else run_name(words)
    what = "append: the steps of the run" if has_database(place) else "create: a database, with the run in it"
    return carry_out(
        _plan(root, f"run record: {title}", (Target(place.shown, None, None, what),), words),
        _never,
        call,
        yes=False,
        dry_run=True,
    )


def _plan(root: str, action: str, targets: tuple[Any, ...], words: list[str]) -> Plan:
    import hashlib
    import shlex

    from devstate.plans import Plan

    identity = hashlib.sha256("\0".join([root, action, *words]).encode("utf-8", "replace")).hexdigest()[:12]
    return Plan(identity, action, root, targets, (f"the command {shlex.join(words)}",))


def _never() -> Any:
    raise AssertionError("a dry run carries nothing out")
