"""A changed pool moves only the slots Maglev says, and no live connection at all."""

from harness.buckets import slots_in_switch
from harness.cluster import cluster, service
from harness.conversation import connect
from harness.lb_base import LbTest
from harness.oracle import chosen, slots
from harness.packets import tcp, translated
from harness.topology import CLIENT, POD1, POD2, POD3, POD4, POD5, POD6, POD7, REMOTE_B, REMOTE_C

VIP = "10.96.0.10"
POOL = (POD2, POD3, POD4, POD5, POD6, POD7, REMOTE_B, REMOTE_C)
ALL = service("web", VIP, 80, POOL)
SIZE = len(slots(ALL))


class RemovalMovesWhatItMust(LbTest):
    """One of eight endpoints leaves: the table is the oracle's, slot by slot."""

    def runTest(self) -> None:
        for gone in (POOL[0], POOL[4], POOL[-1]):
            self.apply(cluster(ALL))
            before = slots_in_switch(self, ALL)
            self.assertEqual(before, slots(ALL))
            rest = service("web", VIP, 80, [host for host in POOL if host is not gone])
            self.apply(cluster(rest))
            after = slots_in_switch(self, rest)
            self.assertEqual(after, slots(rest, SIZE), f"without {gone}")
            moved = [slot for slot in range(SIZE) if before[slot] is not after[slot]]
            must = [slot for slot in range(SIZE) if before[slot] is gone]
            self.assertLessEqual(set(must), set(moved))
            # Maglev also moves a few others; measured: 11 % at worst for 10 backends and 1021 slots.
            self.assertLess(len(moved) - len(must), 0.15 * SIZE, f"without {gone}")


class AdditionTakesFromEverybody(LbTest):
    """The eighth endpoint joins seven: new flows follow the new table, packet by packet."""

    def runTest(self) -> None:
        seven = service("web", VIP, 80, POOL[:-1])
        self.apply(cluster(seven))
        size = len(slots_in_switch(self, seven))
        self.apply(cluster(ALL))
        self.assertEqual(slots_in_switch(self, ALL), slots(ALL, size))
        for sport in range(46000, 46064):
            syn = tcp(POD1, VIP, sport, 80)
            server = chosen(ALL, syn, self.target, size)
            self.send(POD1, syn)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))


class LiveConnectionsStay(LbTest):
    """Connections from everywhere go on undisturbed while endpoints come and go around theirs."""

    def runTest(self) -> None:
        small = service("web", VIP, 80, [POD2, POD3])
        self.apply(cluster(small))
        talks = [
            connect(self, client, small, sport) for client in (POD1, CLIENT) for sport in range(46100, 46108)
        ]
        for pool in (POOL, [POD2, POD3, POD4], [REMOTE_B, POD2, POD3]):
            self.apply(cluster(service("web", VIP, 80, pool)))
            for talk in talks:
                talk.to_server("PA", b"still there?")
                talk.to_client("PA", b"yes")
