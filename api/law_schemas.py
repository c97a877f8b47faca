"""What is in force, and what waits to be."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from pipeline.activation import Kind


class FileBody(BaseModel):
    """The file of the home beside what is in force: `same`, `differs` (it can be proposed) or `unusable`."""

    state: Literal["same", "differs", "unusable"]
    message: str | None


class LawItem(BaseModel):
    """The limits or the policy in force, the file of the home, and the change that is open."""

    kind: Kind
    version: str
    sha256: str
    activated: datetime
    activated_by: str
    file: FileBody
    pending_case: str | None
    pending_approval: str | None


class LawBody(BaseModel):
    """Limits and policy."""

    items: list[LawItem]
