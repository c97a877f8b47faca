"""The lock of all prompts: a body may not change under the same version."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import cast

from prompts.loader import load, prompt_ids
from tools.errors import ConfigError

LOCK_FILE = "LOCK.json"

Lock = dict[str, dict[str, str]]


def computed() -> Lock:
    """Version and SHA-256 of every prompt as it is now."""
    prompts = [load(prompt_id) for prompt_id in prompt_ids()]
    return {prompt.id: {"version": prompt.version, "sha256": prompt.sha256} for prompt in prompts}


def locked() -> Lock:
    """The lock file as shipped."""
    text = (resources.files("prompts") / LOCK_FILE).read_text(encoding="utf-8")
    return cast(Lock, json.loads(text))


def differences(old: Lock, new: Lock) -> list[str]:
    """Prompts whose body changed under the same version; these must get a new version."""
    return sorted(
        name
        for name, entry in new.items()
        if name in old and entry["version"] == old[name]["version"] and entry["sha256"] != old[name]["sha256"]
    )


def regenerate(path: Path) -> Lock:
    """Write the lock anew; ConfigError for a body that changed without a new version."""
    old: Lock = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    new = computed()
    changed = differences(old, new)
    if changed:
        raise ConfigError(
            f"{', '.join(changed)} changed under the same version: raise `version` in the front matter first",
            code="prompt_version",
        )
    path.write_text(json.dumps(new, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return new


if __name__ == "__main__":
    regenerate(Path(__file__).parent / LOCK_FILE)
