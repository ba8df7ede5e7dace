"""finsy, unmodified, drives the server: arbitration, entries, digests, packets, idle timeouts, a pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import finsy as fy
import pytest
from p4runtime_peer import SECOND, Client, ServerUnderTest, packet_io

FRAME = bytes.fromhex("0000000000aa 0000000000bb 1234") + b"payload"
LIMIT = 20.0
"""Against hanging."""
T = TypeVar("T")


async def found(switch: fy.Switch, entity: object) -> list[Any]:
    """All that one query finds."""
    entities: AsyncIterator[Any] = cast(Any, switch).read([entity])
    return [each async for each in entities]


@asynccontextmanager
async def connected(server: ServerUnderTest, **options: object) -> AsyncIterator[fy.Switch]:
    switch = fy.Switch("sut", server.server.address, fy.SwitchOptions(**options))  # type: ignore[arg-type]
    async with switch:
        yield switch


def run(test: Callable[[ServerUnderTest], Awaitable[None]], server: ServerUnderTest | None = None) -> None:
    with server or ServerUnderTest(packet_io()) as under_test:
        asyncio.run(asyncio.wait_for(test(under_test), LIMIT))


async def first(stream: AsyncIterator[T], cause: Callable[[], object]) -> T:
    """The first item of a stream, which `cause` brings about once somebody listens."""
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await asyncio.to_thread(cause)
    return await waiting


def test_entries_by_name() -> None:
    async def test(server: ServerUnderTest) -> None:
        async with connected(server) as sw:
            entry = fy.P4TableEntry(
                "l2",
                match=fy.Match(dst=1),
                action=fy.Action("forward", port=3),
                metadata=b"x",
            )
            await sw.insert([entry])
            (read,) = await found(sw, fy.P4TableEntry("l2"))
            assert read == entry
            with pytest.raises(fy.P4ClientError) as error:
                await sw.insert([entry])
            (detail,) = error.value.details.values()
            assert detail.canonical_code is fy.GRPCStatusCode.ALREADY_EXISTS
            assert detail.message == "table Switch.l2: entry dst=0x1 exists already; modify it instead"
            await sw.modify([fy.P4TableEntry("l2", match=fy.Match(dst=1), action=fy.Action("drop"))])
            await sw.delete([entry])
            assert await found(sw, fy.P4TableEntry("l2")) == []

    run(test)


def test_ternary_entries_and_priorities() -> None:
    async def test(server: ServerUnderTest) -> None:
        async with connected(server) as sw:
            entry = fy.P4TableEntry(
                "acl",
                match=fy.Match(src=(10 << 24, 255 << 24), dst=(10 << 24, 16), protocol=6, dport=(80, 90)),
                action=fy.Action("drop"),
                priority=7,
            )
            await sw.insert([entry])
            (read,) = await found(sw, fy.P4TableEntry("acl", priority=7))
            assert read == entry
            await sw.delete_all()
            assert await found(sw, fy.P4TableEntry("acl")) == []

    run(test)


def test_second_client_takes_over() -> None:
    async def test(server: ServerUnderTest) -> None:
        async with connected(server, initial_election_id=1) as one:
            assert one.is_primary
            async with connected(server, initial_election_id=2) as two:
                assert two.is_primary
                with pytest.raises(fy.P4ClientError) as error:
                    await one.insert([fy.P4TableEntry("l2", match=fy.Match(dst=1), action=fy.Action("drop"))])
                assert error.value.code is fy.GRPCStatusCode.PERMISSION_DENIED

    run(test)


def test_digest_and_its_acknowledgement() -> None:
    async def test(server: ServerUnderTest) -> None:
        async with connected(server) as sw:
            await sw.insert([fy.P4DigestEntry("mac_learn_t", max_list_size=1, ack_timeout_ns=SECOND)])
            digests = sw.read_digests("mac_learn_t")
            learned = await first(digests, lambda: server.switch.inject(5, FRAME))
            assert learned.data == [{"mac": 0xBB, "port": 5}]
            await sw.write([learned.ack()])

    run(test)


def test_packet_in_and_out() -> None:
    async def test(server: ServerUnderTest) -> None:
        async with connected(server) as sw:
            await sw.insert(
                [fy.P4TableEntry("l2", match=fy.Match(dst=0xAA), action=fy.Action("to_cpu", reason=9))]
            )
            packet = await first(sw.read_packets(), lambda: server.switch.inject(4, FRAME))
            assert packet.payload == FRAME
            assert (packet["ingress_port"], packet["reason"]) == (4, 9)
            await sw.write([fy.P4PacketOut(FRAME, egress_port=6, padding=0)])
            client = server.client()
            while 6 not in server.switch.port_statistics():  # the packet-out has no answer
                await asyncio.to_thread(client.now)

    run(test)


def test_idle_timeout() -> None:
    async def test(server: ServerUnderTest) -> None:
        client: Client = server.client()
        async with connected(server) as sw:
            entry = fy.P4TableEntry(
                "l2", match=fy.Match(dst=1), action=fy.Action("drop"), idle_timeout_ns=30 * SECOND
            )
            await sw.insert([entry])
            idle = sw.read_idle_timeouts()
            for times in (1, 2):  # §16.4: once more after another timeout
                told = await first(idle, lambda: client.advance(30 * SECOND))
                assert [e.match for e in told] == [{"dst": 1}]
                assert told.timestamp == times * 30 * SECOND

    run(test)


def test_groups_counters_and_multicast() -> None:
    async def test(server: ServerUnderTest) -> None:
        async with connected(server) as sw:
            member = fy.P4ActionProfileMember(
                "ecmp_selector", member_id=1, action=fy.Action("route_to", port=1, dmac=2)
            )
            group = fy.P4ActionProfileGroup("ecmp_selector", group_id=1, members=[fy.P4Member(1, weight=2)])
            await sw.insert([member])
            await sw.insert([group])
            assert await found(sw, fy.P4ActionProfileGroup()) == [group]
            tree = fy.P4MulticastGroupEntry(1, replicas=[1, 2, (2, 1)])
            await sw.insert([tree])
            assert len((await found(sw, fy.P4MulticastGroupEntry()))[0].replicas) == 3
            counter = fy.P4CounterEntry(
                "port_counter", index=3, data=fy.P4CounterData(byte_count=4, packet_count=5)
            )
            await sw.modify([counter])
            assert (await found(sw, fy.P4CounterEntry("port_counter", index=3)))[0] == counter

    run(test)


def test_pipeline_pushed_by_the_client() -> None:
    async def test(server: ServerUnderTest) -> None:
        artifact = packet_io()
        async with connected(server, p4info=artifact.p4info_path, p4blob=artifact.path) as sw:
            assert server.switch.has_pipeline
            await sw.insert([fy.P4TableEntry("l2", match=fy.Match(dst=1), action=fy.Action("drop"))])
            # A second connection finds the same program there, by its cookie, and pushes nothing.
        async with connected(
            server, p4info=artifact.p4info_path, p4blob=artifact.path, initial_election_id=11
        ) as sw:
            assert len(await found(sw, fy.P4TableEntry("l2"))) == 1

    run(test, ServerUnderTest(None))
