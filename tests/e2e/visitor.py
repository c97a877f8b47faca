"""A person's browser on a desk that is really served."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.e2e.desk import ROOT, Desk

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 20_000
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def find_browser() -> str | None:
    """The first Chromium on the path."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def require_built() -> None:
    assert (ROOT / "api" / "static" / "index.html").is_file(), "the console is not built: run `make setup`"


class Visitor:
    """A person's browser on the desk. What the page complains about is kept and held against it at the end."""

    def __init__(self, browser: Browser, desk: Desk, **options: Any) -> None:
        self.desk = desk
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.expected: tuple[int, ...] = ()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, route: str = "#/") -> Page:
        self.page.goto(f"{self.desk.url}/{route}")
        expect(self.page.get_by_test_id("mode-badge")).to_have_text("REPLAY")
        return self.page

    def open(self, approval: dict[str, Any]) -> Page:
        page = self.go(f"#/approvals/{approval['id']}")
        expect(page.get_by_test_id("decision-reason")).to_be_visible()
        return page

    def say(self, decision: str, reason: str) -> None:
        self.page.get_by_test_id("decision-reason").fill(reason)
        self.page.get_by_test_id(f"decision-{decision}").click()

    def unexpected(self) -> list[str]:
        """Complaints but for the refusals that the test provokes: the browser reports every 4xx as an error."""
        told = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
        return [
            text for text in self.complaints
            if not ((found := told.match(text)) and int(found.group(1)) in self.expected)
        ]  # fmt: skip


@contextmanager
def visiting(browser: Browser, desk: Desk, **options: Any) -> Iterator[Visitor]:
    someone = Visitor(browser, desk, **options)
    yield someone
    someone.context.close()
    assert someone.unexpected() == []


def sign_in(someone: Visitor, name: str, password: str, route: str = "#/") -> Page:
    """Open a route as a stranger and log in by password; the page asked for follows."""
    page = someone.page
    someone.expected = (401,)
    page.goto(f"{someone.desk.url}/{route}")
    page.get_by_test_id("login-name").fill(name)
    page.get_by_test_id("login-password").fill(password)
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("account-name")).to_have_text(name)
    return page
