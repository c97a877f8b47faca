"""Run the API process: bind a loopback socket, then serve until told to stop."""

from __future__ import annotations

import errno
import socket

import uvicorn

from api.app import create_app
from pipeline.settings import LOOPBACK, Settings
from pipeline.store import open_store
from tools.errors import ConfigError

GRACE_SECONDS = 5


def require_loopback(host: str) -> None:
    """Refuse a host that other machines could reach; ConfigError code "not_loopback"."""
    if host not in LOOPBACK:
        raise ConfigError(
            f"--host {host} would open the desk to other machines: it serves 127.0.0.1, localhost or ::1 only",
            code="not_loopback",
        )


def bind(host: str, port: int) -> socket.socket:
    """Take the port, or say that somebody has it; ConfigError codes "port_busy" and "port_refused"."""
    require_loopback(host)
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
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


def run_api(settings: Settings) -> None:
    """Serve the home of `settings` until SIGINT or SIGTERM."""
    listener = bind(settings.host, settings.port)
    try:
        config = uvicorn.Config(
            create_app(open_store(settings)), log_level="warning", access_log=False, server_header=False,
            date_header=True, proxy_headers=False, timeout_graceful_shutdown=GRACE_SECONDS, lifespan="off",
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()


if __name__ == "__main__":
    import json
    import sys

    from pipeline.settings import load_settings

    run_api(load_settings(**json.loads(sys.argv[1])))
