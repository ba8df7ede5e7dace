"""Questions that write nothing: what a switch holds, what `apply` would change.

In: an address, manifests. Out: a SwitchView, updates, text on stdout. Called by `__main__`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lbctl import background
from lbctl.backends import Vip, vip_text
from lbctl.diff import diff, from_entries
from lbctl.entries import BUCKETS, TABLES, Flow, Installed, Update, UpdateKind, action_text, key_text
from lbctl.model import Cluster, NodeConfig, ip_text
from lbctl.p4client import P4RuntimeTransport
from lbctl.plan import Plan, make_plan
from lbctl.transport import TargetInfo, TlsFiles

_SIGNS = {UpdateKind.INSERT: "+", UpdateKind.MODIFY: "~", UpdateKind.DELETE: "-"}


@dataclass(frozen=True, slots=True)
class SwitchView:
    """One look at a switch."""

    info: TargetInfo
    installed: Installed
    flows: list[Flow]


def look(address: str, device_id: int, election_id: int, tls: TlsFiles | None = None) -> SwitchView:
    """Read a switch without taking it over. Raises SwitchError."""
    return background.run(_look(P4RuntimeTransport(address, device_id, election_id, reader=True, tls=tls)))


async def _look(transport: P4RuntimeTransport) -> SwitchView:
    try:
        info = await transport.open()
        flows = await transport.read_flows()
        carried = frozenset(flow.service_id for flow in flows if flow.service_id)
        return SwitchView(info, from_entries(await transport.read_entries(), carried), flows)
    finally:
        await transport.close()


def pending(cluster: Cluster, node: NodeConfig, view: SwitchView | None) -> tuple[Plan, list[Update]]:
    """The plan, and what `apply` would write; without a view, for an empty switch."""
    installed = view.installed if view is not None else Installed()
    plan = make_plan(cluster, node, installed, view.info.limits if view is not None else None)
    return plan, diff(plan, installed)


def print_updates(updates: Sequence[Update]) -> None:
    """One line per update in the order of writing: + insert, ~ modify, - delete, then their sum; nothing if
    there is none. Runs of buckets are summed up.
    """
    if not updates:
        return
    start = 0
    while start < len(updates):
        kind, entry, _ = updates[start]
        end = start
        while end < len(updates) and _bucket_run(updates[end], updates[start]):
            end += 1
        if end > start:
            print(f"{_SIGNS[kind]} {BUCKETS}  service_id={entry.key.match[0]}: {end - start} buckets")
            start = end
            continue
        action = "" if kind is UpdateKind.DELETE else f"  ->  {action_text(entry)}"
        print(f"{_SIGNS[kind]} {key_text(entry.key)}{action}")
        start += 1
    totals = Counter(update.kind for update in updates)
    print(", ".join(f"{totals[kind]} to {kind.value}" for kind in UpdateKind))


def _bucket_run(update: Update, first: Update) -> bool:
    key, other = update.entry.key, first.entry.key
    return key.table == BUCKETS == other.table and (update.kind, key.match[0]) == (first.kind, other.match[0])


def print_status(view: SwitchView) -> None:
    """The connection, entries per table, services with their tables, flows."""
    print(view.info.description)
    sizes = Counter(key.table for key in view.installed.entries)
    sizes[BUCKETS] = sum(len(slots) for slots in view.installed.buckets.values())
    print("entries: " + ", ".join(f"{table} {sizes[table]}" for table in TABLES))
    addresses: dict[object, tuple[int, ...]] = {
        key.match[0]: entry.params for key, entry in view.installed.entries.items() if key.table == "endpoint"
    }
    vips = [entry for key, entry in view.installed.entries.items() if key.table == "service_vip"]
    for key, action, params in sorted(vips):
        if action == "drop_fragment":
            continue
        ip, proto, port = (value if isinstance(value, int) else 0 for value in key.match)
        vip = vip_text(Vip(ip, proto, port))
        print(f"service {vip}  {_service_text(params, view.installed, addresses)}")
    kinds = Counter(flow.kind for flow in view.flows)
    print(f"flows: {kinds[1]} forward, {kinds[2]} reverse")


def _service_text(
    params: tuple[int, ...], installed: Installed, addresses: dict[object, tuple[int, ...]]
) -> str:
    if not params:
        return "no endpoints"
    service_id, mask, affinity = params
    slots = Counter(installed.buckets.get(service_id, {}).values())
    shares = ", ".join(
        f"{ip_text(addresses[number][0])}:{addresses[number][1]} x{count}"
        if number in addresses
        else f"?{number}"
        for number, count in sorted(slots.items())
    )
    return f"id {service_id}, {mask + 1} buckets{', ClientIP' if affinity else ''}: {shares}"
