"""Every operation of the OpenAPI document against generated requests: nothing ends in a 500, every answer is one that
the document declares, and what the document forbids is refused.

The requests go to the app in this process. As an admin they carry well-formed values, ids that exist, and broken
values; as nobody they end at the door.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis import checks as standard
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi import checks as openapi

from api.app import create_app
from memory.recordings import record
from pipeline import halt
from pipeline.settings import load_settings
from pipeline.store import Store, open_store
from tests.people_help import add, key_of, make_passwords_cheap

from .conftest import BASE_URL, RUN, Seeded, seed_home
from .test_roles import OPEN

EXAMPLES, AT_THE_DOOR = 20, 5
CHECKS = [
    standard.not_a_server_error, openapi.status_code_conformance, openapi.content_type_conformance,
    openapi.response_headers_conformance, openapi.response_schema_conformance,
]  # fmt: skip


class Home:
    """One seeded desk for all operations: what one does, the next one finds."""

    def __init__(self, seeded: Seeded) -> None:
        self.store: Store = seeded.store
        self.client = TestClient(create_app(seeded.store), base_url=BASE_URL, raise_server_exceptions=False)
        with seeded.store.db.write() as session:
            record(session, run_id=RUN, cycle_id="cyc_1", kind="tool", call="market.bars", request={}, response={})
        self.admin = key_of(add(seeded.store, "root", "admin"))
        victim = add(seeded.store, "ann", "approver")
        config = SchemathesisConfig(
            projects=ProjectsConfig(default=ProjectConfig(generation=GenerationConfig(with_security_parameters=False)))
        )  # fmt: skip
        self.schema = schemathesis.openapi.from_dict(self.client.app.openapi(), config=config)  # type: ignore[attr-defined]
        self.ids = {
            "approval_id": seeded.approval_id, "case_id": seeded.case_id, "name": "ann",
            "key_id": victim.person.keys[0].id, "strategy": "trend", "target": "cyc_1",
        }  # fmt: skip

    def call(self, case: Any, key: str | None, mode: GenerationMode) -> Any:
        """Send one generated request and hold the answer against the document."""
        given = case.as_transport_kwargs(base_url=BASE_URL)
        headers = {name: value for name, value in given.pop("headers").items() if name.lower() != "authorization"}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        given.pop("cookies", None)
        if "data" in given:
            given["content"] = given.pop("data")
        self.client.cookies.clear()
        response = self.client.request(**given, headers=headers)
        broken = [openapi.negative_data_rejection] if mode is GenerationMode.NEGATIVE else []
        case.validate_response(response, checks=[*CHECKS, *broken])
        return response


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with pytest.MonkeyPatch.context() as patch:
        make_passwords_cheap(patch)
        patch.setattr(halt, "launch", lambda _store: None)
        store = open_store(load_settings(home=tmp_path_factory.mktemp("openapi") / "home"))
        yield Home(seed_home(store))
        store.db.dispose()


def labels() -> list[str]:
    """Every operation, read from an app that serves nothing."""
    paths = create_app(None).openapi()["paths"]  # type: ignore[arg-type]
    return sorted(f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs)


def fuzz(home: Home, operation: Any, mode: GenerationMode, key: str | None, **fixed: Any) -> list[int]:
    """Status codes of all generated requests."""
    seen: list[int] = []

    @seed(1)
    @settings(
        max_examples=EXAMPLES if key else AT_THE_DOOR, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(mode, **fixed))
    def run(case: Any) -> None:
        seen.append(home.call(case, key, mode).status_code)

    run()
    return seen


@pytest.mark.parametrize("label", labels())
def test_an_admin_gets_only_answers_that_are_declared(home: Home, label: str) -> None:
    operation = home.schema.find_operation_by_label(label)
    assert operation is not None
    fuzz(home, operation, GenerationMode.POSITIVE, home.admin)
    names = [parameter.name for parameter in operation.path_parameters]
    known = {name: home.ids[name] for name in names if name in home.ids}
    if known:
        assert 404 not in fuzz(home, operation, GenerationMode.POSITIVE, home.admin, path_parameters=known)


@pytest.mark.parametrize("label", labels())
def test_what_the_document_forbids_is_refused(home: Home, label: str) -> None:
    operation = home.schema.find_operation_by_label(label)
    if operation is None or not (operation.body or operation.query):
        return
    fuzz(home, operation, GenerationMode.NEGATIVE, home.admin)


@pytest.mark.parametrize("label", labels())
def test_nobody_ends_at_the_door(home: Home, label: str) -> None:
    operation = home.schema.find_operation_by_label(label)
    codes = set(fuzz(home, operation, GenerationMode.POSITIVE, None))
    if label.replace("/api/v1", "") not in OPEN:
        assert codes == {401}
