"""A wrong checksum stays wrong (T7): translation must not hide corruption from the receiver."""

from scapy.layers.inet import TCP, UDP

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import ones_complement_sum, tcp, translated, udp
from harness.topology import POD1, POD2, frame_from, frame_to
from lbctl.model import Protocol

VIP = "10.96.0.37"


class CorruptionIsPassedOn(LbTest):
    """The error of the incoming checksum is the error of the outgoing one, in ones' complement arithmetic."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2])
        dns = service("dns", VIP, 53, [POD2], protocol=Protocol.UDP)
        self.apply(cluster(web, dns))

        for layer, packet in ((TCP, tcp(POD1, VIP, 40000, 80)), (UDP, udp(POD1, VIP, 40000, 53))):
            out = translated(packet, dst=POD2.ip, dport=8080)
            for error in (0x0001, 0x8000, 0x1234):
                broken, wanted = packet.copy(), out.copy()
                broken[layer].chksum = _plus(packet[layer].chksum, error)
                wanted[layer].chksum = _plus(out[layer].chksum, error)
                self.send_frame(POD1.port, frame_from(POD1, broken))
                self.expect_frame(POD2.port, frame_to(POD2, wanted, self.target), checksums=False)


def _plus(checksum: int, error: int) -> int:
    return ones_complement_sum(checksum.to_bytes(2, "big") + error.to_bytes(2, "big"))
