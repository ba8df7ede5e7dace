"""ARP that is not a question for one of our addresses: passed on to whom it concerns, or dropped."""

from scapy.layers.l2 import ARP, Ether

from harness.cluster import cluster
from harness.lb_base import LbTest
from harness.topology import GATEWAY_IP, GATEWAY_MAC, POD1, POD2, ROUTER_MAC, UPLINK_PORT

EVERYBODY = "ff:ff:ff:ff:ff:ff"
LINK = Ether(src=POD1.mac, dst=EVERYBODY)


def other_kinds(question: bytes) -> list[bytes]:
    """The question with another hardware type, protocol type, and length of either address."""
    kinds = [(0, b"\0\6"), (2, b"\x86\xdd"), (4, b"\x08"), (5, b"\x10")]
    return [question[:at] + value + question[at + len(value) :] for at, value in kinds]


class OnlyQuestionsAreAnswered(LbTest):
    """Replies to an address of ours, announcements, and ARP about something else than IPv4 on Ethernet."""

    def runTest(self) -> None:
        self.apply(cluster())
        question = ARP(op=1, hwsrc=POD1.mac, psrc=POD1.ip, pdst=GATEWAY_IP)
        wrong = [
            ARP(op=2, hwsrc=POD1.mac, psrc=POD1.ip, hwdst=GATEWAY_MAC, pdst=GATEWAY_IP),
            ARP(op=3, hwsrc=POD1.mac, psrc=POD1.ip, pdst=GATEWAY_IP),
            ARP(op=1, hwsrc=POD1.mac, psrc=POD1.ip, pdst=POD1.ip),
        ]
        for packet in (*map(bytes, wrong), *other_kinds(bytes(question))):
            self.send_frame(POD1.port, bytes(LINK)[:12] + b"\x08\x06" + packet)
            self.expect_drop("arp_unknown")
        self.send_frame(POD1.port, LINK / question)
        self.expect_like(POD1.port, Ether() / ARP(op=2, psrc=GATEWAY_IP))


class ProbeIsAnswered(LbTest):
    """A pod that does not use its address yet (sender 0.0.0.0) may ask."""

    def runTest(self) -> None:
        self.apply(cluster())
        self.send_frame(POD1.port, LINK / ARP(op=1, hwsrc=POD1.mac, psrc="0.0.0.0", pdst=GATEWAY_IP))
        self.expect_like(POD1.port, Ether(dst=POD1.mac) / ARP(op=2, psrc=GATEWAY_IP, pdst="0.0.0.0"))


class QuestionForAPodIsForwarded(LbTest):
    """From the wire, for a local pod: the frame reaches the pod as it is."""

    def runTest(self) -> None:
        self.apply(cluster())
        link = Ether(src=ROUTER_MAC, dst=EVERYBODY)
        asked = link / ARP(op=1, hwsrc=ROUTER_MAC, psrc="192.168.10.1", pdst=POD2.ip)
        self.send_frame(UPLINK_PORT, asked)
        self.expect_frame(POD2.port, asked)
