"""The flow table as the control plane tends it: learn from digests, expire on idle notices, drop stale pins.

In: events from a Transport and the Plan in force. Out: batches of flow updates. Called by `controller`.

On PNA the data plane learns and expires by itself; only stale pins are removed here. On v1model the pair of
every flow is installed here, with the idle timeout that PNA's expiry profile would give, and BMv2 refreshes
it on a hit. One thing BMv2 cannot do is raise a TCP flow from "SYN seen" to "established" on the next
packet; that is decided when the short timeout first strikes: if packets were counted in both directions by
then, the pair gets 12 hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lbctl.backends import Vip
from lbctl.entries import Flow, FlowKind, UpdateKind
from lbctl.hashing import FiveTuple, Target, clash_port
from lbctl.model import Protocol
from lbctl.plan import PlannedService
from lbctl.transport import FlowClosing, FlowIdle, FlowUpdate, NewFlow, RefusalKind, Transport

CLOSING_S, SHORT_S, UDP_S, ESTABLISHED_S = 10.0, 30.0, 120.0, 43200.0
_FIN, _RST = 0x01, 0x04


@dataclass(slots=True)
class FlowCounts:
    """What happened to flows, for `status` and tests."""

    learned: int = 0
    learn_failures: int = 0  # table full: the flow goes on unpinned, by the hash
    port_clashes: int = 0
    expired: int = 0
    promoted: int = 0
    purged: int = 0


def partner_key(flow: Flow) -> FiveTuple:
    """The key of the other direction: the new tuple, turned round."""
    return FiveTuple(flow.new_dst, flow.new_src, flow.key.proto, flow.new_dport, flow.new_sport)


def initial_timeout(proto: int, tcp_flags: int) -> float:
    """Seconds a new pair lives without packets: the PNA program's learn profile."""
    if proto == Protocol.TCP.value and tcp_flags & (_FIN | _RST):
        return CLOSING_S
    return UDP_S if proto == Protocol.UDP.value else SHORT_S


def vip_of(flow: Flow) -> Vip:
    """The address a flow's client talks to (its VIP, if it is a service's)."""
    if flow.kind == FlowKind.FORWARD.value:
        return Vip(flow.key.dst, flow.key.proto, flow.key.dport)
    return Vip(flow.new_src, flow.key.proto, flow.new_sport)


def destination_of(flow: Flow) -> tuple[int, int]:
    """The endpoint (ip, port) behind a flow."""
    if flow.kind == FlowKind.FORWARD.value:
        return flow.new_dst, flow.new_dport
    return flow.key.src, flow.key.sport


def is_stale(flow: Flow, vips: Mapping[Vip, PlannedService], moved: frozenset[Vip]) -> bool:
    """Whether the plan forbids this pin.

    Its service is gone or the VIP changed hands (`moved`); or it was learned as a plain flow before the VIP
    existed; or it is UDP to an endpoint that no longer serves (one-way senders would refresh it for ever).
    TCP flows of a removed endpoint are left to drain.
    """
    vip = vip_of(flow)
    planned = vips.get(vip)
    if flow.service_id == 0:
        return planned is not None
    if planned is None or vip in moved:
        return True
    if flow.key.proto != Protocol.UDP.value:
        return False
    return destination_of(flow) not in {(d.ip, d.port) for d in planned.backend.destinations}


