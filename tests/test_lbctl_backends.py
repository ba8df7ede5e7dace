"""Which endpoints serve which VIP: kube-proxy's rules, case by case."""

from __future__ import annotations

from dataclasses import replace

from lbctl_fixtures import cluster, endpoints, ip, service

from lbctl.backends import Backend, Vip, backends
from lbctl.model import Cluster, Endpoint, EndpointPort, Name, Protocol, ServicePort

TCP = Protocol.TCP
NODE_IPS = [ip("192.168.0.1")]


def found(objects: Cluster) -> list[Backend]:
    return backends(objects, "node-a", NODE_IPS)


def addresses(backend: Backend) -> list[int]:
    return [destination.ip for destination in backend.destinations]


def test_only_ready_endpoints_serve() -> None:
    items = [*endpoints("10.1.0.1"), Endpoint(ip("10.1.0.2"), ready=False, serving=False)]
    assert addresses(found(cluster(service("s", "10.96.0.1", items)))[0]) == [ip("10.1.0.1")]


def test_terminating_endpoints_serve_only_when_nothing_else_does() -> None:
    going = Endpoint(ip("10.1.0.2"), ready=False, serving=True, terminating=True)
    assert addresses(found(cluster(service("s", "10.96.0.1", [*endpoints("10.1.0.1"), going])))[0]) == [
        ip("10.1.0.1")
    ]
    assert addresses(found(cluster(service("s", "10.96.0.1", [going])))[0]) == [ip("10.1.0.2")]


def test_publish_not_ready_addresses_takes_all() -> None:
    items = [
        Endpoint(ip("10.1.0.2"), ready=False, serving=False),
        Endpoint(ip("10.1.0.3"), False, False, True),
    ]
    assert len(found(cluster(service("s", "10.96.0.1", items, publish_not_ready=True)))[0].destinations) == 2


def test_an_endpoint_in_two_slices_counts_once() -> None:
    one, piece = service("s", "10.96.0.1", endpoints("10.1.0.1"))
    twice = Cluster(services=(one,), slices=(piece, replace(piece, name=Name("default", "s-2"))))
    assert len(found(twice)[0].destinations) == 1


def test_headless_and_external_name_services_have_no_vip() -> None:
    headless = service("h", "10.96.0.1", endpoints("10.1.0.1"), headless=True, cluster_ips=())
    external = service("e", "10.96.0.2", [], kind="ExternalName", cluster_ips=())
    assert found(cluster(headless, external)) == []


def test_two_target_ports_on_one_pod_are_two_backends() -> None:
    """C6: endpoints keyed by address alone overwrite each other."""
    one, piece = service("s", "10.96.0.1", endpoints("10.1.0.1"))
    one = replace(one, ports=(*one.ports, ServicePort("q", TCP, 81, 9090)))
    piece = replace(piece, ports=(*piece.ports, EndpointPort("q", TCP, 9090)))
    both = found(Cluster(services=(one,), slices=(piece,)))
    assert [(b.vips[0].port, b.destinations[0].port) for b in both] == [(80, 8080), (81, 9090)]


def test_one_port_number_with_two_protocols() -> None:
    one, piece = service("dns", "10.96.0.10", endpoints("10.1.0.1"), port=53, target=53)
    one = replace(one, ports=(*one.ports, ServicePort("u", Protocol.UDP, 53, 53)))
    piece = replace(piece, ports=(*piece.ports, EndpointPort("u", Protocol.UDP, 53)))
    vips = [b.vips[0] for b in found(Cluster(services=(one,), slices=(piece,)))]
    assert vips == [Vip(ip("10.96.0.10"), 6, 53), Vip(ip("10.96.0.10"), 17, 53)]


def test_external_addresses_and_node_ports_share_the_backend() -> None:
    one, piece = service(
        "s",
        "10.96.0.1",
        endpoints("10.1.0.1"),
        external_ips=(ip("1.2.3.4"),),
        load_balancer_ips=(ip("5.6.7.8"),),
    )
    one = replace(one, ports=(replace(one.ports[0], node_port=30080),))
    (backend,) = found(Cluster(services=(one,), slices=(piece,)))
    assert {(vip.ip, vip.port) for vip in backend.vips} == {
        (ip("10.96.0.1"), 80),
        (ip("1.2.3.4"), 80),
        (ip("5.6.7.8"), 80),
        (ip("192.168.0.1"), 30080),
    }


def test_external_traffic_policy_local_leaves_the_cluster_ip_alone() -> None:
    """C7: the filter was applied to ClusterIP and not to NodePort."""
    items = [*endpoints("10.1.0.1"), *endpoints("10.1.0.2", node="node-b")]
    one, piece = service("s", "10.96.0.1", items, external_local=True)
    one = replace(one, ports=(replace(one.ports[0], node_port=30080),))
    everywhere, local = found(Cluster(services=(one,), slices=(piece,)))
    assert (everywhere.scope, len(everywhere.destinations), everywhere.vips[0].port) == ("cluster", 2, 80)
    assert (local.scope, addresses(local), local.vips[0].port) == ("local", [ip("10.1.0.1")], 30080)


def test_internal_traffic_policy_local_falls_back_to_local_terminating_and_never_to_other_nodes() -> None:
    going = Endpoint(ip("10.1.0.3"), ready=False, serving=True, terminating=True, node="node-a")
    away = endpoints("10.1.0.2", node="node-b")
    assert addresses(found(cluster(service("s", "10.96.0.1", [*away, going], internal_local=True)))[0]) == [
        going.ip
    ]
    assert addresses(found(cluster(service("s", "10.96.0.1", away, internal_local=True)))[0]) == []
