"""NetworkPolicy documents to `model.Policy`.

In: a `yamlread.Document` of kind NetworkPolicy. Out: a Policy and sentences about what was skipped.
Called by `kube`. What is skipped (IPv6 blocks, SCTP ports) leaves an *empty* list behind, never "any".
"""

from __future__ import annotations

from typing import Any

from lbctl.model import (
    IpBlock,
    Name,
    Operator,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Protocol,
    Requirement,
    Selector,
)
from lbctl.yamlread import (
    Document,
    choice,
    ipv4_cidr,
    is_ipv6,
    labels,
    mapping,
    number,
    sequence,
    text,
)


def read_policy(document: Document, warnings: list[str]) -> Policy:
    """Read one NetworkPolicy (networking.k8s.io/v1). Raises ManifestError."""
    spec = mapping(document, document.body.get("spec"), "spec")
    types = [
        choice(document, item, f"spec.policyTypes[{i}]", ("Ingress", "Egress"), "Ingress")
        for i, item in enumerate(sequence(document, spec.get("policyTypes"), "spec.policyTypes"))
    ]
    if not types:
        # The API server's default: always Ingress, Egress when the policy has egress rules.
        types = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return Policy(
        name=Name(document.namespace, document.name),
        pods=read_selector(document, spec.get("podSelector"), "spec.podSelector"),
        ingress=_rules(document, spec, "ingress", "from", warnings) if "Ingress" in types else None,
        egress=_rules(document, spec, "egress", "to", warnings) if "Egress" in types else None,
    )


def read_selector(document: Document, value: Any, field: str) -> Selector:
    """Read a label selector (matchLabels and matchExpressions)."""
    body = mapping(document, value, field)
    unknown = sorted(set(body) - {"matchLabels", "matchExpressions"})
    if unknown:
        document.fail(f"{field} has the unknown field {unknown[0]!r}; write matchLabels or matchExpressions")
    requirements = [
        Requirement(key, Operator.IN, frozenset({wanted}))
        for key, wanted in labels(document, body.get("matchLabels"), f"{field}.matchLabels").items()
    ]
    for i, item in enumerate(sequence(document, body.get("matchExpressions"), f"{field}.matchExpressions")):
        requirements.append(_expression(document, item, f"{field}.matchExpressions[{i}]"))
    return Selector(tuple(requirements))


def _expression(document: Document, value: Any, field: str) -> Requirement:
    body = mapping(document, value, field)
    names = tuple(operator.value for operator in Operator)
    if body.get("operator") is None:
        document.fail(f"{field}.operator is missing; write one of {', '.join(names)}")
    operator = Operator(choice(document, body["operator"], f"{field}.operator", names, ""))
    values = frozenset(
        text(document, item, f"{field}.values[{i}]")
        for i, item in enumerate(sequence(document, body.get("values"), f"{field}.values"))
    )
    wants_values = operator in (Operator.IN, Operator.NOT_IN)
    if wants_values != bool(values):
        document.fail(
            f"{field}: operator {operator.value} {'needs' if wants_values else 'takes no'} values; "
            f"{'list at least one' if wants_values else 'remove them'}"
        )
    return Requirement(text(document, body.get("key"), f"{field}.key"), operator, values)


def _rules(
    document: Document, spec: Any, direction: str, peers_field: str, warnings: list[str]
) -> tuple[PolicyRule, ...]:
    rules = []
    for i, item in enumerate(sequence(document, spec.get(direction), f"spec.{direction}")):
        field = f"spec.{direction}[{i}]"
        body = mapping(document, item, field)
        unknown = sorted(set(body) - {peers_field, "ports"})
        if unknown:
            # `to` in an ingress rule would silently mean "from anywhere".
            document.fail(f"{field} has the unknown field {unknown[0]!r}; write {peers_field} or ports")
        rules.append(
            PolicyRule(
                _peers(document, body.get(peers_field), f"{field}.{peers_field}", warnings),
                _ports(document, body.get("ports"), f"{field}.ports", warnings),
            )
        )
    return tuple(rules)