class FlowKeeper:
    """Tends the flow table of one switch. `flows` mirrors it on v1model, where nobody else writes it."""

    def __init__(self, transport: Transport, target: Target) -> None:
        self._transport = transport
        self._target = target
        self.flows: dict[FiveTuple, Flow] = {}
        self.counts = FlowCounts()
        self._vips: Mapping[Vip, PlannedService] = {}
        self._closing: set[FiveTuple] = set()

    async def current(self) -> list[Flow]:
        """The flows there are now: from the mirror on v1model, read from the switch on PNA."""
        if self._target is Target.PNA:
            return await self._transport.read_flows()
        return list(self.flows.values())

    async def load(self) -> None:
        """Read the table after a start or a reconnect."""
        if self._target is Target.V1MODEL:
            self.flows = {flow.key: flow for flow in await self._transport.read_flows()}

    async def follow(self, vips: Mapping[Vip, PlannedService], moved: frozenset[Vip] = frozenset()) -> int:
        """A new plan is in force: drop the pins it forbids, at once. Returns how many entries went."""
        self._vips = vips
        cache: dict[tuple[Vip, int, tuple[int, int], bool], bool] = {}
        stale = []
        for flow in await self.current():
            what = (vip_of(flow), flow.key.proto, destination_of(flow), flow.service_id == 0)
            if what not in cache:
                cache[what] = is_stale(flow, vips, moved)
            if cache[what]:
                stale.append(flow)
        gone = await self._delete(stale)
        self.counts.purged += gone
        return gone

    async def flush(self) -> int:
        """Delete every flow entry; how many went."""
        gone = await self._delete(await self.current())
        self.counts.purged += gone
        return gone

    async def learn(self, news: Sequence[NewFlow]) -> None:
        """Install the pairs of new flows. A digest may come several times; the first one decides."""
        pairs: dict[FiveTuple, tuple[Flow, Flow]] = {}
        planned: dict[FiveTuple, Flow] = {}
        for new in news:
            if new.key in self.flows or new.key in planned:
                continue
            pair = self._pair(new, planned)
            if pair is None:
                self.counts.port_clashes += 1
                continue
            if is_stale(pair[0], self._vips, frozenset()):
                continue  # its endpoint or service went while the digest was under way
            pairs[new.key] = pair
            planned.update({flow.key: flow for flow in pair})
        await self._install(list(pairs.values()))

    def _pair(self, new: NewFlow, planned: Mapping[FiveTuple, Flow]) -> tuple[Flow, Flow] | None:
        key = new.key
        timeout = initial_timeout(key.proto, new.tcp_flags)
        ports = [new.new_sport]
        if key.proto in (Protocol.TCP.value, Protocol.UDP.value):
            service = self._vips.get(Vip(key.dst, key.proto, key.dport))
            ports.append(clash_port(key, self._target, service is not None and service.backend.affinity))
        for sport in ports:
            forward = Flow(
                key,
                FlowKind.FORWARD.value,
                new.new_src,
                new.new_dst,
                sport,
                new.new_dport,
                new.service_id,
                timeout,
            )
            reverse = Flow(
                partner_key(forward),
                FlowKind.REVERSE.value,
                key.dst,
                key.src,
                key.dport,
                key.sport,
                new.service_id,
                timeout,
            )
            taken = self.flows.get(reverse.key) or planned.get(reverse.key)
            if taken is None or taken.params[:5] == reverse.params[:5]:
                return forward, reverse
        return None

    async def _install(self, pairs: list[tuple[Flow, Flow]]) -> None:
        entries = [flow for pair in pairs for flow in pair if flow.key not in self.flows]
        if not entries:
            return
        refusals = await self._transport.write_flows(
            [FlowUpdate(UpdateKind.INSERT, flow) for flow in entries]
        )
        failed = {entries[r.position].key for r in refusals if r.kind is not RefusalKind.ALREADY_EXISTS}
        for flow in entries:
            if flow.key not in failed:
                self.flows[flow.key] = flow
        halves = []
        for forward, reverse in pairs:
            if forward.key not in failed and reverse.key not in failed:
                self.counts.learned += 1
                continue
            # Never one direction alone: replies nobody translates are worse than a flow the hash finds each
            # time.
            self.counts.learn_failures += 1
            halves += [flow for flow in (forward, reverse) if flow.key in self.flows]
        await self._delete(halves)

    async def close_flows(self, closings: Sequence[FlowClosing]) -> None:
        """FIN or RST was seen: both directions get the short timeout."""
        updates = []
        for closing in closings:
            for flow in self._both(closing.key):
                self._closing.add(flow.key)
                if flow.idle_timeout_s != CLOSING_S:
                    updates.append(replace(flow, idle_timeout_s=CLOSING_S))
        await self._modify(updates)

    async def expire(self, notices: Sequence[FlowIdle]) -> None:
        """Entries were idle for their timeout. PNA has removed them; on v1model the pair goes or stays
        together.
        """
        if self._target is Target.PNA:
            self.counts.expired += len(notices)
            return
        pairs = {min(flow.key for flow in pair): pair for n in notices if (pair := self._both(n.key))}
        keys = [flow.key for pair in pairs.values() for flow in pair]
        now = {flow.key: flow for flow in await self._transport.read_flows(keys)} if keys else {}
        dead: list[Flow] = []
        kept: list[Flow] = []
        for pair in pairs.values():
            states = [now.get(flow.key, flow) for flow in pair]
            if any(
                state.age_s is not None and state.age_s < flow.idle_timeout_s
                for state, flow in zip(states, pair, strict=True)
            ):
                kept += pair  # the other direction is alive: written again, which re-arms the timer
            elif self._established(pair, states):
                self.counts.promoted += 1
                kept += (replace(flow, idle_timeout_s=ESTABLISHED_S) for flow in pair)
            else:
                dead += pair
        await self._modify(kept)
        self.counts.expired += await self._delete(dead)

    def _established(self, pair: Sequence[Flow], states: Sequence[Flow]) -> bool:
        first = pair[0]
        return (
            first.key.proto == Protocol.TCP.value
            and first.idle_timeout_s == SHORT_S
            and first.key not in self._closing
            and len(pair) == 2
            # A switch that does not count tells nothing; then keep, since losing a live flow is the worse
            # mistake.
            and all(state.packets is None or state.packets > 0 for state in states)
        )

    def _both(self, key: FiveTuple) -> list[Flow]:
        flow = self.flows.get(key)
        if flow is None:
            return []
        partner = self.flows.get(partner_key(flow))
        return [flow] if partner is None else [flow, partner]

    async def _modify(self, flows: Sequence[Flow]) -> None:
        if not flows:
            return
        refusals = await self._transport.write_flows([FlowUpdate(UpdateKind.MODIFY, flow) for flow in flows])
        refused = {refusal.position for refusal in refusals}
        for position, flow in enumerate(flows):
            if position in refused:
                self._forget(flow.key)
            else:
                self.flows[flow.key] = flow

    async def _delete(self, flows: Iterable[Flow]) -> int:
        gone = list(flows)
        if not gone:
            return 0
        # NOT_FOUND is fine: on PNA an entry may expire between the read and this.
        await self._transport.write_flows([FlowUpdate(UpdateKind.DELETE, flow) for flow in gone])
        for flow in gone:
            self._forget(flow.key)
        return len(gone)

    def _forget(self, key: FiveTuple) -> None:
        self.flows.pop(key, None)
        self._closing.discard(key)
