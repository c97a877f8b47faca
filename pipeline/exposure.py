"""Leaving loopback: other machines may reach the desk only when people can log in, and only by TLS."""

from __future__ import annotations

import ipaddress
import ssl

from pipeline.settings import LOOPBACK, Settings
from pipeline.standing import has_admin
from pipeline.store import Store, open_store
from tools.errors import ConfigError


def require_may_listen(settings: Settings, store: Store | None = None) -> None:
    """ConfigError `not_loopback` unless the desk may listen where it is told to; `bad_tls` for an unusable pair.

    Without `store` the home is opened if it is there; one that is not there yet has no people.
    """
    _require_usable_tls(settings)
    if not settings.exposed:
        return
    opening = f"--host {settings.host}" if settings.host not in LOOPBACK else "--behind-tls-proxy"
    missing = []
    if settings.host not in LOOPBACK and not _is_address(settings.host):
        missing.append("an IP address to listen on")
    if not settings.secure:
        missing.append("TLS (--tls-cert and --tls-key, or --behind-tls-proxy)")
    if settings.behind_tls_proxy and not settings.allowed_hosts:
        missing.append("the host names to answer to (QUARTERDECK_ALLOWED_HOSTS)")
    if not _has_admin(settings, store):
        missing.append("an active admin (`quarterdeck people bootstrap`)")
    if missing:
        raise ConfigError(
            f"{opening} would open the desk to other machines; it needs {' and '.join(missing)}", code="not_loopback"
        )


def reachable_host(settings: Settings) -> str:
    """Where a program on this machine reaches the desk: an address that means all of them means loopback too."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104


def local_url(settings: Settings) -> str:
    """The desk's address for programs on this machine, past any proxy."""
    host = reachable_host(settings)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls_cert else 'http'}://{shown}:{settings.port}"


def public_url(settings: Settings) -> str:
    """The desk's address for people: the first allowed host name where there is one."""
    if not settings.allowed_hosts:
        return local_url(settings)
    name = settings.allowed_hosts[0]
    port = "" if settings.behind_tls_proxy or name.rpartition(":")[2].isdigit() else f":{settings.port}"
    return f"{'https' if settings.secure else 'http'}://{name}{port}"


def host_names(settings: Settings) -> frozenset[str]:
    """Host names that the desk answers to beside the loopback ones: those allowed, else those of its certificate."""
    if settings.allowed_hosts or settings.tls_cert is None:
        return frozenset(settings.allowed_hosts)
    from cryptography import x509

    chain = x509.load_pem_x509_certificates(settings.tls_cert.read_bytes())
    try:
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName) if "*" not in name]
    for address in names.get_values_for_type(x509.IPAddress):
        hosts.append(f"[{address}]" if address.version == 6 else str(address))
    return frozenset(hosts)


def _require_usable_tls(settings: Settings) -> None:
    if settings.tls_cert is None and settings.tls_key is None:
        return
    if settings.tls_cert is None or settings.tls_key is None:
        raise ConfigError("--tls-cert and --tls-key belong together: give both or none", code="bad_tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{settings.tls_cert} and {settings.tls_key} cannot be used for TLS ({error}): give a PEM certificate "
            "chain and its key without a passphrase",
            code="bad_tls",
        ) from None


def _no_password() -> str:
    """A desk that starts by itself has nobody to ask for a passphrase."""
    return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _has_admin(settings: Settings, store: Store | None) -> bool:
    if store is None:
        if not settings.home.is_dir():
            return False
        store = open_store(settings, create=False)
    with store.db.read() as session:
        return has_admin(session)
