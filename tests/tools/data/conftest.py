"""One market for the whole folder: it is immutable, so tests may share it."""

from __future__ import annotations

import pytest

from tools.data.collectors.embedded import EmbeddedMarket


@pytest.fixture(scope="session")
def market() -> EmbeddedMarket:
    return EmbeddedMarket()
