"""The product: `verify_history` with all its checks. Arguments: the file and the number of processes."""

import sys

from devstate.chain import Keyring, verify_history

report = verify_history(sys.argv[1], keyring=Keyring.of(b"beamline-secret-key-v1"), jobs=int(sys.argv[2]))
print(report.entries)
sys.exit(0 if report.ok and report.verified == report.entries else 1)
