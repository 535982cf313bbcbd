"""Which keys verify, and what is said where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import small_workspace as small
from devstate.chain import Keyring
from devstate.errors import UsageError
from devstate.findings import Class, exit_code
from devstate.settings import SecretSource, Settings, load_settings
from devstate.workspace import Reading, Workspace, resolve_keyring

STRONG = small.SECRET.decode()


def resolve(environ: dict[str, str] | None = None, **flags: object) -> tuple[Keyring | None, list[str]]:
    environ = environ or {}
    settings = load_settings(flags=flags, environ=environ)
    keyring, findings = resolve_keyring(settings, environ=environ)
    for finding in findings:
        assert finding.code == "KEY_MISSING" and finding.failure_class is Class.UNDECIDABLE and finding.remedy
    return keyring, [finding.message for finding in findings]


def secrets(keyring: Keyring | None) -> list[bytes]:
    return [key.secret.reveal() for key in keyring.keys] if keyring else []


@pytest.mark.parametrize("name", ["BEAMLINE_HMAC_SECRET", "HMAC_SECRET"])
def test_the_variables(name: str) -> None:
    assert secrets(resolve({name: STRONG})[0]) == [small.SECRET]


def test_a_secret_file(tmp_path: Path) -> None:
    for number, (content, secret) in enumerate(
        {
            b"one": b"one",
            b"one\n": b"one",
            b"one\r\n": b"one",
            b"one\n\n": b"one\n",
            b" one ": b" one ",
        }.items()
    ):
        path = tmp_path / str(number)
        path.write_bytes(content)
        assert secrets(resolve(secret_file=str(path))[0]) == [secret]


def test_a_secret_file_may_be_mounted_as_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/secret").write_bytes(b"one")
    (tmp_path / "secret").symlink_to("data/secret")
    (tmp_path / "again").symlink_to(tmp_path / "secret")
    assert secrets(resolve(secret_file=str(tmp_path / "again"))[0]) == [b"one"]


@pytest.mark.parametrize("kind", ["missing", "empty", "line end", "folder", "loop"])
def test_a_secret_file_that_gives_none_is_never_replaced_by_the_default(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "secret"
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "line end":
            path.write_bytes(b"\n")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to("secret")
        case _:
            pass
    keyring, messages = resolve(secret_file=str(path))
    assert keyring is None and str(path) in messages[0]


def test_a_key_ring(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"the old one\n")
    ring = tmp_path / "ring.json"
    items = [
        {"kid": "k1", "status": "retired", "to_seq": 4, "secret_file": "old"},
        {"kid": "k2", "from_seq": 5, "secret_env": "NEW_SECRET"},
    ]
    ring.write_text(json.dumps({"keys": items}))
    keyring, _ = resolve({"NEW_SECRET": "the new one"}, keyring=str(ring))
    assert keyring is not None and secrets(keyring) == [b"the old one", b"the new one"]
    assert [(key.kid, key.status, key.from_seq, key.to_seq) for key in keyring.keys] == [
        ("k1", "retired", 0, 4),
        ("k2", "active", 5, None),
    ]
    keyring, messages = resolve(keyring=str(ring))
    assert keyring is None and "NEW_SECRET" in messages[0]


def test_a_faulty_key_ring_is_wrong_use(tmp_path: Path) -> None:
    ring = tmp_path / "ring.json"
    ring.write_text('{"keys": [{"kid": "k", "secret": "inside"}]}')
    with pytest.raises(UsageError) as caught:
        resolve(keyring=str(ring))
    assert "inside" not in str(caught.value) + caught.value.remedy
    assert resolve(keyring=str(tmp_path / "none"))[0] is None


def test_development_has_a_public_default() -> None:
    keyring, messages = resolve()
    assert secrets(keyring) == [b"beamline-secret-key-v1"] and messages == []


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "DRONE", "PRODUCTION"])
def test_ci_and_production_have_none(name: str) -> None:
    keyring, messages = resolve({name: "true"})
    assert keyring is None and len(messages) == 1
    assert resolve({name: "false"})[0] is not None
    assert secrets(resolve({name: "true", "BEAMLINE_HMAC_SECRET": STRONG})[0]) == [small.SECRET]
    assert resolve({name: "true", "ALLOW_DEFAULT_HMAC_SECRET": "true"})[0] is not None


def read(root: Path, environ: dict[str, str]) -> Reading:
    with Workspace.open(str(root), environ=environ) as workspace:
        return workspace.read()


def status_of(reading: Reading, code: str, *, strict: bool = False) -> int:
    return exit_code([finding for finding in reading.findings if finding.code == code], strict=strict)


def test_the_exit_statuses_of_weak_and_missing_keys(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    state = small.sha256((root / small.STATE).read_bytes())
    for secret in (b"beamline-secret-key-v1", b"short"):
        (root / small.HISTORY).write_bytes(small.history(3, state, secret=secret))
        given = {"BEAMLINE_HMAC_SECRET": secret.decode()}
        developing, ci = read(root, given), read(root, {**given, "CI": "true"})
        allowed = read(root, {**given, "CI": "true", "ALLOW_DEFAULT_HMAC_SECRET": "true"})
        assert (status_of(developing, "WEAK_KEY"), status_of(developing, "WEAK_KEY", strict=True)) == (0, 4)
        assert (status_of(allowed, "WEAK_KEY"), status_of(allowed, "WEAK_KEY", strict=True)) == (0, 4)
        assert status_of(ci, "WEAK_KEY") == 3
    missing = read(root, {"CI": "true"})
    assert [f.code for f in missing.findings if f.code.startswith("KEY")] == ["KEY_MISSING"]  # told once
    assert status_of(missing, "KEY_MISSING") == 3
    assert missing.chain is not None and set(missing.chain.letters) == set(b"E")


def test_the_wrong_key_is_no_tampering(tmp_path: Path) -> None:
    reading = read(small.make(tmp_path / "w"), {"BEAMLINE_HMAC_SECRET": "another one, long enough"})
    assert status_of(reading, "WRONG_KEY") == 3 and exit_code(reading.findings) == 3


def test_settings_without_anything_are_those_of_development() -> None:
    assert secrets(resolve_keyring(Settings(secrets=SecretSource()))[0]) == [b"beamline-secret-key-v1"]


@pytest.mark.parametrize("protected", ["CI", "GITLAB_CI", "PRODUCTION"])
def test_a_protected_environment_takes_no_key_from_the_workspace(tmp_path: Path, protected: str) -> None:
    """Whoever rewrites the history could name the new key in devstate.toml as well."""
    (tmp_path / "attacker").write_bytes(b"a secret of the attacker's own")

    def resolved(environ: dict[str, str]) -> tuple[Keyring | None, list[str]]:
        written = b'secret_file = "attacker"\n'
        settings = load_settings(
            environ=environ, config_text=written, config_path=str(tmp_path / "devstate.toml")
        )
        keyring, findings = resolve_keyring(settings, environ=environ)
        return keyring, [finding.code for finding in findings]

    assert secrets(resolved({})[0]) == [b"a secret of the attacker's own"]
    assert resolved({protected: "true"}) == (None, ["KEY_MISSING"])
    keyring, codes = resolved({protected: "true", "BEAMLINE_HMAC_SECRET": STRONG})
    assert (secrets(keyring), codes) == ([small.SECRET], [])
