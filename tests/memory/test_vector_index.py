"""A Chroma server as the index: a real one, which goes away and comes back, and others that do not behave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from memory import vector_index
from memory.database import Database
from memory.migrations import upgrade
from memory.recall import Recall
from memory.vector_index import ChromaServer
from tests.peers.chroma_server import RealChroma
from tools.errors import RetryableToolError

from .remembering import ask, names, remember, situations


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealChroma]:
    running = RealChroma(tmp_path_factory.mktemp("chroma-server"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def other_db(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    upgrade(database)
    yield database
    database.dispose()


class Gatekeeper(BaseHTTPRequestHandler):
    """Answers a heartbeat only to who shows the token; keeps what it was shown."""

    seen: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        shown = self.headers["X-Chroma-Token"] or self.headers["Authorization"]
        self.seen.append(shown)
        self.send_response(200 if shown in ("s3cret", "Bearer s3cret") else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[str]:
    """The address of something that takes a connection and never says a word."""
    with socket.socket() as quiet:
        quiet.bind(("127.0.0.1", 0))
        quiet.listen()
        yield f"http://127.0.0.1:{quiet.getsockname()[1]}"


def test_two_homes_on_one_server_keep_to_their_own(server: RealChroma, db: Database, other_db: Database) -> None:
    """The same run ids and cases in a replay home and a paper home: neither sees, drops or counts the other's."""
    first = Recall(db, ChromaServer(server.url), stamp="replay-aaaa")
    remember(first, situations(8))
    second = Recall(other_db, ChromaServer(server.url), stamp="paper-bbbb")
    remember(second, situations(3))
    assert (first.trouble, second.trouble) == (None, None)
    assert (first.count(), second.count()) == (8, 3)
    second.rebuild()
    (shelf,) = first._index.shelves()
    assert len(first._index.ids(shelf)) == 8
    assert len(second._index.ids(shelf)) == 3
    assert len(ask(first, limit=20)) > len(ask(second, limit=20)) > 0
    again = Recall(db, ChromaServer(server.url), stamp="replay-aaaa")
    assert ask(again, limit=20) == ask(first, limit=20)
    for recall in (first, second, again):
        recall.close()


def test_a_server_that_goes_away_is_said_and_one_that_comes_back_is_brought_in_step(
    server: RealChroma, db: Database, tmp_path: Path
) -> None:
    """The desk goes on without it: it remembers, and answers the same from SQL; then the server has all of it."""
    recall = Recall(db, ChromaServer(server.url), stamp="replay-cccc")
    remember(recall, situations(6))
    expected = ask(recall)
    server.stop()
    assert ask(recall) == expected
    assert recall.trouble is not None
    assert not recall.attend()
    remember(recall, [("case_meanwhile", "trend order.entry buy XOM Exxon Mobil, Energy")], known_index=80)
    assert "case_meanwhile" in names(ask(recall))
    server.start()
    assert recall.attend()
    assert recall.count() == 7
    (shelf,) = recall._index.shelves()
    assert "case_meanwhile" in recall._index.ids(shelf)
    recall.close()


def test_a_server_that_is_down_at_the_start_leaves_a_desk_that_remembers(db: Database) -> None:
    recall = Recall(db, ChromaServer("http://127.0.0.1:1"), stamp="replay-dddd")
    assert recall.trouble is not None
    remember(recall, situations(2))
    assert len(ask(recall)) > 0


def test_a_server_that_never_answers_does_not_hold_the_desk(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "TIMEOUT_S", 0.2)
    with listening() as url:
        recall = Recall(db, ChromaServer(url), stamp="replay-eeee")
        assert "timed out" in (recall.trouble or "")


@pytest.mark.parametrize(("header", "shown"), [("Authorization", "Bearer s3cret"), ("X-Chroma-Token", "s3cret")])
def test_the_token_goes_into_the_header_that_the_server_wants(header: str, shown: str) -> None:
    peer = ThreadingHTTPServer(("127.0.0.1", 0), Gatekeeper)
    threading.Thread(target=peer.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{peer.server_address[1]}"
    try:
        vector_index.VectorIndex(ChromaServer(url, "s3cret", header), "x", "y").ping()
        assert Gatekeeper.seen[-1] == shown
        with pytest.raises(RetryableToolError, match="401") as caught:
            vector_index.VectorIndex(ChromaServer(url, "wrong", header), "x", "y").ping()
        assert "wrong" not in caught.value.message
    finally:
        peer.shutdown()
        peer.server_close()


def test_a_server_on_this_machine_is_reached_without_the_proxy_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = ThreadingHTTPServer(("127.0.0.1", 0), Gatekeeper)
    threading.Thread(target=peer.serve_forever, daemon=True).start()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "elsewhere")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{peer.server_address[1]}")
    seen = len(Gatekeeper.seen)
    try:
        with pytest.raises(RetryableToolError):
            vector_index.VectorIndex(ChromaServer("http://127.0.0.1:1", "s3cret"), "x", "y").ping()
        assert len(Gatekeeper.seen) == seen
    finally:
        peer.shutdown()
        peer.server_close()


@pytest.mark.parametrize(
    "answer", [{}, {"ids": []}, {"ids": None}, {"ids": [[1]]}, {"ids": [None]}, []], ids=lambda given: f"{given}"
)
def test_an_index_that_answers_nonsense_is_unavailable(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    class Odd:
        def query(self, **_: Any) -> Any:
            return answer

    index = vector_index.VectorIndex(ChromaServer("http://127.0.0.1:1"), "x", "y")
    monkeypatch.setattr(index, "_collection", lambda shelf: Odd())
    with pytest.raises(RetryableToolError) as caught:
        index.nearest(vector_index.Shelf("run_1", "case", "trend"), np.ones(3, dtype=np.float32), 1)
    assert caught.value.code == "index_unavailable"
