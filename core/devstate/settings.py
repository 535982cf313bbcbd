"""Settings: what a user can choose, from where it came, and never a secret in sight.

Flags win over the environment, that over `devstate.toml` in the workspace root, that over the defaults.
Nothing here reads a file or the environment by itself: the faces hand both in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NoReturn, cast

import msgspec

from devstate.errors import UsageError

__all__ = ["CONFIG_NAME", "Limits", "Secret", "SecretSource", "Settings", "TuiSettings", "load_settings"]

CONFIG_NAME: Final = "devstate.toml"

Environment = Literal["ci", "production", "development"]


class Secret:
    """Bytes that nothing shows: not repr, str, format, a traceback, pickle, copies or an encoder.

    Two secrets are equal only where they are the same object: a comparison by content is for
    `hmac.compare_digest` over what `reveal` gives.
    """

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes) -> None:
        self._bytes = value

    def reveal(self) -> bytes:
        """The bytes themselves, for the one computation that needs them."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._bytes)

    def __repr__(self) -> str:
        return "[MASKED]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "[MASKED]"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not stored")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not stored")


class SecretSource(msgspec.Struct, frozen=True):
    """Where the HMAC secret is to come from. At most one of `value` and `file` is set.

    `value` is the environment's; `file` holds the secret, `keyring` a ring of keys (both paths). `origin`
    says where that was configured (`BEAMLINE_HMAC_SECRET`, `devstate.toml`), None where nothing was.
    """

    value: Secret | None = None
    file: str | None = None
    keyring: str | None = None
    origin: str | None = None


class Limits(msgspec.Struct, frozen=True):
    """What protects a reader from an input made to exhaust it.

    `file_bytes` and `entry_bytes` in bytes, `depth` in nested JSON containers; beyond `findings_per_code`
    findings of one code are counted, not kept.
    """

    file_bytes: int = 1 << 30
    depth: int = 64
    entry_bytes: int = 1 << 20
    findings_per_code: int = 1000


class TuiSettings(msgspec.Struct, frozen=True):
    """Choices of the inspector: the name of a theme, the path of a keymap file, whether the mouse works."""

    theme: str | None = None
    keymap: str | None = None
    mouse: bool = True


class Settings(msgspec.Struct, frozen=True):
    """All settings. `jobs` is the number of processes for verification, None to let it choose by size.

    `sources` says for each setting, by its dotted name, where it came from: `default`, `devstate.toml`,
    or the name of the variable or flag.
    """

    secrets: SecretSource = SecretSource()
    environment: Environment = "development"
    allow_public_key: bool = False
    actor: str | None = None
    limits: Limits = Limits()
    jobs: int | None = None
    tui: TuiSettings = TuiSettings()
    sources: Mapping[str, str] = MappingProxyType({})

    @property
    def strict_keys(self) -> bool:
        """Whether a missing secret or a public key is an error: in CI and in production."""
        return self.environment != "development"


class _Rule(msgspec.Struct, frozen=True):
    """What one setting may be. Paths in devstate.toml are relative to its folder."""

    kind: Literal["integer", "text", "path", "switch"]
    default: int | str | None = None
    minimum: int = 1
    maximum: int = 1 << 62
    variable: str | None = None  # where it is not DEVSTATE_<NAME>
    in_file: bool = True


_RULES: Final[Mapping[str, _Rule]] = {
    "secret_file": _Rule("path"),
    "keyring": _Rule("path"),
    # Not in the file: who can change the workspace could else weaken its own check.
    "allow_public_key": _Rule("switch", False, variable="ALLOW_DEFAULT_HMAC_SECRET", in_file=False),
    "actor": _Rule("text"),
    "jobs": _Rule("integer", None, maximum=256),
    "limits.file_bytes": _Rule("integer", 1 << 30),
    "limits.depth": _Rule("integer", 64, maximum=500),
    "limits.entry_bytes": _Rule("integer", 1 << 20),
    "limits.findings_per_code": _Rule("integer", 1000),
    "tui.theme": _Rule("text"),
    "tui.keymap": _Rule("path"),
    "tui.mouse": _Rule("switch", True),
}

