"""A program like IPDK's for Kubernetes offload, on real DPDK and in the interpreter, packet by packet.

Its metadata have 291 bytes, as p4c-dpdk lays them out, and DPDK's instructions reach 256. Moved about, so
that what instructions use lies in front, the same program must do the same on both: flows that refresh and
flows that do not, endpoints chosen by the selector, checksums at both zeros, frames cut anywhere.
"""

from __future__ import annotations

import random
import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from swx_samples import needs_dpdk

from p4nic.backend.api import Options, Semantics
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.swx import SwxBackend
from p4nic.cli.entries_file import read_updates
from p4nic.differential.compare import Difference, compare, play
from p4nic.differential.engines import Engine, SwitchSession
from p4nic.differential.frames import checksum
from p4nic.differential.scenario import Packet, Scenario, Update
from p4nic.ir.program import Program
from p4nic.lint.targets import lint
from p4nic.load.artifact import load_program
from p4nic.load.dpdk_spec import load_text
from p4nic.load.p4info import load_p4info

SPEC = Path(__file__).parent / "programs" / "build" / "dpdk_services.spec"
P4INFO = SPEC.with_name("dpdk_services.p4info.txtpb")
SECOND = 10**9
TCP, UDP = 6, 17
WEB, DNS, CLIENT = 0x0A600050, 0x0A600035, 0xC0000209
SERVER = 0x0A000106
ENTRIES = """\
members:
  - {profile: endpoints, id: 1, action: endpoint, args: [0x0a000106, 8080, 2]}
  - {profile: endpoints, id: 2, action: endpoint, args: [0x0a000107, 8080, 3]}
  - {profile: endpoints, id: 3, action: endpoint, args: [0x0a000108, 8081, 4]}
groups:
  - {profile: endpoints, id: 1, members: {1: 1, 2: 1, 3: 2}}
  - {profile: endpoints, id: 2, members: {3: 1}}
entries:
  - {table: services, match: {dst: 0x0a600050, dport: 80, protocol: 6}, group: 1}
  - {table: services, match: {dst: 0x0a600035, dport: 53, protocol: 17}, group: 2}
"""


def original() -> Program:
    return load_program([SPEC], P4INFO)


@pytest.fixture(scope="module")
def reachable() -> Program:
    """The notes, which only a register array gets, moved behind everything else; nothing touches them."""
    text = SPEC.read_text(encoding="utf-8")
    notes = "".join(re.findall(r"\tbit<64> local_metadata_note_\d+\n", text))
    text = re.sub(r"\tbit<64> local_metadata_note_\d+\n", "", text)
    text = re.sub(r"\t(?:mov|regwr)\b.*local_metadata_note_\d+.*\n", "", text)
    text = text.replace("\tbit<8> timeout_id\n", f"\tbit<8> timeout_id\n{notes}")
    return load_text(text, "services.spec", load_p4info(P4INFO))


@pytest.fixture(scope="module")
def updates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Update, ...]:
    path = tmp_path_factory.mktemp("entries") / "entries.yaml"
    path.write_text(ENTRIES, encoding="utf-8")
    return tuple((operation, entity) for _, operation, entity in read_updates(path, original()))


def frame(
    protocol: int, to: int, sport: int, dport: int, sum_: int | None = None, source: int = CLIENT
) -> bytes:
    """TCP or UDP; `sum_` in place of the right checksum."""
    addresses = struct.pack("!II", source, to)
    if protocol == TCP:
        body = struct.pack("!HHIIBBHHH", sport, dport, 0, 0, 0x50, 2, 512, 0, 0)
        at = 16
    else:
        body, at = struct.pack("!HHHH", sport, dport, 8, 0), 6
    right = checksum(addresses + struct.pack("!HH", protocol, len(body)) + body)
    body = body[:at] + (right if sum_ is None else sum_).to_bytes(2) + body[at + 2 :]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0) + addresses
    head = head[:10] + checksum(head).to_bytes(2) + head[12:]
    return bytes.fromhex("0200000000fe 020000000001 0800") + head + body


def engines(program: Program) -> list[Engine]:
    options = Options(semantics=Semantics.DPDK)
    return [Engine(InterpreterBackend(), program, options), Engine(SwxBackend(), program, options)]


def difference(program: Program, updates: tuple[Update, ...], packets: list[Packet]) -> Difference | None:
    return compare(engines(program), Scenario(updates, tuple(packets)))


# --- as p4c-dpdk compiles it -------------------------------------------------------------------------


def test_lint_says_what_lies_out_of_reach() -> None:
    rules = {finding.rule for finding in lint([SPEC], P4INFO, "dpdk-22.11") if finding.level == "error"}
    assert rules == {"metadata-reach"}


