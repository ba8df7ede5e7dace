"""Two pipelines of one program side by side: whatever is done to one is done to both, and the answers are
compared.

Used by test_native_*.py. Entries and packets are random, drawn from small pools so that they meet; the
frames are of the load balancer's own kinds (TCP, UDP, ICMP, ARP, VLAN, VXLAN, options), then truncated or
damaged now and then.
"""

from __future__ import annotations

import random
import struct

from p4nic.backend.api import Entry, Pipeline
from p4nic.bits import mask, prefix_mask
from p4nic.errors import StateError
from p4nic.ir.program import ActionCall, Any, Exact, Key, Lpm, Match, Program, Range, Table, Ternary

ADDRESSES = (0x0A600001, 0x0A010005, 0x0A010006, 0xC0A80001, 0xC0A80002, 0xAC100001)
PORTS = (80, 443, 8080, 1024, 1025, 4789, 53)
MACS = (0x020000000001, 0x020000000002, 0xFFFFFFFFFFFF)
POOL = {8: (0, 1, 2, 6, 17), 9: (0, 1, 2, 3), 16: (*PORTS, 0, 1, 2), 32: (*ADDRESSES, 0, 1, 7), 48: MACS}


class Pair:
    """The same calls to both; `now` in nanoseconds."""

    def __init__(self, program: Program, native: Pipeline, interp: Pipeline, seed: int) -> None:
        self.program = program
        self.native = native
        self.interp = interp
        self.random = random.Random(seed)
        self.now = 0
        self.known: list[Entry] = []

    # --- values ---

    def value(self, width: int) -> int:
        pool = POOL.get(width)
        if pool is not None and self.random.random() < 0.95:
            return self.random.choice(pool) & mask(width)
        return self.random.getrandbits(width) if width else 0

    def match(self, key: Key) -> Match:
        value = self.value(key.width)
        if key.kind != "exact" and self.random.random() < 0.3:
            return Any()
        match key.kind:
            case "exact" | "optional":
                return Exact(value)
            case "lpm":
                length = self.random.choice((key.width, key.width // 2, 1))
                return Lpm(value & prefix_mask(key.width, length), length)
            case "ternary":
                bits = self.random.choice((mask(key.width), prefix_mask(key.width, key.width // 2), 0))
                return Ternary(value & bits, bits)
            case "range":
                low, high = sorted((value, self.value(key.width)))
                return Range(low, high)

    def entry(self, table: Table) -> Entry:
        name = self.random.choice([r.action for r in table.actions if r.scope != "default_only"])
        args = tuple(self.value(p.width) for p in self.program.actions[name].params)
        key = tuple(self.match(k) for k in table.keys)
        priority = self.random.randrange(1, 4) if table.has_priority else 0
        timeout = self.random.choice((0, 2_000_000_000)) if table.idle_timeout else 0
        return Entry(table.name, key, ActionCall(name, args), priority, timeout)

    # --- frames ---

    def frame(self) -> bytes:
        kind = self.random.random()
        target = self.random.choice((MACS[1], MACS[1], MACS[1], MACS[1], MACS[2]))
        ethernet = target.to_bytes(6, "big") + MACS[0].to_bytes(6, "big")
        if kind < 0.08:
            frame = ethernet + b"\x08\x06" + self._arp()
        elif kind < 0.16:
            inner = ethernet + b"\x08\x00" + self._ipv4()
            vxlan = struct.pack(">II", 0x08000000, self.random.choice((1, 7)) << 8)
            frame = ethernet + b"\x08\x00" + self._ipv4(17, struct.pack(
                ">HHHH", 50000, 4789, 16 + len(inner), 0) + vxlan + inner)  # fmt: skip
        elif kind < 0.24:
            frame = ethernet + b"\x81\x00\x00\x05\x08\x00" + self._ipv4()
        else:
            frame = ethernet + b"\x08\x00" + self._ipv4()
        if self.random.random() < 0.05:
            frame = frame[: self.random.randrange(len(frame) + 1)]
        if self.random.random() < 0.05 and frame:
            damaged = bytearray(frame)
            damaged[self.random.randrange(len(frame))] ^= 1 << self.random.randrange(8)
            frame = bytes(damaged)
        return frame

    def _arp(self) -> bytes:
        oper = self.random.choice((1, 2))
        sender = MACS[1].to_bytes(6, "big") + self.value(32).to_bytes(4, "big")
        return (
            struct.pack(">HHHH", 1, 0x800, 0x604, oper)
            + sender
            + bytes(6)
            + self.value(32).to_bytes(4, "big")
        )

    def _ipv4(self, proto: int = 0, segment: bytes = b"") -> bytes:
        proto = proto or self.random.choice((6, 6, 6, 17, 17, 1, 47))
        segment = segment or self._segment(proto)
        words = self.random.choice((0, 0, 0, 0, 1, 3))
        fragment = self.random.choice((0, 0, 0, 0, 0, 0x4000, 0x2000, 0x0010))
        ttl = self.random.choice((64, 64, 64, 64, 64, 64, 1, 0))
        head = struct.pack(
            ">BBHHHBBHII", 0x45 + words, 0, 20 + 4 * words + len(segment), 1, fragment, ttl, proto, 0,
            *self._ends(),
        )  # fmt: skip
        total = sum(struct.unpack(">10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:] + bytes(4 * words) + segment

    def _ends(self) -> tuple[int, int]:
        """Source and destination: often client to VIP or pod to client."""
        kind = self.random.random()
        if kind < 0.5:
            return self.random.choice(ADDRESSES[3:]), ADDRESSES[0]
        if kind < 0.75:
            return ADDRESSES[1], self.random.choice(ADDRESSES[3:])
        return self.random.choice(ADDRESSES), self.random.choice(ADDRESSES)

    def _segment(self, proto: int) -> bytes:
        sport, dport = self.random.choice(PORTS), self.random.choice((80, 80, *PORTS))
        if proto == 6:
            flags = self.random.choice((2, 0x12, 0x10, 0x10, 0x10, 0x11, 0x04))
            return struct.pack(
                ">HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 100, self.random.getrandbits(16), 0
            )
        if proto == 17:
            return struct.pack(">HHHH", sport, dport, 12, self.random.choice((0, 0x1234))) + b"ping"
        if proto == 1:
            return struct.pack(">BBHHH", self.random.choice((0, 8, 3)), 0, 0, 7, 1)
        return b"other"

    # --- steps ---

    def burst(self, size: int) -> None:
        packets = [(self.random.choice((1, 1, 1, 1, 2, 2, 3)), self.frame()) for _ in range(size)]
        ours, theirs = self.native.process(packets, self.now), self.interp.process(packets, self.now)
        for packet, a, b in zip(packets, ours, theirs, strict=True):
            assert a == b, f"port {packet[0]} frame {packet[1].hex()} at {self.now}: {a} is not {b}"
        assert self.native.digests() == self.interp.digests()

    def change(self) -> None:
        """Insert, modify or delete, with the same answer or the same refusal."""
        tables = [t for t in self.program.tables.values() if t.keys]
        table = self.random.choice(tables[1:] if self.random.random() < 0.9 else tables)
        entry = self.entry(table)
        if self.known and self.random.random() < 0.4:
            old = self.random.choice(self.known)
            entry = Entry(old.table, old.key, old.action, old.priority)
        what = self.random.choice(("insert", "insert", "insert", "modify", "delete"))
        answers = [self._refusal(pipeline, what, entry) for pipeline in (self.native, self.interp)]
        assert answers[0] == answers[1], (what, entry)
        if what == "insert" and answers[0] is None:
            self.known.append(entry)

    def _refusal(self, pipeline: Pipeline, what: str, entry: Entry) -> object:
        try:
            if what == "insert":
                pipeline.insert(entry, self.now)
            elif what == "modify":
                pipeline.modify(entry, self.now)
            else:
                pipeline.delete(entry)
        except StateError as error:
            return error.kind
        return None

    def wait(self) -> None:
        """Time passes; what expires is the same, in the same order."""
        self.now += self.random.choice((1000, 10**9, 11 * 10**9, 130 * 10**9))
        assert self.native.next_expiry_ns() == self.interp.next_expiry_ns()
        assert self.native.expire(self.now) == self.interp.expire(self.now)

    def compare(self) -> None:
        """All state that can be read."""
        for table in self.program.tables:
            ours, theirs = (list(p.entries(table, self.now)) for p in (self.native, self.interp))
            assert ours == theirs, table
            assert self.native.entry_count(table) == self.interp.entry_count(table)
        for counter in self.program.counters.values():
            for index in range(min(counter.size, 300)):
                assert self.native.counter(counter.name, index) == self.interp.counter(counter.name, index)
        assert self.native.statistics() == self.interp.statistics()

    def run(self, steps: int) -> None:
        """A random life, compared at every step and at the end."""
        for step in range(steps):
            chosen = self.random.random()
            if chosen < 0.55:
                self.burst(self.random.choice((1, 2, 7, 32, 33, 100)))
            elif chosen < 0.9:
                self.change()
            else:
                self.wait()
            if step % 50 == 0:
                self.compare()
        self.compare()
