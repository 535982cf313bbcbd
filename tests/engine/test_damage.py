"""Every byte of a small database damaged, opened through `Database.open`.

What opens has the state after some prefix of the commits and says what it dropped; what is refused changed nothing.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from devstate.durable.disk import DiskImage, ImageNode
from devstate.durable.simulated import SimulatedFiles
from devstate.engine.database import Database
from devstate.engine.errors import EngineError, NoRecoveryBaseError, WalCorruptionError
from devstate.engine.recovery import RecoveryOptions
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.errors import DevStateError
from engine_crash.driving import ROOT, opened, prefix_options
from engine_crash.power import abandon, data_of, rehearse
from engine_crash.workloads import Workload, few_commits, primitives, rotation, snapshots
from engine_oracle.damage import Damage, all_damages, bit_flips, bytes_set, truncations
from engine_oracle.folder_damage import damaged_copy, folder_damages

LOG = f"{ROOT}/wal/00000000000000000000.wal"
READ_ONLY = RecoveryOptions(on_corruption="read_only")


def small() -> tuple[DiskImage, dict[int, str]]:
    """A database after a kill, with its digests by cv."""
    rehearsal = rehearse(Workload("small", primitives, {}))
    nodes = tuple(node for node in rehearsal.image.nodes if not node.path.endswith("/CLEAN"))
    return DiskImage(nodes), rehearsal.digests


def with_file(image: DiskImage, path: str, data: bytes) -> DiskImage:
    return DiskImage(
        tuple(
            ImageNode(node.path, node.kind, data, node.mode) if node.path == path else node
            for node in image.nodes
        )
    )


def judged(image: DiskImage, digests: dict[int, str], damage: Damage) -> str:
    """Hold one damaged log against what must come of it; `refused`, `said` or `silent`."""
    damaged = with_file(image, LOG, damage.data)
    files = SimulatedFiles(damaged, pid=5001)
    before = data_of(files.image())
    try:
        db = opened(files)
    except WalCorruptionError as error:
        assert data_of(files.image()) == before, f"{damage.name}: a refusal changed files"
        report = error.report
        assert damage.at_least <= report.last_cv <= damage.at_most, damage.name  # type: ignore[attr-defined]
        assert report.intact_commits_cut + report.commits_destroyed > 0, damage.name  # type: ignore[attr-defined]
        opens_the_prefix(damaged, digests, damage)
        return "refused"
    cv, told = db.last_cv, db.recovery
    assert db.digest() == digests[cv], damage.name
    assert damage.at_least <= cv <= damage.at_most, damage.name
    assert damage.report != "refused" or damage.at_least < damage.at_most, damage.name
    assert told.committed_lost == 0
    abandon(db)
    again = opened(SimulatedFiles(files.image(), pid=5002))
    assert again.digest() == digests[cv], damage.name
    assert not again.recovery.tail_bytes_discarded
    abandon(again)
    if told.tail_bytes_discarded:
        end = told.wal_end_offset
        kept = {node.data for node in files.image().nodes if "/quarantine/" in node.path}
        assert damage.data[end:] in kept, f"{damage.name}: the tail is not kept"
    said = told.has_issues
    assert said or damage.report == "silent", damage.name
    return "said" if said else "silent"


def opens_the_prefix(damaged: DiskImage, digests: dict[int, str], damage: Damage) -> None:
    files = SimulatedFiles(damaged, pid=5001)
    reader = opened(files, recovery=READ_ONLY)
    cv = reader.last_cv
    assert reader.digest() == digests[cv], damage.name
    assert reader.recovery.committed_lost > 0, damage.name
    assert data_of(files.image()) == data_of(damaged), f"{damage.name}: read_only changed files"
    reader.close()
    assert data_of(files.image()) == data_of(damaged), f"{damage.name}: read_only changed files"

    files = SimulatedFiles(damaged, pid=5001)
    db = opened(files, recovery=prefix_options())
    assert (db.last_cv, db.digest()) == (cv, digests[cv]), damage.name
    assert db.recovery.committed_lost > 0, damage.name
    left = files.image()
    now = left.read(LOG) or b""
    kept = b"".join(
        node.data for node in left.nodes if "/quarantine/" in node.path and node.path.endswith(".bin")
    )
    assert now + kept == damage.data, f"{damage.name}: not every byte is kept"
    abandon(db)
    second = opened(SimulatedFiles(left, pid=5002))
    told = second.recovery  # entries that a swap left before the cut may stay, without a commit
    assert (told.tail_bytes_discarded, told.committed_lost, told.corrupt_entries_skipped) == (0, 0, 0), (
        damage.name
    )
    assert (second.last_cv, second.digest()) == (cv, digests[cv]), damage.name
    abandon(second)


def every(damages: Iterable[Damage]) -> set[str]:
    image, digests = small()
    return {judged(image, digests, damage) for damage in damages}


def log_bytes() -> bytes:
    return small()[0].read(LOG) or b""


def test_damage_of_every_kind_to_the_log() -> None:
    dice = random.Random(7)
    damages = list(all_damages(log_bytes(), dice, step=181))
    chosen = [damage for damage in damages if not damage.name.startswith(("cut to", "entries"))]
    rest = [damage for damage in damages if damage.name.startswith(("cut to", "entries"))]
    first = next(damage for damage in rest if damage.report == "silent")
    assert every([*chosen, first, *dice.sample(rest, 60)]) == {"refused", "said", "silent"}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
def test_every_truncation_byte_and_many_bits(part: int) -> None:
    log = log_bytes()
    damages: list[Damage] = [*truncations(log), *bytes_set(log), *bit_flips(log, step=5)]
    every(damages[part::4])


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_every_bit_and_every_other_damage() -> None:
    log = log_bytes()
    every([*bit_flips(log), *all_damages(log, random.Random(1), step=1)])


# -- folders: segments, snapshots, META ------------------------------------------------------------------


def written(folder: Path, workload: Workload, *, clean: bool) -> dict[int, str]:
    """A real folder made by a workload; its digests by cv."""
    rehearsal = rehearse(workload)
    for node in rehearsal.image.nodes:
        if node.path == ROOT:
            folder.mkdir()
        elif node.path.startswith(f"{ROOT}/"):
            target = folder / node.path[len(ROOT) + 1 :]
            if node.kind == "folder":
                target.mkdir()
            elif clean or target.name != "CLEAN":
                target.write_bytes(node.data)
    return rehearsal.digests


def mounted(folder: str) -> SimulatedFiles:
    """A real folder as a simulated disk: it needs no device to sync."""
    nodes = [ImageNode("/data", "folder"), ImageNode(ROOT, "folder")]
    for place, folders, names in os.walk(folder):
        at = ROOT + place[len(folder) :]
        nodes += [ImageNode(f"{at}/{name}", "folder") for name in folders]
        nodes += [ImageNode(f"{at}/{name}", "file", Path(place, name).read_bytes()) for name in names]
    return SimulatedFiles(DiskImage(tuple(sorted(nodes, key=lambda node: node.path))), pid=5001)


def everything(folder: str) -> dict[str, tuple[bytes, int]]:
    """All files but those of the locks: content and time of the last change."""
    found: dict[str, tuple[bytes, int]] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            if name not in ("LOCK", "WRITERS"):
                path = Path(place, name)
                found[str(path)] = path.read_bytes(), path.stat().st_mtime_ns
    return found


def opened_folder(folder: str, **options: object) -> Database:
    return Database.open(folder, owner=(), snapshots=SnapshotPolicy(close_bytes=-1), **options)  # type: ignore[arg-type]


FOLDERS = (
    Workload("segments", rotation, {"segment_bytes": 500}),
    Workload(
        "snapshots", snapshots, {"segment_bytes": 400, "snapshots": SnapshotPolicy(keep=2, close_bytes=-1)}
    ),
    Workload("one segment", few_commits, {}),
)


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("workload", FOLDERS, ids=lambda workload: workload.name)
def test_damage_to_the_files(workload: Workload, clean: bool, tmp_path: Path) -> None:
    source = tmp_path / "whole"
    digests = written(source, workload, clean=clean)
    last = max(digests)
    seen: set[str] = set()
    for number, damage in enumerate(folder_damages(source)):
        copy = damaged_copy(source, damage, tmp_path / f"copy{number}")
        files = mounted(copy)
        before = data_of(files.image())
        try:
            db = opened(files)
        except (WalCorruptionError, NoRecoveryBaseError) as error:
            assert data_of(files.image()) == before, f"{damage.name}: a refusal changed files"
            assert damage.report != "silent" or clean or "missing" in damage.name, (damage.name, error)
            seen.add(error.code)
            if isinstance(error, WalCorruptionError):
                prefix_of_the_folder(mounted(copy), mounted(copy), digests, damage.name)
        else:
            cv, told = db.last_cv, db.recovery
            assert db.digest() == digests[cv], damage.name
            if cv > damage.at_most:  # the marker of a snapshot alone stood there: density tells
                assert (cv, told.corrupt_entries_skipped) == (last, 1), damage.name
            else:
                assert damage.at_least <= cv, damage.name
                assert damage.report != "refused", damage.name
            assert not clean or cv == last, f"{damage.name}: a loss after a clean close went unsaid"
            assert told.has_issues or damage.report == "silent", damage.name
            seen.add("opened")
            abandon(db)
        shutil.rmtree(copy)
    assert "opened" in seen
    assert len(seen) > 1 or workload.name == "snapshots"


def prefix_of_the_folder(
    readable: SimulatedFiles, files: SimulatedFiles, digests: dict[int, str], name: str
) -> None:
    before = files.image()
    with opened(readable, recovery=READ_ONLY) as reader:
        cv = reader.last_cv
        assert reader.digest() == digests[cv], name
    assert data_of(readable.image()) == data_of(before), f"{name}: read_only changed files"

    db = opened(files, recovery=prefix_options())
    assert (db.last_cv, db.digest()) == (cv, digests[cv]), name
    left = files.image()
    kept = {node.data for node in left.nodes if "/quarantine/" in node.path}
    for node in before.nodes:
        if node.path.endswith(".wal"):
            now = left.read(node.path) or b""
            assert node.data.startswith(now), name
            assert node.data == now or node.data[len(now) :] in kept, f"{name}: not every byte is kept"
    abandon(db)

    files = SimulatedFiles(left, pid=5002)
    with opened(files) as again:
        assert not again.recovery.has_issues, (name, again.recovery)
        assert (again.last_cv, again.digest()) == (cv, digests[cv]), name
        again.begin_run("0000000a-0000-4000-8000-000000000000")
    with opened(files, seed=9) as more:
        assert (more.last_cv, more.recovery.clean_close) == (cv + 1, True), name


def test_a_refusal_changes_no_byte_and_no_time_on_a_real_disk(tmp_path: Path) -> None:
    source = tmp_path / "whole"
    written(source, FOLDERS[0], clean=True)
    damage = next(damage for damage in folder_damages(source) if damage.name == "segment 1 all zero")
    copy = damaged_copy(source, damage, tmp_path / "copy")
    before = everything(copy)
    with pytest.raises((WalCorruptionError, NoRecoveryBaseError)):
        opened_folder(copy)
    assert everything(copy) == before
    with opened_folder(copy, recovery=RecoveryOptions(on_corruption="read_only")):
        pass
    assert everything(copy) == before
    with opened_folder(copy, recovery=prefix_options()) as db:
        assert db.set_aside


def changed_bytes(data: bytes, step: int) -> Iterator[tuple[str, bytes]]:
    for length in range(0, len(data), step):
        yield f"cut to {length}", data[:length]
    for at in range(0, len(data), step):
        for bit in range(8):
            yield f"bit {bit} of {at}", data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
    yield "twice", data + data
    yield "zeros", bytes(len(data))
    yield "long", data + bytes(100_000)


def small_files(step: int) -> None:
    workload = FOLDERS[1]
    rehearsal = rehearse(workload)
    digests, last = rehearsal.digests, max(rehearsal.digests)
    names = [
        node
        for node in rehearsal.image.nodes
        if node.path.endswith(("/META", "/CLEAN", ".dat", ".idx", "/LOCK", "/WRITERS"))
        and node.kind == "file"
    ]
    assert len(names) >= 6
    refused = 0
    for node in names:
        for how, data in changed_bytes(
            node.data, step if node.path.endswith((".dat", ".idx")) else 1 + step // 30
        ):
            files = SimulatedFiles(with_file(rehearsal.image, node.path, data), pid=5001)
            before = data_of(files.image())
            try:
                db = opened(files)
            except DevStateError as error:
                assert isinstance(error, EngineError), (node.path, how, error)
                assert data_of(files.image()) == before, f"{node.path} {how}: a refusal changed files"
                refused += 1
                continue
            # Snapshots have others beside them and the log; the rest says nothing of the records.
            assert (db.last_cv, db.digest()) == (last, digests[last]), (node.path, how)
            abandon(db)
    assert refused


def test_damage_to_meta_snapshots_and_marks() -> None:
    small_files(97)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_damage_to_every_few_bytes_of_the_small_files() -> None:
    small_files(7)
