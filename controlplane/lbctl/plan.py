"""Model to desired table entries: pure, deterministic, no clock, no I/O.

In: a Cluster, this node's NodeConfig, what the switch holds now, its limits. Out: a `Plan`.
Called by `controller` and `where`; `diff` compares the result with what is installed.

What is installed decides ids and nothing else: a VIP keeps its service id, an ip:port its endpoint id, a pod
its policy ids and a service its Maglev table size. So a restarted lbctl continues where the last one
stopped, without a file of its own. New ids are taken above the highest in use and an id that live flows
still carry is never given away, so a stale pin can never point into another service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lbctl.backends import Backend, Vip, backends
from lbctl.entries import Entry, Installed, Key
from lbctl.errors import PlanError
from lbctl.ids import IdAllocator
from lbctl.maglev import build_table
from lbctl.model import Cluster, Name, NodeConfig, Protocol, ip_text
from lbctl.nodeplan import LocalPod, local_pods, node_entries
from lbctl.policy import Allow, Direction, PolicyIndex
from lbctl.sizing import Limits, table_sizes

POLICY_PRIORITY = 100  # one for all: every rule allows, so they never compete


@dataclass(frozen=True, slots=True)
class PlannedService:
    """A Backend with what it became: id and table size are 0 while it has no endpoints."""

    backend: Backend
    service_id: int
    size: int

    @property
    def mask(self) -> int:
        """bucket_mask."""
        return self.size - 1 if self.size else 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Desired state. Buckets are kept apart (service id -> endpoint id per slot), there are so many of
    them.
    """

    entries: tuple[Entry, ...]
    buckets: Mapping[int, tuple[int, ...]]
    services: tuple[PlannedService, ...]
    pods: tuple[LocalPod, ...]
    policies: Mapping[tuple[int, Direction], tuple[Name, ...]]  # (pod ip, direction) -> what selects it
    warnings: tuple[str, ...] = ()

    def vips(self) -> dict[Vip, PlannedService]:
        """Which service answers on which VIP."""
        return {vip: planned for planned in self.services for vip in planned.backend.vips}


def make_plan(
    cluster: Cluster, node: NodeConfig, installed: Installed | None = None, limits: Limits | None = None
) -> Plan:
    """Plan everything. Raises PlanError when the objects contradict the node file or do not fit the
    target.
    """
    installed = installed or Installed()
    found = backends(cluster, node.name, node.node_ips)
    endpoint_ids = _endpoint_ids(found, installed)
    services, warnings = _services(found, installed, limits or Limits())
    buckets = {
        planned.service_id: _slots(planned, endpoint_ids) for planned in services if planned.service_id
    }
    pods, pod_warnings = local_pods(cluster, node)
    rows, policy_ids, selected = _policies(cluster, node, pods, installed)
    entries = (
        *rows,
        *(
            Entry(Key("endpoint", (number,)), "set_destination", address)
            for address, number in sorted(endpoint_ids.items())
        ),
        *node_entries(node, pods, policy_ids),
        *_reply_entries(found),
        *(entry for planned in services for entry in _vip_entries(planned)),
        *_fragment_entries(found, node),
    )
    said = (*cluster.warnings, *_unknown_node(cluster, node), *pod_warnings, *warnings)
    return Plan(entries, buckets, tuple(services), pods, selected, said)


def _unknown_node(cluster: Cluster, node: NodeConfig) -> tuple[str, ...]:
    """A misspelt name makes every endpoint a remote one: told where the cluster's nodes are given."""
    names = sorted(known.name for known in cluster.nodes)
    if not names or node.name in names:
        return ()
    return (f"node {node.name} of the node file is none of the cluster's: {', '.join(names)}",)


def _endpoint_ids(found: list[Backend], installed: Installed) -> dict[tuple[int, int], int]:
    """(ip, port) -> id; an address keeps its id, ids of others are not touched before they are deleted."""
    known: dict[tuple[int, ...], int] = {}
    used: set[int] = set()
    for key, entry in installed.entries.items():
        if key.table == "endpoint" and isinstance(key.match[0], int):
            known.setdefault(entry.params, key.match[0])
            used.add(key.match[0])
    allocate = IdAllocator("endpoint id", 0xFFFFFFFF, used)
    wanted = sorted({(d.ip, d.port) for backend in found for d in backend.destinations})
    return {address: known[address] if address in known else allocate.next() for address in wanted}


def _services(
    found: list[Backend], installed: Installed, limits: Limits
) -> tuple[list[PlannedService], list[str]]:
    before: dict[Vip, tuple[int, int]] = {}
    used = set(installed.buckets) | set(installed.flow_service_ids)
    for key, entry in installed.entries.items():
        if key.table == "service_vip" and entry.action == "set_service":
            service_id, mask, _ = entry.params
            before[_vip_of(key)] = (service_id, mask + 1)
            used.add(service_id)
    ids: list[int] = []
    sizes_before: list[int] = []
    claimed: set[int] = set()
    for backend in found:
        kept = [before[vip] for vip in backend.vips if vip in before and before[vip][0] not in claimed]
        service_id, size = kept[0] if kept and backend.destinations else (0, 0)
        claimed.add(service_id)
        ids.append(service_id)
        sizes_before.append(size)
    allocate = IdAllocator("service id", 0xFFFF, used)
    sizes, warnings = table_sizes(found, sizes_before, limits)
    planned = [
        PlannedService(backend, (service_id or allocate.next()) if backend.destinations else 0, size)
        for backend, service_id, size in zip(found, ids, sizes, strict=True)
    ]
    return planned, warnings


