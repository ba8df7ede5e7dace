"""Every packet is counted once: by its flow, by its service, or by the reason it was dropped (T40)."""

from harness.cluster import UDP, cluster, service
from harness.conversation import ask, connect
from harness.lb_base import LbTest
from harness.packets import tcp, translated, udp
from harness.topology import POD1, POD2, POD3, five_tuple
from lbctl.backends import Vip

WEB = service("web", "10.96.0.10", 80, [POD2])
DNS = service("dns", "10.96.0.53", 53, [POD3], target_port=5353, protocol=UDP)


class _Counted(LbTest):
    def service_id(self, offer: tuple[object, object]) -> int:
        plan = self.environment.controller.plan
        assert plan is not None
        wanted = WEB[0] if offer is WEB else DNS[0]
        port = wanted.ports[0]
        return plan.vips()[Vip(wanted.cluster_ips[0], int(port.protocol), port.port)].service_id


class PacketsPerService(_Counted):
    """Both directions count for the service they belong to; others, drops and plain flows do not."""

    def runTest(self) -> None:
        self.apply(cluster(WEB, DNS))
        web, dns = self.service_id(WEB), self.service_id(DNS)
        before = self.environment.service_packets(web), self.environment.service_packets(dns)
        talk = connect(self, POD1, WEB, 60000)
        for _ in range(5):
            talk.to_server("PA", b"x")
            talk.to_client("PA", b"y")
        ask(self, POD1, DNS, 60000).to_client(payload=b"more")
        plain = udp(POD1, POD3, 60001, 9)
        self.send(POD1, plain)
        self.expect(POD3, translated(plain))
        self.send(POD1, tcp(POD1, "10.96.0.10", 60000, 80, "A", ttl=1))
        self.expect_drop("ttl_expired")
        after = self.environment.service_packets(web), self.environment.service_packets(dns)
        self.assertEqual((after[0] - before[0], after[1] - before[1]), (3 + 10, 3))


class PacketsPerFlow(_Counted):
    """Each direction has its own counter. It starts when the entry exists: the first packet is not in it."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 60100)
        for _ in range(7):
            talk.to_server("PA", b"x")
        for _ in range(3):
            talk.to_client("PA", b"y")
        flows = self.flows()
        there, back = flows[five_tuple(talk.request())], flows[five_tuple(talk.response())]
        self.assertEqual((there.packets, back.packets), (1 + 7, 1 + 3))


class CountersSurviveRefresh(_Counted):
    """An hour of idling and going on does not start the flow's counter anew."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 60200)
        for _ in range(3):
            self.advance(1200)
            talk.to_server("PA", b"x")
        self.assertEqual(self.flows()[five_tuple(talk.request())].packets, 1 + 3)
