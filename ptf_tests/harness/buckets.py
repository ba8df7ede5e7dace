"""The Maglev table as the switch holds it, and flows that hit chosen slots of it.

In: an LbTest, an Offer. Out: slot -> Host as read back over P4Runtime; packets. Called by the suites about
evenness and disruption.
"""

from __future__ import annotations

from collections.abc import Iterator

from scapy.packet import Packet

from harness.cluster import Offer
from harness.lb_base import LbTest
from harness.packets import udp
from harness.topology import Host, address, host_at
from lbctl.hashing import FiveTuple, Target, bucket_of
from lbctl.model import ip_text


def slots_in_switch(test: LbTest, offer: Offer) -> list[Host]:
    """Slot -> endpoint of the service's first VIP: three tables, read over P4Runtime and joined."""
    service, _ = offer
    port = service.ports[0]
    entries = {entry.key: entry for entry in test.environment.controller.entries()}
    vip = (service.cluster_ips[0], int(port.protocol), port.port)
    (row,) = (e for key, e in entries.items() if key.table == "service_vip" and key.match == vip)
    number, size = row.param("service_id"), row.param("bucket_mask") + 1
    endpoints = {
        key.match[0]: host_at(ip_text(entry.param("ip")))
        for key, entry in entries.items()
        if key.table == "endpoint"
    }
    found = {
        key.match[1]: endpoints[entry.param("endpoint_id")]
        for key, entry in entries.items()
        if key.table == "maglev_bucket" and key.match[0] == number
    }
    test.assertEqual(sorted(found, key=str), sorted(range(size), key=str), "every slot has a row, once")
    return [found[slot] for slot in range(size)]


def one_flow_per_slot(client: Host, vip: str, port: int, size: int, target: Target) -> Iterator[Packet]:
    """Datagrams of `client` to vip:port, one for each of `size` slots, in the order they were found."""
    missing = set(range(size))
    for sport in range(1, 65536):
        flow = FiveTuple(address(client.ip), address(vip), 17, sport, port)
        slot = bucket_of(flow, target, size - 1)
        if slot in missing:
            missing.remove(slot)
            yield udp(client, vip, sport, port, b"x")
            if not missing:
                return
    raise AssertionError(f"no port of {client} reaches the slots {sorted(missing)}")
