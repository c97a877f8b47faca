"""Whether a process lives."""

from __future__ import annotations

import psutil


def lives(pid: int) -> bool:
    """True when a process runs under this number; a zombie has died and does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
