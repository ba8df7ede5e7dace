"""A pipeline gives way to another while workers forward: what packets change and the new one cannot adopt is
carried to the packet."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from test_native_forwarding import HOST_B, PATIENCE, Lab, frame

from p4nic.backend.api import Options
from p4nic.backend.native import NativeBackend
from p4nic.ir.program import Program
from p4nic.server.reconcile import carry

pytestmark = pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing or "never")
TABLE, REGISTER, COUNTER = "Switch.l2", "Switch.last_seen", "Switch.port_counter"


def grown(program: Program) -> Program:
    """Another size each: nothing of these can be adopted."""
    table, register, counter = program.tables[TABLE], program.registers[REGISTER], program.counters[COUNTER]
    return replace(
        program,
        tables={**program.tables, TABLE: replace(table, size=table.size + 1)},
        registers={**program.registers, REGISTER: replace(register, size=register.size + 1)},
        counters={**program.counters, COUNTER: replace(counter, size=counter.size + 1)},
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_no_packet_is_lost_to_a_counter_or_a_register(workers: int) -> None:
    lab = Lab(workers)
    done = threading.Event()
    sent = 0

    def traffic() -> None:
        nonlocal sent
        while not done.is_set():
            with lab.switch.lock:  # the pipeline that has the wires now
                lab.put(*[frame(HOST_B, sent + i) for i in range(64)])
            sent += 64
            done.wait(0.0005)

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        for _ in range(5):
            old = lab.switch.program
            new = grown(old)
            pipeline = NativeBackend().build(new, Options())
            running, tables, clock = lab.switch.pipeline, lab.switch.tables, lab.switch.clock
            lab.switch.replace_pipeline(
                pipeline,
                lambda made, o=old, n=new, t=tables, r=running, p=pipeline, c=clock: carry(
                    o, t, r, n, made, p, c
                ),  # type: ignore[misc]
            )
    finally:
        done.set()
        thread.join()
    assert lab.switch.drain(PATIENCE)
    (register,) = lab.switch.tables.registers(REGISTER, 1)
    (cell,) = lab.switch.tables.counters(COUNTER, 1)
    (entry,) = lab.switch.tables.read(TABLE)
    told = (register.value, cell.packets, entry.packets)
    lab.switch.close()
    assert sent > 0
    assert told == (sent, sent, sent)
