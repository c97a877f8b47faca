"""Chroma as an index over rows of SQL: a folder of the home, or a server that several homes share.

A shelf is what one question asks at once: the items of one run, kind and strategy. Each has a collection of its own,
because Chroma answers a whole collection in a millisecond and a filtered one in time that grows with its size. Names
carry the home's stamp, so that homes on one server never mix. Every failure is a RetryableToolError
`index_unavailable`: SQL can answer without the index.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import httpx
import numpy as np
from numpy.typing import NDArray

from memory.remembered import OVER_FETCH
from tools.canonical import content_sha256
from tools.errors import RetryableToolError

TIMEOUT_S: Final = 5.0
BATCH: Final = 1000


class Shelf(NamedTuple):
    """What one collection holds."""

    run_id: str
    kind: str
    strategy: str


class ChromaServer(NamedTuple):
    """Where a Chroma server answers. `token` goes into `header`; `ca` is a PEM file for one with its own authority."""

    url: str
    token: str | None = None
    header: str = "Authorization"
    ca: Path | None = None

    def headers(self) -> dict[str, str]:
        if self.token is None:
            return {}
        bearer = self.header.lower() == "authorization"
        return {self.header: f"Bearer {self.token}" if bearer else self.token}


def unavailable(why: object) -> RetryableToolError:
    return RetryableToolError(f"the index does not answer ({why})", code="index_unavailable")


@contextmanager
def _told() -> Iterator[None]:
    """Turn what Chroma raises into one error; it speaks in its own, httpx's and Python's."""
    from chromadb.errors import ChromaError

    try:
        yield
    except (
        ChromaError, httpx.HTTPError, ValueError, OSError, sqlite3.Error, AttributeError, TypeError, LookupError,
    ) as error:  # fmt: skip
        raise unavailable(str(error) or type(error).__name__) from None


class VectorIndex:
    """Collections of one home. `note` says what had to be done to open it, "" for nothing."""

    def __init__(self, place: Path | ChromaServer, stamp: str, encoder: str) -> None:
        os.environ["ANONYMIZED_TELEMETRY"] = "False"
        self.place = place
        self.note = ""
        self._encoder = encoder
        self._prefix = f"qd-{stamp}-"
        self._client: Any = None
        self._open: dict[Shelf, Any] = {}

    def open(self) -> None:
        """Open or reach the index, and prove that each collection of this home answers; a damaged one is put away."""
        self.close()
        self.note = ""
        with _told():
            if isinstance(self.place, ChromaServer):
                _past_the_proxy(self.place)
                self._client = _remote(self.place)
            else:
                self._open_folder(self.place)

    def _open_folder(self, folder: Path) -> None:
        """A broken vector file can end the whole process; so a mark stands while Chroma reads, and one that still
        stands at the next start means that the index is what ended it."""
        mark = folder.with_name(f"{folder.name}.opening")
        if mark.exists():
            _put_away(folder, self, "reading it ended the process")
        mark.touch()
        self._client = _local(folder, self)
        if not self._sound():
            self.close()
            _put_away(folder, self, "its vectors could not be read")
            self._client = _local(folder, self)
        mark.unlink()

    def close(self) -> None:
        client, self._client, self._open = self._client, None, {}
        if client is not None:
            sessions = _sessions(client)
            client.close()
            for session in sessions:
                session.close()  # chromadb leaves its connections open

    def ping(self) -> None:
        """Ask whether the index still answers."""
        with _told():
            if isinstance(self.place, ChromaServer):
                _past_the_proxy(self.place)
                _probe(self.place)

    def shelves(self) -> frozenset[Shelf]:
        """Shelves that this home has in the index."""
        with _told():
            return frozenset(
                Shelf(*(item.metadata or {}).get("shelf", "//").split("/", 2)) for item in self._mine()
            )  # fmt: skip

    def ids(self, shelf: Shelf) -> set[str]:
        with _told():
            return set(self._collection(shelf).get(include=[])["ids"])

    def add(self, shelf: Shelf, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Put items on their shelf; the same id again takes the new vector."""
        with _told():
            for start in range(0, len(ids), BATCH):
                part = slice(start, start + BATCH)
                self._collection(shelf).upsert(ids=list(ids[part]), embeddings=vectors[part])

    def forget(self, shelf: Shelf, ids: Sequence[str]) -> None:
        with _told():
            for start in range(0, len(ids), BATCH):
                self._collection(shelf).delete(ids=list(ids[start : start + BATCH]))

    def nearest(self, shelf: Shelf, vector: NDArray[np.float32], count: int) -> list[str]:
        """Ids of about the most similar items of a shelf."""
        with _told():
            found = self._collection(shelf).query(query_embeddings=[vector], n_results=count, include=[])
            ids: list[str] = found["ids"][0]
            if not all(isinstance(item, str) for item in ids):
                raise ValueError("it names what no item is called")
            return ids

    def drop(self, shelf: Shelf) -> None:
        with _told():
            self._open.pop(shelf, None)
            self._client.delete_collection(self._name(shelf))

    def clear(self) -> None:
        """Drop every collection of this home, those of older versions and other encoders included."""
        with _told():
            self._open = {}
            for item in self._mine():
                self._client.delete_collection(item.name)

    def _mine(self) -> list[Any]:
        """In a folder all there is; on a server what carries the stamp."""
        held = self._client.list_collections()
        return [item for item in held if isinstance(self.place, Path) or item.name.startswith(self._prefix)]

    def _name(self, shelf: Shelf) -> str:
        return self._prefix + content_sha256(list(shelf))[:24]

    def _collection(self, shelf: Shelf) -> Any:
        if self._client is None:
            raise unavailable("it is not open")
        found = self._open.get(shelf)
        if found is None:
            metadata = {
                "hnsw:space": "cosine", "hnsw:search_ef": OVER_FETCH + 40, "encoder": self._encoder,
                "shelf": "/".join(shelf),
            }  # fmt: skip
            name = self._name(shelf)
            found = self._client.get_or_create_collection(name, embedding_function=None, metadata=metadata)
            self._open[shelf] = found
        return found

    def _sound(self) -> bool:
        from chromadb.errors import ChromaError

        probe = np.full(1, 1.0, dtype=np.float32)
        try:
            for item in self._mine():
                held = item.get(limit=1, include=["embeddings"])["embeddings"]
                if len(held):
                    probe = np.asarray(held[0], dtype=np.float32)
                    item.query(query_embeddings=[probe], n_results=1, include=[])
        except ChromaError:
            return False
        return True

    def strangers(self) -> list[str]:
        """Collections of this home that no shelf of this encoder has: made by an older version or another encoder."""
        with _told():
            return [
                item.name for item in self._mine()
                if (item.metadata or {}).get("encoder") != self._encoder
                or item.name != self._name(Shelf(*(item.metadata or {}).get("shelf", "//").split("/", 2)))
            ]  # fmt: skip

    def drop_named(self, names: Sequence[str]) -> None:
        with _told():
            for name in names:
                self._client.delete_collection(name)


