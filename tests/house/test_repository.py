"""What holds for every file of the repository: nothing of a machine in it, one version, public names listed."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SOURCES = ("core", "cli", "tui")

# Folders of people, and of the machine that runs this.
OWN = [str(ROOT), *([sys.prefix] if sys.prefix != sys.base_prefix else [])]
MACHINE = re.compile(
    r"(?<![\w.~{}*-])(?:/home/(?!user/)[a-z][\w-]{2,}/|/Users/\w+/|"
    + "|".join(re.escape(path) + "/" for path in OWN if path.count("/") > 1)
    + ")"
)
REGISTRY = re.compile(
    r"\bindex-url\b|\bfind-links\b|\bpypi\.(?:org|python)|pythonhosted\.org|registry\.npmjs|https?://[^\s\"')>]*/simple\b",
    re.IGNORECASE,
)

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
LONGEST_MODULE = 450


def tracked() -> list[Path]:
    """The files that git knows or would take; where this is no clone, all but those of hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        inside = (path.relative_to(ROOT).parts for path in ROOT.rglob("*"))
        names = ["/".join(parts) for parts in inside if not any(part.startswith(".") for part in parts[:-1])]
    else:
        names = listed.stdout.decode().split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    """The repository's texts; the attack corpus holds whatever bytes a row needs."""
    for path in tracked():
        if (
            path == Path(__file__)
            or path.suffix in (".png", ".svg")
            or path.is_relative_to(ROOT / "tests/chain/attacks")
        ):
            continue
        try:
            yield path, path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


def modules() -> list[Path]:
    return [path for source in SOURCES for path in sorted((ROOT / source).rglob("*.py"))]


def packages() -> list[str]:
    return [
        ".".join(path.parent.relative_to(ROOT / source).parts)
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("__init__.py"))
    ]


@pytest.mark.parametrize(
    ("pattern", "what"), [(MACHINE, "a path of a machine"), (REGISTRY, "a registry's address")]
)
def test_no_text_names_a_machine_or_a_registry(pattern: re.Pattern[str], what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts()
        for match in pattern.finditer(text)
    ]
    assert not found, f"{what}: {found}"


@pytest.mark.parametrize(
    "text", ["see /home/jane/src", f"cd {ROOT}/core", "'/Users/jane/x'", "--extra-index-url x"]
)
def test_the_search_finds_what_it_is_for(text: str) -> None:
    assert MACHINE.search(text) or REGISTRY.search(text)


def test_the_version_is_one() -> None:
    import devstate

    version = PROJECT["version"]
    assert devstate.__version__ == version
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_constraints_are_versions_only_and_pin_what_the_project_names() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line) for line in pins)
    pinned = {normal(line.split("==")[0]) for line in pins}
    named = {
        normal(re.split(r"[<>=\[ ]", need)[0])
        for need in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    }
    assert named <= pinned


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("package", packages())
def test_a_package_lists_its_public_names_and_nothing_else(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    brought: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("devstate")):
            brought |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            brought.add(node.name)
    listed = set(getattr(module, "__all__", ()))
    assert {name for name in brought if not name.startswith("_")} <= listed
    assert all(hasattr(module, name) for name in listed)
    assert not listed or (listed == {*module.__all__} and len(listed) == len(module.__all__))


def test_modules_have_names_that_say_something_and_are_short() -> None:
    for path in modules():
        parts = {path.stem, *path.parent.parts}
        assert parts.isdisjoint(NAMES_THAT_SAY_NOTHING), path
        text = path.read_text("utf-8")
        assert text.count("\n") <= LONGEST_MODULE, path
        if path.name not in ("__init__.py", "__main__.py"):
            assert "from __future__ import annotations" in text, path


def test_the_targets_that_the_documents_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", "Makefile"):
        named = re.findall(
            r"(?:`|^|^#   .*?)make ([a-z][a-z-]*)", (ROOT / page).read_text("utf-8"), re.MULTILINE
        )
        assert {"run", "test"} & set(named), page
        assert set(named) <= targets, page


def test_the_programs_that_targets_start_can_be_started() -> None:
    for name in (".ci/run", "scripts/run", "scripts/check", "scripts/make_venv", "scripts/make_constraints"):
        path = ROOT / name
        assert path.stat().st_mode & 0o111, name
        shell = path.read_text("utf-8").split("\n", 1)[0].rsplit("/", 1)[-1].split()[-1]
        assert subprocess.run([shell, "-n", str(path)], check=False).returncode == 0, name
