"""Table entries by name, and the tables of the load balancer in the order in which they refer to each other.

In: built by `plan` and by the transports that read a switch. Out: compared by `diff`, written by `reconcile`.
Names and widths are those of docs/pipeline.md; ids live behind `transport`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from lbctl.hashing import FiveTuple
from lbctl.model import ip_text, mac_text

# An exact value, or (value, prefix length) in an LPM field, or (value, mask) in a ternary field; None is
# "any".
MatchValue = int | tuple[int, int] | None


class MatchKind(Enum):
    """How a key field matches."""

    EXACT = "exact"
    LPM = "lpm"
    TERNARY = "ternary"


class TableShape(NamedTuple):
    """A table's key: (field, kind, width in bits) in order."""

    fields: tuple[tuple[str, MatchKind, int], ...]


def _shape(*fields: tuple[str, MatchKind, int]) -> TableShape:
    return TableShape(fields)


_X, _L, _T = MatchKind.EXACT, MatchKind.LPM, MatchKind.TERNARY

FLOW_TABLE = "flow_table"
BUCKETS = "maglev_bucket"

# Referred-to tables first: written in this order, deleted in reverse, nothing ever points into the void.
TABLES: Mapping[str, TableShape] = {
    "policy_egress": _shape(
        ("egress_policy", _X, 16), ("remote_ip", _T, 32), ("proto", _T, 8), ("dport", _T, 16)
    ),
    "policy_ingress": _shape(
        ("ingress_policy", _X, 16), ("remote_ip", _T, 32), ("proto", _T, 8), ("dport", _T, 16)
    ),
    "endpoint": _shape(("endpoint_id", _X, 32)),
    BUCKETS: _shape(("service_id", _X, 16), ("bucket", _X, 16)),
    "route": _shape(("ip_dst", _L, 32)),
    "arp_responder": _shape(("arp_tpa", _X, 32)),
    "known_vni": _shape(("vni", _X, 32)),
    "tunnel_peer": _shape(("ip_src", _X, 32)),
    "local_vtep": _shape(("ip_dst", _X, 32)),
    "reply_service": _shape(("ip_src", _X, 32), ("proto", _X, 8), ("sport", _X, 16)),
    "service_vip": _shape(("ip_dst", _X, 32), ("proto", _X, 8), ("dport", _X, 16)),
    "port_role": _shape(("in_port", _X, 16)),
}

FLOW_SHAPE = _shape(
    ("k_src", _X, 32), ("k_dst", _X, 32), ("k_proto", _X, 8), ("k_sport", _X, 16), ("k_dport", _X, 16)
)
FLOW_PARAMS = ("kind", "new_src", "new_dst", "new_sport", "new_dport", "service_id")

ACTION_PARAMS: Mapping[str, tuple[str, ...]] = {
    "uplink": (),
    "pod_port": ("pod_ip", "egress_policy"),
    "host_port": (),
    "arp_reply": ("mac",),
    "arp_forward": ("port",),
    "terminate_tunnel": (),
    "accept_vni": (),
    "accept_peer": (),
    "flow_hit": FLOW_PARAMS,
    "set_service": ("service_id", "bucket_mask", "affinity"),
    "drop_no_endpoints": (),
    "drop_fragment": (),
    "set_endpoint": ("endpoint_id",),
    "set_destination": ("ip", "port"),
    "restore_vip": ("vip", "vport"),
    "allow": (),
    "to_pod": ("port", "smac", "dmac", "ingress_policy"),
    "to_host": ("port", "smac", "dmac"),
    "to_next_hop": ("port", "smac", "dmac"),
    "to_tunnel": ("port", "smac", "dmac", "local_vtep", "remote_vtep", "vni", "inner_dmac"),
    "drop_no_route": (),
}


class Key(NamedTuple):
    """What identifies an entry."""

    table: str
    match: tuple[MatchValue, ...]
    priority: int = 0


class Entry(NamedTuple):
    """A key with its action; `params` in the order of ACTION_PARAMS. A tuple: plans hold many thousands."""

    key: Key
    action: str
    params: tuple[int, ...] = ()

    def param(self, name: str) -> int:
        """The action parameter called `name`."""
        return self.params[ACTION_PARAMS[self.action].index(name)]


