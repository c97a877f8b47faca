"""How a command reaches the desk: through its API when one holds the home, else through the same app in process.

Both ways answer with the same JSON and refuse with the same codes. Without a desk the command holds the home's
lock for as long as it runs, so that no desk can start under it.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import httpx

from api.cli.options import Call
from tools.errors import ConfigError, HomeError, QuarterdeckError

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store import Store

PREFIX = "/api/v1"
TIMEOUT_S = 60.0
HEALTH_TIMEOUT_S = 3.0
CHAT_TIMEOUT_S = 180.0
PEM_END = "-----END CERTIFICATE-----"
Params = Mapping[str, Any]


class Desk(Protocol):
    """What a command may ask of a desk; paths are below /api/v1. Refusals are raised as QuarterdeckError."""

    @property
    def store(self) -> Store | None:
        """The store when this process holds the home, None when a desk does."""
        ...

    def get(self, path: str, params: Params | None = None) -> Any: ...

    def post(self, path: str, body: Params | None = None) -> Any: ...

    def patch(self, path: str, body: Params | None = None) -> Any: ...

    def chat(self, body: Params) -> Iterator[dict[str, Any]]: ...


class RemoteDesk:
    """The desk that holds the home, through its API."""

    store = None

    def __init__(self, url: str, token: str, *, certificate: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        if certificate is None and urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise ConfigError(
                f"desk.json names {url[:80]}, which is not this machine: delete the file", code="bad_desk_file"
            )
        self.url = url
        self._client = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=timeout_s, trust_env=False,
            verify=True if certificate is None else pinned(certificate),
        )  # fmt: skip

    def __enter__(self) -> RemoteDesk:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def answers(self) -> bool:
        """True when something speaks HTTP at the desk's address."""
        try:
            self._client.get(f"{PREFIX}/health", timeout=HEALTH_TIMEOUT_S)
        except httpx.HTTPError:
            return False
        return True

    def get(self, path: str, params: Params | None = None) -> Any:
        return self._call("GET", path, params=_given(params))

    def post(self, path: str, body: Params | None = None) -> Any:
        return self._call("POST", path, json=body)

    def patch(self, path: str, body: Params | None = None) -> Any:
        return self._call("PATCH", path, json=body)

    def chat(self, body: Params) -> Iterator[dict[str, Any]]:
        try:
            with self._client.stream("POST", f"{PREFIX}/chat", json=body, timeout=CHAT_TIMEOUT_S) as response:
                if response.is_error:
                    response.read()
                    _raise(response)
                yield from _events(response.iter_lines())
        except httpx.HTTPError as error:
            raise _silent(self.url, error) from None

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            return _unwrap(self._client.request(method, PREFIX + path, **kwargs))
        except httpx.HTTPError as error:
            raise _silent(self.url, error) from None


class LocalDesk:
    """The same app over the store of this process, which holds the home's lock."""

    def __init__(self, store: Store) -> None:
        from api.app import create_app

        self.store: Store | None = store
        self._app = create_app(store)
        self._token = credential(store.settings)

    def get(self, path: str, params: Params | None = None) -> Any:
        return _unwrap(self._call("GET", path, params=_given(params)))

    def post(self, path: str, body: Params | None = None) -> Any:
        return _unwrap(self._call("POST", path, json=body))

    def patch(self, path: str, body: Params | None = None) -> Any:
        return _unwrap(self._call("PATCH", path, json=body))

    def chat(self, body: Params) -> Iterator[dict[str, Any]]:
        response = self._call("POST", "/chat", json=body)
        if response.is_error:
            _raise(response)
        yield from _events(iter(response.text.splitlines()))

    def _call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            headers = {"authorization": f"Bearer {self._token}"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:80", headers=headers
            ) as client:
                return await client.request(method, PREFIX + path, **kwargs)

        return asyncio.run(call())


@contextmanager
def open_desk(call: Call) -> Iterator[Desk]:
    """Reach the desk of the home; HomeError when the home is held by one that does not answer."""
    settings = call.settings()
    remote = find_remote(settings)
    if remote is not None:
        with remote:
            if remote.answers():
                yield remote
                return
    with open_locked(settings, silent=remote) as store:
        yield LocalDesk(store)


@contextmanager
def open_locked(settings: Settings, *, silent: RemoteDesk | None = None, create: bool = False) -> Iterator[Store]:
    """Open the store and hold the home alone."""
    from pipeline.store import open_store

    store = open_store(settings, create=create)
    lock = store.home.lock()
    try:
        lock.__enter__()
    except HomeError:
        if silent is None:
            raise
        raise HomeError(
            f"a desk holds {settings.home} but does not answer at {silent.url}: wait for it to start, or stop it",
            code="desk_silent",
        ) from None
    try:
        yield store
    finally:
        lock.__exit__(None, None, None)


def find_remote(settings: Settings, *, timeout_s: float = TIMEOUT_S) -> RemoteDesk | None:
    """The desk that says it holds the home, answering or not."""
    from pipeline.home import Home

    home = Home(settings.home)
    found = home.desk()
    if found is None:
        return None
    return RemoteDesk(found.url, credential(settings), certificate=found.certificate, timeout_s=timeout_s)


def credential(settings: Settings) -> str:
    """What a command shows the desk: the person's API key when there is one, else the home's token."""
    from pipeline.home import Home

    return settings.api_key.get_secret_value() if settings.api_key else Home(settings.home).token()


def pinned(certificate: str) -> ssl.SSLContext:
    """Trust exactly one certificate, whatever name it is made out to: that of the desk of this home."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        pem = Path(certificate).read_text()
        context.load_verify_locations(cadata=pem[: pem.index(PEM_END) + len(PEM_END)] + "\n")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{certificate} is not a certificate ({error})", code="bad_desk_file") from None
    return context


def _given(params: Params | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _silent(url: str, error: httpx.HTTPError) -> QuarterdeckError:
    why = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
    return QuarterdeckError(f"the desk at {url} {why}: see `quarterdeck doctor`", code="desk_silent")


def _unwrap(response: httpx.Response) -> Any:
    if response.is_error:
        _raise(response)
    is_json = response.headers.get("content-type", "").startswith("application/json")
    return response.json() if is_json else response.text


def _raise(response: httpx.Response) -> None:
    try:
        error = response.json()["error"]
        message, code = str(error["message"]), str(error["code"])
    except (ValueError, KeyError, TypeError):
        message, code = f"the desk answered {response.status_code} without a reason", "internal"
    raise QuarterdeckError(message, code=code)


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            event: dict[str, Any] = json.loads(line.removeprefix("data: "))
            if event.get("type") == "error":
                raise QuarterdeckError(str(event.get("message")), code=str(event.get("code")))
            yield event
