"""Where would this flow go, and why: the data plane's decisions, taken on the planned entries.

In: a Plan, a target (they hash differently) and a 5-tuple. Out: a Verdict. Called by `lbctl where`,
`controller` and the suites, which use it as the oracle. It looks things up in the entries themselves, not in
the model, so a wrong plan shows here as it would on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lbctl.backends import Vip, vip_text
from lbctl.entries import BUCKETS, Entry, Flow, Key, MatchValue
from lbctl.hashing import FiveTuple, Target, flow_hash
from lbctl.model import Name, NodeConfig, cidr_text, ip_text, prefix_mask
from lbctl.plan import Plan
from lbctl.policy import Direction

_HASH_NAMES = {
    Target.PNA: "CRC32C over little-endian fields",
    Target.V1MODEL: "CRC-32 over big-endian fields",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fate of a flow's first packet. `drop` is a name of pipeline/drop_reasons.json, or None:
    delivered.
    """

    flow: FiveTuple
    target: Target
    reasons: tuple[str, ...]
    drop: str | None = None
    service: str | None = None
    service_id: int = 0
    hash: int | None = None
    bucket: int | None = None
    table_size: int = 0
    endpoint: tuple[int, int] | None = None
    pod: Name | None = None
    new_src: int = 0
    egress_allowed: bool = True
    ingress_allowed: bool = True
    out_port: int | None = None
    via: str | None = None  # action of the route
    pinned: Flow | None = None

    def text(self) -> str:
        """A few lines for people."""
        flow = self.flow
        vip = vip_text(Vip(flow.dst, flow.proto, flow.dport))
        lines = [f"{ip_text(flow.src)}:{flow.sport} -> {vip}", *(f"  {reason}" for reason in self.reasons)]
        return "\n".join(lines)


class _Steps:
    """Collects what is known on the way to a Verdict."""

    def __init__(self, flow: FiveTuple, target: Target) -> None:
        self.verdict = Verdict(flow, target, ())
        self.reasons: list[str] = []

    def say(self, label: str, text: str) -> None:
        self.reasons.append(f"{label:<9} {text}")

    def dropped(self, reason: str, text: str) -> Verdict:
        self.say("verdict", f"dropped, reason {reason}: {text}")
        return replace(self.verdict, drop=reason, reasons=tuple(self.reasons))


def where(
    plan: Plan, node: NodeConfig, target: Target, flow: FiveTuple, live: Iterable[Flow] = ()
) -> Verdict:
    """Follow `flow` through the planned tables; `live` flows of the switch, if given, show an existing
    pin.
    """
    table = {entry.key: entry for entry in plan.entries}
    steps = _Steps(flow, target)
    destination, dport = flow.dst, flow.dport
    pin = next((entry for entry in live if entry.key == flow), None)
    vip = table.get(Key("service_vip", (flow.dst, flow.proto, flow.dport)))
    if vip is None:
        steps.say("service", "none: the destination is not a VIP, the flow is tracked as it is")
        steps.verdict = replace(steps.verdict, endpoint=(destination, dport), new_src=flow.src)
    else:
        stopped = _balance(plan, table, vip, steps)
        if stopped is not None:
            return stopped
        assert steps.verdict.endpoint is not None
        destination, dport = steps.verdict.endpoint
    if pin is not None:
        destination, dport = pin.new_dst, pin.new_dport
        steps.say("pinned", f"a live flow entry keeps it on {ip_text(destination)}:{dport}")
        steps.verdict = replace(steps.verdict, pinned=pin, endpoint=(destination, dport))
    route = _longest(plan, destination)
    if route is None or route.action == "drop_no_route":
        return steps.dropped("no_route", f"no route to {ip_text(destination)}")
    steps.say("route", _route_text(route, node))
    steps.verdict = replace(
        steps.verdict, via=route.action, out_port=route.param("port") if route.params else None
    )
    return _policies(plan, steps, route, destination, dport)


