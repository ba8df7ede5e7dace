"""What `make run` checks on the shop: every service, replies, policies, tunnels, time, churn.

In: a Bench whose controller holds the manifests. Out: rows in Bench.verdicts. The oracle is lbctl's
`where`: it names endpoint and fate of a flow before any packet is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shop_bench import Bench, Expected, Sent, Verdict

from lbctl.backends import vip_text
from lbctl.model import Cluster, NodeConfig, NodePeer, ip_text
from lbctl.where import Verdict as Fate
from lbtraffic.frames import Frame

CLIENT = "10.244.1.16"
"""shop/loadgen-0, on port 7."""
OUTSIDE = "198.51.100.77"
"""Somebody on the Internet."""
TWELVE_HOURS = 43_200

Connection = tuple[Frame, Fate]
"""A client's first packet and what became of it."""


def run_all(bench: Bench, cluster: Cluster) -> None:
    """Every row, in an order that is the same in each run."""
    connections = list(services(bench))
    replies(bench, connections)
    outside(bench)
    policies(bench)
    tunnels(bench)
    local_network(bench)
    churn(bench, cluster)
    ageing(bench)


# --- a client's first packet, its second, and the answer
# --------------------------------------------------------


def services(bench: Bench) -> Iterator[Connection]:
    """Every VIP of the plan, dialled by the load generator."""
    assert bench.controller.plan is not None
    for number, vip in enumerate(sorted(bench.controller.plan.vips())):
        name = bench.controller.plan.vips()[vip].backend.label
        protocol = "TCP" if vip.proto == 6 else "UDP"
        syn = Frame(
            src=CLIENT, sport=40_000 + number, dst=ip_text(vip.ip), dport=vip.port, protocol=protocol,
            flags="S" if protocol == "TCP" else None,
        )  # fmt: skip
        fate = bench.controller.where(f"{CLIENT}:{syn.sport}", vip_text(vip))
        expected = expectation(bench.node, syn, fate)
        bench.check("service", f"{name} at {vip_text(vip)}", [Sent(bench.port_of(CLIENT), syn)], expected)
        if fate.drop is None and protocol == "TCP":
            ack = replace(syn, flags="PA", payload=b"GET / HTTP/1.1\r\n\r\n")
            bench.check(
                "established", f"{name}, same connection", [Sent(bench.port_of(CLIENT), ack)],
                expectation(bench.node, ack, fate),
            )  # fmt: skip
        yield syn, fate


def replies(bench: Bench, connections: list[Connection]) -> None:
    """The endpoint answers; the client must see the VIP."""
    for syn, fate in connections:
        if fate.drop is not None or fate.endpoint is None:
            continue
        ip, port = fate.endpoint
        answer = Frame(
            src=ip_text(ip), sport=port, dst=ip_text(fate.new_src), dport=syn.sport, protocol=syn.protocol,
            flags="SA" if syn.protocol == "TCP" else None,
        )  # fmt: skip
        wanted = Frame(
            src=syn.dst,
            sport=syn.dport,
            dst=CLIENT,
            dport=syn.sport,
            protocol=syn.protocol,
            flags=answer.flags,
            ttl=63,
        )
        came = from_endpoint(bench, answer)
        if came is None:
            continue
        expected = Expected(((bench.port_of(CLIENT), wanted),))
        bench.check("reply", f"{fate.service} answers as {syn.dst}:{syn.dport}", [came], expected)


def outside(bench: Bench) -> None:
    """Clients beyond the uplink: external and load-balancer addresses, node ports."""
    assert bench.controller.plan is not None
    inside = ip_text(0x0A60_0000)[:5]
    for number, vip in enumerate(sorted(bench.controller.plan.vips())):
        if ip_text(vip.ip).startswith(inside) or vip.proto != 6:
            continue
        name = bench.controller.plan.vips()[vip].backend.label
        syn = Frame(
            src=OUTSIDE, sport=50_000 + number, dst=ip_text(vip.ip), dport=vip.port, protocol="TCP", flags="S"
        )
        fate = bench.controller.where(f"{OUTSIDE}:{syn.sport}", vip_text(vip))
        sent = [Sent(bench.node.uplink_port, syn)]
        bench.check("outside", f"{name} at {vip_text(vip)}", sent, expectation(bench.node, syn, fate))


# --- policies
# ---------------------------------------------------------------------------------------------------

