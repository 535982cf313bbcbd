"""Each planted defect turns its tests red, in a copy of the repository; without one they are green."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from defects import DEFECTS, SAMPLE, Defect
from patched_copies import GREEN, RED, ROOT, copy_repository, environment, run

BY_NAME = {defect.name: defect for defect in DEFECTS}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it stands, in a folder of its own."""
    return copy_repository(tmp_path_factory.mktemp("planted") / "repository")


def plant(copy: Path, defect: Defect) -> tuple[int, str]:
    """Run the defect's tests with the patch in place, and take it out again."""
    file = copy / "core" / "devstate" / defect.file
    text = file.read_text("utf-8")
    file.write_text(text.replace(defect.old, defect.new), "utf-8")
    try:
        return run(copy, defect.tests)
    finally:
        file.write_text(text, "utf-8")


def is_noticed(copy: Path, defect: Defect) -> None:
    status, said = plant(copy, defect)
    assert status == RED, f"{defect.name}: status {status}\n{said}"


@pytest.mark.long
@pytest.mark.parametrize("name", BY_NAME)
def test_a_defect_fits_the_source(name: str) -> None:
    defect = BY_NAME[name]
    text = (ROOT / "core" / "devstate" / defect.file).read_text("utf-8")
    assert text.count(defect.old) == 1
    assert defect.old != defect.new
    assert all((ROOT / "tests" / test).exists() for test in defect.tests)
    compile(text.replace(defect.old, defect.new), defect.file, "exec")


@pytest.mark.long
def test_the_copy_is_what_runs(copy: Path) -> None:
    code = "import devstate, devstate_cli; print(devstate.__file__, devstate_cli.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(copy),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert all(path.startswith(str(copy)) for path in done.stdout.split())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_sample_is_noticed(copy: Path) -> None:
    tests = sorted({test for name in SAMPLE for test in BY_NAME[name].tests})
    status, said = run(copy, tests)
    assert status == GREEN, said
    for name in SAMPLE:
        is_noticed(copy, BY_NAME[name])


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_without_a_defect_the_tests_are_green(copy: Path) -> None:
    status, said = run(copy, sorted({test for defect in DEFECTS for test in defect.tests}), seconds=800)
    assert status == GREEN, said


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BY_NAME)
def test_a_defect_is_noticed(name: str, copy: Path) -> None:
    is_noticed(copy, BY_NAME[name])