class UpdateKind(Enum):
    """P4Runtime's update types."""

    INSERT = "insert"
    MODIFY = "modify"
    DELETE = "delete"


class Update(NamedTuple):
    """One change. `entry` is what is wanted (for DELETE: what goes), `old` what was installed, if known."""

    kind: UpdateKind
    entry: Entry
    old: Entry | None = None


class FlowKind(Enum):
    """`kind` of a flow entry."""

    FORWARD = 1
    REVERSE = 2


@dataclass(frozen=True, slots=True)
class Flow:
    """One entry of the flow table. Packets and age are None when the target was not asked or does not say."""

    key: FiveTuple
    kind: int
    new_src: int
    new_dst: int
    new_sport: int
    new_dport: int
    service_id: int
    idle_timeout_s: float = 0.0
    packets: int | None = None
    age_s: float | None = None

    @property
    def params(self) -> tuple[int, ...]:
        """Parameters of `flow_hit`, in order."""
        return (self.kind, self.new_src, self.new_dst, self.new_sport, self.new_dport, self.service_id)

    def text(self) -> str:
        """One line for people: key, arrow, new tuple, service."""
        key = self.key
        return (
            f"{_PROTOCOL_NAMES.get(key.proto, key.proto)} {ip_text(key.src)}:{key.sport} -> "
            f"{ip_text(key.dst)}:{key.dport}  becomes  {ip_text(self.new_src)}:{self.new_sport} -> "
            f"{ip_text(self.new_dst)}:{self.new_dport}  "
            f"({'forward' if self.kind == FlowKind.FORWARD.value else 'reverse'}, service {self.service_id})"
        )


_PROTOCOL_NAMES = {1: "ICMP", 6: "TCP", 17: "UDP"}


@dataclass(frozen=True, slots=True)
class Installed:
    """What a switch holds. Buckets are kept apart, service id -> bucket -> endpoint id: there are so many."""

    entries: Mapping[Key, Entry] = field(default_factory=dict)
    buckets: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    flow_service_ids: frozenset[int] = frozenset()  # ids that live flows still carry


def bucket_entry(service_id: int, bucket: int, endpoint_id: int) -> Entry:
    """The entry of one Maglev slot."""
    return Entry(Key(BUCKETS, (service_id, bucket)), "set_endpoint", (endpoint_id,))


def entry_text(entry: Entry) -> str:
    """One line: `table  field=value ...  ->  action(param=value ...)`."""
    return f"{key_text(entry.key)}  ->  {action_text(entry)}"


def key_text(key: Key) -> str:
    """`table  field=value ...` with addresses written as such."""
    shape = TABLES.get(key.table, FLOW_SHAPE)
    parts = [
        f"{name}={_value_text(name, value, width)}"
        for (name, _, width), value in zip(shape.fields, key.match, strict=True)
    ]
    priority = f" priority={key.priority}" if key.priority else ""
    return f"{key.table}  {' '.join(parts)}{priority}"


def action_text(entry: Entry) -> str:
    """`action(param=value ...)` with addresses written as such."""
    names = ACTION_PARAMS[entry.action]
    params = [f"{name}={_param_text(name, value)}" for name, value in zip(names, entry.params, strict=True)]
    return f"{entry.action}({', '.join(params)})"


_ADDRESSES = {"remote_ip", "ip_dst", "ip_src", "arp_tpa", "pod_ip", "ip", "vip", "local_vtep", "remote_vtep"}


def _value_text(name: str, value: MatchValue, width: int) -> str:
    show = ip_text if name in _ADDRESSES else str
    match value:
        case None:
            return "any"
        case int():
            return show(value)
        case (number, extent) if width == 32:
            length = extent if extent <= 32 else extent.bit_count()
            return show(number) if length == 32 else f"{show(number)}/{length}"
        case (number, mask):
            return str(number) if mask == (1 << width) - 1 else f"{number:#x}&{mask:#x}"


def _param_text(name: str, value: int) -> str:
    if name in _ADDRESSES:
        return ip_text(value)
    if name.endswith("mac"):
        return mac_text(value)
    return str(value)
