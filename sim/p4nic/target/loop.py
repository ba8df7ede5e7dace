"""The real-time loop: frames from ports through the switch and out, expiries on time. One thread.

In: ports and a `Work` (the switch). Out: calls of `Work.burst` with up to 64 frames, of `Work.poll` when
something is due. Called by `target.switch`. `step` is the whole of it; the thread only repeats it, and tests
call it directly.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from p4nic.errors import PortError, TargetError
from p4nic.target.ports import Port

log = logging.getLogger(__name__)


class Work(Protocol):
    """What the loop drives."""

    def burst(self, packets: Sequence[tuple[int, bytes]]) -> object: ...
    def poll(self) -> None: ...
    def seconds_to_expiry(self) -> float | None:
        """Until `poll` has something to do; None if nothing can expire by itself."""
        ...

    def port_failed(self, number: int, error: PortError) -> None: ...


class Loop:
    """Ports by number, a selector over their descriptors, and a descriptor to be woken by."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._selector = selectors.DefaultSelector()
        self._wake = -1  # opened when first needed: most switches of tests never have a port
        self._asked: dict[int, Port] = {}
        self._ask_again = True
        self._changes: dict[int, Port | None] = {}
        self._ports: dict[int, Port] = {}
        self._lock = threading.RLock()
        self._stepping = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._idle = threading.Condition(self._lock)
        self._rounds_idle = 0

    @property
    def running(self) -> bool:
        return self._thread is not None

    def add(self, number: int, port: Port) -> None:
        """Take a port in; the thread sees it in its next round."""
        self._change(number, port)

    def remove(self, number: int) -> None:
        """Forget a port; its descriptor may be closed already."""
        self._change(number, None)

    def _change(self, number: int, port: Port | None) -> None:
        with self._lock:
            # The last word on a number counts, and they are applied in the order of the last words.
            self._changes.pop(number, None)
            self._changes[number] = port
            self._open()
        self.wake()

    def _open(self) -> None:
        with self._lock:
            if self._wake < 0:
                self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
                self._selector.register(self._wake, selectors.EVENT_READ, None)

    def wake(self) -> None:
        """End a wait: a timer or the set of ports has changed."""
        with self._lock:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def start(self) -> None:
        """Begin to loop in a thread of its own."""
        if self._thread is None:
            self._stopping = False
            self._open()
            self._thread = threading.Thread(target=self._run, name="p4nic-loop", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread after the round it is in."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping = True
            self.wake()
            thread.join()

    def close(self) -> None:
        """Stop, and give the descriptors back."""
        self.stop()
        self._selector.close()
        with self._lock:
            if self._wake >= 0:
                os.close(self._wake)
            self._wake = -1

    def drain(self, timeout: float) -> bool:
        """Wait until a round begun after this call found nothing to receive; False after `timeout`."""
        deadline = time.monotonic() + timeout
        if self._thread is None or threading.current_thread() is self._thread:
            while self.step(0.0):
                if time.monotonic() >= deadline:
                    return False
            return True
        with self._lock:
            # The round under way may have looked before the caller's last frame: the one after it counts.
            target = self._rounds_idle + 2
            while self._rounds_idle < target:
                self.wake()
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._idle.wait(min(left, 0.05))
        return True

    def step(self, timeout: float | None) -> bool:
        """One round: wait for at most `timeout` seconds, process what is there. True if a frame came in."""
        with self._stepping:
            self._apply_changes()
            if self._asked and self._ask_again:
                timeout = 0.0
            due = self._work.seconds_to_expiry()
            if due is not None:
                timeout = due if timeout is None else min(timeout, due)
            ready = self._selector.select(timeout)
            packets: list[tuple[int, bytes]] = []
            for selected, _ in ready:
                if selected.data is None:
                    os.eventfd_read(self._wake)
                else:
                    self._receive(selected.data, packets)
            return self._finish(packets)

    def _finish(self, packets: list[tuple[int, bytes]]) -> bool:
        for number in list(self._asked):
            self._receive(number, packets)
        self._ask_again = bool(packets)
        if packets:
            self._work.burst(packets)
        self._work.poll()
        return bool(packets)

    def _receive(self, number: int, packets: list[tuple[int, bytes]]) -> None:
        port = self._ports.get(number)
        if port is None:
            return
        try:
            packets += [(number, frame) for frame in port.receive()]
        except PortError as error:
            self._drop(number)
            self._work.port_failed(number, error)

    def _apply_changes(self) -> None:
        with self._lock:
            changes, self._changes = self._changes, {}
        for number, port in changes.items():
            self._drop(number)
            if port is not None:
                self._ports[number] = port
                descriptor = port.fileno()
                if descriptor is None:
                    self._asked[number] = port
                    self._ask_again = True
                else:
                    self._selector.register(descriptor, selectors.EVENT_READ, number)

    def _drop(self, number: int) -> None:
        self._asked.pop(number, None)
        if self._ports.pop(number, None) is not None:
            for key in list(self._selector.get_map().values()):
                if key.data == number:
                    self._selector.unregister(key.fileobj)

    def _run(self) -> None:
        while not self._stopping:
            try:
                received = self.step(None)
            except TargetError as error:
                log.error("%s", error)  # one sentence with the packet in it; a traceback would not add to it
                received = True
            except Exception:
                log.exception("a round of the loop failed; the frames it had taken are lost")
                received = True
            with self._lock:
                if not received:
                    self._rounds_idle += 1
                    self._idle.notify_all()
