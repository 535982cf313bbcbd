"""Making a reading: each file read once, under bounds, and whatever is wrong with it turned into findings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec

from devstate.chain import BlockCache, ChainContext, Keyring, Progress, open_source, scan_history
from devstate.durable import (
    OS,
    Files,
    Identity,
    find_leftovers,
    identity_of,
    inspect_lock,
    kind_of,
    read_bounded,
)
from devstate.errors import ChangedDuringRead, DevStateError, InputMissing
from devstate.findings import CODES, Finding, Severity, Where
from devstate.settings import Settings
from devstate.trae import ArtifactCache, ArtifactReading, check_no_drift, check_state, parse_state

from .binding import bind, grew_from, listed_history
from .listed import check_listed
from .places import FOLDER, HISTORY, LOCK, OWN_SCHEMAS, STATE
from .reading import Binding, HistoryReading, Reading, StateReading
from .store import locate_store, store_files

__all__ = ["Observation", "Request", "Signature", "finding_of", "observe", "own_schema", "signature"]

_ATTEMPTS = 3
_SCHEMA_LIMIT = 4 << 20

T = TypeVar("T")

# Which files a reading was made of, in which version; None where one was not there.
Signature = tuple[tuple[str, Identity | None], ...]


class Request(msgspec.Struct, frozen=True):
    """What a reading is to be made of; the same for all readings of one `Workspace`.

    `jobs` is the number of processes for the chain, None to choose by the size of the file. `scope` `chain`
    leaves out what `verify` does not judge: schemas, artifacts, leftovers and locks.
    """

    root: str
    settings: Settings
    keyring: Keyring | None
    key_findings: tuple[Finding, ...] = ()
    db: str | None = None
    scope: Literal["all", "chain"] = "all"
    jobs: int | None = None
    on_progress: Callable[[Progress], None] | None = None
    cancelled: Callable[[], bool] | None = None
    cache: ArtifactCache | None = None
    blocks: BlockCache | None = None
    files: Files = OS


class Observation(msgspec.Struct, frozen=True):
    """A reading, and the identities that its files had before it was begun."""

    reading: Reading
    signature: Signature


def observe(request: Request, *, revision: int, now: str) -> Observation:
    """Read the workspace; `now` is an RFC 3339 time. Never raises for a fault of the input.

    Raises VerificationCancelled where `request.cancelled` says so.
    """
    before = signature(request.root, db=request.db, files=request.files)
    state, found = _read_state(request)
    history, more = _read_history(request, state, now)
    found += more
    try:
        artifacts: tuple[ArtifactReading, ...] = ()
        binding = _bind(state, history)
        if request.scope == "all":
            found += _check_state_schema(request, state)
            artifacts, more = check_listed(
                request.root,
                state,
                history,
                binding,
                cache=request.cache,
                limit=request.settings.limits.file_bytes,
                cancelled=request.cancelled,
                files=request.files,
            )
            found += more
        leftovers, more = _leftovers(request) if request.scope == "all" else ((), [])
        found += more
        lock, more = _lock(request) if request.scope == "all" else (None, [])
        found += more
    except BaseException:
        if history is not None:
            history.close()
        raise
    reading = Reading(
        root=request.root,
        revision=revision,
        taken_at=now,
        state=state,
        history=history,
        artifacts=artifacts,
        binding=binding,
        store=locate_store(request.root, request.db, files=request.files),
        locks=() if lock is None else (lock,),
        leftovers=leftovers,
        findings=tuple(sorted(found, key=_gravity)),
    )
    return Observation(reading, before)


def signature(root: str, *, db: str | None = None, files: Files = OS) -> Signature:
    """The identities of the documents, of what they are judged by, and of the store's files."""
    paths = (FOLDER, STATE, HISTORY, *OWN_SCHEMAS.values())
    found: list[tuple[str, Identity | None]] = []
    for path in paths:
        try:
            identity = identity_of(os.path.join(root, path), files=files)
        except DevStateError:
            identity = None
        if identity is not None and path == FOLDER:
            # Its times change with each lock and temporary file; that it is the same folder is what counts.
            identity = Identity(identity.dev, identity.ino, 0, 0, 0)
        found.append((path, identity))
    return (*found, *store_files(locate_store(root, db, files=files).path, files=files))


