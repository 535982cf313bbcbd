"""What a case is, and how it is laid out on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from .chain import ENV, STATE, chain, dump

COMMITTED_LIMIT = 16 * 1024  # bytes a file; a case with a larger one is generated when the tests run
COMMITTED_OF_A_ROW = 5  # and one of a kind: the others differ in one value only, and would bury the reader

HONEST = "honest"  # the near-miss is an honest chain of five entries

Files = dict[str, bytes]


class Case(NamedTuple):
    slug: str
    what: str
    why: str
    files: Files
    near: Files
    expect: dict[str, Any]

    @property
    def big(self) -> bool:
        return any(len(data) > COMMITTED_LIMIT for data in (*self.files.values(), *self.near.values()))


class Corpus:
    """The cases in the order of their names; a name is given once."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}

    def add(
        self,
        slug: str,
        what: str,
        why: str,
        history: Any,
        near: Any = HONEST,
        *,
        codes: list[str] | None = None,
        command: str = "verify",
        state: bytes | None = STATE,
        near_state: bytes | None = STATE,
        files: Files | None = None,
        near_files: Files | None = None,
        near_what: str = "the same chain, untouched",
        env: Mapping[str, str] = ENV,
        near_env: Mapping[str, str] | None = None,
        args: list[str] | None = None,
        near_args: list[str] | None = None,
        near_exit: int = 0,
        absent: list[str] | None = None,
        **expect: Any,
    ) -> None:
        """Add a case. `history` and `near` are bytes as they are, entries, or None for no file.

        `near` is an honest chain of five entries unless given. `expect` takes what `expect.json` holds: exit,
        first_bad, entries, at, errors_exactly, errors_within, errors_any_of, dynamic (see ../README.md).
        """
        if slug in self.cases:
            raise ValueError(f"two cases are called {slug}")
        codes = codes or []
        document: dict[str, Any] = {
            "row": int(slug[:2]),
            "command": command,
            "env": dict(env),
            "args": args or [],
            "codes": codes,
            **expect,
        }
        if document.get("errors_exactly", ()) is None:
            del document["errors_exactly"]
        document.setdefault("exit", 1 if codes else 0)
        document["near_miss"] = {
            "env": dict(env if near_env is None else near_env),
            "args": (args or []) if near_args is None else near_args,
            "exit": near_exit,
            "absent": absent if absent is not None else [code for code in codes if code not in ALWAYS_LISTED],
            "what": near_what,
        }
        case = Case(
            slug,
            what,
            why,
            workspace(history, state) | (files or {}),
            workspace(chain() if near is HONEST else near, near_state) | (near_files or {}),
            document,
        )
        if case.big:
            document["generated"] = True
        self.cases[slug] = case

    def write(self, folder: str, *, everything: bool) -> None:
        """Write the committed part of the corpus to `folder`, or `everything`.

        Committed is the first case of each kind, for a few kinds of each row, and of a bulky one only what
        describes it.
        """
        kinds: dict[str, set[str]] = {}
        for slug in sorted(self.cases):
            case = self.cases[slug]
            row, kind = slug.split("_")[:2]
            seen = kinds.setdefault(row, set())
            if (kind in seen or len(seen) == COMMITTED_OF_A_ROW) and not everything:
                continue
            seen.add(kind)
            expect = json.dumps(case.expect, indent=2, ensure_ascii=False)
            put(folder, f"{slug}/README.md", readme(case).encode())
            put(folder, f"{slug}/expect.json", expect.encode() + b"\n")
            if case.big and not everything:
                continue
            for path, data in case.files.items():
                put(folder, f"{slug}/workspace/{path}", data)
            for path, data in case.near.items():
                put(folder, f"{slug}/near_miss/{path}", data)


# Said of every v1 chain, good or bad: a near-miss has them too.
ALWAYS_LISTED = {"UNCOVERED_FIELD", "COMPLETENESS_UNPROVEN", "NOT_PROVABLE"}


def workspace(history: Any, state: bytes | None) -> Files:
    files: Files = {}
    if history is not None:
        files[".trae/history.json"] = history if isinstance(history, bytes) else dump(history)
    if state is not None:
        files[".trae/state.json"] = state
    return files


def readme(case: Case) -> str:
    expect = case.expect
    verdict = ", ".join(expect["codes"]) or "no error"
    if expect.get("errors_any_of"):
        verdict = "one of " + ", ".join(expect["errors_any_of"])
    return (
        f"# {case.slug}\n\n"
        f"Manipulation: {case.what}.\n"
        f"Why: {case.why}.\n"
        f"Expected of `{expect['command']}`: {verdict}; exit {expect['exit']}.\n"
        f"Near miss: {expect['near_miss']['what']}.\n"
    )


def put(folder: str, path: str, data: bytes) -> None:
    target = os.path.join(folder, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as handle:
        handle.write(data)
