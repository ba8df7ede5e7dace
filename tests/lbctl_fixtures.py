"""Small clusters and a switch in memory for the tests of lbctl."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from lbctl.model import (
    Cluster,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Name,
    NodeConfig,
    NodePeer,
    Pod,
    PodPort,
    Protocol,
    Service,
    ServicePort,
)


def ip(text: str) -> int:
    """An IPv4 address as lbctl holds it."""
    return int(ipaddress.IPv4Address(text))


def service(
    name: str,
    vip: str,
    endpoints: list[Endpoint],
    protocol: Protocol = Protocol.TCP,
    port: int = 80,
    target: int = 8080,
    **fields: object,
) -> tuple[Service, EndpointSlice]:
    """A ClusterIP service of one port with its slice."""
    full = Name("default", name)
    base = Service(full, "ClusterIP", (ip(vip),), (ServicePort("p", protocol, port, target),))
    return (
        replace(base, **fields),  # type: ignore[arg-type]
        EndpointSlice(full, full, (EndpointPort("p", protocol, target),), tuple(endpoints)),
    )


def endpoints(*addresses: str, node: str = "node-a") -> list[Endpoint]:
    """Ready endpoints."""
    return [Endpoint(ip(address), node=node) for address in addresses]


def cluster(*pairs: tuple[Service, EndpointSlice], **fields: object) -> Cluster:
    """A Cluster of services with their slices."""
    base = Cluster(services=tuple(pair[0] for pair in pairs), slices=tuple(pair[1] for pair in pairs))
    return replace(base, **fields)  # type: ignore[arg-type]


NODE = NodeConfig(
    name="node-a",
    vtep_ip=ip("192.168.0.1"),
    vtep_mac=0x020000000A01,
    vni=42,
    uplink_port=0,
    host_port=15,
    host_mac=0x020000000A0F,
    gateway_mac=0x020000000101,
    gateways=(ip("169.254.1.1"),),
    node_ips=(ip("192.168.0.1"),),
    pod_cidr=(ip("10.1.1.0"), 24),
    next_hop_mac=0x020000000FFE,
    pods=(
        PodPort(Name("default", "client"), 1, 0x02000A010101, ip("10.1.1.1")),
        PodPort(Name("default", "server"), 2, 0x02000A010102, ip("10.1.1.2")),
    ),
    peers=(NodePeer("node-b", ip("192.168.0.2"), 0x020000000A02, (ip("10.1.2.0"), 24), 0x020000000201),),
)
CLIENT = Pod(Name("default", "client"), ip("10.1.1.1"), {"app": "client"}, "node-a")
SERVER = Pod(
    Name("default", "server"),
    ip("10.1.1.2"),
    {"app": "server"},
    "node-a",
    ports=(EndpointPort("web", Protocol.TCP, 8080),),
)
