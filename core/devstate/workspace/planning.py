"""Plans of changes to files: what will be there after, against what is there now."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from devstate.durable import OS, Files, StableFile, kind_of
from devstate.errors import InputMissing, PlanRefused
from devstate.plans import Plan, Target

from .places import HISTORY, STATE

__all__ = ["Content", "digest_of", "plan_files"]

# Called once for the content of a large file, when it is written.
Content = Callable[[], Iterable[bytes]]

_BLOCK = 1 << 20
_DIFF_BYTES = 256 * 1024
_LAST = (STATE, HISTORY)


def plan_files(
    root: str,
    contents: Mapping[str, bytes | Content],
    *,
    action: str,
    requires: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    files: Files = OS,
) -> Plan:
    """A plan that puts each content at its path (relative to the workspace root); nothing is changed yet.

    The two documents are written last, history.json after state.json, whatever the order of `contents`. The
    content of a large file may be a callable that gives its blocks: it is called by `apply`, which has to
    be given the same callable, and the target's `after` is None. A file that already has the content is
    left out.

    Raises PlanRefused for a path outside the root or through a symbolic link, InputUnreadable where something
    other than a file stands at a path.
    """
    targets: list[Target] = []
    for path in sorted(contents, key=lambda path: _LAST.index(path) if path in _LAST else -1):
        _require_inside(root, path, files)
        target = _target(root, path, contents[path], files)
        if target is not None:
            targets.append(target)
    return Plan(_identify(action, root, targets), action, root, tuple(targets), requires, warnings)


def digest_of(path: str, *, files: Files = OS) -> str | None:
    """`sha256:<hex>` of a file, None where there is none. Raises InputUnreadable, ChangedDuringRead."""
    try:
        with StableFile(path, limit=1 << 62, files=files) as file:
            seen = hashlib.sha256()
            for block in _blocks(file):
                seen.update(block)
            file.check_unchanged()
            return f"sha256:{seen.hexdigest()}"
    except InputMissing:
        return None


def _target(root: str, path: str, content: bytes | Content, files: Files) -> Target | None:
    place = os.path.join(root, path)
    before = digest_of(place, files=files)
    if not isinstance(content, bytes):
        verb = "created" if before is None else "replaced"
        return Target(path, before, None, f"{verb}; the content is made while it is written")
    after = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if before == after:
        return None
    return Target(path, before, after, _diff(place, path, before, content, files), content)


def _diff(place: str, path: str, before: str | None, content: bytes, files: Files) -> str:
    """A unified diff of texts of a readable size, else a sentence."""
    old = b""
    if before is not None:
        with StableFile(place, limit=1 << 62, files=files) as file:
            if file.size > _DIFF_BYTES:
                return f"replaced: {file.size} bytes become {len(content)}"
            old = file.read_all()
    if len(content) > _DIFF_BYTES or b"\0" in content:
        return f"{'created' if before is None else 'replaced'}: {len(content)} bytes"
    import difflib

    lines = difflib.unified_diff(
        old.decode(errors="replace").splitlines(),
        content.decode(errors="replace").splitlines(),
        "/dev/null" if before is None else f"a/{path}",
        f"b/{path}",
        lineterm="",
    )
    return "\n".join(lines)


def _require_inside(root: str, path: str, files: Files) -> None:
    """Refuse a path that leaves the workspace, by its text or through a symbolic link on the way."""
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise PlanRefused(
            f"{path!r} is no path inside the workspace",
            path=path,
            remedy="Give a path relative to the workspace root, without '..'.",
        )
    place = root
    for part in parts:
        place = os.path.join(place, part)
        kind = kind_of(place, files=files)
        if kind is None:
            return
        if kind == "symlink":
            raise PlanRefused(
                f"{place} is a symbolic link, and a change is never written through one",
                path=place,
                remedy="Replace the link by the file or folder itself.",
            )


def _identify(action: str, root: str, targets: list[Target]) -> str:
    """12 hex digits that two different plans do not share."""
    parts = [action, root]
    for target in targets:
        parts += [target.path, target.before or "", target.after or "", target.diff]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _blocks(file: StableFile) -> Iterator[bytes]:
    offset = 0
    while block := file.pread(_BLOCK, offset):
        yield block
        offset += len(block)
