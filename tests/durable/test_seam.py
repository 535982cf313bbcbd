"""All file calls of the core go through `devstate.durable`: watched while it runs, and read in its source."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import devstate
from python_child import run_python

CORE = Path(devstate.__file__).parent
RUN = "import runpy; runpy.run_module('seam_audit', run_name='__main__')"


def test_no_operation_calls_files_outside_the_layer() -> None:
    *violations, count = run_python(RUN).splitlines()
    assert violations == []
    assert int(count.split()[0]) > 20


def test_the_watch_sees_a_planted_call() -> None:
    violations = run_python(RUN, "--planted").splitlines()[:-1]
    assert len(violations) == 1
    assert violations[0].startswith(f"chain{os.sep}planted.py:1 open ")


# Calls that touch the file system. Those on open descriptors that may be pipes (read, write, close) are the
# audit hook's business: without an open outside the layer there is no file to call them on.
_OS_CALLS_TEXT = """
    access chdir chmod chown copy_file_range fchdir fchmod fchown fdatasync fdopen fstat fstatvfs
    fsync ftruncate fwalk getxattr lchmod lchown link listdir listxattr lockf lseek lstat makedirs
    mkdir mkfifo mknod open posix_fadvise posix_fallocate pread preadv pwrite pwritev readlink readv
    remove removedirs removexattr rename renames replace rmdir scandir sendfile setxattr stat
    statvfs symlink sync truncate unlink utime walk writev
"""
_OS_CALLS = frozenset(_OS_CALLS_TEXT.split())
_PATH_CALLS_TEXT = """
    exists getatime getctime getmtime getsize isdir isfile islink isjunction ismount lexists
    realpath samefile sameopenfile samestat
"""
_PATH_CALLS = frozenset(_PATH_CALLS_TEXT.split())
_MODULES_TEXT = """
    shutil tempfile glob fileinput fcntl mmap pkgutil dbm shelve sqlite3 importlib.resources
"""
_MODULES = frozenset(_MODULES_TEXT.split())
_PURE = frozenset({"PurePath", "PurePosixPath", "PureWindowsPath"})


def file_calls(source: str) -> Iterator[str]:
    """Each place in a module's source that reaches for files by itself."""
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Call(func=ast.Name(id="open")):
                yield f"{line} open"
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in _OS_CALLS:
                yield f"{line} os.{name}"
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="os"), attr="path"), attr=name) if (
                name in _PATH_CALLS
            ):
                yield f"{line} os.path.{name}"
            case ast.Attribute(value=ast.Name(id="io" | "codecs" | "gzip"), attr="open"):
                yield f"{line} open of another module"
            case ast.Attribute(value=ast.Name(id="pathlib"), attr=name) if name not in _PURE:
                yield f"{line} pathlib.{name}"
            case ast.Import(names=names):
                for alias in names:
                    if alias.name in _MODULES:
                        yield f"{line} import {alias.name}"
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    if _imports_files(module or "", alias.name):
                        yield f"{line} from {module} import {alias.name}"
            case _:
                pass


def _imports_files(module: str, name: str) -> bool:
    if module in _MODULES or f"{module}.{name}" in _MODULES:
        return True
    if module == "pathlib":
        return name not in _PURE
    return (module == "os" and name in _OS_CALLS) or (module == "os.path" and name in _PATH_CALLS)


def _modules() -> list[Path]:
    return [path for path in sorted(CORE.rglob("*.py")) if path.parent != CORE / "durable"]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_no_module_outside_the_layer_names_a_file_call(path: Path) -> None:
    assert list(file_calls(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "import os\nos.stat('x')",
        "import os\nf = os.open",
        "import os\nos.path.exists('x')",
        "import os.path\nos.path.realpath('x')",
        "from os import listdir",
        "from os.path import isfile",
        "from pathlib import Path",
        "import pathlib\npathlib.Path('x')",
        "import shutil",
        "from tempfile import mkstemp",
        "from importlib import resources",
        "import importlib.resources",
        "import io\nio.open('x')",
    ],
)
def test_the_reading_sees_planted_calls(source: str) -> None:
    assert list(file_calls(source))


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.path.join('a', 'b')",
        "from pathlib import PurePosixPath",
        "files.open('x', 0)",
        "import io",
    ],
)
def test_the_reading_leaves_harmless_ones(source: str) -> None:
    assert list(file_calls(source)) == []
