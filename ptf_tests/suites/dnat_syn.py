"""The first packet of a connection to a VIP is rewritten to the endpoint the hash names; the rest stays."""

from scapy.layers.inet import IP, TCP

from harness.cluster import UDP, cluster, service
from harness.conversation import ask, connect
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import built, tcp, translated
from harness.topology import CLIENT, POD1, POD2, POD3, POD4, REMOTE_B

VIP = "10.96.0.10"
WEB = service("web", VIP, 80, [POD2, POD3, POD4])


class SynIsTranslated(LbTest):
    """Destination address and port, MACs, TTL and checksums change; sequence numbers and options do not."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        for client in (POD1, CLIENT, REMOTE_B):
            options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]
            header = TCP(sport=40001, dport=80, flags="S", seq=0xDEADBEEF, window=64240, options=options)
            syn = built(IP(src=client.ip, dst=VIP, id=0x4242, flags="DF", tos=0x28) / header)
            self.send(client, syn)
            server = chosen(WEB, syn, self.target)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))
            self.assert_pinned(syn)


class UnusualSynIsBalanced(LbTest):
    """A SYN is a SYN with ECN bits (D2), PSH, URG, data (TCP Fast Open) or reserved bits (T14)."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        for sport, flags in enumerate(("SEC", "SE", "SC", "SP", "SU", "SPU"), 41000):
            syn = tcp(POD1, VIP, sport, 80, flags)
            self.send(POD1, syn)
            server = chosen(WEB, syn, self.target)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))
            self.assert_pinned(syn, tcp(server, POD1, 8080, sport, "SA"))
        early = tcp(POD1, VIP, 41999, 80, "S", payload=b"early data")
        reserved = tcp(POD1, VIP, 41998, 80, "S")
        reserved[TCP].reserved = 7
        del reserved[TCP].chksum
        for syn in (early, built(reserved)):
            self.send(POD1, syn)
            server = chosen(WEB, syn, self.target)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))


class SamePortOnBothSides(LbTest):
    """port == targetPort: only the address changes, there and back, TCP and UDP."""

    def runTest(self) -> None:
        same = service("same", "10.96.0.12", 8080, [POD2], target_port=8080)
        dns = service("dns", "10.96.0.53", 53, [POD3], target_port=53, protocol=UDP)
        self.apply(cluster(same, dns))
        for client in (POD1, CLIENT, REMOTE_B):
            connect(self, client, same, 41500).to_server("PA", b"data")
            ask(self, client, dns, 41500).to_server(payload=b"more")
