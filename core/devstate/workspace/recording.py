"""Recording a command as a run: what it does to the two documents, step by step, as it happens.

While the command runs, nothing is held but the mark that a shared opener of the store leaves: the lock of the
store is taken for the moment of each commit, that of the workspace never. The command may use both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from devstate.clock import epoch_microseconds
from devstate.durable import OS, Files
from devstate.engine import Database, RunId, Transaction
from devstate.errors import DevStateError
from devstate.settings import Limits

from .recording_looks import Documents
from .recording_masking import Masker
from .recording_steps import HistoryTrack, StateTrack, Write

__all__ = ["RUN_VARIABLE", "Recorded", "Recording", "run_name"]

RUN_VARIABLE = "DEVSTATE_RUN_ID"
"""The environment variable that tells a recorded command which run it is in."""

_CELL = "phase"
_NAME_LENGTH = 80
_NAME_WORDS = 4


class Recorded(msgspec.Struct, frozen=True):
    """What a finished recording holds.

    `status` is that of the run, `exit_code` that of the command. `changes` are the versions of the state that
    were seen after the first, `appended` the new entries, `rewritten` how often old entries became others,
    `unreadable` how often a document could not be read. `trouble` says why the record is not complete, None
    where it is.
    """

    run_id: RunId
    name: str
    status: str
    exit_code: int
    seconds: float
    changes: int
    appended: int
    rewritten: int
    unreadable: int
    trouble: str | None


class Recording:
    """A run that is being recorded: `begin` makes it, `look` is called often, `finish` ends it, once.

    After `begin` nothing raises for what the store refuses: the command goes on, and `trouble` says what is
    missing in the record.
    """

    def __init__(
        self,
        database: Database,
        run_id: RunId,
        *,
        name: str,
        words: Sequence[str],
        documents: Documents,
        masker: Masker,
        now: Callable[[], int],
    ) -> None:
        """Not called directly."""
        self.run_id = run_id
        self.name = name
        self.trouble: str | None = None
        self._database = database
        self._words: list[Any] = list(words)
        self._documents = documents
        self._masker = masker
        self._now = now
        self._began = now()
        self._span: str | None = None
        self._state = StateTrack(masker)
        self._history = HistoryTrack(masker)

    @classmethod
    def begin(
        cls,
        database: Database,
        root: str,
        argv: Sequence[str],
        *,
        actor: str,
        cwd: str,
        name: str | None = None,
        tags: Sequence[str] = (),
        parent: str | None = None,
        secrets: Iterable[bytes] = (),
        limits: Limits | None = None,
        now: Callable[[], int] = epoch_microseconds,
        files: Files = OS,
    ) -> Recording:
        """Begin a run for the command `argv` in the workspace at `root`, and write down what is there before it.

        `actor` is user@host, `parent` the run that this one is part of, `secrets` what must not be kept. `now`
        is that of the database (microseconds). Raises what the database raises; no run stays active then.
        """
        masker = Masker(secrets)
        words = masker.words(argv)
        shown = masker.words([name])[0] if name else run_name(words)
        documents = Documents(root, limits=limits or Limits(), files=files)
        about: dict[str, Any] = {
            "argv": words,
            "cwd": masker.words([os.path.relpath(cwd, root)])[0],
            "actor": actor,
        }
        run_id = database.begin_run(name=shown, parent=parent, tags=masker.words(tags), metadata=about)
        recording = cls(
            database, run_id, name=shown, words=words, documents=documents, masker=masker, now=now
        )
        try:
            recording._before()
        except BaseException as error:
            recording._give_up(type(error).__name__)
            raise
        return recording

    def look(self) -> None:
        """Write down what changed since the last look."""
        self._documents.look()
        for step in self._news():
            self._commit(step)

    def finish(self, exit_code: int, *, problem: str | None = None) -> Recorded:
        """Take a last look and end the run: completed with the exit code 0, failed otherwise.

        `problem` says why the command could not be started.
        """
        self._documents.look(last=True)
        for step in self._news():
            self._commit(step)
        seconds = max(0, self._now() - self._began) / 1e6
        status = "completed" if exit_code == 0 else "failed"
        reason = None if exit_code == 0 else problem or f"exit status {exit_code}"
        masked = None if reason is None else self._masker.words([reason])[0]
        told: dict[str, Any] = {"exit_code": exit_code, "seconds": seconds}
        if problem is not None:
            told["problem"] = masked

        def end(tx: Transaction, span: str | None) -> None:
            tx.state.set(_CELL, "done")
            tx.kv.put("exit_code", exit_code)
            tx.events.append("command_ended", told)
            self._record_span(tx, end=max(self._now(), self._began), exit_code=exit_code)
            tx.end_run(status, masked)

        # After trouble the end is still worth a try: a full disk may have room again.
        if not self._commit(end, again=True):
            status = "not ended"
        return Recorded(
            run_id=self.run_id,
            name=self.name,
            status=status,
            exit_code=exit_code,
            seconds=seconds,
            changes=self._state.changes,
            appended=self._history.appended,
            rewritten=self._history.rewritten,
            unreadable=self._state.faults + self._history.faults,
            trouble=self.trouble,
        )

    # -- how

    def _before(self) -> None:
        self._documents.look(last=True)
        steps = self._news()

        def begin(tx: Transaction) -> None:
            tx.state.init(_CELL, "running")
            self._record_span(tx)
            for step in steps:
                step(tx, self._span)
            tx.events.append("command_started", {"argv": self._words})

        self._database.transact(self.run_id, begin)

    def _news(self) -> list[Write]:
        """What the last look found, as steps: both documents in the first, more for very many entries."""
        state = self._state.step(self._documents.state)
        steps = self._history.steps(self._documents.history)
        if state is None or not steps:
            return steps if state is None else [state]
        first = steps[0]

        def both(tx: Transaction, span: str | None) -> None:
            state(tx, span)
            first(tx, span)

        return [both, *steps[1:]]

    def _commit(self, step: Write, *, again: bool = False) -> bool:
        if self.trouble is not None and not again:
            return False
        try:
            self._database.transact(self.run_id, lambda tx: step(tx, self._span))
        except DevStateError as error:
            self.trouble = self.trouble or self._masker.text(str(error))
            return False
        return True

    def _record_span(self, tx: Transaction, *, end: int | None = None, exit_code: int | None = None) -> None:
        attrs: dict[str, Any] = {"argv": self._words}
        if exit_code is not None:
            attrs["exit_code"] = exit_code
        self._span = tx.traces.record(
            "tool_call", self.name[:_NAME_LENGTH], attrs=attrs, start=self._began, end=end, span_id=self._span
        )

    def _give_up(self, why: str) -> None:
        try:
            self._database.abort_run(self.run_id, f"the recording could not begin ({why})")
        except DevStateError as error:  # what is raised already matters more; the run shows as orphaned
            self.trouble = error.message


def run_name(words: Sequence[str]) -> str:
    """A name for the run of a command line: its program without the folder, and its first words."""
    program = os.path.basename(words[0].rstrip("/")) or words[0]
    text = " ".join([program, *words[1:_NAME_WORDS]]).replace("\0", "").strip()
    shown = text if len(text) <= _NAME_LENGTH else text[: _NAME_LENGTH - 3] + "..."
    return shown or "command"
