"""From code that was compiled quickly to the optimised code of the same unit, while packets run.

    library (quick) ──p4_create──▶ engine ◀──p4_take_over── library (optimised, seconds later)

Both are of one C text, so that what one wrote the other can read: state stays where it is, and between two
bursts there is nothing else. Control, which is compiled once, goes on in the first library.
Called by `pipeline`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any, final

from p4nic.backend.native import compiler

_log = logging.getLogger(__name__)


@final
class Handover:
    """Begins when made, in a thread of its own; packets may run."""

    def __init__(self, later: compiler.Later, take_over: Callable[[tuple[Any, Any]], None]) -> None:
        """`take_over` is called with the optimised library, unless close() was called before."""
        self._later = later
        self._take_over = take_over
        self._lock = Lock()
        self._closed = False
        self._thread = Thread(target=self._run, name="p4nic-handover", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            optimised = compiler.load(self._later.made())
        except compiler.CompilerError as error:
            _log.warning(
                "there is no optimised code, packets go on with what was compiled quickly: %s", error
            )
            return
        with self._lock:
            if self._closed:
                return
            self._take_over(optimised)
        _log.info("optimised code runs packets from now on")

    def wait(self) -> None:
        """Until optimised code runs packets, or it is known that there will be none."""
        self._thread.join()

    def close(self) -> None:
        """The engine is about to go."""
        with self._lock:
            self._closed = True
