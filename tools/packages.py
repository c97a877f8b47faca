"""Files inside installed data-only packages, found without importing the packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tools.errors import ConfigError


def package_file(package: str, *parts: str) -> Path:
    """Locate a file of an installed top-level package.

    The package's code never runs: its own dependencies need not be installed. Raises ConfigError with code
    `data_package_missing` when the package is absent and `data_file_missing` when the file is.
    """
    spec = importlib.util.find_spec(package)
    locations = [] if spec is None else list(spec.submodule_search_locations or [])
    if not locations:
        raise ConfigError(
            f"the data package '{package}' is not installed; run `make setup` (it installs requirements/data.txt)",
            code="data_package_missing",
        )
    for location in locations:
        path = Path(location, *parts)
        if path.is_file():
            return path
    raise ConfigError(
        f"the installed package '{package}' has no file {'/'.join(parts)}; "
        "run `make setup` to install the pinned version",
        code="data_file_missing",
    )


def package_folder(package: str, *parts: str) -> Path:
    """Like `package_file`, for a folder that holds a `meta.json`."""
    return package_file(package, *parts, "meta.json").parent
