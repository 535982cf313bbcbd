"""From what the settings say to the keys of the chain, without a secret ever being shown."""

from __future__ import annotations

import os
from collections.abc import Mapping

from devstate.chain import Keyring, parse_keyring
from devstate.durable import OS, Files, read_bounded
from devstate.errors import DevStateError, InputUnreadable, KeyMissing
from devstate.findings import Finding, Severity
from devstate.settings import CONFIG_NAME, Secret, Settings

__all__ = ["read_secret", "resolve_keyring"]

_SECRET_LIMIT = 64 * 1024
_RING_LIMIT = 1 << 20
_LINKS = 16

_HOW = "Set BEAMLINE_HMAC_SECRET in the environment, or give --secret-file FILE or --keyring FILE."


def resolve_keyring(
    settings: Settings, *, environ: Mapping[str, str] | None = None, files: Files = OS
) -> tuple[Keyring | None, tuple[Finding, ...]]:
    """The keys to verify with, and a KEY_MISSING finding where there are none.

    A key ring wins over a single secret. What is configured but cannot be read is never replaced by a
    default. Where nothing is configured, development gets the public default key, and so does CI or
    production with `allow_public_key`. That a key in use is public or short is the chain's to report
    (WEAK_KEY). In CI and production a key that only devstate.toml names counts as none.

    `environ` (None = that of the process) is where a ring's `secret_env` is looked up. Raises UsageError
    where the key ring file is not one.
    """
    source = settings.secrets
    if settings.strict_keys and source.origin == CONFIG_NAME:
        # It is part of what is judged: whoever changes the history could change the key along with it.
        message = f"in {_where(settings)} a key that only {CONFIG_NAME} names is not trusted"
        return None, (_missing(message, _HOW),)
    try:
        if source.keyring is not None:
            return _read_ring(source.keyring, os.environ if environ is None else environ, files), ()
        if source.file is not None:
            return Keyring.of(read_secret(source.file, files=files)), ()
    except KeyMissing as error:
        return None, (_missing(error.message, error.remedy),)
    if source.value is not None:
        return Keyring.of(source.value), ()
    if settings.environment == "development" or settings.allow_public_key:
        return Keyring.public_default(), ()
    return None, (_missing(f"no secret is configured, and in {_where(settings)} there is no default", _HOW),)


def _where(settings: Settings) -> str:
    return "a CI job" if settings.environment == "ci" else settings.environment


def read_secret(path: str, *, files: Files = OS) -> Secret:
    """The secret that a file holds, without one line end at its end.

    Symbolic links are followed, as secrets are often mounted as such. Raises KeyMissing where the file is
    missing, unreadable or empty.
    """
    try:
        data = read_bounded(_followed(path, files), limit=_SECRET_LIMIT, files=files).data
    except DevStateError as error:
        raise KeyMissing(
            f"the secret cannot be read: {error.message}", path=path, remedy=error.remedy or _HOW
        ) from None
    value = data.removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise KeyMissing(f"{path} is empty where it should hold the secret", path=path, remedy=_HOW)
    return Secret(value)


def _read_ring(path: str, environ: Mapping[str, str], files: Files) -> Keyring:
    try:
        data = read_bounded(_followed(path, files), limit=_RING_LIMIT, files=files).data
    except DevStateError as error:
        raise KeyMissing(
            f"the key ring cannot be read: {error.message}", path=path, remedy=error.remedy or _HOW
        ) from None

    def from_file(name: str) -> Secret:
        return read_secret(os.path.join(os.path.dirname(os.path.abspath(path)), name), files=files)

    def from_env(name: str) -> Secret:
        value = environ.get(name)
        if not value:
            raise KeyMissing(
                f"the key ring {path} takes a secret from the variable {name}, which is not set",
                path=path,
                remedy=f"Set {name} in the environment.",
            )
        return Secret(os.fsencode(value))

    return parse_keyring(data, resolve_file=from_file, resolve_env=from_env, path=path)


def _followed(path: str, files: Files) -> str:
    """Where the symbolic links of the last component lead."""
    for _ in range(_LINKS):
        try:
            path = os.path.join(os.path.dirname(path), files.readlink(path))
        except OSError:  # no link, or nothing there: reading says which
            return path
    raise InputUnreadable(
        f"{path} is a symbolic link that leads to itself", path=path, remedy="Name the file itself."
    )


def _missing(message: str, remedy: str) -> Finding:
    return Finding("KEY_MISSING", Severity.ERROR, message, remedy=remedy)
