"""A process that commits and tells each commit on its standard output, until somebody kills it.

Arguments: folder, mode (`buffered` or `strict`), `exclusive` or `shared`, seed, and how many commits (0: no end).
"""

from __future__ import annotations

import os
import random
import sys

from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.snapshotting import SnapshotPolicy


def main() -> None:
    folder, mode, sharing, seed, count = sys.argv[1:6]
    dice = random.Random(seed)
    durability = (
        Durability.strict() if mode == "strict" else Durability.buffered(interval_ms=3, max_pending=20)
    )
    db = Database.open(
        folder,
        durability=durability,
        shared=sharing == "shared",
        segment_bytes=4000,
        snapshots=SnapshotPolicy(wal_bytes=9000, seconds=0, keep=2),
    )
    run = db.begin_run()
    out = sys.stdout.fileno()
    number = 0
    while not int(count) or number < int(count):
        number += 1
        key = f"{run}/{number}"
        kind = dice.random()
        if kind < 0.7:
            db.kv.put(run, key, number)
        else:
            with db.transaction(run) as tx:
                tx.kv.put(key, number)
                tx.events.append("tick", number)
                tx.json.set("doc", ["n"], number)
        if kind > 0.985 and sharing == "exclusive":
            db.snapshot()
        os.write(out, f"{key}\n".encode())


main()
