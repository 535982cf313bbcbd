"""Small changes of the engine's core, drawn at random: at least 85 of 100 have to turn its quick tests red.

The sample is the same for the same source and seed. In the environment, each with MUTANTS before its name:
(nothing more) says how many are drawn (60), _SEED by which seed (1), _MODULES from which modules, with commas between
(all), _JOBS how many run side by side (2); _REPORT names a file that is told of each, with its fate.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from equivalent_mutants import EQUIVALENT
from mutants import Mutant, apply, mutants_of, sampled
from patched_copies import GREEN, RED, ROOT, TIMED_OUT, copy_repository, run

ENGINE = "core/devstate/engine"
WANTED = 0.85
COUNT = int(os.environ.get("MUTANTS", "60"))
SEED = int(os.environ.get("MUTANTS_SEED", "1"))
JOBS = int(os.environ.get("MUTANTS_JOBS", "2"))
REPORT = os.environ.get("MUTANTS_REPORT")

# A mutant that makes no end of it counts as noticed; the tests of one module take far less.
SECONDS = 120.0

# The tests that are asked about a module, those first that are quick to notice.
TESTS: dict[str, tuple[str, ...]] = {
    "envelope": ("test_core_limits", "test_envelope", "test_framing"),
    "framing": ("test_framing", "test_segments", "test_core_reading", "test_attacks"),
    "scan": ("test_core_reading", "test_attacks", "test_salvage", "test_walk"),
    "walk": ("test_core_reading", "test_attacks", "test_walk"),
    "verdicts": ("test_core_reading", "test_attacks", "test_walk"),
    "segments": ("test_core_reading", "test_segments", "test_core_following"),
    "snapshot_file": ("test_core_limits", "test_snapshot_file", "test_core_reading"),
    "snapshot_writing": ("test_core_snapshots", "test_snapshot_file"),
    "snapshot_reading": ("test_core_snapshots", "test_snapshot_file"),
    "snapshotting": (
        "test_core_snapshots",
        "test_snapshot_beside_deletion",
        "test_review_commit",
        "test_checking",
    ),
    "recovery": ("test_core_recovery", "test_core_following", "test_attacks"),
    "recovery_base": ("test_core_recovery", "test_core_snapshots"),
    "identity": ("test_core_recovery",),
    "repair": ("test_core_recovery", "test_review_log", "test_faults_engine"),
    "replay": ("test_core_reading", "test_replay"),
    "timeline": ("test_core_reading", "test_timeline"),
    "commit": (
        "test_core_limits",
        "test_core_snapshots",
        "test_core_transactions",
        "test_core_following",
        "test_faults_engine",
        "test_isolation",
    ),
    "wal_writer": ("test_core_limits", "test_core_log", "test_core_following", "test_faults_engine"),
    "syncing": ("test_core_syncing", "test_core_transactions"),
    "following": ("test_core_following", "test_core_recovery"),
    "sharing": ("test_core_following", "test_faults_engine"),
    "transactions": ("test_core_transactions", "test_primitive_json", "test_isolation"),
    "map_primitive": ("test_core_limits", "test_core_map", "test_primitive_state", "test_core_transactions"),
}
MODULES = tuple(os.environ.get("MUTANTS_MODULES", ",".join(TESTS)).split(","))


def files_for(module: str) -> list[str]:
    return [f"engine/{name}.py" for name in TESTS[module]]


def source_of(root: Path, module: str) -> Path:
    return root / ENGINE / f"{module}.py"


def all_mutants() -> list[Mutant]:
    """Those of the chosen modules that change anything."""
    found: list[Mutant] = []
    for module in MODULES:
        found += mutants_of(module, source_of(ROOT, module).read_text("utf-8"))
    return [mutant for mutant in found if mutant.key not in EQUIVALENT]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A copy of the repository for each that runs beside the others."""
    folder = tmp_path_factory.mktemp("mutants")
    return [copy_repository(folder / f"copy{number}") for number in range(JOBS)]


def fate(copy: Path, mutant: Mutant) -> tuple[int, str]:
    """What the tests of its module end with when the mutant is in the place of the module."""
    file = source_of(copy, mutant.module)
    text = file.read_text("utf-8")
    file.write_text(apply(text, mutant), "utf-8")
    try:
        return run(copy, files_for(mutant.module), seconds=SECONDS, options=("--timeout", "30"))
    finally:
        file.write_text(text, "utf-8")


def fates(copies: list[Path], mutants: list[Mutant]) -> Iterator[tuple[Mutant, int, str]]:
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(mutant: Mutant) -> tuple[Mutant, int, str]:
        copy = free.get()
        try:
            return mutant, *fate(copy, mutant)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as workers:
        yield from workers.map(one, mutants)


@pytest.mark.long
@pytest.mark.parametrize("module", TESTS)
def test_every_mutant_is_a_program(module: str) -> None:
    text = source_of(ROOT, module).read_text("utf-8")
    made = mutants_of(module, text)
    assert made
    assert len({mutant.key for mutant in made}) == len(made)
    for mutant in made:
        changed = apply(text, mutant)
        assert changed != text
        compile(changed, module, "exec")


@pytest.mark.long
def test_what_is_said_to_be_equivalent_exists() -> None:
    found = {
        mutant.key
        for module in TESTS
        for mutant in mutants_of(module, source_of(ROOT, module).read_text("utf-8"))
    }
    assert not EQUIVALENT.keys() - found
    assert all(EQUIVALENT.values())


@pytest.mark.long
def test_the_tests_that_are_asked_are_there() -> None:
    asked = {test for module in TESTS for test in files_for(module)}
    assert not [test for test in asked if not (ROOT / "tests" / test).exists()]


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_without_a_mutant_the_tests_are_green(copies: list[Path]) -> None:
    status, said = run(
        copies[0], sorted({test for module in MODULES for test in files_for(module)}), seconds=800
    )
    assert status == GREEN, said


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_mutants_are_noticed(copies: list[Path]) -> None:
    drawn = sampled(all_mutants(), COUNT, SEED)
    survivors: list[Mutant] = []
    strange: list[str] = []
    rates: Counter[tuple[str, bool]] = Counter()
    for mutant, status, said in fates(copies, drawn):
        noticed = status != GREEN
        rates[mutant.module, noticed] += 1
        if not noticed:
            survivors.append(mutant)
        elif status not in (RED, TIMED_OUT, 2) and "conftest" not in said:  # 2: tests that cannot be imported
            strange.append(f"{mutant}: status {status}\n{said}")
        if REPORT:
            with open(REPORT, "a", encoding="utf-8") as file:
                file.write(f"{status}\t{mutant}\n")
    told = "\n".join(
        f"{module}: {rates[module, True]} of {rates[module, True] + rates[module, False]}"
        for module in MODULES
    )
    print(told)
    assert not strange, "\n".join(strange)
    rate = 1 - len(survivors) / len(drawn)
    listed = "\n".join(map(str, survivors))
    assert rate >= WANTED, (
        f"{rate:.0%} of {len(drawn)} mutants (seed {SEED}) noticed; not noticed:\n{listed}\n{told}"
    )
