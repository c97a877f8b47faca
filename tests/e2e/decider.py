"""A person in a process of its own: `python -m tests.e2e.decider URL TOKEN`.

One order a line, `APPROVAL DECISION DIGEST AT`; at the wall-clock second AT it answers the question over HTTP and
prints the status code.
"""

from __future__ import annotations

import sys
import time

import httpx


def main(url: str, token: str) -> None:
    """Answer until standard input ends."""
    with httpx.Client(
        base_url=f"{url}/api/v1", headers={"authorization": f"Bearer {token}"}, timeout=30, trust_env=False
    ) as client:
        client.get("/desk")
        print("ready", flush=True)
        for line in sys.stdin:
            approval, decision, digest, at = line.split()
            body = {"decision": decision, "digest": digest, "reason": f"{decision} in a race"}
            while time.time() < float(at):
                pass
            print(client.post(f"/approvals/{approval}/decision", json=body).status_code, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