_SECRET_VARIABLES = ("BEAMLINE_HMAC_SECRET", "HMAC_SECRET")
_CI_VARIABLES = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "DRONE")


def load_settings(
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    config_text: bytes | None = None,
    config_path: str | None = None,
) -> Settings:
    """Join flags, environment, file and defaults.

    `flags` go by the dotted names of the settings; None means not given. An empty variable counts as not set.
    `config_text` is the content of devstate.toml at `config_path`, None where there is no such file.
    Raises UsageError for a value of the wrong kind anywhere and for an unknown name in the file.
    """
    flags = flags or {}
    environ = environ or {}
    unknown = flags.keys() - _RULES.keys()
    if unknown:
        raise ValueError(f"no such settings: {sorted(unknown)}")
    written = _read_config(config_text, config_path or CONFIG_NAME)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, rule in _RULES.items():
        values[name], sources[name] = _choose(name, rule, flags, environ, written, config_path)
    secrets = _secret_source(values, sources, environ)
    environment, sources["environment"] = _environment(environ)
    return Settings(
        secrets=secrets,
        environment=environment,
        allow_public_key=values["allow_public_key"],
        actor=values["actor"],
        limits=Limits(**_section(values, "limits")),
        jobs=values["jobs"],
        tui=TuiSettings(**_section(values, "tui")),
        sources=MappingProxyType(sources),
    )


def _choose(
    name: str,
    rule: _Rule,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    written: Mapping[str, object],
    config_path: str | None,
) -> tuple[object, str]:
    """The value of one setting, and its source."""
    given = flags.get(name)
    if given is not None:
        flag = "--" + name.rsplit(".", 1)[-1].replace("_", "-")
        return _checked(rule, given, flag, None), flag
    variable = rule.variable or "DEVSTATE_" + name.replace(".", "_").upper()
    text = environ.get(variable, "")
    if text:
        return _checked(rule, _from_text(rule, text), variable, None), variable
    if name in written:
        value = _checked(rule, written[name], name, config_path or CONFIG_NAME)
        if rule.kind == "path":
            value = os.path.join(os.path.dirname(config_path or ""), cast(str, value))
        return value, CONFIG_NAME
    return rule.default, "default"


def _from_text(rule: _Rule, text: str) -> object:
    """What a variable's text means; text that means nothing stays text and fails the check."""
    if rule.kind == "switch" and rule.variable is not None:
        return text.lower() == "true"  # an older variable: other tools take all else for no
    if rule.kind == "switch":
        return {"true": True, "false": False}.get(text.lower(), text)
    if rule.kind == "integer" and text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    return text


_WANTED = {
    "integer": (int, "a whole number"),
    "text": (str, "a text"),
    "path": (str, "a path"),
    "switch": (bool, "true or false"),
}


def _checked(rule: _Rule, value: object, name: str, path: str | None) -> object:
    """The value, or UsageError. The message says its kind, never the value: it may be a misplaced secret."""
    kind, wanted = _WANTED[rule.kind]
    if type(value) is not kind:
        found = "a text that is none" if type(value) is str else f"a value of type {type(value).__name__}"
        raise UsageError(
            f"`{name}` must be {wanted}, not {found}",
            path=path,
            position=f"key {name}" if path else None,
            remedy=f"Give `{name}` {wanted}.",
        )
    if isinstance(value, str) and (not value or "\0" in value):
        raise UsageError(
            f"`{name}` must be {wanted}, not an empty text or one with a NUL",
            path=path,
            position=f"key {name}" if path else None,
            remedy=f"Give `{name}` {wanted}, or leave it out.",
        )
    if rule.kind == "integer" and not rule.minimum <= cast(int, value) <= rule.maximum:
        raise UsageError(
            f"`{name}` must be from {rule.minimum} to {rule.maximum}",
            path=path,
            position=f"key {name}" if path else None,
            remedy="Choose a number in this range, or leave the setting out.",
        )
    return value


