"""The `quarterdeck` command: prepare the process, then start the CLI.

A wheel holds this file as `quarterdeck/_launch.py` beside the six packages; its folder goes first on the path so
that `api` and `tools` mean ours, whatever else is installed. An editable install has the same file alone in that
folder, and the packages are found through the install's `.pth`. Processes that we start inherit the same path.

Two things must happen before any library is imported: LangGraph reads LANGGRAPH_STRICT_MSGPACK at import, and a
tracing variable left in a user's shell would send state to a third party.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

TRACING_PREFIXES = (
    "LANGSMITH_", "LANGCHAIN_TRACING", "LANGCHAIN_ENDPOINT", "LANGCHAIN_API_KEY", "CHROMA_OTEL_", "FASTAPI_OTEL_",
    "OTEL_EXPORTER_",
)  # fmt: skip


def prepare(environ: MutableMapping[str, str]) -> None:
    """Close the ways in which a library would unpack unknown types or send state out of the machine."""
    for name in [name for name in environ if name.upper().startswith(TRACING_PREFIXES)]:
        del environ[name]
    environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
    environ["ANONYMIZED_TELEMETRY"] = "False"
    environ["OTEL_SDK_DISABLED"] = "true"


def main() -> None:
    """Entry point of the `quarterdeck` script."""
    prepare(os.environ)
    here = Path(__file__).resolve().parent
    if (here / "api").is_dir():
        sys.path.insert(0, str(here))
        inherited = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join([str(here), *([inherited] if inherited else [])])
    from api.cli.main import run_cli

    sys.exit(run_cli(sys.argv[1:]))


if __name__ == "__main__":
    main()
