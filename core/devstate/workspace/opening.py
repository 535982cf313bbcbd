"""The one entrance to a workspace."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import msgspec

from devstate.chain import BlockCache, Keyring, Progress
from devstate.clock import SYSTEM, Clock, rfc3339
from devstate.durable import OS, Files
from devstate.errors import KeyMissing, UsageError, WorkspaceNotFound
from devstate.plans import Plan, Receipt
from devstate.settings import Settings
from devstate.trae import ArtifactCache

from .discovery import find_root, load_workspace_settings
from .observing import Observation, Request, observe
from .reading import Reading
from .secrets import resolve_keyring

if TYPE_CHECKING:
    from .planning import Content
    from .watching import Stop

__all__ = ["Workspace"]

Scope = Literal["all", "chain"]


class Workspace:
    """A workspace on disk: makes readings of it, watches it, plans and applies changes. A context manager.

    `root` is its absolute path, `settings` what holds in it, `keyring` the keys to verify with (None: there
    are none, and each reading says why).
    """

    def __init__(
        self,
        root: str,
        *,
        settings: Settings,
        db: str | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM,
        files: Files = OS,
    ) -> None:
        self.root = root
        self.settings = settings
        self.keyring: Keyring | None
        self.keyring, self._key_findings = resolve_keyring(settings, environ=environ, files=files)
        self._db = None if db is None else os.path.abspath(db)
        self._clock = clock
        self._files = files
        self._cache = ArtifactCache()
        self._revision = 0
        self._open = True

    @classmethod
    def open(
        cls,
        start: str | None = None,
        *,
        settings: Settings | None = None,
        db: str | None = None,
        absent_ok: bool = False,
        environ: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM,
        files: Files = OS,
    ) -> Workspace:
        """Open the workspace that `start` (None = the current folder) is in: the nearest folder with a
        `.trae`.

        `settings` None loads them from the environment and the root's `devstate.toml`. `db` names a
        database folder other than `.trae/store`. `environ` is the process's unless given. With `absent_ok`,
        where there is no workspace yet, `start` itself becomes the root: for `init`, and to watch for one
        to appear.

        Raises WorkspaceNotFound, UsageError (a faulty setting or key ring), InputUnreadable.
        """
        try:
            root = find_root(start, files=files)
        except WorkspaceNotFound:
            if not absent_ok:
                raise
            root = os.path.abspath(start or os.getcwd())
        if settings is None:
            settings = load_workspace_settings(root, environ=environ, files=files)
        return cls(root, settings=settings, db=db, environ=environ, clock=clock, files=files)

    def read(
        self,
        *,
        scope: Scope = "all",
        jobs: int | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Reading:
        """What is on disk now, and everything that is wrong with it.

        A fault of the input is a finding, never an exception. `scope` `chain` reads and judges only the
        history and its binding to the state: no schemas, artifacts, leftovers, locks. `jobs` is the number
        of processes for the chain (None: the setting, else chosen by size). `on_progress` and `cancelled`
        are those of `devstate.chain.scan_history`. Raises VerificationCancelled.
        """
        request = self._request(scope, jobs or self.settings.jobs)
        request = msgspec.structs.replace(request, on_progress=on_progress, cancelled=cancelled)
        return self._observe(request).reading

    async def watch(
        self, *, stop: Stop | None = None, on_progress: Callable[[Progress], None] | None = None
    ) -> AsyncIterator[Reading]:
        """A first reading, then one for each change of content, until `stop` (a `threading.Event`) is set.

        A burst of changes is one reading. What is missing may appear, and what is there may go: both are
        readings. `on_progress` is called from another thread. Verification stays in this process.
        """
        from .watching import watch

        request = msgspec.structs.replace(
            self._request("all", self.settings.jobs or 1), on_progress=on_progress, blocks=BlockCache()
        )

        def look(cancelled: Callable[[], bool]) -> Observation:
            return self._observe(msgspec.structs.replace(request, cancelled=cancelled))

        stream = watch(look, root=self.root, db=self._db, stop=stop, files=self._files)
        try:
            async for reading in stream:
                yield reading
        finally:
            await stream.aclose()

    def plan_init(self, *, project: str | None = None, actor: str | None = None) -> Plan:
        """The plan for a new workspace at the root (see `open`, `absent_ok`).

        `project` is the folder's name unless given; `actor` the setting, else user@host. Raises PlanRefused
        where there is a workspace, KeyMissing where there is no key to sign with.
        """
        from .initial import plan_init, require_new

        require_new(self.root, files=self._files)
        keys = () if self.keyring is None else self.keyring.keys
        key = next((key for key in keys if key.status == "active"), None)
        if key is None:
            reason = self._key_findings[0] if self._key_findings else None
            raise KeyMissing(
                reason.message if reason else "the key ring holds no active key to sign with",
                path=self.root,
                remedy=reason.remedy if reason else "Add an active key to the key ring.",
            )
        return plan_init(
            self.root,
            key=key,
            actor=actor or self.actor,
            now=rfc3339(self._clock.now()),
            project=project,
            files=self._files,
        )

    def apply(
        self, plan: Plan, *, contents: Mapping[str, Content] | None = None, wait: float = 10.0
    ) -> Receipt:
        """Carry out a plan of this workspace under its lock, waiting at most `wait` seconds for that.

        `contents` gives the blocks of large files that the plan does not hold. Raises PlanStale where a
        target changed since the plan was made (then nothing was changed), StateLockHeld, StorageFault.
        """
        from devstate.durable import current_holder

        from .applying import apply_plan

        if os.path.abspath(plan.root) != self.root:
            raise UsageError(
                f"the plan was made for {plan.root}, not for {self.root}",
                path=self.root,
                remedy="Apply a plan where it was made.",
            )
        return apply_plan(
            plan,
            holder=current_holder(plan.action),
            contents=contents,
            wait=wait,
            clock=self._clock,
            files=self._files,
        )

    @property
    def actor(self) -> str:
        """Who makes changes here: the setting `actor`, else user@host."""
        if self.settings.actor:
            return self.settings.actor
        from devstate.durable import current_holder

        holder = current_holder("")
        return f"{holder.user}@{holder.host}"

    def close(self) -> None:
        """Forget the keys and what was remembered between readings; readings stay usable."""
        self._open = False
        self.keyring = None
        self._cache = ArtifactCache()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Workspace({self.root!r})"

    def _request(self, scope: Scope, jobs: int | None) -> Request:
        if not self._open:
            raise UsageError(
                f"the workspace {self.root} was closed",
                path=self.root,
                remedy="Open it again: Workspace.open().",
            )
        return Request(
            root=self.root,
            settings=self.settings,
            keyring=self.keyring,
            key_findings=self._key_findings,
            db=self._db,
            scope=scope,
            jobs=jobs,
            cache=self._cache,
            files=self._files,
        )

    def _observe(self, request: Request) -> Observation:
        self._revision += 1
        return observe(request, revision=self._revision, now=rfc3339(self._clock.now()))