def _local(folder: Path, index: VectorIndex) -> Any:
    """A persistent client. Chroma cannot be opened twice in one process after it met a broken file, so look first."""
    import chromadb
    from chromadb.config import Settings

    file = folder / "chroma.sqlite3"
    if file.exists():
        try:
            with closing(sqlite3.connect(file)) as connection:
                verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            verdict = str(error)
        if verdict != "ok":
            _put_away(folder, index, verdict)
    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def _put_away(folder: Path, index: VectorIndex, why: str) -> None:
    """A damaged index is worth nothing: all that it held is in SQL."""
    index.note = f"the index was damaged ({why})"
    shutil.rmtree(folder, ignore_errors=True)


def _past_the_proxy(server: ChromaServer) -> None:
    """A server on this machine is reached without the shell's proxy, which would be shown the token; chromadb makes its
    HTTP clients itself, so that only the environment can tell them."""
    host = urlsplit(server.url).hostname or ""
    if host != "localhost" and not _is_loopback(host):
        return
    spared = getproxies_environment().get("no", "")
    if host not in spared.split(","):
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, (spared, host)))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _remote(server: ChromaServer) -> Any:
    import chromadb
    from chromadb.config import Settings

    _probe(server)
    parts = urlsplit(server.url)
    secure = parts.scheme == "https"
    settings = Settings(anonymized_telemetry=False)
    if server.ca is not None:
        settings.chroma_server_ssl_verify = str(server.ca)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # httpx would have a context for a private authority
        client = chromadb.HttpClient(
            host=parts.hostname or "", port=parts.port or (443 if secure else 8000), ssl=secure,
            headers=server.headers(), settings=settings,
        )  # fmt: skip
    for session in _sessions(client):
        session.timeout = httpx.Timeout(TIMEOUT_S)  # chromadb sets none, and takes none
    return client


def _sessions(client: Any) -> list[httpx.Client]:
    """The HTTP clients of a Chroma client: one for data and one for tenants; none for a folder."""
    parts = (client._server, client._admin_client._server)
    return [part._session for part in parts if hasattr(part, "_session")]


def _probe(server: ChromaServer) -> None:
    """Ask for a heartbeat; chromadb's own client would wait for ever."""
    import ssl

    verify = ssl.create_default_context(cafile=str(server.ca)) if server.ca else True
    url = server.url.rstrip("/") + "/api/v2/heartbeat"
    httpx.get(url, headers=server.headers(), timeout=TIMEOUT_S, verify=verify).raise_for_status()
