"""Incremental checksums at their corners (T1, T2): exactly what computing them anew gives."""

import random

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import POD1, POD2

VIP = "10.96.0.38"


class ChecksumsAreAsIfComputedAnew(LbTest):
    """Identifications and payloads walk the checksums through 0x0000, 0xFFFF and their neighbours."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        chooser = random.Random(1624)
        base = translated(tcp(POD1, VIP, 40000, 80, "PA", b"\0\0", id=0), dst=POD2.ip, dport=8080)
        near = [(base.chksum + step) % 0xFFFF for step in range(-3, 4)]
        words = [(base["TCP"].chksum + step) % 0xFFFF for step in range(-3, 4)]
        cases = [(ident, word) for ident in near for word in words]
        cases += [(chooser.randrange(0x10000), chooser.randrange(0x10000)) for _ in range(150)]
        for ident, word in cases:
            data = tcp(POD1, VIP, 40000, 80, "PA", word.to_bytes(2, "big"), id=ident)
            self.send(POD1, data)
            self.expect(POD2, translated(data, dst=POD2.ip, dport=8080))
