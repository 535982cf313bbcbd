"""Getting the verdict on a history: that of the workspace, or that of a file named on the command line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstate.errors import DevStateError, WorkspaceNotFound
from devstate.findings import CODES, Finding, Severity, Where

from .invocation import Invocation

if TYPE_CHECKING:
    from devstate.chain import ChainReport, Keyring
    from devstate.settings import Settings
    from devstate.workspace import HistoryReading, Workspace

__all__ = ["Judged", "environment_of", "judged_history", "open_workspace", "settings_around"]

_DOCUMENT = os.path.join(".trae", "history.json")


@dataclass(frozen=True)
class Judged:
    """A history and what is to be said about it.

    `file` is its name in findings, `root` the workspace (None for a lone file), `history` is None where the
    file could not be read: `findings` say why. `elapsed_ms` covers reading and judging.
    """

    file: str
    root: str | None
    history: HistoryReading | None
    keyring: Keyring | None
    findings: tuple[Finding, ...]
    elapsed_ms: float

    @property
    def report(self) -> ChainReport | None:
        return self.history.report if self.history is not None else None


def open_workspace(call: Invocation, **flags: Any) -> Workspace:
    """The workspace of this call. Raises WorkspaceNotFound, UsageError for faults of the settings."""
    from devstate.workspace import Workspace, find_root, load_workspace_settings

    root = find_root(call.directory)
    environ = environment_of(call)
    settings = load_workspace_settings(root, flags=call.flags(**flags), environ=environ)
    return Workspace.open(root, settings=settings, environ=environ)


def environment_of(call: Invocation) -> Mapping[str, str]:
    """The environment that settings come from; a demo is signed with the public secret, and not with yours."""
    if not call.demo:
        return os.environ
    hidden = ("BEAMLINE_HMAC_SECRET", "HMAC_SECRET", "DEVSTATE_SECRET_FILE", "DEVSTATE_KEYRING")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "ALLOW_DEFAULT_HMAC_SECRET": "true"}


def settings_around(call: Invocation, **flags: Any) -> Settings:
    """The settings of the workspace around the folder, or, where there is none, those without a file."""
    from devstate.workspace import find_root, load_workspace_settings

    start = call.directory or os.getcwd()
    with suppress(WorkspaceNotFound):
        start = find_root(start)
    return load_workspace_settings(start, flags=call.flags(**flags))


@contextmanager
def judged_history(
    call: Invocation,
    file: str | None = None,
    *,
    jobs: int | None = None,
    on_progress: Callable[[Any], None] | None = None,
) -> Iterator[Judged]:
    """Verify the history; it stays open, so that entries can be read, until the context ends.

    With a file, its own workspace is used where it is the history of one. Faults of the file are findings of
    the result. Raises WorkspaceNotFound where there is neither a file nor a workspace, and UsageError.
    """
    root = _workspace_of(file) if file is not None else None
    if file is not None and root is None:
        with _lone_file(call, file, jobs, on_progress) as judged:
            yield judged
        return
    if root is not None:
        call = _at(call, root)
    with open_workspace(call, jobs=jobs) as workspace:
        started = time.perf_counter()
        reading = workspace.read(scope="chain", on_progress=on_progress)
        elapsed = (time.perf_counter() - started) * 1000
        try:
            findings = tuple(f for f in reading.findings if _of_the_chain(f))
            yield Judged(
                ".trae/history.json", workspace.root, reading.history, workspace.keyring, findings, elapsed
            )
        finally:
            reading.close()


def _of_the_chain(finding: Finding) -> bool:
    """What `verify` judges: the chain and its binding to the state, not what the state document says.

    A state that cannot be read leaves the binding undecided; one that is simply not there leaves it out.
    """
    if finding.where.file != ".trae/state.json":
        return True
    return finding.code in ("INPUT_UNREADABLE", "CHANGED_DURING_READ", "STATE_UNBOUND")


def _workspace_of(file: str) -> str | None:
    place = os.path.abspath(file)
    root = place.removesuffix(os.sep + _DOCUMENT)
    return root if root != place and os.path.isdir(os.path.dirname(place)) else None


def _at(call: Invocation, root: str) -> Invocation:
    from dataclasses import replace

    return replace(call, directory=root)


@contextmanager
def _lone_file(
    call: Invocation, file: str, jobs: int | None, on_progress: Callable[[Any], None] | None
) -> Iterator[Judged]:
    from devstate.chain import ChainContext, open_source, scan_history
    from devstate.clock import SYSTEM, rfc3339
    from devstate.workspace import HistoryReading, resolve_keyring

    settings = settings_around(call, jobs=jobs)
    keyring, found = resolve_keyring(settings)
    limits = settings.limits
    context = ChainContext(
        file=file,
        now=rfc3339(SYSTEM.now()),
        protected=settings.strict_keys,
        allow_public_key=settings.allow_public_key,
    )
    started = time.perf_counter()
    history: HistoryReading | None = None
    try:
        source = open_source(file, limits=limits)
        try:
            done = scan_history(
                source,
                keyring=keyring,
                jobs=settings.jobs,
                context=context,
                limits=limits,
                on_progress=on_progress,
            )
        except BaseException:
            source.close()
            raise
        report = done.report
        history = HistoryReading(file, report.size, report.sha256, report, done.index, source)
        found = (*found, *(finding for finding in report.findings if finding not in found))
    except DevStateError as error:
        if error.code not in CODES:
            raise
        remedy = error.remedy or CODES[error.code].remedy
        found = (*found, Finding(error.code, Severity.ERROR, error.message, Where(file), remedy=remedy))
    elapsed = (time.perf_counter() - started) * 1000
    try:
        yield Judged(file, None, history, keyring, found, elapsed)
    finally:
        if history is not None:
            history.close()
