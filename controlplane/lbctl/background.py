"""One asyncio loop in a thread of its own, for the whole process and for ever.

In: coroutines from any thread. Out: their results. Called by `controller`, `offline` and tests.

Not a loop per Controller: gRPC's asyncio poller is one per process and hands events to every loop that ever
made a call. Once one of those is closed, its events raise "Event loop is closed" and those behind them wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")
_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The loop, started on first use."""
    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="lbctl", daemon=True).start()
        return _loop


def run(coroutine: Coroutine[Any, Any, _T], timeout: float | None = None) -> _T:
    """Run a coroutine on the loop and wait for it. Raises what it raises, or TimeoutError after cancelling
    it.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, loop())
    try:
        return future.result(timeout)
    except BaseException:
        future.cancel()  # harmless when it is done; on a timeout or Ctrl-C nothing runs on behind our back
        raise
