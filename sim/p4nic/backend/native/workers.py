"""The native engine's workers as Python starts and stops them, and the gate its changes go through.

In: the library and the engine of a NativePipeline. Out: threads in C that process packets without Python; a
gate that closes at the first change and is opened by `resume`, so that a batch becomes visible whole. Called
by `pipeline`, by one thread at a time (the switch's lock); the workers themselves run meanwhile.
"""

from __future__ import annotations

from typing import Any, final

from p4nic.backend.native.measuring import Frames, Timing, in_c, timing
from p4nic.errors import ErrorKind, StateError

MAX_WORKERS = 64
GATE_LASTED = 40
"""As in runtime/p4nic_engine.h."""


@final
class Workers:
    """Threads of one engine. While any runs, state is changed behind `gate` only."""

    def __init__(self, library: tuple[Any, Any, Any]) -> None:
        """`library`: (ffi, lib, engine)."""
        self._ffi, self._lib, self._engine = library
        self.running = 0
        self._closed = False
        self._kept: tuple[Any, ...] = ()

    def gate(self) -> None:
        """No packet is under way from now on until `resume`. Nothing to do if no worker runs."""
        if self.running and not self._closed:
            self._lib.p4_gate_close(self._engine)
            self._closed = True

    @property
    def out_of_the_way(self) -> bool:
        """Whether no worker processes packets now: none runs, or the gate is closed."""
        return self._closed or not self.running

    def resume(self) -> None:
        """All changes since `gate` are visible; packets go on. By the thread that called `gate`."""
        if self._closed:
            self._closed = False
            self._lib.p4_gate_open(self._engine)

    def gate_lasted(self) -> list[int]:
        """How often packets have been shut out for changes, place i: for 2^i to 2^(i+1) nanoseconds."""
        lasted = self._ffi.new("uint64_t[]", GATE_LASTED)
        self._lib.p4_gate_lasted(self._engine, lasted)
        return list(lasted)

    def stop(self) -> None:
        """End the threads, each after the burst it is in; behind a closed gate, without another one."""
        if self.running:
            self._lib.p4_stop_soon(self._engine)
        self.resume()
        if self.running:
            self._lib.p4_stop(self._engine)
            self.running = 0

    def check_count(self, workers: int) -> None:
        if not 1 <= workers <= MAX_WORKERS:
            raise StateError(
                ErrorKind.INVALID_ARGUMENT, f"{workers} workers: the native engine takes 1 to {MAX_WORKERS}"
            )

    # --- measuring ---

    def replay(self, traffic: Frames, workers: int, clock_start_ns: int) -> None:
        """Let each of so many workers process its share of the frames over and over, until `stop`: the first
        worker the first of equal parts, and so on. All begin at once; table changes may be made meanwhile
        (each batch ended by `resume`).

        `clock_start_ns`: CLOCK_MONOTONIC at the pipeline's time 0.
        """
        self.check_count(workers)
        frames, kept = in_c(traffic, self._ffi)
        parts = [len(traffic.offsets) * i // workers for i in range(workers + 1)]
        firsts = self._ffi.new("uint32_t[]", parts)
        self._kept = (frames, kept, firsts)
        if not self._lib.p4_replay_start(self._engine, workers, frames, firsts, clock_start_ns):
            raise StateError(ErrorKind.RESOURCE_EXHAUSTED, f"{workers} workers could not be started")
        self.running = workers

    def replayed(self, worker: int) -> Timing:
        """What one worker did since `replay`: packets and frames sent at any time, all of it after `stop`."""
        out = self._ffi.new("p4_timing_t *")
        self._lib.p4_replayed(self._engine, worker, out)
        return timing(out)
