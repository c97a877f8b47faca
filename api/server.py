"""Run the API process: bind a socket, on loopback unless people and TLS allow more, then serve until told to stop."""

from __future__ import annotations

import errno
import socket
from typing import Any

import uvicorn

from api.app import create_app
from pipeline.exposure import require_may_listen
from pipeline.heartbeats import beating
from pipeline.settings import LOOPBACK, Settings
from pipeline.store import open_store
from tools.errors import ConfigError

GRACE_SECONDS = 5


def require_loopback(host: str) -> None:
    """Refuse a host that other machines could reach; ConfigError code "not_loopback"."""
    if host not in LOOPBACK:
        raise ConfigError(
            f"--host {host} would open the desk to other machines: without people and TLS it serves 127.0.0.1, "
            "localhost or ::1 only",
            code="not_loopback",
        )


def bind(host: str, port: int, *, exposed: bool = False) -> socket.socket:
    """Take the port, or say that somebody has it; ConfigError codes "port_busy" and "port_refused".

    `exposed` says that `require_may_listen` allowed the address; without it only loopback will do.
    """
    if not exposed:
        require_loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1" if host == "localhost" else host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} on {host} is in use: stop what listens there, or choose another --port", code="port_busy"
            ) from None
        raise ConfigError(f"port {port} on {host} cannot be opened: {error.strerror}", code="port_refused") from None
    listener.set_inheritable(True)
    return listener


def server_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told beside the app: TLS, and whose word about the client's address is believed."""
    options: dict[str, Any] = {
        "log_level": "warning", "access_log": False, "server_header": False, "date_header": True,
        "proxy_headers": settings.behind_tls_proxy, "timeout_graceful_shutdown": GRACE_SECONDS, "lifespan": "off",
    }  # fmt: skip
    if settings.behind_tls_proxy:
        options["forwarded_allow_ips"] = list(settings.trusted_proxies)
    if settings.tls_cert is not None and settings.tls_key is not None:
        options |= {"ssl_certfile": str(settings.tls_cert), "ssl_keyfile": str(settings.tls_key)}
    return options


def run_api(settings: Settings) -> None:
    """Serve the home of `settings` until SIGINT or SIGTERM."""
    store = open_store(settings, create=False)
    require_may_listen(settings, store)
    listener = bind(settings.host, settings.port, exposed=settings.exposed)
    try:
        with beating(store, "api", f"answers on {settings.host}:{settings.port}"):
            uvicorn.Server(uvicorn.Config(create_app(store), **server_options(settings))).run(sockets=[listener])
    finally:
        listener.close()


if __name__ == "__main__":
    import json
    import sys

    from pipeline.settings import load_settings

    run_api(load_settings(**json.loads(sys.argv[1])))
