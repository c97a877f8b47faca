"""Opening long-term memory for a home, and saying how it does: heartbeat, finding, runbooks."""

from __future__ import annotations

from pathlib import Path

from memory.heads import load_key, public_hex
from memory.recall import Recall
from memory.remembered import DESK_SCOPE, Item
from memory.vector_index import ChromaServer, VectorIndex
from pipeline.findings import watch
from pipeline.heartbeats import beat
from pipeline.settings import Settings
from pipeline.store import Store, now
from prompts.runbooks import Runbook, runbooks
from tools.canonical import sha256_hex, stable_id
from tools.types import Finding

INDEX_DOWN = "recall_index_down"


def open_recall(store: Store) -> Recall:
    """Open memory over a home, with the runbooks in it; ConfigError when the embedding model is not installed.

    An index that does not answer is a finding, and SQL answers instead.
    """
    recall = Recall(store.db, place_of(store.settings, store.home.chroma), stamp=stamp_of(store))
    remember_runbooks(recall)
    tell(store, recall)
    return recall


def keep_recall(store: Store, recall: Recall) -> None:
    """Look whether the index answers, bring back one that does again, and say so."""
    recall.attend()
    tell(store, recall)
    beat(store, "recall", "ok" if recall.trouble is None else "down", state_of(recall))


def state_of(recall: Recall) -> str:
    """One line for people about the index."""
    if recall.trouble is not None:
        return recall.trouble
    return f"{recall.count()} items in the index" + (f"; {recall.note}, built again from SQL" if recall.note else "")


def place_of(settings: Settings, folder: Path) -> Path | ChromaServer:
    """Where the index of a home is: the server of the settings, else a folder of the home."""
    if settings.chroma_url is None:
        return folder
    token = settings.chroma_token.get_secret_value() if settings.chroma_token else None
    return ChromaServer(settings.chroma_url, token, settings.chroma_header, settings.chroma_ca)


def ask_server(settings: Settings) -> None:
    """RetryableToolError unless the Chroma server of the settings answers and takes the token."""
    VectorIndex(place_of(settings, settings.home), "doctor", "").ping()


def stamp_of(store: Store) -> str:
    """What tells this home's collections from those of others on one server: its mode and its ledger key."""
    return f"{store.settings.mode}-{sha256_hex(public_hex(load_key(store.home.ledger_key)).encode())[:12]}"


def remember_runbooks(recall: Recall) -> int:
    """Remember the runbooks that ship, for every run; an edited one takes the place of the one before it."""
    items = [_item(book) for book in runbooks()]
    written = recall.remember(*items)
    recall.in_use("runbook", [item.id for item in items])
    return sum(item.status == "new" for item in written)


def _item(book: Runbook) -> Item:
    return Item(
        id=stable_id("mem", "runbook", book.id, book.title, book.when), run_id=DESK_SCOPE, kind="runbook",
        subject=book.id, text=f"{book.title}. {book.when}", known_index=0, strategy=DESK_SCOPE,
    )  # fmt: skip


def tell(store: Store, recall: Recall) -> None:
    """Raise the finding that the index is down, or clear it. It belongs to no run: answers do not depend on it."""
    found = []
    if recall.trouble is not None:
        at = now()
        found = [
            Finding(
                id=stable_id("find", INDEX_DOWN, at), code=INDEX_DOWN, severity="warning", component="recall",
                message=f"Memory is answered from SQL: {recall.trouble}.",
                recommendation="Answers are the same, and slower with many items. Start the Chroma server or see "
                "`quarterdeck doctor`; the desk brings the index back by itself.",
                as_of=at,
            )
        ]  # fmt: skip
    with store.db.write() as session:
        watch(session, None, (INDEX_DOWN,), found, now())
