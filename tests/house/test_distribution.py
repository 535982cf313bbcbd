"""What is built from the repository holds what an installation needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "core/devstate": "devstate",
    "cli/devstate_cli": "devstate_cli",
    "tui/devstate_tui": "devstate_tui",
}
PARTS = ("core", "cli", "tui", "data", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel, made from a copy."""
    copy = tmp_path_factory.mktemp("source")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return copy / "dist"


def names_of(folder: Path, pattern: str) -> set[str]:
    (path,) = folder.glob(pattern)
    if path.suffix == ".whl":
        return set(zipfile.ZipFile(path).namelist())
    with tarfile.open(path) as archive:
        return {member.name.split("/", 1)[1] for member in archive.getmembers() if "/" in member.name}


def sources() -> set[str]:
    """The files of the packages: modules, styles, the mark of types."""
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_packages_and_the_license(built: Path) -> None:
    names = names_of(built, "*.whl")
    for source in sources():
        package = next(folder for folder in PACKAGES if source.startswith(f"{folder}/"))
        assert PACKAGES[package] + source.removeprefix(package) in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests/") for name in names)


def test_the_source_distribution_holds_sources_samples_and_documents(built: Path) -> None:
    names = names_of(built, "*.tar.gz")
    assert sources() <= names
    assert {
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "pyproject.toml",
        "data/state.sample.json",
        "docs/findings.md",
    } <= names


def test_the_wheel_runs_from_a_folder_of_its_own(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    call = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import devstate_cli; from devstate_cli.__main__ import main;"
        "assert devstate_cli.__file__.startswith(sys.path[0]); sys.exit(main())"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", call, str(tmp_path / "installed"), *arguments],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert run("init", "demo", "--demo", "--yes").returncode == 0
    verdict = run("-C", "demo", "verify")
    assert (verdict.returncode, verdict.stdout[:10]) == (0, "✔ VERIFIED")
