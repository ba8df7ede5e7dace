"""A service on UDP port 4789: VXLAN that is not for us is balanced like any datagram, inside untouched."""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from harness.cluster import UDP as OVER_UDP
from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import built, tcp, translated
from harness.topology import POD1, POD2, POD3, VXLAN_PORT, Host

VIP = "10.96.0.47"


def vxlan(src: Host, dst: str, sport: int, dport: int, checksum: int | None) -> Packet:
    """A tunnel of the pods' own, with a packet in it that would be for another pod."""
    inner = Ether(src=POD2.mac, dst=POD3.mac) / tcp(POD2, POD3, 1, 2, "PA", b"inside")
    outer = IP(src=src.ip, dst=dst, id=0x77) / UDP(sport=sport, dport=dport, chksum=checksum)
    return built(outer / VXLAN(flags=8, vni=77) / inner)


class TunnelOfThePods(LbTest):
    """With and without a UDP checksum, there and back."""

    def runTest(self) -> None:
        offer = service("overlay", VIP, VXLAN_PORT, [POD2, POD3], target_port=VXLAN_PORT, protocol=OVER_UDP)
        self.apply(cluster(offer))
        for sport, checksum in ((50001, None), (50002, 0)):
            request = vxlan(POD1, VIP, sport, VXLAN_PORT, checksum)
            self.send(POD1, request)
            server = chosen(offer, request, self.target)
            self.expect(server, translated(request, dst=server.ip))
            self.assert_pinned(request)
            answer = vxlan(server, POD1.ip, VXLAN_PORT, sport, checksum)
            self.send(server, answer)
            self.expect(POD1, translated(answer, src=VIP))


class AnotherTargetPort(LbTest):
    """VIP port 4789, pod port 8472, as Linux and Flannel use it: the ports change as well."""

    def runTest(self) -> None:
        offer = service("overlay", VIP, VXLAN_PORT, [POD2], target_port=8472, protocol=OVER_UDP)
        self.apply(cluster(offer))
        for sport, checksum in ((50011, None), (50012, 0)):
            request = vxlan(POD1, VIP, sport, VXLAN_PORT, checksum)
            self.send(POD1, request)
            self.expect(POD2, translated(request, dst=POD2.ip, dport=8472))
