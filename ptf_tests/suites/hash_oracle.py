"""Every flow goes to the endpoint the hash and the Maglev table name: hundreds of flows, no tolerance."""

from collections.abc import Iterator

from scapy.packet import Packet

from harness.cluster import UDP, Offer, cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated, udp
from harness.topology import CLIENT, OTHER_CLIENT, POD1, POD2, POD3, POD4, POD5, REMOTE_B, REMOTE_C, Host

WEB = service("web", "10.96.0.10", 80, [POD2, POD3, POD4, REMOTE_B, REMOTE_C])
DNS = service("dns", "10.96.0.53", 53, [POD3, POD4, POD5, REMOTE_B], target_port=5353, protocol=UDP)


class EveryFlowFollowsTheOracle(LbTest):
    """420 flows: three kinds of client, TCP and UDP, ports all over the range."""

    def runTest(self) -> None:
        self.apply(cluster(WEB, DNS))
        for client, offer, packet in flows():
            self.send(client, packet)
            server = chosen(offer, packet, self.target)
            self.expect(server, translated(packet, dst=server.ip, dport=8080 if offer is WEB else 5353))


class ServicesThatLookAlike(LbTest):
    """Same client port, VIPs and ports that differ in one bit: each service follows its own table."""

    def runTest(self) -> None:
        vips = [("10.96.1.0", 80), ("10.96.1.1", 80), ("10.96.1.0", 81), ("10.96.0.0", 80), ("10.97.1.0", 80)]
        offers = [
            service(f"s{i}", vip, port, [POD2, POD3, POD4, POD5], target_port=9000 + i)
            for i, (vip, port) in enumerate(vips)
        ]
        self.apply(cluster(*offers))
        for i, ((vip, port), offer) in enumerate(zip(vips, offers, strict=True)):
            for sport in (1, 1023, 32767, 32768, 65535):
                syn = tcp(POD1, vip, sport, port)
                self.send(POD1, syn)
                server = chosen(offer, syn, self.target)
                self.expect(server, translated(syn, dst=server.ip, dport=9000 + i))


def flows() -> Iterator[tuple[Host, Offer, Packet]]:
    for client in (POD1, CLIENT, OTHER_CLIENT):
        for i in range(70):
            sport = 1024 + 911 * i
            yield client, WEB, tcp(client, "10.96.0.10", sport, 80)
            yield client, DNS, udp(client, "10.96.0.53", sport, 53)
