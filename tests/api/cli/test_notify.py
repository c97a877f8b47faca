"""notify test | list and sla on the command line."""

from __future__ import annotations

import pytest

from api.cli import notify
from tests.peers.webhook_peer import WebhookPeer
from tests.pipeline.notify.outside import SECRET, configure, hook, tell

from ..conftest import Seeded
from .conftest import Quarterdeck


def test_a_test_names_who_took_it_and_who_did_not(
    quarterdeck: Quarterdeck, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QD_HOOK", SECRET)
    with WebhookPeer(SECRET) as good, WebhookPeer(SECRET, "500") as bad:
        configure(seeded.store, webhooks=[hook(good.url, "good")])
        assert quarterdeck("notify", "test").status == 0
        configure(seeded.store, webhooks=[hook(good.url, "good"), hook(bad.url, "bad")])
        ran = quarterdeck("notify", "test", "--json")
    assert ran.status == 1
    assert [(item["target"], item["ok"], item["error"]) for item in ran.json["items"]] == [
        ("bad", False, "answered 500"), ("good", True, None),
    ]  # fmt: skip


def test_a_test_without_targets_says_where_they_are_written(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    ran = quarterdeck("notify", "test")
    assert (ran.status, ran.out) == (0, "")
    assert "notifications.yaml" in ran.err


def test_a_test_with_a_bad_file_is_refused(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    (seeded.store.home.config / "notifications.yaml").write_text("version: [")
    ran = quarterdeck("notify", "test")
    assert ran.status == 2
    assert "[bad_notifications]" in ran.err


def test_the_outbox_is_listed(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    configure(seeded.store, webhooks=[hook("https://hooks.example.com/TOKEN")])
    tell(seeded.store)
    table = quarterdeck("notify", "list")
    assert (table.status, table.err) == (0, "")
    assert "approval.asked" in table.out
    assert "TOKEN" not in table.out
    assert quarterdeck("notify", "list", "--status", "given_up", "--json").json["total"] == 0


def test_service_levels_are_shown(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    table = quarterdeck("sla")
    assert (table.status, table.err) == (0, "")
    assert "by tier" in table.out
    assert "100%" in table.out
    assert quarterdeck("sla", "--days", "1", "--json").json["total"]["questions"] == 0
    assert quarterdeck("sla", "--json").json["total"]["questions"] == 2


@pytest.mark.parametrize(("seconds", "words"), [(None, None), (41.2, "41 s"), (600, "10 min"), (12_600, "3.5 h")])
def test_durations_are_said_in_words(seconds: float | None, words: str | None) -> None:
    assert notify._duration(seconds) == words
