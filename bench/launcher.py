"""Start commands from a process that holds next to nothing, and report what each used.

On Linux a process counts as its own peak what its parent held when it was started. The harness and its inputs
are large; this file, run by `python -I -S`, is not. It reads a JSON object a line ({"command", "env", "cwd"})
and writes one: {"wall", "cpu", "peak_bytes", "status", "out"}.
"""

import json
import os
import sys
import tempfile
import time

SCALE = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere

for line in sys.stdin:
    wanted = json.loads(line)
    with tempfile.TemporaryFile() as out:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 2),
        ]
        os.chdir(wanted["cwd"])
        command = wanted["command"]
        started = time.perf_counter()
        pid = os.posix_spawnp(command[0], command, wanted["env"], file_actions=actions)
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - started
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
    done = {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * SCALE,
        "status": os.waitstatus_to_exitcode(status),
        "out": text,
    }
    print(json.dumps(done), flush=True)
