"""Which endpoint a flow must reach, computed without looking at the switch or at the plan.

In: an Offer of `cluster`, a flow's first packet. Out: the Host (and bucket) that Maglev and the target's hash
name, flow by flow and with no tolerance. Called by the suites.
"""

from __future__ import annotations

from scapy.packet import Packet

from harness.cluster import Offer
from harness.topology import Host, five_tuple, host_at
from lbctl.hashing import Target, bucket_of
from lbctl.maglev import build_table, table_size
from lbctl.model import ip_text


def slots(offer: Offer, size: int | None = None) -> list[Host]:
    """The Maglev table of a service: slot -> endpoint. `size`: of a service that had its table before."""
    _, piece = offer
    ready = [endpoint for endpoint in piece.endpoints if endpoint.ready]
    port = piece.ports[0].port
    weight = sum(endpoint.weight for endpoint in ready)
    table = build_table(
        [(f"{ip_text(endpoint.ip)}:{port}", endpoint.weight) for endpoint in ready],
        size or table_size(weight),
    )
    hosts = [host_at(ip_text(endpoint.ip)) for endpoint in ready]
    return [hosts[index] for index in table]


def slot_of(packet: Packet, size: int, target: Target, client_ip_affinity: bool = False) -> int:
    """The slot the packet's flow falls into."""
    return bucket_of(five_tuple(packet), target, size - 1, client_ip_affinity)


def chosen(offer: Offer, packet: Packet, target: Target, size: int | None = None) -> Host:
    """The endpoint to which the first packet of a flow goes."""
    table = slots(offer, size)
    return table[slot_of(packet, len(table), target, offer[0].client_ip_affinity)]
