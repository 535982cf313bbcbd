"""Finding the workspace that a folder belongs to, and its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping

from devstate.durable import OS, Files, kind_of, read_bounded
from devstate.errors import WorkspaceNotFound
from devstate.settings import Settings, load_settings

from .places import CONFIG, FOLDER

__all__ = ["find_root", "load_workspace_settings"]

_CONFIG_LIMIT = 1 << 20


def find_root(start: str | None = None, *, files: Files = OS) -> str:
    """The absolute path of the nearest folder, from `start` (None = the current one) upwards, with a `.trae`.

    Raises WorkspaceNotFound where there is none, InputUnreadable where a folder on the way cannot be
    searched.
    """
    first = folder = os.path.abspath(start or os.getcwd())
    kind = kind_of(os.path.join(first, "."), files=files)
    if kind != "folder":
        raise WorkspaceNotFound(
            f"{first} is not a folder" if kind_of(first, files=files) else f"{first} does not exist",
            path=first,
            remedy="Name the folder that holds .trae/ (-C DIR), or one below it.",
        )
    while kind_of(os.path.join(folder, FOLDER), files=files) is None:
        parent = os.path.dirname(folder)
        if parent == folder:
            raise WorkspaceNotFound(
                f"no {FOLDER}/ in {first} or in any folder above it",
                path=first,
                remedy="Go to a project that has one, name it with -C DIR, or make one with `devstate init`.",
            )
        folder = parent
    return folder


def load_workspace_settings(
    root: str,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    files: Files = OS,
) -> Settings:
    """The settings that hold in a workspace: flags over environment over `devstate.toml` over defaults.

    `environ` None means the environment of the process. Raises UsageError for a fault in the file or a flag,
    InputUnreadable where `devstate.toml` is there but cannot be read.
    """
    path = os.path.join(root, CONFIG)
    text: bytes | None = None
    if kind_of(path, files=files) is not None:
        text = read_bounded(path, limit=_CONFIG_LIMIT, files=files).data
    return load_settings(
        flags=flags or {},
        environ=os.environ if environ is None else environ,
        config_text=text,
        config_path=path,
    )
