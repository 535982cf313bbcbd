"""Rows 33 to 37: the state and the artifacts beside the chain."""

from __future__ import annotations

from typing import Any

from .cases import Corpus
from .chain import chain, state

README = b"# A project\n\nIts state is kept honest.\n"
GUIDE = b"# Guide\n"
ARTIFACTS = {"README.md": README, "docs/guide.md": GUIDE}
LISTED = state(ARTIFACTS)


def add_to(corpus: Corpus) -> None:
    unbound(corpus)
    artifacts(corpus)
    paths(corpus)
    moving(corpus)


def unbound(corpus: Corpus) -> None:
    quiet: dict[str, Any] = {"codes": ["STATE_UNBOUND"], "errors_exactly": [], "exit": 0}
    edited_state = state(current_cp="CP2-LC")
    for command in ("verify", "validate"):
        corpus.add(
            f"33_state_edited_{command}",
            "state.json is edited and no entry records it",
            "v1 binds the state only by the checksum in the last entry",
            chain(),
            state=edited_state,
            command=command,
            near_what="the state that the last entry names",
            **quiet,
        )
    corpus.add(
        "33_one_space",
        "one space is added to state.json",
        "the checksum is of the bytes, not of the content",
        chain(),
        state=state() + b" ",
        **quiet,
    )
    corpus.add(
        "33_strict",
        "state.json is edited and no entry records it, under --strict",
        "a warning is a failure of the policy there",
        chain(),
        state=edited_state,
        args=["--strict"],
        near_args=[],
        **(quiet | {"exit": 4}),
    )


def artifacts(corpus: Corpus) -> None:
    history = chain(last=LISTED)
    files = dict(ARTIFACTS)
    base: dict[str, Any] = {
        "command": "validate",
        "near": history,
        "near_state": LISTED,
        "near_files": files,
        "near_what": "the artifacts as they are listed",
    }
    faults: dict[str, tuple[list[str], dict[str, bytes]]] = {
        "edited": (["ARTIFACT_MISMATCH"], files | {"README.md": README + b"!"}),
        "emptied": (["ARTIFACT_MISMATCH"], files | {"README.md": b""}),
        "line_ends": (["ARTIFACT_MISMATCH"], files | {"README.md": README.replace(b"\n", b"\r\n")}),
        "missing": (["ARTIFACT_MISSING"], {"README.md": README}),
        "both": (["ARTIFACT_MISSING", "ARTIFACT_MISMATCH"], {"README.md": b"other"}),
        "swapped": (["ARTIFACT_MISMATCH"], {"README.md": GUIDE, "docs/guide.md": README}),
        "other_case": (["ARTIFACT_MISSING"], {"readme.md": README, "docs/guide.md": GUIDE}),
    }
    for name, (codes, present) in faults.items():
        corpus.add(
            f"34_{name}",
            f"listed artifacts are not as listed ({name.replace('_', ' ')})",
            "work was changed after it was recorded",
            history,
            state=LISTED,
            files=present,
            codes=codes,
            errors_exactly=codes,
            **base,
        )
    corpus.add(
        "35_artifact_and_checksum",
        "an artifact and its checksum in state.json are changed together, without an entry",
        "artifacts and state agree; in v1 only the last entry's state_checksum disagrees",
        history,
        state=state(ARTIFACTS | {"README.md": b"# Another project\n"}),
        files=files | {"README.md": b"# Another project\n"},
        codes=["STATE_UNBOUND"],
        errors_exactly=[],
        exit=0,
        **base,
    )


def paths(corpus: Corpus) -> None:
    near_state = state({"docs/target.md": GUIDE})
    near: dict[str, Any] = {
        "command": "validate",
        "near": chain(last=near_state),
        "near_state": near_state,
        "near_files": {"docs/target.md": GUIDE},
        "near_what": "a regular file inside the workspace",
    }
    why = "who follows it reads, and vouches for, something outside of what is kept"
    bad: dict[str, str] = {
        "parent": "../outside.md",
        "parent_inside": "docs/../README.md",
        "parent_at_the_end": "docs/..",
        "absolute": "/etc/hostname",
        "device": "/dev/zero",
        "folder": "docs",
        "root": ".",
    }
    for name, path in bad.items():
        listed = state({path: README})
        corpus.add(
            f"36_{name}",
            f"an artifact is listed as `{path}`",
            why,
            chain(last=listed),
            state=listed,
            files={"README.md": README, "docs/target.md": GUIDE},
            codes=["PATH_ESCAPE"],
            errors_exactly=["PATH_ESCAPE"],
            **near,
        )
    odd: dict[str, str] = {
        "empty": "",
        "nul": "docs/a\0b",
        "long": "d/" * 3000 + "x",
        "surrogate": "docs/\udc80",
    }
    for name, path in odd.items():
        listed = state({path: README})
        if name == "surrogate":
            listed = listed.replace(b"\xed\xb2\x80", b"\\udc80")
        corpus.add(
            f"36_odd_{name}",
            f"an artifact is listed under a path that no file can have ({name})",
            "the operating system refuses it in its own way; it must not end in a crash",
            chain(last=listed),
            state=listed,
            files={"README.md": README},
            codes=[],
            errors_any_of=[
                "PATH_ESCAPE",
                "ARTIFACT_MISSING",
                "SCHEMA_INVALID",
                "INPUT_UNREADABLE",
                "ENCODING",
            ],
            exit=[1, 3],
            **near,
        )
    links = {
        "symlink_file": ("docs/link.md", "SYMLINK", "a symbolic link to a file with the right content"),
        "symlink_folder": ("linked/target.md", "SYMLINK", "a file below a symbolic link to a folder"),
        "symlink_dangling": ("docs/link.md", "SYMLINK", "a symbolic link to nothing"),
        "symlink_device": ("docs/link.md", "SYMLINK", "a symbolic link to /dev/zero"),
        "symlink_loop": ("docs/link.md", "SYMLINK", "a symbolic link to itself"),
        "fifo": ("docs/pipe", "PATH_ESCAPE", "a named pipe, which would block its reader for ever"),
        "socket": ("docs/socket", "PATH_ESCAPE", "a socket, which cannot be opened"),
    }
    for name, (path, code, what) in links.items():
        listed = state({path: GUIDE})
        corpus.add(
            f"36_{name}",
            f"a listed artifact is {what}",
            why,
            chain(last=listed),
            state=listed,
            files={"docs/target.md": GUIDE},
            codes=[code],
            errors_exactly=[code],
            dynamic=name,
            **near,
        )


def moving(corpus: Corpus) -> None:
    corpus.add(
        "37_changes_while_read",
        "a writer goes on appending to the file while it is read",
        "what was verified would be neither the old file nor the new one",
        None,
        chain(),
        near_what="the file at rest",
        codes=["CHANGED_DURING_READ"],
        errors_exactly=["CHANGED_DURING_READ"],
        exit=5,
        dynamic="changing_file",
    )
