"""Fixtures that run the real command in its own process, on a small universe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.desk import Finished, Homes, quarterdeck
from tests.e2e.visitor import BROWSERS, FLAGS, PATIENCE_MS, find_browser

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium. Where none is installed this is a failure in CI and a skip elsewhere."""
    found = find_browser()
    if found is None:
        why = f"no Chromium found (looked for {', '.join(BROWSERS)}): install one, e.g. apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield launched
        launched.close()
