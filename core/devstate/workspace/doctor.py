"""Whether this machine and this workspace are fit for work; each trouble with what to do about it."""

from __future__ import annotations

import os
import stat as modes
import sys
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from devstate.clock import SYSTEM, Clock, rfc3339
from devstate.durable import OS, Files, StableFile, find_leftovers, inspect_lock, kind_of, read_bounded
from devstate.errors import DevStateError
from devstate.settings import Settings

from .discovery import find_root, load_workspace_settings
from .gitignore import IGNORED, with_ignored
from .places import FOLDER, HISTORY, LOCK, STATE
from .secrets import resolve_keyring
from .store import locate_store

__all__ = ["Diagnosis", "Terminal", "doctor"]

_LIBRARIES = (
    "click",
    "cryptography",
    "jsonschema",
    "msgspec",
    "pygments",
    "rfc8785",
    "rich",
    "textual",
    "watchfiles",
)
_OLDEST = (3, 11)
_READABLE_BY_OTHERS = modes.S_IRGRP | modes.S_IROTH


class Diagnosis(msgspec.Struct, frozen=True):
    """One thing looked at. `remedy` is empty where nothing needs to be done; no secret is in any text."""

    name: str
    status: Literal["ok", "warn", "fail"]
    sentence: str
    remedy: str = ""


class Terminal(msgspec.Struct, frozen=True):
    """What output goes to: whether that is a terminal, its encoding and its size in characters (0 =
    unknown)."""

    interactive: bool
    encoding: str
    columns: int = 0
    rows: int = 0


class _Patient(msgspec.Struct, frozen=True):
    root: str
    settings: Settings
    environ: Mapping[str, str]
    db: str | None
    clock: Clock
    files: Files


def doctor(
    start: str | None = None,
    settings: Settings | None = None,
    *,
    terminal: Terminal | None = None,
    environ: Mapping[str, str] | None = None,
    db: str | None = None,
    clock: Clock = SYSTEM,
    files: Files = OS,
) -> tuple[Diagnosis, ...]:
    """Look at the program, the terminal (where one is given), the workspace and the secrets; changes nothing.

    Works without a workspace too. `settings` None loads them, as `Workspace.open` does. Never raises for what
    it finds.
    """
    environ = os.environ if environ is None else environ
    found = [_python(), _libraries()]
    if terminal is not None:
        found.append(_terminal(terminal, environ))
    try:
        root = find_root(start, files=files)
        found.append(Diagnosis("workspace", "ok", root))
    except DevStateError as error:
        found.append(Diagnosis("workspace", "fail", str(error), error.remedy))
        root = None
    if settings is None:
        try:
            place = root or os.path.abspath(start or os.getcwd())
            settings = load_workspace_settings(place, environ=environ, files=files)
        except DevStateError as error:
            found.append(Diagnosis("settings", "fail", str(error), error.remedy))
    if settings is not None:
        found += [_settings(settings), _environment(settings), *_secret(settings, environ, root, files)]
        if root is not None:
            found += _workspace(_Patient(root, settings, environ, db, clock, files))
    return tuple(found)


def _python() -> Diagnosis:
    version = ".".join(map(str, sys.version_info[:3]))
    sentence = f"Python {version} on {sys.platform}"
    if sys.version_info < _OLDEST:
        return Diagnosis("python", "fail", sentence, "Use Python 3.11 or later.")
    return Diagnosis("python", "ok", sentence)


def _libraries() -> Diagnosis:
    from importlib.metadata import PackageNotFoundError, version

    present: list[str] = []
    missing: list[str] = []
    for name in _LIBRARIES:
        try:
            present.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = "Install them: pip install " + " ".join(missing)
        return Diagnosis("libraries", "fail", f"missing: {', '.join(missing)}", remedy)
    return Diagnosis("libraries", "ok", ", ".join(present))


def _terminal(terminal: Terminal, environ: Mapping[str, str]) -> Diagnosis:
    if not terminal.interactive:
        return Diagnosis("terminal", "ok", "output does not go to a terminal: plain text, no inspector")
    term = environ.get("TERM", "")
    colours = (
        "24-bit colour" if environ.get("COLORTERM", "") in ("truecolor", "24bit") else "256 or fewer colours"
    )
    if environ.get("NO_COLOR"):
        colours = "no colour (NO_COLOR is set)"
    size = f", {terminal.columns}x{terminal.rows}" if terminal.columns else ""
    sentence = f"{term or 'TERM is not set'}{size}, {terminal.encoding}, {colours}"
    if term in ("", "dumb"):
        return Diagnosis(
            "terminal", "warn", sentence, "Set TERM to your terminal's type; the inspector needs one."
        )
    if terminal.encoding.lower().replace("-", "") != "utf8":
        remedy = "Set a UTF-8 locale (LC_ALL=C.UTF-8), else marks and names are shown as question marks."
        return Diagnosis("terminal", "warn", sentence, remedy)
    if terminal.columns and (terminal.columns < 60 or terminal.rows < 16):
        return Diagnosis("terminal", "warn", sentence, "Make the window at least 60 by 16 for the inspector.")
    return Diagnosis("terminal", "ok", sentence)


def _settings(settings: Settings) -> Diagnosis:
    chosen = [
        f"{name} ({source})" for name, source in sorted(settings.sources.items()) if source != "default"
    ]
    return Diagnosis(
        "settings", "ok", "not default: " + ", ".join(chosen) if chosen else "all at their defaults"
    )


def _environment(settings: Settings) -> Diagnosis:
    source = settings.sources.get("environment", "default")
    if settings.environment == "development":
        return Diagnosis(
            "environment", "ok", "development: the public default key may be used, with a warning"
        )
    sentence = f"{settings.environment} ({source}): a missing secret or a public key is an error"
    if settings.allow_public_key:
        remedy = "Take away ALLOW_DEFAULT_HMAC_SECRET or --allow-public-key once the chain has a real key."
        return Diagnosis("environment", "warn", f"{sentence}, but public keys are allowed", remedy)
    return Diagnosis("environment", "ok", sentence)


