"""Load is spread evenly: one flow per slot of the Maglev table, counted at the endpoints; no statistics."""

from collections import Counter

from harness.buckets import one_flow_per_slot, slots_in_switch
from harness.cluster import UDP, Offer, cluster, endpoint, service
from harness.lb_base import LbTest
from harness.oracle import slots
from harness.topology import POD1, POD2, POD3, POD4

VIP = "10.96.0.53"


class _Spread(LbTest):
    def share(self, offer: Offer) -> Counter[int]:
        """Datagrams received per port when every slot gets one."""
        self.apply(cluster(offer))
        table = slots(offer)
        self.assertEqual(slots_in_switch(self, offer), table)
        for packet in one_flow_per_slot(POD1, VIP, 53, len(table), self.target):
            self.send(POD1, packet)
        seen = Counter(port for port, _ in self.receive_all())
        self.assertEqual(seen, Counter(host.port for host in table))
        return seen


class EqualEndpointsGetEqualShares(_Spread):
    """N endpoints, M slots: each serves floor(M/N) or ceil(M/N) of them, exactly."""

    def runTest(self) -> None:
        for endpoints in ([POD2, POD3], [POD2, POD3, POD4]):
            shares = self.share(service("dns", VIP, 53, endpoints, protocol=UDP))
            total = sum(shares.values())
            self.assertLessEqual(max(shares.values()) - min(shares.values()), 1)
            self.assertEqual(max(shares.values()), -(-total // len(endpoints)))
            self.environment.reset()


class WeightedEndpointsGetTheirShare(_Spread):
    """Weights 1, 1, 3: |slots - M*w/W| <= 1 + N*w/W (Katran's bound)."""

    def runTest(self) -> None:
        weights = {POD2: 1, POD3: 1, POD4: 3}
        endpoints = [endpoint(host, weight=weight) for host, weight in weights.items()]
        shares = self.share(service("dns", VIP, 53, endpoints, protocol=UDP))
        total, weight_sum = sum(shares.values()), sum(weights.values())
        for host, weight in weights.items():
            bound = 1 + len(weights) * weight / weight_sum
            self.assertLessEqual(abs(shares[host.port] - total * weight / weight_sum), bound)
