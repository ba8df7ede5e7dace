"""`where`: the verdict for the shop's flows, decision by decision."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from lbctl_fixtures import ip

from lbctl.addresses import parse_flow
from lbctl.entries import Flow
from lbctl.errors import UsageError
from lbctl.hashing import Target, flow_hash
from lbctl.kube import load_manifests
from lbctl.nodefile import load_node_config
from lbctl.plan import make_plan
from lbctl.where import Verdict, where

SHOP = Path(__file__).parent.parent / "manifests" / "shop"
NODE = load_node_config(SHOP / "node-a.yaml")
PLAN = make_plan(load_manifests([SHOP]), NODE)
LOADGEN, CHECKOUT, REDIS, CART = "10.244.1.16", "10.244.1.13", "10.244.1.17", "10.244.1.11"


def ask(client: str, service: str, target: Target = Target.PNA) -> Verdict:
    return where(PLAN, NODE, target, parse_flow(client, service))


@pytest.mark.parametrize("target", Target)
def test_the_bucket_is_the_hash_and_the_endpoint_is_the_buckets(target: Target) -> None:
    verdict = ask(f"{LOADGEN}:40000", "10.96.10.3:80/TCP", target)
    assert verdict.hash == flow_hash(verdict.flow, target)
    assert verdict.bucket == verdict.hash & 511
    endpoint_id = PLAN.buckets[verdict.service_id][verdict.bucket]
    (params,) = [
        e.params for e in PLAN.entries if e.key.table == "endpoint" and e.key.match == (endpoint_id,)
    ]
    assert verdict.endpoint == params
    assert verdict.pod is not None
    assert verdict.pod.name.startswith("catalog-")


@pytest.mark.parametrize("target", Target)
def test_flows_spread_over_all_endpoints(target: Target) -> None:
    """4 sigma around a third of 3,000 flows."""
    count = Counter(
        ask(f"{LOADGEN}:{port}", "10.96.10.3:80/TCP", target).endpoint for port in range(20000, 23000)
    )
    assert len(count) == 3
    assert all(abs(n - 1000) < 4 * (3000 * 2 / 9) ** 0.5 + 3000 / 512 for n in count.values())


def test_client_ip_affinity_keeps_a_client_on_one_endpoint() -> None:
    seen = {ask(f"{LOADGEN}:{port}", "10.96.10.2:80/TCP").endpoint for port in range(1, 200)}
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("client", "service", "drop"),
    [
        (LOADGEN, "10.96.10.9:80/TCP", "no_endpoints"),
        (CHECKOUT, "10.96.10.3:80/TCP", "policy_egress"),
        (CHECKOUT, "203.0.113.200:443/TCP", "policy_egress"),
        (CHECKOUT, "203.0.113.20:443/TCP", None),
        (CHECKOUT, "10.96.10.6:443/TCP", None),
        (CHECKOUT, "10.96.0.10:53/UDP", None),
        (LOADGEN, "10.96.10.8:6379/TCP", "policy_ingress"),
        (CART, "10.96.10.8:6379/TCP", None),
        ("192.0.2.7", "10.244.1.10:8080/TCP", "policy_ingress"),
        ("198.51.100.7", "10.244.1.10:8080/TCP", None),
        ("198.51.100.7", "10.244.1.10:22/TCP", "policy_ingress"),
        ("10.244.3.30", "10.244.1.12:9102/TCP", None),
        ("10.244.3.30", "10.244.1.12:9111/TCP", "policy_ingress"),
    ],
)
def test_the_shops_policies(client: str, service: str, drop: str | None) -> None:
    assert ask(f"{client}:40000", service).drop == drop


@pytest.mark.parametrize(
    ("service", "via", "port"),
    [
        ("10.96.10.6:443/TCP", "to_pod", 5),  # internalTrafficPolicy: Local
        ("10.96.10.7:5000/UDP", "to_tunnel", 0),
        ("10.96.0.1:443/TCP", "to_next_hop", 0),  # the API server on another node's own address
        ("8.8.8.8:53/UDP", "to_next_hop", 0),
        ("192.168.10.11:22/TCP", "to_host", 15),
        ("10.244.1.99:80/TCP", "to_host", 15),  # no such pod: not out and back through a peer's tunnel
    ],
)
def test_the_route(service: str, via: str, port: int) -> None:
    verdict = ask(f"{LOADGEN}:40000", service)
    assert (verdict.via, verdict.out_port) == (via, port)


def test_node_port_and_load_balancer_addresses_lead_to_the_same_service() -> None:
    for service in ("203.0.113.10:80/TCP", "192.168.10.11:30080/TCP", "10.96.10.1:80/TCP"):
        assert ask("198.51.100.7:40000", service).service == "shop/frontend:http"


def test_hairpin_shows_the_vip_as_source() -> None:
    ports = range(1000, 1100)
    verdicts = [ask(f"10.244.1.12:{port}", "10.96.10.4:8080/TCP") for port in ports]
    assert {verdict.new_src for verdict in verdicts} == {ip("10.96.10.4")}
    assert all(verdict.drop is None for verdict in verdicts)


def test_a_live_pin_wins_over_the_hash() -> None:
    flow = parse_flow(f"{LOADGEN}:40000", "10.96.10.3:80/TCP")
    pin = Flow(flow, 1, flow.src, ip("10.244.3.12"), 40000, 8080, 7)
    verdict = where(PLAN, NODE, Target.PNA, flow, [pin])
    assert verdict.endpoint == (ip("10.244.3.12"), 8080)
    assert verdict.pinned is pin


def test_the_text_of_a_verdict() -> None:
    assert ask(f"{CHECKOUT}:4000", "10.96.10.3:80/TCP").text() == "\n".join(
        [
            "10.244.1.13:4000 -> 10.96.10.3:80/TCP",
            "  service   shop/catalog:http, id 7, 3 endpoints",
            "  hash      0xbddc, CRC32C over little-endian fields",
            "  bucket    476 of 512 in maglev_bucket: endpoint id 15",
            "  endpoint  10.244.2.12:8080, pod shop/catalog-1",
            "  route     10.244.2.0/24: node-b through VXLAN 4096 to 192.168.10.12, port 0",
            "  egress    denied; the pod is selected by shop/checkout-egress (policy id 1)",
            "  verdict   dropped, reason policy_egress: no rule lets the client reach 10.244.2.12:8080",
        ]
    )


@pytest.mark.parametrize(
    ("client", "service", "golden"),
    [
        ("1.2.3.4", "5.6.7.8:80/TCP", "'1.2.3.4' has no port from 1 to 65535; write CLIENT:PORT"),
        ("1.2.3.4:0", "5.6.7.8:80/TCP", "'1.2.3.4:0' has no port from 1 to 65535; write CLIENT:PORT"),
        ("1.2.3:1", "5.6.7.8:80/TCP", "'1.2.3' is not an IPv4 address; write CLIENT:PORT"),
        (
            "1.2.3.4:1",
            "5.6.7.8:80",
            "'5.6.7.8:80' names no protocol lbctl balances; write VIP:PORT/TCP or VIP:PORT/UDP",
        ),
    ],
)
def test_a_flow_that_cannot_be_read(client: str, service: str, golden: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flow(client, service)
    assert str(caught.value) == golden