@needs_dpdk
def test_as_compiled_dpdk_overwrites_its_own_metadata(updates: tuple[Update, ...]) -> None:
    """Theirs: docs/target-differences.md. If this fails, DPDK has learned to reach further: say so there."""
    found = difference(original(), updates, [Packet(0, 1, frame(UDP, DNS, 1000, 53))])
    assert found is not None
    assert found.answers["interp"].startswith("port 4: ")
    assert found.answers["swx"] != found.answers["interp"]


# --- with everything in reach ------------------------------------------------------------------------


@needs_dpdk
def test_tcp_flows_refresh_and_udp_flows_do_not(reachable: Program, updates: tuple[Update, ...]) -> None:
    """Profile 1 is 30 s. A packet every 20 s: the TCP flow is learned once, the UDP flow again and again."""
    packets = []
    for at in range(0, 200, 20):
        packets.append(Packet(at * SECOND, 1, frame(TCP, WEB, 1000, 80)))
        packets.append(Packet(at * SECOND, 1, frame(UDP, DNS, 1000, 53)))
    assert difference(reachable, updates, packets) is None
    counts = {}
    for engine in engines(reachable):
        session = engine.begin(Scenario(updates, ()))
        assert isinstance(session, SwitchSession)
        for packet in packets:
            session.send(packet)
        told = session.switch.statistics()
        counts[engine.name] = (told["learned"], told["rearmed"])
        session.close()
    assert counts["swx"] == counts["interp"] == (1 + 5, 9)


@needs_dpdk
def test_the_selector_takes_the_same_endpoint_for_every_flow(
    reachable: Program, updates: tuple[Update, ...]
) -> None:
    rng = random.Random(7)
    packets = [
        Packet(0, 1, frame(TCP, WEB, rng.randrange(1, 65536), 80, source=rng.getrandbits(32)))
        for _ in range(300)
    ]
    assert difference(reachable, updates, packets) is None
    session = engines(reachable)[1].begin(Scenario(updates, ()))
    used = {session.send(packet).sent[0][0] for packet in packets}
    session.close()
    assert used == {2, 3, 4}, "every member of the group is in use"


@needs_dpdk
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_checksums_at_both_zeros(protocol: int, reachable: Program, updates: tuple[Update, ...]) -> None:
    """Every checksum a frame can carry that ends at 0x0000 or 0xFFFF, and their neighbours."""
    service, dport = (WEB, 80) if protocol == TCP else (DNS, 53)
    plain = frame(protocol, service, 1000, dport)
    session = engines(reachable)[0].begin(Scenario(updates, ()))
    ((_, sent),) = session.send(Packet(0, 1, plain)).sent
    session.close()
    at = 34 + (16 if protocol == TCP else 6)
    moved = (int.from_bytes(sent[at : at + 2]) - int.from_bytes(plain[at : at + 2])) % 0xFFFF
    corners = [(0xFFFF - moved + step) % 0x10000 for step in (-2, -1, 0, 1, 2)] + [0, 1, 0xFFFE, 0xFFFF]
    packets = [Packet(0, 1, frame(protocol, service, 1000, dport, corner)) for corner in corners]
    assert difference(reachable, updates, packets) is None
    session = engines(reachable)[1].begin(Scenario(updates, ()))
    sums = {int.from_bytes(session.send(p).sent[0][1][at : at + 2]) for p in packets}
    session.close()
    assert 0xFFFF in sums
    assert 0 not in sums, "DPDK's checksum is never 0"


@needs_dpdk
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_frames_cut_anywhere(protocol: int, reachable: Program, updates: tuple[Update, ...]) -> None:
    """Runts: what is missing of a header reads as zeros, and the frame goes on."""
    whole = frame(protocol, WEB if protocol == TCP else DNS, 1000, 80 if protocol == TCP else 53)
    for length in range(1, len(whole) + 1):
        verdict = play(engines(reachable), Scenario(updates, (Packet(0, 1, whole[:length]),)))
        assert verdict.difference is None, f"a frame of {length} bytes"


@needs_dpdk
def test_a_random_life_of_the_program(reachable: Program, updates: tuple[Update, ...]) -> None:
    """New flows, old flows, wrong checksums, silence, in any order."""
    rng = random.Random(11)
    packets: list[Packet] = []
    now = 0
    for _ in range(400):
        now += rng.choice((0, 0, 1, 25 * SECOND, 400 * SECOND)) if rng.random() < 0.1 else 1000
        protocol, service, dport = rng.choice(((TCP, WEB, 80), (UDP, DNS, 53), (TCP, SERVER, 22)))
        sum_ = rng.choice((None, None, 0, 0xFFFF, rng.getrandbits(16)))
        packets.append(Packet(now, 1, frame(protocol, service, rng.randrange(1000, 1040), dport, sum_)))
    assert difference(reachable, updates, packets) is None
    dropped = replace(packets[0], frame=frame(TCP, SERVER, 1, 22))
    assert difference(reachable, updates, [dropped]) is None