def _secret(
    settings: Settings, environ: Mapping[str, str], root: str | None, files: Files
) -> Iterator[Diagnosis]:
    """Where the secret comes from and how strong it is, never what it is."""
    source = settings.secrets
    origin = source.origin or "the public development default"
    try:
        keyring, findings = resolve_keyring(settings, environ=environ, files=files)
    except DevStateError as error:
        yield Diagnosis("secret", "fail", str(error), error.remedy)
        return
    if keyring is None:
        yield Diagnosis("secret", "fail", findings[0].message, findings[0].remedy)
        return
    weak = [key.kid for key in keyring.keys if key.weak]
    count = f"{len(keyring.keys)} keys" if len(keyring.keys) != 1 else "one key"
    sentence = f"{count} from {origin}"
    if weak:
        public = any(key.public for key in keyring.keys)
        why = "a public one: anybody can forge the chain" if public else "shorter than 16 characters"
        status = "fail" if settings.strict_keys and not settings.allow_public_key else "warn"
        remedy = "Set BEAMLINE_HMAC_SECRET to a secret of 16 characters or more that only the writers know."
        yield Diagnosis("secret", status, f"{sentence}, {why}", remedy)
    else:
        yield Diagnosis("secret", "ok", sentence)
    for path in (source.file, source.keyring):
        if path is not None:
            yield from _secret_file(path, root, files)


def _secret_file(path: str, root: str | None, files: Files) -> Iterator[Diagnosis]:
    try:
        mode = files.stat(path).st_mode
    except OSError:  # that it cannot be read is said already
        return
    if mode & _READABLE_BY_OTHERS:
        yield Diagnosis("secret file", "warn", f"{path} can be read by other users", f"chmod 600 {path}")
    if root is not None and os.path.abspath(path).startswith(root + os.sep):
        remedy = "Keep it outside the workspace, or see to it that git ignores it."
        yield Diagnosis("secret file", "warn", f"{path} lies inside the workspace", remedy)


def _workspace(patient: _Patient) -> Iterator[Diagnosis]:
    yield from _documents(patient)
    yield _lock(patient)
    yield _leftovers(patient)
    yield _store(patient)
    yield _gitignore(patient)
    yield Diagnosis("clock", "ok", f"{rfc3339(patient.clock.now())} by this machine")


def _documents(patient: _Patient) -> Iterator[Diagnosis]:
    limit = patient.settings.limits.file_bytes
    for path in (STATE, HISTORY):
        try:
            with StableFile(os.path.join(patient.root, path), limit=limit, files=patient.files) as file:
                file.pread(1, 0)
                yield Diagnosis(path, "ok", f"{file.size} bytes, readable")
        except DevStateError as error:
            yield Diagnosis(path, "fail", error.message, error.remedy)


def _lock(patient: _Patient) -> Diagnosis:
    try:
        lock = inspect_lock(os.path.join(patient.root, LOCK), files=patient.files)
    except DevStateError as error:
        return Diagnosis("lock", "fail", error.message, error.remedy)
    if lock is None or not (lock.held or lock.stale):
        return Diagnosis("lock", "ok", "free")
    if lock.held:
        remedy = "Wait for it to end; a command that changes something waits too (--wait SECONDS)."
        return Diagnosis("lock", "warn", f"held by {lock.holder} since {lock.since}", remedy)
    sentence = f"free; the file still names {lock.holder}, whose process is gone"
    return Diagnosis(
        "lock", "warn", sentence, "Nothing to do: the next command that changes something takes it over."
    )


def _leftovers(patient: _Patient) -> Diagnosis:
    try:
        leftovers = find_leftovers(os.path.join(patient.root, FOLDER), files=patient.files)
    except DevStateError as error:
        return Diagnosis("leftovers", "fail", error.message, error.remedy)
    if not leftovers:
        return Diagnosis("leftovers", "ok", "none")
    names = ", ".join(os.path.basename(item.path) for item in leftovers[:5])
    remedy = "Look at them if you miss a change; the next command that changes something sets them aside."
    return Diagnosis("leftovers", "warn", f"{len(leftovers)} of interrupted writes: {names}", remedy)


def _store(patient: _Patient) -> Diagnosis:
    position = locate_store(patient.root, patient.db, files=patient.files)
    if patient.db is not None and position.path is None:
        return Diagnosis(
            "store", "fail", f"{patient.db} is no folder", "Name the folder of the database (--db DIR)."
        )
    if position.path is None:
        return Diagnosis("store", "ok", "files only: state and history are kept in .trae/")
    return Diagnosis("store", "ok", f"{position.backend} at {position.path}")


def _gitignore(patient: _Patient) -> Diagnosis:
    """Locks and temporary files in a repository are noise at best; where there is no repository, none are."""
    place = os.path.join(patient.root, ".gitignore")
    try:
        if kind_of(os.path.join(patient.root, ".git"), files=patient.files) is None:
            return Diagnosis("git", "ok", "the root is no git repository")
        text = None
        if kind_of(place, files=patient.files) is not None:
            text = read_bounded(place, limit=1 << 20, files=patient.files).data
    except DevStateError as error:
        return Diagnosis("git", "warn", error.message, error.remedy)
    if with_ignored(text) is None:
        return Diagnosis("git", "ok", "locks, temporary files and the store are ignored")
    return Diagnosis(
        "git",
        "warn",
        "not all of locks, temporary files and store are ignored",
        f"Add to .gitignore: {' '.join(IGNORED)}",
    )
