"""What only shows when the objects are seen together: dangling references and addresses claimed twice.

In: documents with the objects read from them, by kind and name. Out: nothing, or one ManifestError.
Called by `kube` once everything is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbctl.model import EndpointSlice, Name, Pod, Protocol, Service, ServicePort, ip_text
from lbctl.yamlread import Document

Found = Mapping[str, Mapping[Name, tuple[Document, Any]]]


def check_cluster(found: Found) -> None:
    """Raise ManifestError for the first object that does not fit the others."""
    _check_slices(found)
    _check_named_ports(found)
    _check_vips(found)
    _check_pod_ips(found)


def _check_slices(found: Found) -> None:
    services = found["Service"]
    for document, value in found["EndpointSlice"].values():
        if value is None:
            continue
        piece: EndpointSlice = value
        if piece.service not in services:
            document.fail(
                f"belongs to Service {piece.service}, which is not given; add the Service or remove the slice"
            )
        service: Service = services[piece.service][1]
        unnamed = [port for port in service.ports if not _slice_has(piece, port)]
        if (
            piece.endpoints
            and piece.ports
            and unnamed
            and not any(
                _slice_has(other, unnamed[0])
                for _, other in found["EndpointSlice"].values()
                if other is not None and other.service == piece.service
            )
        ):
            port = unnamed[0]
            document.fail(
                f"has no port for port {port.name or port.port}/{port.protocol.name} "
                f"of Service {piece.service}; "
                "add it to `ports` under the Service port's name"
            )


def _slice_has(piece: EndpointSlice, port: ServicePort) -> bool:
    return any(mine.name == port.name and mine.protocol is port.protocol for mine in piece.ports)


def _check_named_ports(found: Found) -> None:
    pods: list[Pod] = [pod for _, pod in found["Pod"].values()]
    for document, value in found["Service"].values():
        service: Service = value
        if not service.selector:
            continue
        selected = [
            pod
            for pod in pods
            if pod.name.namespace == service.name.namespace
            and all(pod.labels.get(key) == wanted for key, wanted in service.selector.items())
        ]
        for port in service.ports:
            if not isinstance(port.target_port, str) or not selected:
                continue
            if not any(
                mine.name == port.target_port and mine.protocol is port.protocol
                for pod in selected
                for mine in pod.ports
            ):
                document.fail(
                    f"targetPort {port.target_port!r} ({port.protocol.name}) names no container port of the "
                    f"{len(selected)} selected pods (such as {selected[0].name}); "
                    "name one, or write the number"
                )


def _check_vips(found: Found) -> None:
    claimed: dict[tuple[int, Protocol, int], Document] = {}
    node_ports: dict[tuple[Protocol, int], Document] = {}
    for document, value in found["Service"].values():
        service: Service = value
        addresses = dict.fromkeys((*service.cluster_ips, *service.external_ips, *service.load_balancer_ips))
        for port in service.ports:
            for address in addresses:
                first = claimed.setdefault((address, port.protocol, port.port), document)
                if first is not document or _repeats(service, port):
                    document.fail(
                        f"{ip_text(address)}:{port.port}/{port.protocol.name} is already taken by "
                        f"{first.place}; change one of the addresses or ports"
                    )
            if port.node_port is not None:
                first = node_ports.setdefault((port.protocol, port.node_port), document)
                if first is not document:
                    document.fail(
                        f"nodePort {port.node_port}/{port.protocol.name} is already taken by {first.place}; "
                        "change one of the two"
                    )


def _repeats(service: Service, port: ServicePort) -> bool:
    return sum(1 for other in service.ports if (other.protocol, other.port) == (port.protocol, port.port)) > 1


def _check_pod_ips(found: Found) -> None:
    owners: dict[int, Document] = {}
    for document, value in found["Pod"].values():
        pod: Pod = value
        if pod.ip is None or pod.host_network:
            continue
        first = owners.setdefault(pod.ip, document)
        if first is not document:
            document.fail(
                f"status.podIP {ip_text(pod.ip)} is also that of {first.place}; correct one of the two"
            )