def _read_config(text: bytes | None, path: str) -> dict[str, object]:
    """The settings of devstate.toml by dotted names; UsageError for what is no TOML or an unknown name."""
    if text is None or not text.strip():
        return {}
    import tomllib

    try:
        document = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _not_toml(path, f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise _not_toml(path, "it is nested too deeply") from None
    except ValueError as error:
        raise _not_toml(path, str(error)[:200]) from None
    sections = {name.split(".")[0] for name in _RULES if "." in name}
    written: dict[str, object] = {}
    for key, value in document.items():
        if key in sections and isinstance(value, dict):
            for inner, item in cast(dict[str, object], value).items():
                written[f"{key}.{inner}"] = item
        else:
            written[key] = value
    for name in written:
        rule = _RULES.get(name)
        if rule is None:
            raise _unknown(name, path)
        if not rule.in_file:
            raise UsageError(
                f"`{name}` cannot be set in {CONFIG_NAME}: a workspace must not weaken its own check",
                path=path,
                position=f"key {name}",
                remedy=f"Remove the line; give the flag, or set {rule.variable} where the command runs.",
            )
    return written


def _not_toml(path: str, why: str) -> UsageError:
    return UsageError(f"{path} is not valid TOML: {why}", path=path, remedy="Correct the file at that place.")


def _unknown(name: str, path: str) -> UsageError:
    from difflib import get_close_matches

    names = [name for name, rule in _RULES.items() if rule.in_file]
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    if "secret" in name.lower():
        remedy = (
            "A secret is never read from here: set BEAMLINE_HMAC_SECRET, or name a file as `secret_file`."
        )
    elif near:
        remedy = f"Did you mean `{near[0]}`?"
    else:
        remedy = "The settings are: " + ", ".join(names) + "."
    return UsageError(f"unknown setting `{name}`", path=path, position=f"key {name}", remedy=remedy)


def _secret_source(
    values: Mapping[str, Any], sources: dict[str, str], environ: Mapping[str, str]
) -> SecretSource:
    """Where the keys come from: flags before the environment before devstate.toml, and in each a ring first.

    What a lower one names is dropped as a whole. Else a ring in devstate.toml, which whoever changes the
    workspace can write, would take the place of the secret that a CI job was given.
    """
    variable = next((name for name in _SECRET_VARIABLES if environ.get(name)), None)
    ranks = {name: _rank(sources[name]) for name in ("keyring", "secret_file") if values[name] is not None}
    highest = max((*ranks.values(), _rank(variable or "default")))
    ring: str | None = values["keyring"] if ranks.get("keyring") == highest else None
    file: str | None = values["secret_file"] if ranks.get("secret_file") == highest else None
    if variable is not None and highest == _rank(variable):
        sources["secret"] = variable
        return SecretSource(Secret(os.fsencode(environ[variable])), None, ring, variable)
    origin = sources["secret_file"] if file is not None else None
    sources["secret"] = origin or "default"
    if origin is None and ring is not None:
        origin = sources["keyring"]
    return SecretSource(None, file, ring, origin)


def _rank(source: str) -> int:
    """How strong a source is: a flag 3, a variable 2, devstate.toml 1, nothing 0."""
    if source.startswith("--"):
        return 3
    return {CONFIG_NAME: 1, "default": 0}.get(source, 2)


def _environment(environ: Mapping[str, str]) -> tuple[Environment, str]:
    for name in _CI_VARIABLES:
        if environ.get(name, "").lower() == "true":
            return "ci", name
    if environ.get("PRODUCTION", "").lower() == "true":
        return "production", "PRODUCTION"
    return "development", "default"


def _section(values: Mapping[str, Any], section: str) -> dict[str, Any]:
    return {name.split(".")[1]: value for name, value in values.items() if name.startswith(section + ".")}
