"""What packets learn in C, without Python, expires at its time, although nobody tells the switch's loop."""

from __future__ import annotations

import time

import pytest
from test_engine_learners import learner

from p4nic.backend.native import NativeBackend
from p4nic.backend.wires import Wire
from p4nic.clock import RealClock
from p4nic.target.ports.wire import WirePort
from p4nic.target.switch import Switch

pytestmark = pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing or "never")


def test_what_is_learned_in_c_leaves_by_itself() -> None:
    """No write, no read, no digest, no further packet: only the clock."""
    running = learner(NativeBackend(), learner_timeouts={"flows": (1,)})
    with Switch(running, RealClock()) as switch:
        switch.attach(1, WirePort("memory", Wire("memory", "", (-1,))))
        switch.start()
        assert switch.seconds_to_expiry() == 1.0  # nothing is there yet
        time.sleep(0.1)  # the loop waits by now
        assert running.forwarding.put(1, bytes([0, 7, 5, 0, 0]))  # type: ignore[attr-defined]
        deadline = time.monotonic() + 30.0
        while switch.statistics()["expired"] < 1:
            assert time.monotonic() < deadline, "it is still there"
            time.sleep(0.05)
        assert switch.tables.entry_count("flows") == 0
