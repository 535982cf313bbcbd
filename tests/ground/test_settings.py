"""Settings: their order, their checks, and secrets that nothing shows."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.errors import UsageError
from devstate.settings import Limits, Secret, SecretSource, Settings, TuiSettings, load_settings

CANARY = "canary-7b1f9d-secret"


def test_defaults() -> None:
    settings = load_settings()
    assert settings.secrets == SecretSource()
    assert (settings.environment, settings.strict_keys, settings.allow_public_key) == (
        "development",
        False,
        False,
    )
    assert settings.limits == Limits(1 << 30, 64, 1 << 20, 1000)
    assert (settings.tui, settings.jobs, settings.actor) == (TuiSettings(None, None, True), None, None)
    assert set(settings.sources.values()) == {"default"}


def test_flags_over_environment_over_file_over_defaults() -> None:
    file = b'jobs = 2\nactor = "file"\n[limits]\ndepth = 10\nentry_bytes = 10\n[tui]\ntheme = "file"\n'
    environ = {"DEVSTATE_JOBS": "3", "DEVSTATE_LIMITS_DEPTH": "20", "DEVSTATE_TUI_MOUSE": "false"}
    settings = load_settings(flags={"jobs": 4, "actor": None}, environ=environ, config_text=file)
    assert (settings.jobs, settings.actor, settings.limits.depth, settings.limits.entry_bytes) == (
        4,
        "file",
        20,
        10,
    )
    assert (settings.tui.theme, settings.tui.mouse) == ("file", False)
    chosen = ("jobs", "actor", "limits.depth", "limits.file_bytes", "tui.mouse")
    assert [settings.sources[name] for name in chosen] == [
        "--jobs",
        "devstate.toml",
        "DEVSTATE_LIMITS_DEPTH",
        "default",
        "DEVSTATE_TUI_MOUSE",
    ]


def test_every_setting_says_where_it_comes_from() -> None:
    settings = load_settings(flags={"tui.mouse": False})
    assert {"secret", "environment", "secret_file", "keyring", "tui.keymap"} <= settings.sources.keys()
    assert settings.sources["tui.mouse"] == "--mouse"


def test_paths_of_the_file_are_relative_to_it() -> None:
    text = b'secret_file = "keys/secret"\nkeyring = "/etc/ring.json"\n[tui]\nkeymap = "keys.toml"'
    settings = load_settings(config_text=text, config_path="/srv/project/devstate.toml")
    assert settings.secrets == SecretSource(
        None, "/srv/project/keys/secret", "/etc/ring.json", "devstate.toml"
    )
    assert settings.tui.keymap == "/srv/project/keys.toml"
    given = load_settings(flags={"secret_file": "keys/secret"}, config_text=text)
    assert (given.secrets.file, given.secrets.origin) == ("keys/secret", "--secret-file")


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "DRONE"])
@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_ci(name: str, value: str) -> None:
    settings = load_settings(environ={name: value, "PRODUCTION": "true"})
    assert (settings.environment, settings.strict_keys) == ("ci", True)
    assert settings.sources["environment"] == name


@pytest.mark.parametrize("value", ["", "false", "0", "no"])
def test_not_ci(value: str) -> None:
    assert load_settings(environ={"CI": value}).environment == "development"


def test_production() -> None:
    assert load_settings(environ={"PRODUCTION": "true", "CI": "false"}).environment == "production"


def _revealed(source: SecretSource) -> bytes | None:
    return None if source.value is None else source.value.reveal()


def test_where_the_secret_comes_from() -> None:
    both = {"BEAMLINE_HMAC_SECRET": "first", "HMAC_SECRET": "second"}
    assert _revealed(load_settings(environ=both).secrets) == b"first"
    alias = load_settings(environ={"HMAC_SECRET": "second", "BEAMLINE_HMAC_SECRET": ""}).secrets
    assert (_revealed(alias), alias.origin) == (b"second", "HMAC_SECRET")
    file = {"DEVSTATE_SECRET_FILE": "/run/secret"}
    assert load_settings(environ=file).secrets == SecretSource(
        file="/run/secret", origin="DEVSTATE_SECRET_FILE"
    )
    assert _revealed(load_settings(environ={**file, **both}).secrets) == b"first"
    flagged = load_settings(flags={"secret_file": "/x", "keyring": "/ring"}, environ=both).secrets
    assert flagged == SecretSource(None, "/x", "/ring", "--secret-file")
    assert load_settings(flags={"keyring": "/ring"}).secrets.origin == "--keyring"


def test_a_secret_is_any_bytes() -> None:
    environ = {"BEAMLINE_HMAC_SECRET": "\udcff ä"}
    assert _revealed(load_settings(environ=environ).secrets) == b"\xff \xc3\xa4"


def test_public_key_is_allowed_by_flag_or_old_variable_only() -> None:
    assert load_settings(flags={"allow_public_key": True}).allow_public_key
    assert load_settings(environ={"ALLOW_DEFAULT_HMAC_SECRET": "true"}).allow_public_key
    for other in ("1", "yes", "false", ""):
        assert not load_settings(environ={"ALLOW_DEFAULT_HMAC_SECRET": other}).allow_public_key
    with pytest.raises(UsageError, match="weaken"):
        load_settings(config_text=b"allow_public_key = true")


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        (b"job = 2", "job", "`jobs`"),
        (b"[limits]\nfile_byte = 2", "limits.file_byte", "`limits.file_bytes`"),
        (b"[tui]\nthem = 'x'", "tui.them", "`tui.theme`"),
        (b"limits = 5", "limits", "limits."),
        (b"zzzz = 1", "zzzz", "actor"),
        (b"secret = 'canary-7b1f9d-secret'", "secret", "BEAMLINE_HMAC_SECRET"),
        (b"BEAMLINE_HMAC_SECRET = 'canary-7b1f9d-secret'", "BEAMLINE_HMAC_SECRET", "secret_file"),
        (b"[limits]\ndepth = true", "limits.depth", "whole number"),
        (b"[limits]\ndepth = '12'", "limits.depth", "whole number"),
        (b"[limits]\ndepth = 1.5", "limits.depth", "whole number"),
        (b"[limits]\ndepth = 0", "limits.depth", "range"),
        (b"jobs = 100000", "jobs", "range"),
        (b"actor = 5", "actor", "text"),
        (b"actor = ''", "actor", "text"),
        (b'actor = "a\\u0000"', "actor", "text"),
        (b"[tui]\nmouse = 'yes'", "tui.mouse", "true or false"),
        (b"[tui]\nmouse = 1", "tui.mouse", "true or false"),
        (b"secret_file = ['canary-7b1f9d-secret']", "secret_file", "path"),
    ],
)
def test_mistakes_in_the_file_name_the_key_and_the_way_out(text: bytes, key: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(config_text=text, config_path="/w/devstate.toml")
    error = caught.value
    assert (error.path, error.position, error.exit_code) == ("/w/devstate.toml", f"key {key}", 2)
    assert f"`{key}`" in error.message
    assert hint in error.remedy
    assert CANARY not in str(error) + error.remedy


@pytest.mark.parametrize("text", [b"x =", b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 5000, b"[tui", b"\0"])
def test_text_that_is_no_toml(text: bytes) -> None:
    with pytest.raises(UsageError, match="not valid TOML") as caught:
        load_settings(config_text=text, config_path="/w/devstate.toml")
    assert caught.value.path == "/w/devstate.toml"


@given(st.binary(max_size=60))
def test_any_file_gives_settings_or_a_usage_error(text: bytes) -> None:
    try:
        assert isinstance(load_settings(config_text=text), Settings)
    except UsageError as error:
        assert error.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEVSTATE_JOBS", "many"),
        ("DEVSTATE_JOBS", "-1"),
        ("DEVSTATE_JOBS", "0"),
        ("DEVSTATE_JOBS", "9" * 5000),
        ("DEVSTATE_JOBS", "٣"),
        ("DEVSTATE_TUI_MOUSE", "perhaps"),
    ],
)
def test_mistakes_in_the_environment(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name) as caught:
        load_settings(environ={name: value})
    assert value not in caught.value.remedy or len(value) < 3


def test_foreign_variables_are_nobodys_mistake() -> None:
    assert load_settings(environ={"DEVSTATE_SOMETHING": "x", "PATH": "/bin"}) == load_settings()


def test_an_unknown_flag_is_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="no such settings"):
        load_settings(flags={"colour": True})


# -- secrets ---------------------------------------------------------------------------------------


@pytest.fixture
def settings() -> Settings:
    return load_settings(environ={"BEAMLINE_HMAC_SECRET": CANARY})


def test_texts_do_not_show_a_secret(settings: Settings) -> None:
    secret = settings.secrets.value
    assert secret is not None and secret.reveal() == CANARY.encode()
    for thing in (secret, settings.secrets, settings):
        for text in (repr(thing), str(thing), f"{thing}", f"{thing!r}", f"{thing!s:>40}"):
            assert CANARY not in text
            assert "MASKED" in text
    assert f"{secret:>40}" == "[MASKED]"
    assert len(secret) == len(CANARY)


def _attempts(thing: Any) -> list[Any]:
    return [
        lambda: pickle.dumps(thing),
        lambda: pickle.dumps(thing, protocol=0),
        lambda: msgspec.json.encode(thing),
        lambda: msgspec.msgpack.encode(thing),
        lambda: msgspec.to_builtins(thing),
        lambda: json.dumps(thing, default=vars),
        lambda: vars(thing),
        lambda: thing.__getstate__(),
        lambda: thing.__reduce_ex__(2),
    ]


def test_encoders_do_not_show_a_secret(settings: Settings) -> None:
    secret = settings.secrets.value
    for thing in (secret, settings.secrets, settings):
        for attempt in _attempts(thing):
            try:
                made = attempt()
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                assert CANARY not in str(error)
            else:
                assert CANARY not in repr(made)
    for thing in (settings.secrets, settings):
        assert CANARY not in repr(msgspec.structs.asdict(thing))
        assert CANARY not in repr(msgspec.structs.astuple(thing))
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_copies_are_the_secret_itself(settings: Settings) -> None:
    secret = settings.secrets.value
    assert copy.copy(secret) is secret
    assert copy.deepcopy(settings.secrets).value is secret


def test_tracebacks_with_locals_do_not_show_a_secret() -> None:
    def fails(settings: Settings) -> None:
        secret = settings.secrets.value
        raise RuntimeError(f"failed with {settings} and {secret}")

    loaded = load_settings(environ={"BEAMLINE_HMAC_SECRET": CANARY})
    try:
        fails(loaded)
    except RuntimeError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(report.format())
    else:
        raise AssertionError
    assert "MASKED" in text
    assert CANARY not in "".join(line for line in text.splitlines() if "environ=" not in line)


def test_secrets_are_not_compared_by_content() -> None:
    one, other = Secret(b"same"), Secret(b"same")
    assert one != other
    assert one == one
    assert len({one, other}) == 2