def finding_of(error: DevStateError, file: str) -> Finding:
    """The finding that says what a typed error said, about `file` (a path relative to the root)."""
    code = error.code if error.code in CODES else "IO_ERROR"
    remedy = error.remedy or CODES[code].remedy
    # The root is told once, above all findings; each of them then names its file as short as it can be.
    message = error.message.replace(error.path, file) if error.path else error.message
    return Finding(code, Severity.ERROR, message, Where(file), remedy=remedy)


def _of_document(error: DevStateError, file: str, request: Request) -> Finding:
    """As `finding_of`; where one of the two documents is not there, with what brings it back."""
    found = finding_of(error, file)
    if not isinstance(error, InputMissing):
        return found
    remedy = f"Restore it (git checkout -- {file}, or a backup)"
    if _neither_document(request):  # beside one of them, init would refuse
        remedy += ", or start a new workspace: devstate init"
    return msgspec.structs.replace(found, remedy=remedy + ".")


def _neither_document(request: Request) -> bool:
    try:
        return all(
            kind_of(os.path.join(request.root, file), files=request.files) is None
            for file in (STATE, HISTORY)
        )
    except DevStateError:
        return False


def own_schema(root: str, document: str, *, files: Files = OS) -> tuple[bytes | None, tuple[Finding, ...]]:
    """The workspace's own schema for a document (`STATE` or `HISTORY`), None where it has none.

    A schema that is there but cannot be read is a finding, and the built-in one alone is used.
    """
    path = OWN_SCHEMAS[document]
    place = os.path.join(root, path)
    try:
        if kind_of(place, files=files) is None:
            return None, ()
        return read_bounded(place, limit=_SCHEMA_LIMIT, files=files).data, ()
    except DevStateError as error:
        return None, (finding_of(error, path),)


def _read_state(request: Request) -> tuple[StateReading | None, list[Finding]]:
    place = os.path.join(request.root, STATE)
    limits = request.settings.limits

    def attempt() -> bytes:
        return read_bounded(place, limit=limits.file_bytes, files=request.files).data

    try:
        data = _settled(attempt)
    except DevStateError as error:
        return None, [_absent_folder(request) or _of_document(error, STATE, request)]
    document, findings = parse_state(data, file=STATE, limits=limits)
    reading = StateReading(STATE, len(data), hashlib.sha256(data).hexdigest(), data, document)
    return reading, list(findings)


def _check_state_schema(request: Request, state: StateReading | None) -> list[Finding]:
    if state is None or state.document is None:
        return []
    own, found = own_schema(request.root, STATE, files=request.files)
    checked = check_state(state.document.document, own, raw=state.raw)
    drift = check_no_drift(state.document, raw=state.raw, file=STATE)
    return [*found, *checked, *drift]