# From, to, protocol, port, and what the shop's owners meant.
POLICY_ROWS = (
    ("10.244.1.11", "10.244.1.17", "TCP", 6379, None, "cart may reach redis"),
    ("10.244.1.12", "10.244.1.17", "TCP", 6379, "policy_ingress", "catalog may not reach redis"),
    ("10.244.1.11", "10.244.1.17", "TCP", 6380, "policy_ingress", "cart may reach redis on one port only"),
    ("10.244.1.16", "10.244.1.12", "UDP", 5000, None, "load generator to a backend's UDP port"),
    ("10.244.1.15", "10.244.1.12", "TCP", 8080, "policy_ingress", "DNS has no business with the catalog"),
    ("10.244.1.13", "203.0.113.5", "TCP", 443, None, "checkout reaches the bank"),
    ("10.244.1.13", "203.0.113.200", "TCP", 443, "policy_egress", "the bank's other half is excepted"),
    ("10.244.1.13", "203.0.113.5", "TCP", 80, "policy_egress", "the bank on the wrong port"),
    ("10.244.1.13", "10.244.1.12", "TCP", 8080, "policy_egress", "checkout may not call the catalog"),
    (OUTSIDE, "10.244.1.10", "TCP", 8080, None, "the world reaches the frontend"),
    ("192.0.2.9", "10.244.1.10", "TCP", 8080, "policy_ingress", "except the network that attacked it"),
    (OUTSIDE, "10.244.1.10", "TCP", 9102, "policy_ingress", "the world may not scrape the frontend"),
)


def policies(bench: Bench) -> None:
    """Pods are dialled directly; a denied packet leaves nothing but its counter. Replies are never judged."""
    for number, (source, target, protocol, port, drop, what) in enumerate(POLICY_ROWS):
        first = Frame(
            src=source, sport=42_000 + number, dst=target, dport=port, protocol=protocol,
            flags="S" if protocol == "TCP" else None,
        )  # fmt: skip
        sent = Sent(bench.port_of(source), first)
        leaves = bench.port_of(target)
        if drop is not None:
            bench.check("policy", what, [sent], Expected(dropped=drop))
            continue
        bench.check("policy", what, [sent], Expected(((leaves, replace(first, ttl=63)),)))
        answer = replace(
            first,
            src=target,
            sport=port,
            dst=source,
            dport=first.sport,
            flags="SA" if protocol == "TCP" else None,
        )
        expected = Expected(((bench.port_of(source), replace(answer, ttl=63)),))
        bench.check("policy", f"reply: {what}", [Sent(leaves, answer)], expected)


# --- tunnels, ARP, time, churn
# ----------------------------------------------------------------------------------


def tunnels(bench: Bench) -> None:
    """VXLAN from node-b: accepted, and refused where anything about it is wrong."""
    node = bench.node
    peer = node.peers[0]
    inner = Frame(
        src="10.244.2.10", sport=43_000, dst="10.244.1.12", dport=8080, protocol="TCP", flags="S",
        vni=node.vni, tunnel_src=ip_text(peer.vtep_ip), tunnel_dst=ip_text(node.vtep_ip),
    )  # fmt: skip
    plain = Frame(
        src=inner.src, sport=inner.sport, dst=inner.dst, dport=inner.dport, protocol="TCP", flags="S", ttl=63
    )
    good = Expected(((bench.port_of("10.244.1.12"), plain),))
    bench.check("tunnel", "frontend-1 on node-b calls catalog-0", [Sent(node.uplink_port, inner)], good)
    wrong_vni = replace(inner, vni=node.vni + 1, sport=43_001)
    bench.check(
        "tunnel", "a VNI that is not ours", [Sent(node.uplink_port, wrong_vni)], Expected(dropped="wrong_vni")
    )
    stranger = replace(inner, tunnel_src="192.168.10.99", sport=43_002)
    bench.check(
        "tunnel",
        "a tunnel from no known node",
        [Sent(node.uplink_port, stranger)],
        Expected(dropped="unknown_peer"),
    )


def local_network(bench: Bench) -> None:
    """ARP for the gateway, a spoofed source, a packet at the end of its life."""
    port = bench.port_of(CLIENT)
    ask = Frame(arp="who-has", src=CLIENT, dst=ip_text(bench.node.gateways[0]), dmac="ff:ff:ff:ff:ff:ff")
    bench.check(
        "network", "ARP for the gateway is answered", [Sent(port, ask)],
        Expected(((port, Frame(arp="is-at", src=ask.dst, dst=CLIENT)),)),
    )  # fmt: skip
    spoofed = Frame(src="10.244.1.11", sport=44_000, dst="10.96.10.3", dport=80, protocol="TCP", flags="S")
    bench.check(
        "network",
        "a pod with another pod's address",
        [Sent(port, spoofed)],
        Expected(dropped="spoofed_source"),
    )
    dying = replace(spoofed, src=CLIENT, ttl=1)
    bench.check("network", "TTL 1", [Sent(port, dying)], Expected(dropped="ttl_expired"))


