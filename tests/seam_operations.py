"""What the seam test runs under its audit hook. A floor that reads or writes files adds its operations here.

Each is a function of an empty folder. Import what it needs inside, so that one that fails names itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable


def replace_read_remove(folder: str) -> None:
    from devstate import durable

    path = os.path.join(folder, "state.json")
    durable.create_exclusive(path, b"{}")
    durable.atomic_replace(path, b"[]", expect=durable.read_bounded(path))
    with durable.StableFile(path) as file:
        file.pread(2, 0)
    durable.list_folder(folder)
    durable.remove_durably(path)


def leftovers(folder: str) -> None:
    from devstate import durable

    durable.create_exclusive(os.path.join(folder, "state.json.tmp"), b"half")
    for leftover in durable.find_leftovers(folder):
        durable.set_aside(leftover, os.path.join(folder, "aside", "deep"))


def locks(folder: str) -> None:
    from devstate import durable

    path = os.path.join(folder, ".lock")
    with durable.hold_lock(path, holder=durable.current_holder("seam")):
        durable.inspect_lock(path)


def settings(folder: str) -> None:
    from devstate.settings import load_settings

    load_settings(environ=dict(os.environ), config_text=b"jobs = 2", config_path=f"{folder}/devstate.toml")


def canonical(folder: str) -> None:
    from devstate.canonical import canonical_json

    canonical_json({"folder": folder, "n": 1.5})


def demos(folder: str) -> None:
    from devstate.demo import demo_plan, demo_workspace, ugly_workspace, write_demo

    sound = demo_workspace(entries=10)
    place = os.path.join(folder, "sound")
    write_demo(place, sound, plan=demo_plan(place, sound))
    write_demo(os.path.join(folder, "locked"), demo_workspace(entries=10, tamper="STALE_LOCK"))
    write_demo(os.path.join(folder, "ugly"), ugly_workspace())


OPERATIONS: tuple[Callable[[str], None], ...] = (
    replace_read_remove,
    leftovers,
    locks,
    settings,
    canonical,
    demos,
)
