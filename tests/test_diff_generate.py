"""Random entries and packets: the same from the same seed, taken by the tables, and met by the program."""

from __future__ import annotations

import random
from typing import Literal

import pytest

from p4nic.backend.api import Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.clock import ManualClock
from p4nic.differential.frames import checksum, reply
from p4nic.differential.generate import next_packet, random_updates
from p4nic.differential.scenario import Packet, Update
from p4nic.differential.values import Values
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program
from p4nic.load.shipped import shipped
from p4nic.target.switch import Switch


def made(program: Program, seed: int, count: int) -> tuple[list[Update], list[Packet]]:
    rng = random.Random(seed)
    values = Values(rng, (), program)
    updates = random_updates(program, values, rng)
    values.learn(updates, program)
    packets: list[Packet] = []
    for _ in range(count):
        packets.append(next_packet(packets[-1].time_ns if packets else 0, [], values, rng))
    return updates, packets


def test_a_seed_says_everything() -> None:
    program = load_program([])
    assert made(program, 1, 50) == made(program, 1, 50)
    assert made(program, 1, 50) != made(program, 2, 50)


@pytest.mark.parametrize("kind", ["spec", "json"])
def test_tables_take_the_entries_and_packets_reach_them(kind: Literal["spec", "json"]) -> None:
    files = shipped(kind)
    program = load_program(files.paths, files.p4info)
    sent = 0
    reached: set[str] = set()
    for seed in range(12):
        updates, packets = made(program, seed, 60)
        with Switch(InterpreterBackend().build(program, Options()), ManualClock()) as switch:
            assert not any(switch.tables.batch(updates))
            for packet in packets:
                sent += bool(switch.inject(packet.port, packet.frame).sent)
            told = switch.statistics()
            reached |= {name for name, count in told.items() if name.endswith(".hit") and count}
    assert sent > 20
    for table in ("port_role", "service_vip", "route", "arp_responder"):
        assert f"table.Lb.{table}.hit" in reached


def test_time_never_falls() -> None:
    _, packets = made(load_program([]), 3, 200)
    times = [packet.time_ns for packet in packets]
    assert times == sorted(times)
    assert times[-1] > 400 * 10**9, "some packets come after minutes of silence"


def test_a_reply_turns_addresses_and_ports_round() -> None:
    there = bytes.fromhex(
        "020000000001020000000002080045000028000100004006000001010101020202020064 00c8".replace(" ", "")
    )
    back = reply(there + bytes(16))
    assert back[:12] == there[6:12] + there[:6]
    assert (back[26:30], back[30:34]) == (there[30:34], there[26:30])
    assert (back[34:36], back[36:38]) == (there[36:38], there[34:36])
    assert reply(back) == there + bytes(16)


def test_the_internet_checksum() -> None:
    head = bytes.fromhex("45000073000040004011b861c0a80001c0a800c7")  # an example of many textbooks
    assert checksum(head) == 0
    assert checksum(head[:10] + b"\0\0" + head[12:]) == 0xB861