def _peers(
    document: Document, value: Any, field: str, warnings: list[str]
) -> tuple[IpBlock | PodPeer, ...] | None:
    items = sequence(document, value, field)
    if not items:
        return None
    peers: list[IpBlock | PodPeer] = []
    for i, item in enumerate(items):
        body = mapping(document, item, f"{field}[{i}]")
        unknown = sorted(set(body) - {"ipBlock", "podSelector", "namespaceSelector"})
        if unknown or not body:
            document.fail(
                f"{field}[{i}] has {'the unknown field ' + repr(unknown[0]) if unknown else 'no field'}; "
                "write ipBlock, podSelector or namespaceSelector"
            )
        if "ipBlock" in body:
            if len(body) > 1:
                document.fail(f"{field}[{i}] mixes ipBlock with a selector; write them as two items")
            block = _ip_block(document, body["ipBlock"], f"{field}[{i}].ipBlock", warnings)
            if block is not None:
                peers.append(block)
            continue
        namespaces = body.get("namespaceSelector")
        peers.append(
            PodPeer(
                pods=read_selector(document, body.get("podSelector"), f"{field}[{i}].podSelector"),
                namespaces=None
                if namespaces is None
                else read_selector(document, namespaces, f"{field}[{i}].namespaceSelector"),
            )
        )
    return tuple(peers)


def _ip_block(document: Document, value: Any, field: str, warnings: list[str]) -> IpBlock | None:
    body = mapping(document, value, field)
    if is_ipv6(body.get("cidr")):
        warnings.append(f"{document.place}: {field} is IPv6 ({body['cidr']}), which is not balanced; skipped")
        return None
    cidr = ipv4_cidr(document, body.get("cidr"), f"{field}.cidr")
    excepts = tuple(
        ipv4_cidr(document, item, f"{field}.except[{i}]")
        for i, item in enumerate(sequence(document, body.get("except"), f"{field}.except"))
    )
    for i, (network, length) in enumerate(excepts):
        if length < cidr[1] or (network ^ cidr[0]) >> (32 - cidr[1]) != 0:
            document.fail(f"{field}.except[{i}] lies outside {body['cidr']}; write a CIDR within it")
    return IpBlock(cidr, excepts)


def _ports(document: Document, value: Any, field: str, warnings: list[str]) -> tuple[PolicyPort, ...] | None:
    items = sequence(document, value, field)
    if not items:
        return None
    ports = []
    for i, item in enumerate(items):
        body = mapping(document, item, f"{field}[{i}]")
        protocol = choice(
            document, body.get("protocol"), f"{field}[{i}].protocol", ("TCP", "UDP", "SCTP"), "TCP"
        )
        if protocol == "SCTP":
            warnings.append(f"{document.place}: {field}[{i}] is SCTP, which is not balanced; skipped")
            continue
        ports.append(_port(document, body, Protocol[protocol], f"{field}[{i}]"))
    return tuple(ports)


def _port(document: Document, body: Any, protocol: Protocol, field: str) -> PolicyPort:
    port, end = body.get("port"), body.get("endPort")
    if isinstance(port, str) and port:
        if end is not None:
            document.fail(f"{field}.endPort needs a numeric port, not {port!r}; write the range as numbers")
        return PolicyPort(protocol, port)
    if port is None:
        if end is not None:
            document.fail(f"{field}.endPort is {end!r} without a port; write the range's first port")
        return PolicyPort(protocol)
    low = number(document, port, f"{field}.port", 1, 65535)
    if end is None:
        return PolicyPort(protocol, low)
    high = number(document, end, f"{field}.endPort", 1, 65535)
    if high < low:
        document.fail(f"{field}.endPort is {high}, below port {low}; write them in order")
    return PolicyPort(protocol, low, high)