def _balance(plan: Plan, table: dict[Key, Entry], vip: Entry, steps: _Steps) -> Verdict | None:
    flow, target = steps.verdict.flow, steps.verdict.target
    planned = plan.vips()[Vip(flow.dst, flow.proto, flow.dport)]
    label = planned.backend.label
    steps.verdict = replace(steps.verdict, service=label)
    if vip.action == "drop_no_endpoints":
        return steps.dropped("no_endpoints", f"service {label} has no ready endpoint")
    service_id, mask, affinity = vip.params
    steps.say("service", f"{label}, id {service_id}, {len(planned.backend.destinations)} endpoints")
    value = flow_hash(flow, target, bool(affinity))
    bucket = value & mask
    ports = ", ports left out (ClientIP affinity)" if affinity else ""
    steps.say("hash", f"{value:#06x}, {_HASH_NAMES[target]}{ports}")
    endpoint_id = plan.buckets[service_id][bucket]
    entry = table[Key("endpoint", (endpoint_id,))]
    ip, port = entry.params
    pod = next((d.pod for d in planned.backend.destinations if (d.ip, d.port) == (ip, port)), None)
    steps.say("bucket", f"{bucket} of {mask + 1} in {BUCKETS}: endpoint id {endpoint_id}")
    steps.say("endpoint", f"{ip_text(ip)}:{port}{f', pod {pod}' if pod else ''}")
    hairpin = ip == flow.src
    if hairpin:
        steps.say("hairpin", "the endpoint is the client itself: the source becomes the VIP")
    steps.verdict = replace(
        steps.verdict,
        service_id=service_id,
        hash=value,
        bucket=bucket,
        table_size=mask + 1,
        endpoint=(ip, port),
        pod=pod,
        new_src=flow.dst if hairpin else flow.src,
    )
    return None


def _policies(plan: Plan, steps: _Steps, route: Entry, destination: int, dport: int) -> Verdict:
    flow = steps.verdict.flow
    proto_port = (flow.proto, dport)
    egress = 0
    for entry in plan.entries:
        if entry.action == "pod_port" and entry.param("pod_ip") == flow.src:
            egress = entry.param("egress_policy")
    allowed = _judge(plan, steps, Direction.EGRESS, egress, flow.src, destination, proto_port)
    steps.verdict = replace(steps.verdict, egress_allowed=allowed)
    if not allowed:
        return steps.dropped("policy_egress", f"no rule lets the client reach {ip_text(destination)}:{dport}")
    ingress = route.param("ingress_policy") if route.action == "to_pod" else 0
    if route.action == "to_tunnel":
        steps.say("ingress", "judged by the pod's own node")
    else:
        allowed = _judge(plan, steps, Direction.INGRESS, ingress, destination, flow.src, proto_port)
        steps.verdict = replace(steps.verdict, ingress_allowed=allowed)
        if not allowed:
            return steps.dropped("policy_ingress", f"no rule lets {ip_text(flow.src)} reach port {dport}")
    steps.say("verdict", f"delivered to {ip_text(destination)}:{dport}")
    return replace(steps.verdict, reasons=tuple(steps.reasons))


def _judge(
    plan: Plan,
    steps: _Steps,
    direction: Direction,
    number: int,
    pod_ip: int,
    remote: int,
    proto_port: tuple[int, int],
) -> bool:
    label = direction.value
    if not number:
        steps.say(label, "allowed: no policy selects the pod" if _is_local(plan, pod_ip) else "no local pod")
        return True
    names = ", ".join(str(name) for name in plan.policies.get((pod_ip, direction), ()))
    proto, dport = proto_port
    hit = next(
        (
            entry
            for entry in plan.entries
            if entry.key.table == f"policy_{label}"
            and entry.key.match[0] == number
            and _ternary(entry.key.match[1], remote)
            and _ternary(entry.key.match[2], proto)
            and _ternary(entry.key.match[3], dport)
        ),
        None,
    )
    steps.say(label, f"{'allowed' if hit else 'denied'}; the pod is selected by {names} (policy id {number})")
    return hit is not None


def _is_local(plan: Plan, ip: int) -> bool:
    return any(local.ip == ip for local in plan.pods)


def _ternary(field: MatchValue, value: int) -> bool:
    match field:
        case None:
            return True
        case int():
            return field == value
        case (wanted, mask):
            return value & mask == wanted


def _longest(plan: Plan, address: int) -> Entry | None:
    best: tuple[int, Entry] | None = None
    for entry in plan.entries:
        if entry.key.table != "route":
            continue
        field = entry.key.match[0]
        network, length = field if isinstance(field, tuple) else (0, 0)
        if address & prefix_mask(length) == network and (best is None or length > best[0]):
            best = (length, entry)
    return None if best is None else best[1]


def _route_text(route: Entry, node: NodeConfig) -> str:
    field = route.key.match[0]
    prefix = cidr_text(field if isinstance(field, tuple) else (0, 0))
    port = route.param("port")
    match route.action:
        case "to_pod":
            return f"{prefix}: local pod on port {port}"
        case "to_host":
            return f"{prefix}: this node, port {port}"
        case "to_tunnel":
            vtep = route.param("remote_vtep")
            peer = next((peer.node for peer in node.peers if peer.vtep_ip == vtep), "a peer")
            return f"{prefix}: {peer} through VXLAN {route.param('vni')} to {ip_text(vtep)}, port {port}"
        case _:
            return f"{prefix}: next hop, port {port}"