def churn(bench: Bench, cluster: Cluster) -> None:
    """The catalog loses an endpoint: old connections stay, new ones go where the new hash says."""
    catalog = "10.96.10.3"
    port = bench.port_of(CLIENT)

    def dial(sport: int) -> tuple[Frame, Fate]:
        syn = Frame(src=CLIENT, sport=sport, dst=catalog, dport=80, protocol="TCP", flags="S")
        return syn, bench.controller.where(f"{CLIENT}:{sport}", f"{catalog}:80/TCP")

    held = [dial(sport) for sport in range(45_000, 45_006)]
    for syn, fate in held:
        bench.check(
            "churn", f"before: port {syn.sport}", [Sent(port, syn)], expectation(bench.node, syn, fate)
        )
    bench.controller.apply(without_endpoint(cluster, "catalog", "10.244.1.12"))
    for syn, fate in held:
        ack = replace(syn, flags="A")
        expected = expectation(bench.node, ack, fate)
        bench.check("churn", f"after: port {syn.sport} stays", [Sent(port, ack)], expected)
    for sport in range(45_100, 45_106):
        syn, fate = dial(sport)
        expected = expectation(bench.node, syn, fate)
        bench.check("churn", f"after: new port {sport}", [Sent(port, syn)], expected)
    bench.controller.apply(cluster)


def ageing(bench: Bench) -> None:
    """Twelve idle hours and a little: no flow is left, nor is any pin."""
    # A minute first: where the control plane ages flows (v1model), it decides which of them are really
    # established when their short timeout is reported, and its twelve hours start then.
    bench.advance(60)
    bench.advance(TWELVE_HOURS + 60)
    flows = bench.controller.flows()
    note = f"{len(flows)} flows left"
    bench.verdicts.append(Verdict("time", "twelve idle hours", 0, "0 flows left", note, not flows))


# --- what the rows stand on
# --------------------------------------------------------------------------------------


def expectation(node: NodeConfig, sent: Frame, fate: Fate) -> Expected:
    """What `where` says, as frames."""
    if fate.drop is not None:
        return Expected(dropped=fate.drop)
    assert fate.endpoint is not None
    assert fate.out_port is not None
    ip, port = fate.endpoint
    out = Frame(
        src=ip_text(fate.new_src), sport=sent.sport, dst=ip_text(ip), dport=port, protocol=sent.protocol,
        flags=sent.flags, ttl=63,
    )  # fmt: skip
    if fate.via == "to_tunnel":
        peer = peer_of(node, ip)
        assert peer is not None
        out = replace(out, vni=node.vni, tunnel_src=ip_text(node.vtep_ip), tunnel_dst=ip_text(peer.vtep_ip))
    return Expected(((fate.out_port, out),))


def peer_of(node: NodeConfig, address: int) -> NodePeer | None:
    """The node whose pods have this address."""
    return next(
        (p for p in node.peers if address >> 32 - p.pod_cidr[1] == p.pod_cidr[0] >> 32 - p.pod_cidr[1]), None
    )


def from_endpoint(bench: Bench, answer: Frame) -> Sent | None:
    """An endpoint's answer as it reaches the NIC: from its own port, or through its node's tunnel."""
    assert answer.src is not None
    node = bench.node
    port = bench.port_of(answer.src)
    if port != node.uplink_port:
        return Sent(port, answer)
    peer = peer_of(node, int.from_bytes(bytes(int(part) for part in answer.src.split(".")), "big"))
    if peer is None:
        return None  # the API server on another machine: its answers come in plain, from no pod
    return Sent(
        port,
        replace(answer, vni=node.vni, tunnel_src=ip_text(peer.vtep_ip), tunnel_dst=ip_text(node.vtep_ip)),
    )


def without_endpoint(cluster: Cluster, service: str, address: str) -> Cluster:
    """The same cluster, an endpoint of a service gone."""
    slices = tuple(
        replace(piece, endpoints=tuple(e for e in piece.endpoints if ip_text(e.ip) != address))
        if piece.service.name == service
        else piece
        for piece in cluster.slices
    )
    return replace(cluster, slices=slices)
