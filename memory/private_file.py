"""Files that only the desk's account may read, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def create_private(path: Path, data: bytes) -> bool:
    """Create a file with mode 0600 unless it is there; of two processes one wins and both see the whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        partial.unlink()
    return True
