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


def documents(folder: str) -> None:
    from devstate import durable, trae

    state = b'{"project": 1, "artifact_checksums": [{"path": "a/b"}, {"path": "a"}, {"path": "none"}]}'
    durable.ensure_folder(os.path.join(folder, "a"))
    durable.create_exclusive(os.path.join(folder, "a", "b"), b"artifact")
    document, _ = trae.parse_state(state)
    assert document is not None
    trae.check_artifacts(folder, document.artifacts, raw=state)
    trae.check_state(document, b'{"minProperties": 1}', raw=state)
    trae.check_history([(0, {})])
    trae.find_unmasked(state, file="state.json", secrets=[b"secret"])


def demos(folder: str) -> None:
    from devstate.demo import demo_plan, demo_workspace, ugly_workspace, write_demo

    sound = demo_workspace(entries=10)
    place = os.path.join(folder, "sound")
    write_demo(place, sound, plan=demo_plan(place, sound))
    write_demo(os.path.join(folder, "locked"), demo_workspace(entries=10, tamper="STALE_LOCK"))
    write_demo(os.path.join(folder, "ugly"), ugly_workspace())
    write_demo(os.path.join(folder, "runs"), demo_workspace(entries=10, runs=2))


def workspaces(folder: str) -> None:
    from devstate.workspace import Terminal, Workspace, doctor, no_drift_gate, plan_files

    with Workspace.open(folder, absent_ok=True) as workspace:
        workspace.apply(workspace.plan_init())
        os.makedirs(os.path.join(folder, ".trae", "store", "wal"))
        with open(os.path.join(folder, ".trae", "state.json.tmp"), "wb") as leftover:
            leftover.write(b"half")
        reading = workspace.read()
        no_drift_gate(reading)
        workspace.read(scope="chain", jobs=2)
        workspace.apply(plan_files(folder, {".gitignore": b"x", "docs/STATE.schema.json": b"{}"}, action="a"))
        no_drift_gate(workspace.read())
    doctor(folder, terminal=Terminal(True, "utf-8", 80, 24))


def keys(folder: str) -> None:
    from devstate.settings import SecretSource, Settings
    from devstate.workspace import doctor, resolve_keyring

    secret, ring = os.path.join(folder, "secret"), os.path.join(folder, "ring.json")
    with open(secret, "wb") as file:
        file.write(b"a secret of sixteen and more\n")
    with open(ring, "wb") as file:
        file.write(b'{"keys": [{"kid": "k", "secret_file": "link"}]}')
    os.symlink("secret", os.path.join(folder, "link"))
    for source in (SecretSource(file=secret), SecretSource(keyring=ring)):
        keyring, findings = resolve_keyring(Settings(secrets=source))
        assert keyring is not None and not findings
        doctor(folder, Settings(secrets=source))


def watches(folder: str) -> None:
    import asyncio

    from devstate.workspace import Workspace

    async def follow() -> None:
        with Workspace.open(folder, absent_ok=True) as workspace:
            seen = 0
            async for _ in workspace.watch():
                seen += 1
                if seen == 2:
                    return
                workspace.apply(workspace.plan_init())

    asyncio.run(follow())


def recordings(folder: str) -> None:
    from devstate.engine import Database
    from devstate.workspace import Workspace
    from devstate.workspace.recording import Recording

    with Workspace.open(folder, absent_ok=True) as workspace:
        workspace.apply(workspace.plan_init())
    with Database.open(os.path.join(folder, ".trae/store"), shared=True) as database:
        recording = Recording.begin(database, folder, ("true",), actor="me@here", cwd=folder)
        os.unlink(os.path.join(folder, ".trae/state.json"))
        recording.look()
        assert recording.finish(0).unreadable == 1


OPERATIONS: tuple[Callable[[str], None], ...] = (
    replace_read_remove,
    leftovers,
    locks,
    settings,
    canonical,
    documents,
    demos,
    workspaces,
    keys,
    watches,
    recordings,
)
