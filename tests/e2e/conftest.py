"""Fixtures that run the real command in its own process, on a small universe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.desk import Finished, Homes, quarterdeck

Command = Callable[..., Finished]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `quarterdeck --home <tmp>/home ...`; `env` adds variables, `home` names another home."""

    def run(*arguments: str, env: dict[str, str] | None = None, home: str = "home", timeout: float = 240) -> Finished:
        return quarterdeck(tmp_path / home, *arguments, env=env, timeout=timeout)

    return run


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """Homes that were played once, to copy."""
    return Homes(tmp_path_factory.mktemp("homes"))
