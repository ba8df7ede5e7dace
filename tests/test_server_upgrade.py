"""A program upgrade under traffic: RECONCILE_AND_COMMIT (P4Runtime 1.5 §14) loses no packet, flow or counter.

The upgraded load balancer holds fewer services, so one table changes and is carried entry by entry; all
others, the flow table first of all, are taken over whole.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from cli_samples import ENTRIES, syn
from p4runtime_peer import SECOND, Client, Names, ServerUnderTest, code_of, delete, load_balancer
from server_backends import BACKENDS, backend_named

from p4nic.backend.api import Adopting, Alike, Options
from p4nic.cli.entries_file import apply_file
from p4nic.clock import RealClock
from p4nic.server.reconcile import alike
from p4nic.target.ports.memory import MemoryPort
from p4rt import p4r

RECONCILE = p4r.SetForwardingPipelineConfigRequest.RECONCILE_AND_COMMIT
FLOWS, SERVICES = "Lb.flow_table", "Lb.service_vip"
UPGRADES = 4
T = TypeVar("T")


def upgraded(size: int) -> p4r.ForwardingPipelineConfig:
    """The load balancer with another size of its service table."""
    message = load_balancer().config
    (table,) = (t for t in message.p4info.tables if t.preamble.name == SERVICES)
    table.size = size
    text = message.p4_device_config.decode()
    head, found, rest = text.partition("\ntable service_vip {")
    assert found
    before, found, after = rest.partition("\n\tsize 0x10000\n")
    assert found
    message.p4_device_config = f"{head}\ntable service_vip {{{before}\n\tsize {size:#x}\n{after}".encode()
    return message


def programmed(server: ServerUnderTest, folder: Path) -> None:
    """One service with one endpoint: what comes in at port 1 goes out at port 2."""
    file = folder / "lb.yaml"
    file.write_text(ENTRIES)
    apply_file(file, server.switch.program, server.switch.tables)


@pytest.mark.parametrize("backend", BACKENDS)
def test_upgrade_under_traffic_loses_no_packet_and_no_connection(backend: str, tmp_path: Path) -> None:
    flows = [syn(sport=port) for port in range(1025, 1105)]
    with ServerUnderTest(load_balancer(), clock=RealClock(), backend=backend) as server:
        programmed(server, tmp_path)
        uplink, pod = MemoryPort("uplink"), MemoryPort("pod")
        server.switch.attach(1, uplink)
        server.switch.attach(2, pod)
        server.switch.start()
        for frame in flows:
            uplink.put(frame)
        assert server.switch.drain()
        # From now on the flow table alone knows where these connections go.
        client = server.primary()
        (service,) = client.read_entries(server.names.entry(SERVICES))
        client.write(delete(service))
        done, sent = threading.Event(), len(flows)

        def traffic() -> None:
            nonlocal sent
            while not done.is_set():
                for frame in flows:
                    uplink.put(frame)
                sent += len(flows)
                done.wait(0.01)  # what the interpreter can keep up with, so that nothing queues for minutes

        sender = threading.Thread(target=traffic)
        sender.start()
        try:
            for number in range(UPGRADES):
                client.set_config(RECONCILE, upgraded(0x4000 << number % 2))
        finally:
            done.set()
            sender.join()
        assert server.switch.drain(60)
        assert len(pod.take()) == sent
        assert server.switch.drop_statistics() == {}
        assert server.switch.tables.entry_count(FLOWS) == 2 * len(flows)
        learned = client.read_entries(server.names.entry(FLOWS, metadata=b"learned"))
        assert len(learned) == 2 * len(flows)


@pytest.mark.parametrize("backend", BACKENDS)
def test_upgrade_keeps_every_entry_timer_and_counter(backend: str, tmp_path: Path) -> None:
    """Read before and after, and aged: an entry that was idle for twenty seconds has ten left."""
    with ServerUnderTest(load_balancer(), notify=(FLOWS,), backend=backend) as server:
        programmed(server, tmp_path)
        client = server.primary()
        for sport in range(1025, 1030):
            server.switch.inject(1, syn(sport=sport))
            client.advance(SECOND)
        before = everything(client)
        assert len([e for e in before if e.table_entry.metadata == b"learned"]) == 10
        client.set_config(RECONCILE, upgraded(0x4000))
        assert everything(client) == before
        client.advance(60 * SECOND)
        told = [m.idle_timeout_notification for m in client.fence()]
        assert [(t.timestamp, len(t.table_entry)) for t in told] == [((30 + n) * SECOND, 2) for n in range(5)]


def everything(client: Client) -> list[p4r.Entity]:
    ask = p4r.Entity(table_entry=p4r.TableEntry(time_since_last_hit={}, counter_data={}))  # type: ignore[arg-type]
    number = Names(load_balancer().info.message).ids["Lb.drop_counter"]
    counters = p4r.Entity(counter_entry=p4r.CounterEntry(counter_id=number))
    return [
        e for e in client.read(ask, counters) if e.counter_entry.data.packet_count or e.table_entry.table_id
    ]


def test_upgrade_that_loses_state_is_refused_and_nothing_has_changed(tmp_path: Path) -> None:
    """§14: INVALID_ARGUMENT. Two services do not fit into a table of one; the old program runs on."""
    with ServerUnderTest(load_balancer()) as server:
        programmed(server, tmp_path)
        client = server.primary()
        server.switch.inject(1, syn())
        (service,) = client.read_entries(server.names.entry(SERVICES))
        other = p4r.TableEntry()
        other.CopyFrom(service)
        other.match[0].exact.value = b"\x0a\x60\x00\x0b"
        client.write(p4r.Update(type=p4r.Update.INSERT, entity=p4r.Entity(table_entry=other)))
        before = everything(client)
        code, sentence = refusal(client, upgraded(1))
        assert (code, sentence) == (
            "INVALID_ARGUMENT",
            "the state cannot be kept under the new program: table Lb.service_vip: full with 1 entries; "
            "delete some first",
        )
        assert everything(client) == before
        assert server.switch.inject(1, syn()).sent


def refusal(client: Client, config: p4r.ForwardingPipelineConfig) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as error:
        client.set_config(RECONCILE, config)
    return code_of(error.value), str(error.value.details())


def backwards(mapping: Mapping[str, T]) -> dict[str, T]:
    return dict(reversed(list(mapping.items())))


# --- what is taken over whole -------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_tables_are_adopted_by_name_where_every_number_is_another(backend: str, tmp_path: Path) -> None:
    """The same program with its tables, actions and arrays in the opposite order."""
    program = load_balancer().program
    turned = replace(
        program,
        tables=backwards(program.tables),
        actions=backwards(program.actions),
        counters=backwards(program.counters),
        meters=backwards(program.meters),
        registers=backwards(program.registers),
    )
    with ServerUnderTest(load_balancer(), backend=backend) as server:
        programmed(server, tmp_path)
        for sport in range(1025, 1125):
            server.switch.inject(1, syn(sport=sport))
        old = server.switch.pipeline
        new = backend_named(backend).build(turned, Options())
        assert isinstance(new, Adopting)
        same = alike(program, turned)
        assert same.tables == {t.name for t in program.tables.values() if not t.const_entries}
        assert new.adoptable(old, same) == same
        before = {name: list(old.entries(name, 0)) for name in same.tables}
        cells = {name: [old.counter(name, i) for i in range(64)] for name in same.counters}
        due = old.next_expiry_ns()
        new.adopt(old, same)
        old.close()
        assert {name: list(new.entries(name, 0)) for name in same.tables} == before
        assert {name: [new.counter(name, i) for i in range(64)] for name in same.counters} == cells
        assert new.next_expiry_ns() == due
        assert new.process([(1, syn(sport=1030))], 1)[0].sent
        assert new.entry_count(FLOWS) == 200
        assert new.process([(1, syn(sport=2000))], 1)[0].sent
        assert new.entry_count(FLOWS) == 202
        assert len(new.expire(31 * SECOND)) == 202
        assert new.entry_count(FLOWS) == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_backends_and_options_are_not_adopted(backend: str) -> None:
    program = load_balancer().program
    named, quick = backend_named(backend), backend_named("interp")
    smaller = Options(table_sizes={FLOWS: 10})
    new, old = named.build(program, Options()), quick.build(program, smaller)
    assert isinstance(new, Adopting)
    assert new.adoptable(old, alike(program, program)) == Alike()
    old.close()
    new.close()
