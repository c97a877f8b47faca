"""A dispatcher in a process of its own, to be killed in the middle: `python -m tests.pipeline.notify.dying HOME`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pipeline.notify.dispatcher import Dispatcher
from tests.pipeline import life
from tests.pipeline.notify.outside import RETRY, VARIABLES

if __name__ == "__main__":
    store = life.new_store(Path(sys.argv[1]))
    asyncio.run(Dispatcher(store, retry=RETRY, environ=VARIABLES).dispatch_once())
