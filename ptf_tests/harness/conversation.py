"""A client and a server that talk through a VIP, every packet checked on both sides.

    talk = connect(self, POD1, web, sport=40000)      # SYN, SYN/ACK, ACK
    talk.to_server("PA", b"GET /")                    # sent to the VIP, expected at the endpoint
    talk.to_client("PA", b"200 OK")                   # sent by the endpoint, expected from the VIP

In: an LbTest, a client Host, an Offer. Out: packets sent and expected through the test. Called by the suites.
"""

from __future__ import annotations

from dataclasses import dataclass

from scapy.packet import Packet

from harness.cluster import Offer
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated, udp
from harness.topology import Host
from lbctl.model import Protocol, ip_text


@dataclass(frozen=True, slots=True)
class Conversation:
    """Ports as each side knows them: the client talks to vip:vport, the server is on eport."""

    test: LbTest
    client: Host
    server: Host
    vip: str
    sport: int
    vport: int
    eport: int
    protocol: Protocol = Protocol.TCP

    def request(self, flags: str = "A", payload: bytes = b"") -> Packet:
        """The packet the client sends."""
        if self.protocol is Protocol.UDP:
            return udp(self.client, self.vip, self.sport, self.vport, payload or b"query")
        return tcp(self.client, self.vip, self.sport, self.vport, flags, payload)

    def response(self, flags: str = "A", payload: bytes = b"") -> Packet:
        """The packet the server sends."""
        if self.protocol is Protocol.UDP:
            return udp(self.server, self.client, self.eport, self.sport, payload or b"answer")
        return tcp(self.server, self.client, self.eport, self.sport, flags, payload)

    def to_server(self, flags: str = "A", payload: bytes = b"") -> None:
        """The client sends; the server sees it addressed to itself."""
        packet = self.request(flags, payload)
        self.test.send(self.client, packet)
        self.test.expect(self.server, translated(packet, dst=self.server.ip, dport=self.eport))

    def to_client(self, flags: str = "A", payload: bytes = b"") -> None:
        """The server sends; the client sees the VIP answer."""
        packet = self.response(flags, payload)
        self.test.send(self.server, packet)
        self.test.expect(self.client, translated(packet, src=self.vip, sport=self.vport))


def conversation(
    test: LbTest, client: Host, offer: Offer, sport: int, vip: str | None = None
) -> Conversation:
    """What a flow is going to be; nothing is sent. The server is the oracle's choice."""
    service, piece = offer
    port = service.ports[0]
    address = vip or ip_text(service.cluster_ips[0])
    make = tcp if port.protocol is Protocol.TCP else udp
    server = chosen(offer, make(client, address, sport, port.port), test.target)
    eport = piece.ports[0].port
    return Conversation(test, client, server, address, sport, port.port, eport, port.protocol)


def connect(test: LbTest, client: Host, offer: Offer, sport: int) -> Conversation:
    """A TCP connection: the three packets that open it."""
    talk = conversation(test, client, offer, sport)
    talk.to_server("S")
    test.assert_pinned(talk.request("S"), talk.response("SA"))
    talk.to_client("SA")
    talk.to_server("A")
    return talk


def ask(test: LbTest, client: Host, offer: Offer, sport: int) -> Conversation:
    """A UDP exchange: one datagram each way."""
    talk = conversation(test, client, offer, sport)
    talk.to_server()
    test.assert_pinned(talk.request(), talk.response())
    talk.to_client()
    return talk
