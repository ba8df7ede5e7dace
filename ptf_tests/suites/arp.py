"""ARP: the NIC answers for the pods' gateway and for its own tunnel address, and for nobody else."""

from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from harness.cluster import cluster
from harness.lb_base import LbTest
from harness.topology import GATEWAY_IP, GATEWAY_MAC, POD1, POD2, ROUTER_MAC, UPLINK_PORT, VTEP_IP, VTEP_MAC

EVERYBODY = "ff:ff:ff:ff:ff:ff"


def who_has(mac: str, sender: str, wanted: str) -> Packet:
    return Ether(src=mac, dst=EVERYBODY) / ARP(op="who-has", hwsrc=mac, psrc=sender, pdst=wanted)


class GatewayIsAnswered(LbTest):
    """A pod asks for 169.254.1.1."""

    def runTest(self) -> None:
        self.apply(cluster())
        self.send_frame(POD1.port, who_has(POD1.mac, POD1.ip, GATEWAY_IP))
        reply = self.expect_like(
            POD1.port, Ether(src=GATEWAY_MAC, dst=POD1.mac) / ARP(op=2, psrc=GATEWAY_IP, pdst=POD1.ip)
        )
        self.assertEqual((reply[ARP].hwsrc, reply[ARP].hwdst), (GATEWAY_MAC, POD1.mac))


class TunnelAddressIsAnsweredOnTheWire(LbTest):
    """Another node asks for our VTEP."""

    def runTest(self) -> None:
        self.apply(cluster())
        self.send_frame(UPLINK_PORT, who_has(ROUTER_MAC, "192.168.10.1", VTEP_IP))
        reply = self.expect_like(UPLINK_PORT, Ether(src=VTEP_MAC, dst=ROUTER_MAC) / ARP(op=2, psrc=VTEP_IP))
        self.assertEqual(reply[ARP].hwsrc, VTEP_MAC)


class OtherAddressesAreNot(LbTest):
    """A pod that asks for a neighbour gets no answer: pods reach each other through the gateway."""

    def runTest(self) -> None:
        self.apply(cluster())
        self.send_frame(POD1.port, who_has(POD1.mac, POD1.ip, "10.244.1.200"))
        self.expect_drop("arp_unknown")


class NoPodSpeaksForAnother(LbTest):
    """A sender address that is not the pod's own is an attempt at poisoning."""

    def runTest(self) -> None:
        self.apply(cluster())
        self.send_frame(POD1.port, who_has(POD1.mac, POD2.ip, GATEWAY_IP))
        self.expect_drop("spoofed_source")
