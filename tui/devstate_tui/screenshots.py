"""Where pictures of the screen go."""

from __future__ import annotations

import os

from devstate.durable import ensure_folder

from .config import UserFolders

__all__ = ["screenshot_folder"]


def screenshot_folder(folders: UserFolders) -> str:
    """`~/Downloads` where that exists, else a folder of the inspector's own, which is made.

    Raises StorageFault where it cannot be made.
    """
    downloads = os.path.join(folders.home, "Downloads")
    if os.path.isdir(downloads):
        return downloads
    own = os.path.join(folders.data, "screenshots")
    ensure_folder(own)
    return own