def _vip_of(key: Key) -> Vip:
    ip, proto, port = key.match
    if not isinstance(ip, int) or not isinstance(proto, int) or not isinstance(port, int):
        raise PlanError(f"the switch holds a service_vip entry with the key {key.match}, which is not exact")
    return Vip(ip, proto, port)


def _slots(planned: PlannedService, endpoint_ids: Mapping[tuple[int, int], int]) -> tuple[int, ...]:
    members = planned.backend.destinations
    table = build_table([(f"{ip_text(m.ip)}:{m.port}", m.weight) for m in members], planned.size)
    numbers = [endpoint_ids[m.ip, m.port] for m in members]
    return tuple([numbers[index] for index in table])


def _vip_entries(planned: PlannedService) -> Iterator[Entry]:
    for vip in planned.backend.vips:
        if planned.service_id:
            params = (planned.service_id, planned.mask, int(planned.backend.affinity))
            yield Entry(Key("service_vip", tuple(vip)), "set_service", params)
        else:
            yield Entry(Key("service_vip", tuple(vip)), "drop_no_endpoints")


def _fragment_entries(found: list[Backend], node: NodeConfig) -> Iterator[Entry]:
    """Port 0 stands for later fragments, which have no port; the node's own address also has other
    traffic.
    """
    own = set(node.node_ips)
    addresses = {(vip.ip, vip.proto) for backend in found for vip in backend.vips if vip.ip not in own}
    for address, proto in sorted(addresses):
        yield Entry(Key("service_vip", (address, proto, 0)), "drop_fragment")


def _reply_entries(found: list[Backend]) -> Iterator[Entry]:
    """TCP endpoints that belong to one VIP only: the one case in which a reply without a flow is
    unambiguous.
    """
    owners: dict[tuple[int, int], set[Vip]] = {}
    for backend in found:
        if backend.port.protocol is Protocol.TCP:
            for destination in backend.destinations:
                owners.setdefault((destination.ip, destination.port), set()).update(backend.vips)
    for (ip, port), vips in sorted(owners.items()):
        if len(vips) == 1:
            (vip,) = vips
            yield Entry(
                Key("reply_service", (ip, Protocol.TCP.value, port)), "restore_vip", (vip.ip, vip.port)
            )


def _policies(
    cluster: Cluster, node: NodeConfig, pods: tuple[LocalPod, ...], installed: Installed
) -> tuple[list[Entry], dict[tuple[int, Direction], int], dict[tuple[int, Direction], tuple[Name, ...]]]:
    """Policy rows; the policy id, and the policies, of each (pod ip, direction) that one selects."""
    index = PolicyIndex(cluster)
    before = _installed_policy_ids(installed)
    used: dict[Direction, set[int]] = {direction: set() for direction in Direction}
    for (_, direction), number in before.items():
        used[direction].add(number)
    for key in installed.entries:
        if key.table.startswith("policy_") and isinstance(key.match[0], int):
            used[Direction(key.table.removeprefix("policy_"))].add(key.match[0])
    allocators = {
        direction: IdAllocator(f"{direction.value} policy id", 0xFFFF, used[direction])
        for direction in Direction
    }
    rows: list[Entry] = []
    ids: dict[tuple[int, Direction], int] = {}
    selected: dict[tuple[int, Direction], tuple[Name, ...]] = {}
    for local in pods:
        for direction in Direction:
            allowed = index.allowed(local.pod, direction, node.node_ips)
            if allowed is None:
                continue
            number = before.get((local.ip, direction)) or allocators[direction].next()
            ids[local.ip, direction] = number
            selected[local.ip, direction] = tuple(p.name for p in index.selecting(local.pod, direction))
            rows += (_policy_entry(direction, number, row) for row in sorted(allowed, key=_row_order))
    return rows, ids, selected


def _installed_policy_ids(installed: Installed) -> dict[tuple[int, Direction], int]:
    result: dict[tuple[int, Direction], int] = {}
    for key, entry in installed.entries.items():
        if key.table == "port_role" and entry.action == "pod_port" and entry.param("egress_policy"):
            result[entry.param("pod_ip"), Direction.EGRESS] = entry.param("egress_policy")
        if key.table == "route" and entry.action == "to_pod" and entry.param("ingress_policy"):
            prefix = key.match[0]
            if isinstance(prefix, tuple):
                result[prefix[0], Direction.INGRESS] = entry.param("ingress_policy")
    return result


def _row_order(row: Allow) -> tuple[int, int, int, tuple[int, int]]:
    return row.network, row.mask, row.proto or 0, row.port or (0, 0)


def _policy_entry(direction: Direction, number: int, row: Allow) -> Entry:
    key = Key(
        f"policy_{direction.value}",
        (
            number,
            (row.network, row.mask) if row.mask else None,
            None if row.proto is None else (row.proto, 0xFF),
            row.port if row.port is not None and row.port[1] else None,
        ),
        POLICY_PRIORITY,
    )
    return Entry(key, "allow")
