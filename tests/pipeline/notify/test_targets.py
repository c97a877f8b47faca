"""The targets file: what is taken, what is refused, what an error may repeat, and how it comes into force."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from memory.tables import ActivationRow
from pipeline.notify import targets
from pipeline.notify.targets import EVENTS, Mailbox, Webhook, is_loopback, parse
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.notify.outside import configure, hook, mailbox
from tools.errors import ConfigError

GOOD_HOOK = hook("https://hooks.example.com/x")
GOOD_MAIL = mailbox(587, host="smtp.example.com")


def refusal(webhooks: Any = (), emails: Any = (), **more: Any) -> str:
    text = yaml.safe_dump({"version": "1", "webhooks": list(webhooks), "emails": list(emails), **more})
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.code == "bad_notifications"
    return caught.value.message


def test_a_file_with_both_kinds_of_target_is_taken() -> None:
    found = parse(yaml.safe_dump({"version": "7", "webhooks": [GOOD_HOOK], "emails": [GOOD_MAIL]}))
    assert found.version == "7"
    first, second = found.targets
    assert isinstance(first, Webhook)
    assert isinstance(second, Mailbox)
    assert first.events == second.events == EVENTS
    assert second.sender == "desk@example.com"
    assert second.encrypts


def test_no_file_means_no_targets(store: Store) -> None:
    assert not targets.sync(store)
    with store.db.read() as session:
        assert targets.in_force(session) == ()


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"url": "http://hooks.example.com/x"}, "webhooks.0.url", "this machine only"),
        ({"url": "ftp://hooks.example.com/x"}, "webhooks.0.url", "https://"),
        ({"url": "https://user:pw@hooks.example.com"}, "webhooks.0.url", "no user or password"),
        ({"url": "https://hooks.example.com/x\r\ny: z"}, "webhooks.0.url", "control characters"),
        ({"events": ["approval.askd"]}, "webhooks.0.events.0", "approval.askd"),
        ({"secret_env": "whsec_c2VjcmV0"}, "webhooks.0.secret_env", "pattern"),
        ({"secret": "s3cret"}, "webhooks.0.secret", "not permitted"),
        ({"name": "a b"}, "webhooks.0.name", "a b"),
    ],
)
def test_a_bad_webhook_is_refused_with_its_field(changes: dict[str, Any], field: str, why: str) -> None:
    message = refusal([{**GOOD_HOOK, **changes}])
    assert field in message
    assert why in message


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"starttls": False}, "this machine only"),
        ({"username": "desk"}, "go together"),
        ({"password_env": "QD_MAIL"}, "go together"),
        ({"to": []}, "emails.0.to"),
        ({"to": ["ann@example.com\nBcc: eve@example.com"]}, "emails.0.to.0"),
        ({"from": "Desk <desk@example.com>"}, "emails.0.from"),
        ({"port": 0}, "emails.0.port"),
        ({"password": "hunter2"}, "emails.0.password"),
    ],
)
def test_a_bad_mailbox_is_refused(changes: dict[str, Any], why: str) -> None:
    assert why in refusal(emails=[{**GOOD_MAIL, **changes}])


@pytest.mark.parametrize(
    "secret_place",
    [
        {"secret_env": "whsec_TOPSECRET"}, {"secret": "whsec_TOPSECRET"}, {"url": "http://x.example/TOPSECRET"},
        {"secret_env": "whsec_TOPSECRET", "extra": 1}, {"headers": {"authorization": "TOPSECRET"}},
    ],
)  # fmt: skip
def test_no_complaint_repeats_what_might_be_a_secret(secret_place: dict[str, Any]) -> None:
    assert "TOPSECRET" not in refusal([{**GOOD_HOOK, **secret_place}])


def test_a_complaint_about_yaml_names_the_place_and_not_the_text() -> None:
    with pytest.raises(ConfigError, match="line 2") as caught:
        parse('version: "1"\npassword: "TOPSECRET: [')
    assert "TOPSECRET" not in caught.value.message


def test_two_targets_of_one_name_are_refused() -> None:
    assert "two targets are named ops" in refusal([GOOD_HOOK], [{**GOOD_MAIL, "name": "ops"}])


@given(st.text(max_size=200))
def test_any_text_is_a_file_or_a_config_error(text: str) -> None:
    assert life.code_of(lambda: parse(text)) in ("", "bad_notifications")


def test_a_changed_file_comes_into_force_once_and_is_recorded(store: Store) -> None:
    before = life.count(store, ActivationRow)
    configure(store, webhooks=[GOOD_HOOK])
    assert not targets.sync(store)
    assert life.count(store, ActivationRow) == before + 1
    configure(store, webhooks=[GOOD_HOOK], emails=[GOOD_MAIL])
    with store.db.read() as session:
        assert [target.name for target in targets.in_force(session)] == ["ops", "desk"]
    assert store.verify_ledger().verified


def test_a_file_that_is_taken_away_leaves_no_targets(store: Store) -> None:
    configure(store, webhooks=[GOOD_HOOK])
    (store.home.config / "notifications.yaml").unlink()
    assert targets.sync(store)
    with store.db.read() as session:
        assert targets.in_force(session) == ()


def test_an_unusable_file_leaves_the_targets_in_force(store: Store) -> None:
    configure(store, webhooks=[GOOD_HOOK])
    (store.home.config / "notifications.yaml").write_text("version: 1\nwebhooks: 5\n")
    with pytest.raises(ConfigError, match="version"):
        targets.sync(store)
    with store.db.read() as session:
        assert [target.name for target in targets.in_force(session)] == ["ops"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "0.0.0.0", "10.0.0.1", ""])
def test_names_that_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