def _read_history(
    request: Request, state: StateReading | None, now: str
) -> tuple[HistoryReading | None, list[Finding]]:
    limits = request.settings.limits
    document = state.document if state is not None else None
    context = ChainContext(
        file=HISTORY,
        agents=frozenset(agent.id for agent in document.agents) if document is not None else frozenset(),
        state_bytes=state.raw if state is not None else None,
        now=now,
        protected=request.settings.strict_keys,
        allow_public_key=request.settings.allow_public_key,
    )

    def attempt() -> HistoryReading:
        source = open_source(os.path.join(request.root, HISTORY), limits=limits, files=request.files)
        try:
            done = scan_history(
                source,
                keyring=request.keyring,
                jobs=request.jobs,
                context=context,
                limits=limits,
                on_progress=request.on_progress,
                cancelled=request.cancelled,
                cache=request.blocks,
                digested=request.scope == "all",  # `verify` shows nothing afterwards
            )
            return HistoryReading(
                HISTORY, done.report.size, done.report.sha256, done.report, done.index, source
            )
        except BaseException:
            source.close()
            raise

    try:
        history = _settled(attempt)
    except (ChangedDuringRead, DevStateError) as error:
        if error.code not in CODES:  # cancelled: there is no reading
            raise
        absent = _absent_folder(request)
        # That there is no `.trae` is said once, with the state.
        return None, [*request.key_findings] if absent else [
            *request.key_findings,
            _of_document(error, HISTORY, request),
        ]
    found = list(history.report.findings)
    if request.key_findings:
        # Why there is no key is known here better than where it was missed.
        found = [finding for finding in found if finding.code != "KEY_MISSING"]
    return history, [*request.key_findings, *found]


def _bind(state: StateReading | None, history: HistoryReading | None) -> Binding | None:
    if state is None or history is None:
        return None
    listed = listed_history(state.document)
    return bind(
        state.sha256,
        listed,
        history.report,
        lambda: None if listed is None else grew_from(listed, history.index, history.source),
    )


def _leftovers(request: Request) -> tuple[tuple[str, ...], list[Finding]]:
    try:
        leftovers = find_leftovers(os.path.join(request.root, FOLDER), files=request.files)
    except DevStateError as error:
        return (), [finding_of(error, FOLDER)]
    # One of ours whose writer lives is a write under way.
    paths = [os.path.relpath(item.path, request.root) for item in leftovers if not (item.ours and item.alive)]
    return tuple(paths), [
        Finding(
            "LEFTOVER_TMP",
            Severity.WARNING,
            f"{path} was left by an interrupted write",
            Where(path),
            remedy=CODES["LEFTOVER_TMP"].remedy,
        )
        for path in paths
    ]


def _lock(request: Request) -> tuple[Any, list[Finding]]:
    try:
        lock = inspect_lock(os.path.join(request.root, LOCK), files=request.files)
    except DevStateError as error:
        return None, [finding_of(error, LOCK)]
    if lock is None or not (lock.held or lock.stale):
        return None, []
    if lock.held:
        return lock, []
    message = f"the lock file names {lock.holder}, since {lock.since}, but nobody holds the lock"
    return lock, [
        Finding("STALE_LOCK", Severity.WARNING, message, Where(LOCK), remedy=CODES["STALE_LOCK"].remedy)
    ]


def _absent_folder(request: Request) -> Finding | None:
    """The one finding for a workspace without a `.trae` folder, None where there is one."""
    try:
        if kind_of(os.path.join(request.root, FOLDER, "."), files=request.files) is not None:
            return None
        present = kind_of(os.path.join(request.root, FOLDER), files=request.files)
    except DevStateError as error:
        return finding_of(error, FOLDER)
    if present is None:
        code, message = "INPUT_MISSING", f"there is no {FOLDER} folder in {request.root}"
        remedy = CODES[code].remedy
    else:
        code, message = "INPUT_UNREADABLE", f"{FOLDER} in {request.root} is a {present}, not a folder"
        remedy = f"Move it away, and restore the folder {FOLDER} from an earlier copy."
    return Finding(code, Severity.ERROR, message, Where(FOLDER), remedy=remedy)


def _settled(attempt: Callable[[], T]) -> T:
    """What the attempt gives, made again where the file changed under it."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except ChangedDuringRead:
            continue
    return attempt()


_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_FILES = {FOLDER: 0, STATE: 1, HISTORY: 2}


def _gravity(finding: Finding) -> tuple[Any, ...]:
    """Gravest first; then by file, the documents before others; then by place."""
    where = finding.where
    file = where.file or ""
    return (
        _RANK[finding.severity],
        _FILES.get(file, 3),
        file,
        -1 if where.entry is None else where.entry,
        where.line or 0,
        finding.code,
    )
