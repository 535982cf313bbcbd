"""The environment of the test run is not that of the tests: what DevState reads from it is taken away first.

So the suite gives the same verdict on a desk and in a CI job, where `CI` makes a missing secret an error.
"""

from __future__ import annotations

import os

_READ = {
    "ALLOW_DEFAULT_HMAC_SECRET",
    "BEAMLINE_HMAC_SECRET",
    "CI",
    "COLUMNS",
    "DRONE",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "HMAC_SECRET",
    "LINES",
    "NO_COLOR",
    "PRODUCTION",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
}


# At import, before any module of the product looks.
for _name in [name for name in os.environ if name in _READ or name.startswith("DEVSTATE_")]:
    del os.environ[_name]
