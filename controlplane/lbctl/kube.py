"""Manifests as `kubectl get -o yaml` prints them to a `model.Cluster`.

In: files or folders of YAML (several documents, `kind: List`). Out: a Cluster whose objects fit together,
with warnings for what is valid Kubernetes and not balanced here (IPv6, SCTP). Called by `__main__`, the
suites, tests.

`managedFields` and `status` are ignored, except what only status knows: a pod's podIP and phase, a node's
addresses, a load balancer's ingress IPs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lbctl.crosscheck import check_cluster
from lbctl.kube_policy import read_policy
from lbctl.model import (
    Cluster,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Name,
    Node,
    Pod,
    Policy,
    Protocol,
    Service,
    ServicePort,
)
from lbctl.yamlread import (
    Document,
    boolean,
    choice,
    ipv4,
    ipv4_cidr,
    is_ipv6,
    labels,
    mapping,
    number,
    optional_text,
    read_documents,
    sequence,
    text,
)

KINDS = ("Service", "EndpointSlice", "Pod", "Node", "Namespace", "NetworkPolicy")
_API_GROUPS = {"EndpointSlice": "discovery.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1"}
_SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_WEIGHT = "lbctl/weight"


def load_manifests(paths: Sequence[Path | str]) -> Cluster:
    """Read and cross-check manifests. Raises ManifestError with one sentence for the first thing that is
    wrong.
    """
    return build_cluster(read_documents([Path(path) for path in paths]))


def build_cluster(documents: Sequence[Document]) -> Cluster:
    """Turn documents into a Cluster and check that they fit together."""
    warnings: list[str] = []
    found: dict[str, dict[Name, tuple[Document, Any]]] = {kind: {} for kind in KINDS}
    readers: dict[str, Callable[[Document, list[str]], Any]] = {
        "Service": _service,
        "EndpointSlice": _slice,
        "Pod": _pod,
        "Node": _node,
        "Namespace": lambda document, _: _metadata_labels(document),
        "NetworkPolicy": read_policy,
    }
    for document in documents:
        if document.kind == "NodeConfig":
            continue  # a node file may lie in the same folder; `nodefile` reads it
        _check_header(document)
        key = Name("" if document.kind in ("Node", "Namespace") else document.namespace, document.name)
        if key in found[document.kind]:
            first = found[document.kind][key][0]
            document.fail(f"was already given at {first.place}; keep one of the two")
        found[document.kind][key] = (document, readers[document.kind](document, warnings))
    check_cluster(found)
    return _assemble(found, warnings)


def _check_header(document: Document) -> None:
    if document.kind not in KINDS:
        document.fail(
            f"{document.kind} is a kind lbctl does not read (it reads {', '.join(KINDS)}); remove it"
        )
    if document.name == "?":
        document.fail("metadata.name is missing; write a name")
    wanted = _API_GROUPS.get(document.kind, "v1")
    version = document.body.get("apiVersion", wanted)
    if version != wanted:
        document.fail(f"apiVersion is {version!r}, not {wanted}; convert it with `kubectl get -o yaml`")


def _assemble(found: dict[str, dict[Name, tuple[Document, Any]]], warnings: list[str]) -> Cluster:
    def objects(kind: str) -> list[Any]:
        # Sorted by name: neither the order of files nor of items may change what is programmed.
        return [value for _, (_, value) in sorted(found[kind].items()) if value is not None]

    pods: list[Pod] = objects("Pod")
    policies: list[Policy] = objects("NetworkPolicy")
    weights = {pod.name: pod.weight for pod in pods}
    slices = tuple(
        replace(
            piece,
            endpoints=tuple(
                replace(endpoint, weight=weights.get(endpoint.pod, 1)) if endpoint.pod else endpoint
                for endpoint in piece.endpoints
            ),
        )
        for piece in objects("EndpointSlice")
    )
    return Cluster(
        services=tuple(objects("Service")),
        slices=slices,
        pods=tuple(pods),
        nodes=tuple(objects("Node")),
        namespaces={name.name: value for name, (_, value) in sorted(found["Namespace"].items())},
        policies=tuple(policies),
        warnings=tuple(warnings),
    )


def _metadata_labels(document: Document) -> dict[str, str]:
    return labels(
        document, mapping(document, document.body["metadata"], "metadata").get("labels"), "metadata.labels"
    )


def _v4_only(document: Document, values: list[Any], field: str, warnings: list[str]) -> tuple[int, ...]:
    addresses = []
    for i, value in enumerate(values):
        if is_ipv6(value):
            warnings.append(f"{document.place}: {field} {value} is IPv6, which is not balanced; skipped")
        else:
            addresses.append(ipv4(document, value, f"{field}[{i}]"))
    return tuple(addresses)


_AFFINITY_SECONDS = 10_800
"""What Kubernetes writes where nobody chose a time."""


def _tell_of_timeout(document: Document, spec: Mapping[str, Any], warnings: list[str]) -> None:
    """Affinity comes of the hash here, not of a memory of clients that could forget them."""
    field = "spec.sessionAffinityConfig"
    config = mapping(document, spec.get("sessionAffinityConfig"), field)
    client = mapping(document, config.get("clientIP"), f"{field}.clientIP")
    if "timeoutSeconds" not in client:
        return
    place = f"{field}.clientIP.timeoutSeconds"
    seconds = number(document, client["timeoutSeconds"], place, 1, 86_400)
    if spec.get("sessionAffinity") == "ClientIP" and seconds != _AFFINITY_SECONDS:
        warnings.append(
            f"{document.place}: {place} {seconds} is not used; affinity lasts as long as the endpoints do"
        )


def _service(document: Document, warnings: list[str]) -> Service:
    spec = mapping(document, document.body.get("spec"), "spec")
    kind = choice(document, spec.get("type"), "spec.type", _SERVICE_TYPES, "ClusterIP")
    cluster_ips = sequence(document, spec.get("clusterIPs"), "spec.clusterIPs")
    if not cluster_ips and spec.get("clusterIP"):
        cluster_ips = [spec["clusterIP"]]
    headless = cluster_ips == ["None"]
    if not cluster_ips and kind != "ExternalName":
        document.fail(
            "spec.clusterIP is missing; apply the Service to a cluster and take `kubectl get -o yaml`"
        )
    status = mapping(
        document,
        mapping(document, document.body.get("status"), "status").get("loadBalancer"),
        "status.loadBalancer",
    )
    ingress = [
        mapping(document, item, f"status.loadBalancer.ingress[{i}]").get("ip")
        for i, item in enumerate(sequence(document, status.get("ingress"), "status.loadBalancer.ingress"))
    ]
    policies = ("Cluster", "Local")
    affinity = choice(
        document, spec.get("sessionAffinity"), "spec.sessionAffinity", ("None", "ClientIP"), "None"
    )
    _tell_of_timeout(document, spec, warnings)
    internal = choice(
        document, spec.get("internalTrafficPolicy"), "spec.internalTrafficPolicy", policies, "Cluster"
    )
    external = choice(
        document, spec.get("externalTrafficPolicy"), "spec.externalTrafficPolicy", policies, "Cluster"
    )
    return Service(
        name=Name(document.namespace, document.name),
        kind=kind,
        cluster_ips=() if headless else _v4_only(document, cluster_ips, "spec.clusterIPs", warnings),
        ports=_service_ports(document, spec, warnings),
        external_ips=_v4_only(
            document,
            sequence(document, spec.get("externalIPs"), "spec.externalIPs"),
            "spec.externalIPs",
            warnings,
        ),
        load_balancer_ips=_v4_only(
            document, [ip for ip in ingress if ip is not None], "status.loadBalancer.ingress", warnings
        ),
        client_ip_affinity=affinity == "ClientIP",
        internal_local=internal == "Local",
        external_local=external == "Local",
        publish_not_ready=boolean(
            document, spec.get("publishNotReadyAddresses"), "spec.publishNotReadyAddresses", False
        ),
        headless=headless,
        selector=labels(document, spec.get("selector"), "spec.selector"),
    )


def _service_ports(document: Document, spec: Any, warnings: list[str]) -> tuple[ServicePort, ...]:
    ports = []
    for i, item in enumerate(sequence(document, spec.get("ports"), "spec.ports")):
        field = f"spec.ports[{i}]"
        body = mapping(document, item, field)
        protocol = choice(document, body.get("protocol"), f"{field}.protocol", _PROTOCOLS, "TCP")
        port = number(document, body.get("port"), f"{field}.port", 1, 65535)
        node_port = body.get("nodePort")
        if node_port is not None:
            node_port = number(document, node_port, f"{field}.nodePort", 1, 65535)
        target = body.get("targetPort", port)
        if not isinstance(target, str):
            target = number(document, target, f"{field}.targetPort", 1, 65535)
        if protocol == "SCTP":
            warnings.append(f"{document.place}: {field} is SCTP, which is not balanced; skipped")
            continue
        name = optional_text(document, body.get("name"), f"{field}.name") or ""
        ports.append(ServicePort(name, Protocol[protocol], port, target, node_port))
    return tuple(ports)


def _slice(document: Document, warnings: list[str]) -> EndpointSlice | None:
    service = _metadata_labels(document).get("kubernetes.io/service-name")
    if not service:
        document.fail("has no label kubernetes.io/service-name; add it, or remove the EndpointSlice")
    if document.body.get("addressType", "IPv4") != "IPv4":
        warnings.append(f"{document.place}: addressType is {document.body['addressType']}, not IPv4; skipped")
        return None
    endpoints = [
        endpoint
        for i, item in enumerate(sequence(document, document.body.get("endpoints"), "endpoints"))
        for endpoint in _endpoints(document, item, f"endpoints[{i}]")
    ]
    return EndpointSlice(
        Name(document.namespace, document.name),
        Name(document.namespace, service),
        _endpoint_ports(document, warnings),
        tuple(endpoints),
    )


def _endpoint_ports(document: Document, warnings: list[str]) -> tuple[EndpointPort, ...]:
    ports = []
    for i, item in enumerate(sequence(document, document.body.get("ports"), "ports")):
        body = mapping(document, item, f"ports[{i}]")
        protocol = choice(document, body.get("protocol"), f"ports[{i}].protocol", _PROTOCOLS, "TCP")
        if protocol == "SCTP":
            warnings.append(f"{document.place}: ports[{i}] is SCTP, which is not balanced; skipped")
            continue
        ports.append(
            EndpointPort(
                optional_text(document, body.get("name"), f"ports[{i}].name") or "",
                Protocol[protocol],
                number(document, body.get("port"), f"ports[{i}].port", 1, 65535),
            )
        )
    return tuple(ports)


def _endpoints(document: Document, item: Any, field: str) -> list[Endpoint]:
    body = mapping(document, item, field)
    conditions = mapping(document, body.get("conditions"), f"{field}.conditions")
    # The API's reading of unset conditions: ready unless said, serving as ready, terminating only if said.
    ready = boolean(document, conditions.get("ready"), f"{field}.conditions.ready", True)
    serving = boolean(document, conditions.get("serving"), f"{field}.conditions.serving", ready)
    terminating = boolean(document, conditions.get("terminating"), f"{field}.conditions.terminating", False)
    reference = mapping(document, body.get("targetRef"), f"{field}.targetRef")
    pod = None
    if reference.get("kind") == "Pod":
        pod = Name(
            optional_text(document, reference.get("namespace"), f"{field}.targetRef.namespace")
            or document.namespace,
            text(document, reference.get("name"), f"{field}.targetRef.name"),
        )
    node = optional_text(document, body.get("nodeName"), f"{field}.nodeName")
    addresses = sequence(document, body.get("addresses"), f"{field}.addresses")
    if not addresses:
        document.fail(f"{field}.addresses is empty; write the endpoint's address, or remove the endpoint")
    # Addresses of one endpoint are fungible; consumers use the first (discovery.k8s.io/v1).
    return [
        Endpoint(
            ipv4(document, addresses[0], f"{field}.addresses[0]"), ready, serving, terminating, node, pod
        )
    ]


def _pod(document: Document, warnings: list[str]) -> Pod:
    spec = mapping(document, document.body.get("spec"), "spec")
    status = mapping(document, document.body.get("status"), "status")
    ip = status.get("podIP")
    finished = status.get("phase") in ("Succeeded", "Failed")
    if is_ipv6(ip):
        warnings.append(f"{document.place}: status.podIP {ip} is IPv6, which is not balanced; skipped")
        ip = None
    annotations = labels(document, document.body["metadata"].get("annotations"), "metadata.annotations")
    weight = annotations.get(_WEIGHT, "1")
    if not weight.isdecimal() or not 1 <= int(weight) <= 1000:
        document.fail(f"annotation {_WEIGHT} is {weight!r}; write a number from 1 to 1000")
    return Pod(
        name=Name(document.namespace, document.name),
        # The address of a pod that has finished may already belong to another.
        ip=None if ip is None or finished else ipv4(document, ip, "status.podIP"),
        labels=_metadata_labels(document),
        node=optional_text(document, spec.get("nodeName"), "spec.nodeName"),
        host_network=boolean(document, spec.get("hostNetwork"), "spec.hostNetwork", False),
        ports=_container_ports(document, spec),
        weight=int(weight),
    )


def _container_ports(document: Document, spec: Any) -> tuple[EndpointPort, ...]:
    ports = []
    for i, container in enumerate(sequence(document, spec.get("containers"), "spec.containers")):
        field = f"spec.containers[{i}].ports"
        body = mapping(document, container, f"spec.containers[{i}]")
        for j, item in enumerate(sequence(document, body.get("ports"), field)):
            port = mapping(document, item, f"{field}[{j}]")
            protocol = choice(document, port.get("protocol"), f"{field}[{j}].protocol", _PROTOCOLS, "TCP")
            value = number(document, port.get("containerPort"), f"{field}[{j}].containerPort", 1, 65535)
            name = optional_text(document, port.get("name"), f"{field}[{j}].name")
            if name and protocol != "SCTP":
                ports.append(EndpointPort(name, Protocol[protocol], value))
    return tuple(ports)


def _node(document: Document, warnings: list[str]) -> Node:
    spec = mapping(document, document.body.get("spec"), "spec")
    status = mapping(document, document.body.get("status"), "status")
    addresses = []
    for i, item in enumerate(sequence(document, status.get("addresses"), "status.addresses")):
        body = mapping(document, item, f"status.addresses[{i}]")
        if body.get("type") == "InternalIP":
            addresses.append(body.get("address"))
    cidrs = sequence(document, spec.get("podCIDRs"), "spec.podCIDRs")
    if not cidrs and spec.get("podCIDR"):
        cidrs = [spec["podCIDR"]]
    return Node(
        document.name,
        _v4_only(document, addresses, "status.addresses", warnings),
        tuple(ipv4_cidr(document, cidr, "spec.podCIDRs") for cidr in cidrs if not is_ipv6(cidr)),
    )
