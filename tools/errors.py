"""The error tree of the whole system.

    QuarterdeckError(message, *, code)
    ├── ConfigError          settings, limits, policy or prompt file is wrong; stops the start-up
    ├── DataError            unknown symbol, date outside the data, unusable file
    │   └── FutureDataError  something with known_at later than as_of was asked for
    ├── HomeError            home locked, corrupted, of another mode, or it already holds a run
    ├── LedgerError          a record was edited, deleted, reordered or truncated
    ├── AccessError          who is asking is unknown, or may not do this (code says which)
    ├── ApprovalError        unknown, expired, conflicting or invalid decision (code says which)
    ├── ExecutionError       an illegal order transition, a refused grant, a broken book
    ├── ToolRejected         a tool refuses its input; the model may see the message
    └── RetryableToolError   a transient failure at a source; the caller may try again

`code` is a stable lower-case identifier: the API shows it, the CLI prints it, tests pin it.
"""

from __future__ import annotations

from collections.abc import Mapping


class QuarterdeckError(Exception):
    """Root of every error this project raises on purpose."""

    def __init__(self, message: str, *, code: str, detail: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.detail = detail
        """Plain JSON for the caller, e.g. who decided first."""


class ConfigError(QuarterdeckError):
    """A settings, limits, policy or prompt file cannot be used."""


class DataError(QuarterdeckError):
    """The market data cannot answer the question."""


class FutureDataError(DataError):
    """Something that was not yet known at `as_of` was asked for."""


class HomeError(QuarterdeckError):
    """The home folder cannot be used as asked."""


class LedgerError(QuarterdeckError):
    """The ledger does not verify."""


class AccessError(QuarterdeckError):
    """A login, a credential or a role does not suffice, or people cannot be changed so.

    `code` is one of unauthorized, session_locked, role, scope, too_many_attempts, invalid, not_found, exists,
    last_admin. `retry_after` is in seconds.
    """

    def __init__(
        self, message: str, *, code: str, detail: Mapping[str, str] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message, code=code, detail=detail)
        self.retry_after = retry_after


class ApprovalError(QuarterdeckError):
    """A decision cannot be accepted; `code` is one of
    unknown, decided, stale_digest, expired, invalid, forbidden."""


class ExecutionError(QuarterdeckError):
    """An order, a grant or a book would be violated."""


class ToolRejected(QuarterdeckError):
    """A tool refuses its input."""


class RetryableToolError(QuarterdeckError):
    """A source failed in a way that may pass."""
