"""The same operations write the same bytes, whatever the hash seed; recovery reads no clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstate.durable.simulated import SimulatedFiles
from engine_crash.driving import START, opened
from engine_crash.power import abandon, rehearse
from engine_crash.workloads import WORKLOADS

TESTS = Path(__file__).parents[1]
CODE = """
import hashlib, sys
from engine_crash.power import rehearse
from engine_crash.workloads import WORKLOADS
for workload in WORKLOADS:
    if workload.options.get("owner", ()) is None:
        continue
    for node in rehearse(workload).image.nodes:
        if not node.path.endswith(("/LOCK", "/WRITERS")):
            print(workload.name, node.path, hashlib.sha256(node.data).hexdigest())
"""


def written(seed: int) -> str:
    paths = os.pathsep.join([str(TESTS), *sys.path])
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True, timeout=100
    )
    return done.stdout


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    first = written(0)
    assert first.count(".wal") > 20
    assert first.count(".dat") > 5
    assert [written(seed) == first for seed in range(1, 5)] == [True] * 4


@pytest.mark.parametrize("name", ["primitives", "snapshots, two kept", "deleted runs"])
def test_recovery_reads_no_clock(name: str) -> None:
    """Whatever the time is, the same comes back."""
    workload = next(workload for workload in WORKLOADS if workload.name == name)
    rehearsal = rehearse(workload)
    told: list[object] = []
    for time in (0, START + 5, 2**62):
        db = opened(SimulatedFiles(rehearsal.image, pid=5001), now=lambda time=time: time, **workload.options)
        assert db.digest() == rehearsal.digests[max(rehearsal.digests)]
        told.append(db.recovery.comparable())
        abandon(db)
    assert told[0] == told[1] == told[2]
