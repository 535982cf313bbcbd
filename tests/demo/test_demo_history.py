"""The bytes of a demo history: the reference serialisation, signed, deterministic, streamed."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import subprocess
import sys
import tracemalloc
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.demo import DemoWorkspace, demo_workspace
from devstate.errors import UsageError

SECRET = b"beamline-secret-key-v1"
DEFAULT_DIGEST = "4d92e6c13a52964202f2f4ebcc87eb9d9c5d17d2e6013ba302289c69603f8dcd"
STATE_DIGEST = "928692914e9ec9278338580dceb3379a852858d34f06e5479c903f45e42f212e"
OTHER_DIGEST = "b529518e1a084091958dc2c3bd8bbf2d87799e38d1255dfeee94c341a547d1de"
COVERED = ("ts", "actor", "action", "state_checksum", "hmac_prev")


def history(demo: DemoWorkspace) -> bytes:
    return b"".join(demo.history_chunks())


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@settings(max_examples=40, deadline=None)
@given(entries=st.integers(1, 400), seed=st.integers())
def test_is_sound_and_in_the_reference_serialisation(entries: int, seed: int) -> None:
    demo = demo_workspace(entries=entries, seed=seed)
    data = history(demo)
    found = json.loads(data)
    assert json.dumps(found, indent=4, ensure_ascii=False).encode() == data
    assert len(found) == entries
    prev = ""
    for entry in found:
        assert entry["hmac_prev"] == prev
        message = "".join(entry[name] for name in COVERED).encode()
        prev = hmac.new(SECRET, message, hashlib.sha256).hexdigest()
        assert entry["hmac"] == prev
    state = demo.files[".trae/state.json"]
    assert found[-1]["state_checksum"] == checksum(state)
    assert [entry["ts"] for entry in found] == sorted(entry["ts"] for entry in found)
    assert all(datetime.fromisoformat(entry["ts"]).year == 2026 for entry in found)
    assert found[-1]["ts"] < "2026-06"
    assert found[-1]["cp_to"] == json.loads(state)["current_cp"]
    assert {entry["actor"] for entry in found} <= {agent["id"] for agent in json.loads(state)["agents"]}


def test_checkpoints_follow_each_other() -> None:
    found = json.loads(history(demo_workspace()))
    assert found[0]["cp_from"] is None
    for before, after in itertools.pairwise(found):
        assert after["cp_from"] == before["cp_to"]
    passed = [(entry["cp_from"], entry["cp_to"]) for entry in found if entry["action"] == "gate_pass"]
    assert passed == [("CP0-LC", "CP1-LC"), ("CP1-LC", "CP2-LC"), ("CP2-LC", "CP3-LC")]


def test_the_listed_files_are_there_as_listed() -> None:
    demo = demo_workspace()
    listed = json.loads(demo.files[".trae/state.json"])["artifact_checksums"]
    assert {item["path"]: item["hash"] for item in listed} == {
        path: checksum(content) for path, content in demo.files.items() if not path.startswith(".trae/")
    }
    assert len(listed) >= 10
    assert not demo.links


def test_the_seed_decides_every_byte() -> None:
    """The digests are the promise to whoever names a demo by its seed: another machine, another Python."""
    assert checksum(history(demo_workspace())) == DEFAULT_DIGEST
    assert checksum(demo_workspace().files[".trae/state.json"]) == STATE_DIGEST
    assert checksum(history(demo_workspace(entries=3000, seed=-5))) == OTHER_DIGEST
    assert history(demo_workspace(seed=7)) != history(demo_workspace(seed=8))


def test_hash_randomisation_does_not_change_it() -> None:
    code = (
        "import hashlib; from devstate.demo import ugly_workspace as u; d = u();"
        "h = hashlib.sha256(b''.join(d.history_chunks()));"
        "[h.update(p.encode() + c) for p, c in d.files.items()]; print(h.hexdigest(), list(d.links.items()))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(seen) == 1


def test_chunks_can_be_asked_for_again() -> None:
    demo = demo_workspace(entries=50)
    assert history(demo) == history(demo)


def test_a_large_history_does_not_stand_in_memory() -> None:
    demo = demo_workspace(entries=20_000)
    tracemalloc.start()
    try:
        size = sum(len(chunk) for chunk in demo.history_chunks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 540 * 20_000 < size < 600 * 20_000
    assert peak < 8 << 20


@pytest.mark.parametrize("entries", [0, -1, 10_000_001])
def test_refuses_an_impossible_size(entries: int) -> None:
    with pytest.raises(UsageError, match=str(entries)):
        demo_workspace(entries=entries)
