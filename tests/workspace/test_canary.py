"""A secret that must never be seen: not in a repr, a finding, an error, a traceback or an encoding."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest

import small_workspace as small
from devstate.errors import DevStateError
from devstate.settings import load_settings
from devstate.workspace import Workspace, doctor, no_drift_gate, resolve_keyring

CANARY = "canary-7f3a91-never-shown"


def variants() -> list[str]:
    """The secret as text, and what a careless encoder makes of it."""
    import base64

    raw = CANARY.encode()
    return [CANARY, raw.hex(), base64.b64encode(raw).decode().rstrip("="), CANARY[:12]]


def assert_unseen(text: str) -> None:
    for variant in variants():
        assert variant not in text


def environs(tmp_path: Path) -> list[dict[str, str]]:
    (tmp_path / "secret").write_text(CANARY + "\n")
    (tmp_path / "ring").write_text('{"keys": [{"kid": "k", "secret_env": "OTHER"}]}')
    return [
        {"BEAMLINE_HMAC_SECRET": CANARY},
        {"HMAC_SECRET": CANARY, "CI": "true"},
        {"DEVSTATE_SECRET_FILE": str(tmp_path / "secret")},
        {"DEVSTATE_KEYRING": str(tmp_path / "ring"), "OTHER": CANARY},
    ]


def test_readings_and_workspaces(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3, {"a": b"alpha"})
    state = small.sha256((root / small.STATE).read_bytes())
    # Once as the right key, once as a wrong one, once with an entry that was changed.
    histories = (
        small.history(3, state, secret=CANARY.encode()),
        small.history(3, state),
        small.history(3, state, secret=CANARY.encode()).replace(b"step_1", b"step_X"),
    )
    for environ in environs(tmp_path):
        for history in histories:
            (root / small.HISTORY).write_bytes(history)
            with Workspace.open(str(root), environ=environ) as workspace:
                reading = workspace.read()
                gate = no_drift_gate(reading)
                shown = [workspace, reading, gate, workspace.settings, workspace.keyring, vars(workspace)]
                for value in (*shown, *reading.findings, reading.chain, reading.history):
                    assert_unseen(f"{value!r} {value}")
                for value in (*reading.findings, reading.chain, gate, reading.binding, reading.state):
                    assert_unseen(msgspec.json.encode(value).decode())
                assert reading.chain is not None and reading.chain.entries == 3


def test_keys_refuse_to_be_stored(tmp_path: Path) -> None:
    environ = environs(tmp_path)[0]
    keyring, _ = resolve_keyring(load_settings(environ=environ), environ=environ)
    assert keyring is not None
    with pytest.raises(TypeError):
        pickle.dumps(keyring)
    with pytest.raises(TypeError):
        msgspec.json.encode(keyring)
    assert_unseen(repr(copy.deepcopy(keyring)))


def test_the_doctor(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    for environ in environs(tmp_path):
        assert_unseen(repr(doctor(str(root), environ=environ)))


@pytest.mark.parametrize(
    "ring",
    [
        f'{{"keys": [{{"kid": "k", "secret": "{CANARY}"}}]}}',
        f'{{"keys": [{{"kid": "k", "status": "{CANARY}"}}]}}',
        f'{{"keys": "{CANARY}"}}',
        f'{{"{CANARY}": 1}}',
        CANARY,
    ],
)
def test_a_secret_that_was_put_into_the_key_ring(tmp_path: Path, ring: str) -> None:
    root = small.make(tmp_path / "w")
    (tmp_path / "ring").write_text(ring)
    with pytest.raises(DevStateError) as caught:
        Workspace.open(str(root), environ={"DEVSTATE_KEYRING": str(tmp_path / "ring")})
    error = caught.value
    assert_unseen(f"{error!r} {error} {error.remedy} {error.position}")
    assert_unseen("".join(traceback.format_exception(error)))


def opened(root: Path) -> Workspace:
    return Workspace.open(str(root), environ={"BEAMLINE_HMAC_SECRET": CANARY}, absent_ok=True)


def test_errors_and_plans(tmp_path: Path) -> None:
    with opened(tmp_path / "w") as workspace:
        plan = workspace.plan_init()
        receipt = workspace.apply(plan)
        assert_unseen(f"{plan!r} {receipt!r}")
        assert_unseen(msgspec.json.encode(plan).decode())
        with pytest.raises(DevStateError) as caught:
            workspace.apply(plan)
        stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert_unseen("".join(stack.format()))
    for path in (tmp_path / "w").rglob("*"):
        if path.is_file():
            assert_unseen(path.read_text())


def test_a_traceback_with_locals_of_a_failing_read(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    with opened(root) as workspace:
        with pytest.raises(RuntimeError) as caught:

            def fail() -> bool:
                raise RuntimeError("stop")

            workspace.read(cancelled=fail)
        stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert_unseen("".join(stack.format()))
