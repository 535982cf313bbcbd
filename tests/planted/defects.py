"""Planted defects: small patches of the product, each of which the suite has to notice.

`old` stands exactly once in `file`; with `new` in its place, at least one of `tests` has to fail.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DEFECTS", "SAMPLE", "Defect"]


class Defect(NamedTuple):
    """`file` is relative to core/devstate, `tests` to tests/; `old` and `new` are pieces of its text."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


DEFECTS: tuple[Defect, ...] = (
    # -- the chain ------------------------------------------------------------------------------------
    Defect(
        "links inside a block are not checked",
        "chain/judging.py",
        "if previous[1:] != hmacs[:-1]:",
        "if False:",
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "links between blocks are not checked",
        "chain/judging.py",
        "if self._last_hmac != first:",
        "if False:",
        ("chain/test_segment.py", "chain/test_fast.py"),
    ),
    Defect(
        "links are not checked entry by entry",
        "chain/judging.py",
        "elif isinstance(stored, str) and self._last_hmac is not None and stored != self._last_hmac:",
        "elif False:",
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "links are not checked where two processes meet",
        "chain/segment.py",
        "if stored is not None and stored != a.last_hmac:",
        "if False:",
        ("chain/test_segment.py",),
    ),
    Defect(
        "times are not checked where two processes meet",
        "chain/segment.py",
        "if a.last_key is not None and late.key < a.last_key:",
        "if False:",
        ("chain/test_segment.py",),
    ),
    Defect(
        "uppercase hex digits are accepted",
        "chain/judging.py",
        '_HEX = b"0123456789abcdef"',
        '_HEX = b"0123456789abcdefABCDEF"',
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "the fast path does not encode again and compare",
        "chain/fast.py",
        "    if len(formatted) != start + len(block) + len(layout.closing) or not formatted.startswith(block, start):\n"
        "        return None\n",
        "",
        ("chain/test_fast.py",),
    ),
    Defect(
        "the fast path accepts integers of any size",
        "chain/fast.py",
        "_Integer = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]",
        "_Integer = int",
        ("chain/test_fast.py",),
    ),
    Defect(
        "members that stand twice are not noticed",
        "strict_json.py",
        "    if len(members) != len(pairs):\n        raise _Doubt\n",
        "",
        ("chain/test_strict.py", "chain/test_fast.py"),
    ),
    Defect(
        "a bad entry counts as verified",
        "chain/conclusion.py",
        '(b"G", b"U", b"Y"))',
        '(b"G", b"U", b"Y", b"B"))',
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "a wrong key counts as tampering",
        "chain/conclusion.py",
        "wrong_key = keyring is not None and _is_wrong_key(segment)",
        "wrong_key = False",
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "tampering of every entry counts as a wrong key",
        "chain/conclusion.py",
        "        and 1 not in segment.errors\n",
        "",
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "a missing key is a warning only",
        "chain/conclusion.py",
        'finding("KEY_MISSING", Severity.ERROR,',
        'finding("KEY_MISSING", Severity.WARNING,',
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "the computed HMAC is told whole",
        "chain/explain.py",
        "return (mask_hmac(first) if first else None), None",
        "return first, None",
        ("chain/test_explain.py",),
    ),
    Defect(
        "bytes after the end are accepted",
        "chain/framing.py",
        'yield FileFault("TORN_FILE", cursor.position, "the file goes on after its end")',
        "pass",
        ("chain/test_second_reader.py", "chain/test_parallel.py"),
    ),
    Defect(
        "times that go back are not noticed",
        "chain/judging.py",
        "        elif self._last_key is not None and key < self._last_key:\n",
        "        elif False:\n",
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "a removed beginning is not noticed",
        "chain/conclusion.py",
        '            faults.insert(0, Fault(code, 0, offset, "/hmac_prev", "", stored))\n',
        "            pass\n",
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "a change in place is shown as if it had been verified",
        "chain/index.py",
        "if digest and bytearray(block_digest(data)) != digest:",
        "if False:",
        ("chain/test_index.py",),
    ),
    Defect(
        "a key comes back after another one",
        "chain/keyuse.py",
        "if run.key in left:",
        "if False:",
        ("chain/test_keyuse.py",),
    ),
    Defect(
        "a public secret is no weak one",
        "chain/keys.py",
        "return self.public or len(self.secret.reveal()) < _SHORTEST_STRONG",
        "return len(self.secret.reveal()) < _SHORTEST_STRONG",
        ("chain/test_keys.py",),
    ),
    # -- the ground -----------------------------------------------------------------------------------
    Defect(
        "a written file is not synced",
        "durable/atomic.py",
        "                retried(files.fsync, fd)\n",
        "",
        ("durable/test_crash.py", "durable/test_atomic.py"),
    ),
    Defect(
        "the folder of a replaced file is not synced",
        "durable/atomic.py",
        "    try:\n"
        "        retried(files.fsync_dir, _parent(name))\n"
        "    except OSError as error:\n"
        '        note = "; the new content',
        '    try:\n        pass\n    except OSError as error:\n        note = "; the new content',
        ("durable/test_crash.py", "durable/test_atomic.py"),
    ),
    Defect(
        "a short write is not gone on with",
        "durable/atomic.py",
        "    while view:\n        done = retried(files.write, fd, view)\n",
        "    if view:\n        done = retried(files.write, fd, view)\n",
        ("durable/test_faults.py", "durable/test_atomic.py"),
    ),
    Defect(
        "a file that changed while it was read is not noticed",
        "durable/reading.py",
        "        if now != self.identity:\n",
        "        if False:\n",
        ("durable/test_reading.py",),
    ),
    Defect(
        "symbolic links are followed on reading",
        "durable/reading.py",
        "_FLAGS = os.O_RDONLY | os.O_NOFOLLOW |",
        "_FLAGS = os.O_RDONLY |",
        ("durable/test_reading.py",),
    ),
    Defect(
        "the lock excludes nobody",
        "durable/locks.py",
        "files.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "files.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        ("durable/test_locks.py",),
    ),
    Defect(
        "a secret shows itself",
        "settings.py",
        '    def __repr__(self) -> str:\n        return "[MASKED]"\n',
        "    def __repr__(self) -> str:\n        return self._bytes.decode()\n",
        ("ground/test_settings.py",),
    ),
    Defect(
        "tampering ends with status 0",
        "findings/types.py",
        "    (Class.INTEGRITY, 1),\n",
        "    (Class.INTEGRITY, 0),\n",
        ("chain/test_conclusion.py",),
    ),
    Defect(
        "control characters reach the screen",
        "findings/visible.py",
        "    return _UNSAFE.sub(_escape, text)\n",
        "    return text\n",
        ("findings/test_visible.py",),
    ),
    # -- documents and workspace ----------------------------------------------------------------------
    Defect(
        "symbolic links are followed in artifacts",
        "trae/artifacts.py",
        "_FLAGS = os.O_RDONLY | os.O_NOFOLLOW |",
        "_FLAGS = os.O_RDONLY |",
        ("trae/test_artifacts.py",),
    ),
    Defect(
        "a path may leave the workspace",
        "trae/artifacts.py",
        '    if ".." in parts:\n',
        "    if False:\n",
        ("trae/test_artifacts.py",),
    ),
    Defect(
        "a missing artifact is no error in the gate",
        "trae/artifacts.py",
        'status: Status = "missing" if refusal.code == "ARTIFACT_MISSING" else "refused"',
        'status: Status = "missing" if refusal.code == "ARTIFACT_MISSING" else "refused"\n'
        '        if status == "missing":\n'
        "            return ArtifactReading(item.path, item.hash, actual, status, None, item.index), None",
        ("trae/test_artifacts.py", "workspace/test_gate.py"),
    ),
    Defect(
        "the gate passes what was not checked",
        "workspace/nodrift.py",
        "    if missed is not None:\n",
        "    if False:\n",
        ("workspace/test_gate.py",),
    ),
    Defect(
        "a change during the look is missed by the watch",
        "workspace/watching.py",
        "        if ears.listen() or signature(root, db=db, files=files) != seen:\n            return True\n",
        "        ears._places = ()\n        ears.listen()\n",
        ("workspace/test_watching.py",),
    ),
    Defect(
        "a plan is carried out on other files than it was made for",
        "workspace/applying.py",
        "    if now != target.before:\n",
        "    if False:\n",
        ("workspace/test_changes.py",),
    ),
    # -- the engine: power lost, damage, failing devices --------------------------------------------------
    Defect(
        "the folder of a new snapshot is not synced",
        "engine/snapshotting.py",
        "        files.replace(temporary, path)\n        files.fsync_dir(snapshots_folder(root))\n",
        "        files.replace(temporary, path)\n",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "the log is let go behind the newest snapshot",
        "engine/snapshotting.py",
        "    horizon = kept[-1]\n",
        "    horizon = kept[0]\n",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "a snapshot is taken before the log is synced",
        "engine/snapshotting.py",
        "        log.sync_through(lsn)\n",
        "        pass\n",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "a lost commit is passed over",
        "engine/verdicts.py",
        "        elif marker.cv != last_cv + 1:\n",
        "        elif False:\n",
        ("engine/test_damage.py",),
    ),
    Defect(
        "a failed sync is made again",
        "engine/syncing.py",
        "                    self._failure = failure\n",
        "                    self._failure = None\n",
        ("engine/test_faults_engine.py",),
    ),
    Defect(
        "a commit takes its number before it can still fail",
        "engine/commit.py",
        "        self._admit(run, operation.lifecycle)\n        now, ts, cv = self.now(), self.ts, self.cv + 1\n",
        "        self._admit(run, operation.lifecycle)\n        self.cv += 1\n"
        "        now, ts, cv = self.now(), self.ts, self.cv\n",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "the next segment is made before the full one is synced",
        "engine/wal_writer.py",
        "        self.syncing.through(self.end)\n        path =",
        "        path =",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "after a failed rotation the full segment is written on",
        "engine/wal_writer.py",
        "        self._sealed, self.room = True, 0\n",
        "        self.room = 0\n",
        ("engine/test_faults_engine.py",),
    ),
    Defect(
        "a file is changed before opening is refused",
        "engine/recovery.py",
        "            raise _lost(end.lost)\n",
        "            files.unlink(segments[-1].path)\n            raise _lost(end.lost)\n",
        ("engine/test_damage.py",),
    ),
    Defect(
        "the mark of a clean close stays while the log grows",
        "engine/opening.py",
        "        before_first=lambda: remove_clean(root, files),\n",
        "        before_first=None,\n",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "a torn tail stays in the log",
        "engine/recovery.py",
        "cut=lost is not None or end.tail_bytes > 0,",
        "cut=lost is not None,",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "the last to close vouches for what it did not sync",
        "engine/closing.py",
        "                return\n            log.sync_through(log.end)\n",
        "                return\n",
        ("engine/crash/test_crash_power.py",),
    ),
    Defect(
        "an index outlives the bytes that it was made from",
        "engine/repair.py",
        "    _drop_indexes(root, {segment.start for segment in affected}, end, files)\n",
        "",
        ("engine/test_review_log.py",),
    ),
    Defect(
        "a failed database takes a snapshot without the commit that it does not hold",
        "engine/snapshotting.py",
        "        if committer.write_obstacle is not None:\n",
        "        if committer.obstacle is not None:\n",
        ("engine/test_review_commit.py",),
    ),
    # -- the engine: isolation, replay, several processes --------------------------------------------------
    Defect(
        "the clock is read where an entry is applied",
        "engine/primitives/kv.py",
        "return put.run, put.key, (put.cv, bytes(put.value), put.ts, put.expires_at, None)",
        'ts = __import__("time").time_ns() // 1000\n'
        "            return put.run, put.key, (put.cv, bytes(put.value), ts, put.expires_at, None)",
        ("engine/test_differential.py",),
    ),
    Defect(
        "a replay is taken from the live store",
        "engine/past.py",
        "                return replay(source, self._registry, run, step=step, cv=cv)\n",
        "                raise HistoryPruned('', from_cv=0) if step is None and cv is None else EngineError('')\n",
        ("engine/test_upstream_regressions.py",),
    ),
    Defect(
        "runs are compared by keys that hold the run",
        "engine/view.py",
        "            yield primitive.name, primitive.diff_items(self._run)\n",
        "            yield (\n"
        "                primitive.name,\n"
        '                {f"{self.run_id}/{key}": value for key, value in primitive.diff_items(self._run).items()},\n'
        "            )\n",
        ("engine/test_upstream_regressions.py",),
    ),
    Defect(
        "no version is kept for a reader",
        "engine/versions.py",
        "        self.linking = True\n",
        "        self.linking = self.always\n",
        ("engine/test_isolation.py",),
    ),
    Defect(
        "what a transaction has read is not looked at when it commits",
        "engine/transactions.py",
        "        for (primitive, key), (seen, scopes) in self._reads.items():\n",
        "        for (primitive, key), (seen, scopes) in list(self._reads.items())[:0]:\n",
        ("engine/test_isolation.py",),
    ),
    Defect(
        "overlapping paths of a document do not conflict",
        "engine/primitives/json_documents.py",
        "            if later is None or any(overlaps(path, other) for other in later):\n",
        "            if later is None:\n",
        ("engine/test_isolation.py",),
    ),
    Defect(
        "what was read of a document is taken for what was written beside it",
        "engine/primitives/json_documents.py",
        "return found if any(overlaps(scope, path) for path in later for scope in scopes) else None",
        "return None",
        ("engine/test_isolation.py",),
    ),
    Defect(
        "events that came are nothing to a serializable transaction",
        "engine/transactions.py",
        "            self._lengths[primitive] = before\n",
        "            pass\n",
        ("engine/test_isolation.py",),
    ),
    Defect(
        "strict readers see what is not on the device",
        "engine/commit.py",
        "        if not self.strict:\n            self.visible = cv\n",
        "        if True:\n            self.visible = cv\n",
        ("engine/test_concurrency.py",),
    ),
    Defect(
        "a thread does not see its own commit, which is on the device",
        "engine/wal_writer.py",
        "            self.on_durable(self.syncing.synced)\n",
        "            pass\n",
        ("engine/test_concurrency.py",),
    ),
    Defect(
        "a deletion is seen before the rest of its commit",
        "engine/context.py",
        "            if committer.installing or committer.cv != cv:\n",
        "            if False:\n",
        ("engine/test_review_threads.py",),
    ),
    Defect(
        "closing vouches for a log that takes further commits",
        "engine/closing.py",
        "        with committer.lock:  # a commit of another thread",
        "        with suppress():  # a commit of another thread",
        ("engine/test_review_threads.py",),
    ),
    Defect(
        "the numbers of the others' transactions are used again",
        "engine/commit.py",
        "        self.sequence = max(self.sequence, sequence + 1)\n",
        "",
        ("engine/test_shared_mode.py",),
    ),
    Defect(
        "the torn tail of another process stays",
        "engine/wal_writer.py",
        "            if self._files.fstat(self._fd).st_size > end - start:\n",
        "            if False:\n",
        ("engine/test_shared_mode.py",),
    ),
    Defect(
        "a follower stays in a segment that it found in the history",
        "engine/following.py",
        "        if self._exists(os.path.join(live, segment_name(self.start))):\n",
        "        if self._exists(self._path):\n",
        ("engine/test_shared_mode.py",),
    ),
    Defect(
        "a transaction goes on over the commits that a writer skipped",
        "engine/reloading.py",
        "    committer.floor = end.last_cv  # no version before it is there any more\n",
        "",
        ("engine/test_core_following.py",),
    ),
    Defect(
        "an orphaned run stays one though its owner resumed it",
        "engine/primitives/run_life.py",
        '    return RESUMED if changes.get("status") == "active" else None\n',
        "    return None\n",
        ("engine/test_unowned_runs.py",),
    ),
    Defect(
        "an archived run takes tags",
        "engine/primitives/run_life.py",
        '        elif fields["status"] == "archived":\n',
        "        elif False:\n",
        ("engine/test_state_machine.py",),
    ),
    Defect(
        "a snapshot drops the sections of kinds that are not loaded",
        "engine/database.py",
        "            opaque=self._opened.opaque,\n",
        "            opaque={},\n",
        ("engine/test_extension.py",),
    ),
    Defect(
        "the log of kinds that are not loaded is let go",
        "engine/snapshotting.py",
        "    if degraded or not kept:\n",
        "    if not kept:\n",
        ("engine/test_extension.py",),
    ),
)

# One of each part, for the run that is not nightly.
SAMPLE = (
    "links inside a block are not checked",
    "the folder of a replaced file is not synced",
    "symbolic links are followed in artifacts",
)
