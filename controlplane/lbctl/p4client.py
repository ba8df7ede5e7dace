"""P4Runtime behind the Transport protocol, with finsy: the only file that imports finsy or gRPC.

In: Entries, Updates and Flows by name. Out: the same, and events of the stream. finsy's P4Info schema turns
names into ids. Called by `__main__` and `controller`; nothing of finsy leaves this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import finsy
import finsy.p4client
from finsy.p4client import P4Error
from finsy.switch import SwitchEvent
from google.protobuf import text_format

from lbctl.entries import (
    ACTION_PARAMS,
    FLOW_SHAPE,
    FLOW_TABLE,
    TABLES,
    Entry,
    Flow,
    Key,
    MatchKind,
    MatchValue,
    TableShape,
    Update,
    UpdateKind,
)
from lbctl.errors import SwitchError, SwitchErrorKind
from lbctl.hashing import FiveTuple, Target
from lbctl.sizing import Limits
from lbctl.transport import (
    Disconnected,
    Event,
    FlowClosing,
    FlowIdle,
    FlowUpdate,
    NewFlow,
    Refusal,
    RefusalKind,
    RoleChanged,
    TargetInfo,
    TlsFiles,
    flow_entry,
)

DIGEST = "flow_digest_t"
_QUEUE = 1 << 20  # finsy drops what does not fit its queues; a lost digest is a flow without a pin
# finsy gives every RPC ten seconds, by a constant; reading back a million Maglev buckets takes longer (11,000
# entries a second from a switch in Python). A connection that breaks is noticed at once all the same.
_RPC_TIMEOUT_S = 300.0
finsy.p4client._DEFAULT_RPC_TIMEOUT = _RPC_TIMEOUT_S
_ACK_TIMEOUT_NS = 1_000_000_000
_GONE = (
    finsy.GRPCStatusCode.UNAVAILABLE,
    finsy.GRPCStatusCode.DEADLINE_EXCEEDED,
    finsy.GRPCStatusCode.CANCELLED,
)


class P4RuntimeTransport:
    """One P4Runtime device at `address` (host:port or unix:path).

    `artifact` is (P4Info file, device config file): loaded unless the switch already runs it, as the cookie
    tells. Of two controllers the one with the higher `election_id` writes; a `reader` uses 1 and
    asks for no digests.
    """

    def __init__(
        self,
        address: str,
        device_id: int,
        election_id: int,
        artifact: tuple[Path, Path] | None = None,
        connect_timeout: float = 10.0,
        reader: bool = False,
        tls: TlsFiles | None = None,
    ) -> None:
        self._address = address
        self._timeout = connect_timeout
        self._reader = reader
        p4info, blob = artifact if artifact is not None else (None, None)
        self._options = finsy.SwitchOptions(
            p4info=p4info,
            p4blob=blob,
            device_id=device_id,
            initial_election_id=election_id,
            channel_credentials=_credentials(tls),
        )
        self._switch: finsy.Switch | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._unacknowledged: list[finsy.P4DigestListAck] = []
        # finsy reports with tracebacks what we turn into one sentence.
        logging.getLogger("finsy").setLevel(logging.CRITICAL + 1)

    async def open(self) -> TargetInfo:
        """Connect, arbitrate, load the artifact if given, subscribe. Raises SwitchError."""
        await self.close()
        try:
            switch = finsy.Switch("lbctl", self._address, self._options)
        except (OSError, ValueError, text_format.ParseError) as error:
            said = (
                f"{error.filename}: {error.strerror}"
                if isinstance(error, OSError)
                else str(error).rstrip(".")
            )
            raise SwitchError(
                SwitchErrorKind.NO_PIPELINE, f"the pipeline files cannot be used ({said}); check --pipeline"
            ) from None
        unready = _reasons_of(switch)
        with self._translated("connect"):
            try:
                await asyncio.wait_for(switch.__aenter__(), self._timeout)
            except asyncio.CancelledError:
                if not unready:
                    raise  # somebody cancelled us
                raise _refused_pipeline(unready[0], f"the switch at {self._address}") from None
        self._switch = switch
        # What is left is of the former connection. The queue stays: somebody may wait on it.
        while not self._events.empty():
            self._events.get_nowait()
        self._unacknowledged = []
        info = self._check_pipeline(switch)
        self._listen(switch)
        if switch.is_primary and not self._reader and info.target is Target.V1MODEL:
            await self._subscribe(switch)
        return info

    async def close(self) -> None:
        """Disconnect; harmless when not open."""
        switch, self._switch = self._switch, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if switch is not None:
            switch.ee.remove_all_listeners()
            with contextlib.suppress(finsy.P4ClientError, RuntimeError, asyncio.TimeoutError):
                await asyncio.wait_for(switch.__aexit__(None, None, None), self._timeout)

    def _check_pipeline(self, switch: finsy.Switch) -> TargetInfo:
        schema = switch.p4info
        if not schema.exists:
            raise SwitchError(
                SwitchErrorKind.NO_PIPELINE,
                f"the switch at {self._address} has no pipeline; pass --pipeline P4INFO CONFIG to load one",
            )
        present = {table.alias for table in schema.tables}
        missing = [name for name in (*TABLES, FLOW_TABLE) if name not in present]
        if missing:
            raise SwitchError(
                SwitchErrorKind.NO_PIPELINE,
                f"the pipeline at {self._address} has no table {missing[0]!r}: it is not the load balancer; "
                "pass --pipeline P4INFO CONFIG to load it",
            )
        learns_from_digests = any(digest.alias == DIGEST for digest in schema.digests)
        target = Target.V1MODEL if learns_from_digests else Target.PNA
        role = "primary" if switch.is_primary else f"backup of election id {switch.primary_id}"
        return TargetInfo(
            target,
            Limits(bucket_entries=schema.tables["maglev_bucket"].size or Limits().bucket_entries),
            switch.is_primary,
            f"{self._address} device {switch.device_id}: {target.value} pipeline, {role}",
        )

    async def _subscribe(self, switch: finsy.Switch) -> None:
        # One digest per message, at once: what is not learned yet costs a table walk per packet.
        entry = finsy.P4DigestEntry(DIGEST, max_list_size=1, max_timeout_ns=0, ack_timeout_ns=_ACK_TIMEOUT_NS)
        with self._translated("subscribe to digests"):
            try:
                await switch.insert([entry])
            except finsy.P4ClientError as error:
                # After a restart the subscription is still there. BMv2 answers UNKNOWN without details.
                if error.code in _GONE:
                    raise
                await switch.modify([entry])

    def _listen(self, switch: finsy.Switch) -> None:
        self._tasks = [asyncio.create_task(self._pump(self._idle_events(switch)))]
        if any(digest.alias == DIGEST for digest in switch.p4info.digests):
            self._tasks.append(asyncio.create_task(self._pump(self._digest_events(switch))))
        put = self._events.put_nowait
        switch.ee.on(
            SwitchEvent.CHANNEL_DOWN, lambda _: put(Disconnected(f"the connection to {self._address} broke"))
        )
        switch.ee.on(SwitchEvent.BECOME_PRIMARY, lambda _: put(RoleChanged(True)))
        switch.ee.on(SwitchEvent.BECOME_BACKUP, lambda _: put(RoleChanged(False)))

    async def _pump(self, source: AsyncIterator[Event]) -> None:
        async for event in source:
            self._events.put_nowait(event)

    async def _digest_events(self, switch: finsy.Switch) -> AsyncIterator[Event]:
        async for digests in switch.read_digests(DIGEST, queue_size=_QUEUE):
            for data in digests:
                assert isinstance(data, dict)
                event = _digest_event(data)
                if event is not None:
                    yield event
            self._unacknowledged.append(digests.ack())

    async def _idle_events(self, switch: finsy.Switch) -> AsyncIterator[Event]:
        async for notice in switch.read_idle_timeouts(queue_size=_QUEUE):
            for entry in notice:
                if entry.table_id == FLOW_TABLE:
                    yield FlowIdle(_key(entry))

    async def next_events(self) -> list[Event]:
        """Wait for at least one event, then give all that are waiting."""
        events = [await self._events.get()]
        while not self._events.empty():
            events.append(self._events.get_nowait())
        return events

    async def acknowledge(self) -> None:
        """Acknowledge the digests given so far."""
        acks, self._unacknowledged = self._unacknowledged, []
        if acks:
            with self._translated("acknowledge digests"):
                await self._up().write(acks)

    async def read_entries(self) -> list[Entry]:
        """All entries of the planned tables."""
        found = []
        with self._translated("read the tables"):
            async for entry in self._read([finsy.P4TableEntry(name) for name in TABLES]):
                if not entry.is_default_action:
                    found.append(_to_entry(entry))
        return found

    async def read_flows(self, keys: Sequence[FiveTuple] | None = None) -> list[Flow]:
        """The flow table, with counters and (where the table has idle timeouts) age."""
        switch = self._up()
        timed = switch.p4info.tables[FLOW_TABLE].idle_timeout_behavior.name == "NOTIFY_CONTROL"
        matches = [None] if keys is None else [_match(FLOW_SHAPE, _flow_match(key)) for key in keys]
        wanted = [
            finsy.P4TableEntry(
                FLOW_TABLE,
                match=match,
                counter_data=finsy.P4CounterData(),
                time_since_last_hit=0 if timed else None,
            )
            for match in matches
        ]
        with self._translated("read the flow table"):
            try:
                found = [entry async for entry in self._read(wanted)]
                return [_to_flow(entry) for entry in found if not entry.is_default_action]
            except finsy.P4ClientError as error:
                if keys is None or error.code in _GONE:
                    raise
        # A switch that answers NOT_FOUND for one absent entry fails the whole read: ask for everything
        # instead.
        asked = set(keys)
        return [flow for flow in await self.read_flows() if flow.key in asked]

    async def write(self, updates: Sequence[Update]) -> list[Refusal]:
        """Execute one batch."""
        return await self._write([_signed(update.kind, _from_entry(update.entry)) for update in updates])

    async def write_flows(self, updates: Sequence[FlowUpdate]) -> list[Refusal]:
        """Execute one batch of flow table changes."""
        timed = self._target_is_v1model()
        entries = []
        for kind, flow in updates:
            entry = _from_entry(flow_entry(flow))
            if timed and kind is not UpdateKind.DELETE:
                entry.idle_timeout_ns = round(flow.idle_timeout_s * 1e9)
            entries.append(_signed(kind, entry))
        return await self._write(entries)

    async def _write(self, entries: list[finsy.P4TableEntry]) -> list[Refusal]:
        with self._translated("write"):
            try:
                await self._up().write(entries)
            except finsy.P4ClientError as error:
                if not error.details:
                    raise
                return [_refusal(position, detail) for position, detail in sorted(error.details.items())]
        return []

    def _read(self, wanted: list[finsy.P4TableEntry]) -> AsyncIterator[finsy.P4TableEntry]:
        # finsy's overloads are annotated as coroutines; what comes back is an async generator.
        return cast("AsyncIterator[finsy.P4TableEntry]", self._up().read(wanted))

    def _target_is_v1model(self) -> bool:
        return any(digest.alias == DIGEST for digest in self._up().p4info.digests)

    def _up(self) -> finsy.Switch:
        if self._switch is None or not self._switch.is_up:
            told = f"the connection to {self._address} broke; is the switch running?"
            raise SwitchError(SwitchErrorKind.UNAVAILABLE, told)
        return self._switch

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """finsy's and gRPC's errors as one sentence."""
        where = f"the switch at {self._address}"
        try:
            yield
        except TimeoutError:
            raise SwitchError(
                SwitchErrorKind.UNAVAILABLE,
                f"{where} did not answer within {self._timeout:g} s (trying to {doing}); is it running?",
            ) from None
        except finsy.P4ClientError as error:
            raise SwitchError(*_explain(error, where, doing)) from None
        except AssertionError:
            # finsy asserts that its client is open; it closes it when the stream breaks under our feet.
            raise SwitchError(SwitchErrorKind.UNAVAILABLE, f"{where} broke the connection") from None
        except (ValueError, KeyError) as error:
            raise SwitchError(
                SwitchErrorKind.NO_PIPELINE, f"{where} runs another version of the pipeline: {error}"
            ) from None


def _reasons_of(switch: finsy.Switch) -> list[finsy.P4ClientError]:
    """Will hold why the switch could not get ready: finsy only logs that, and cancels its caller."""
    reasons: list[finsy.P4ClientError] = []
    ready = switch._ready

    async def keeping() -> None:
        try:
            await ready()  # type: ignore[no-untyped-call]
        except finsy.P4ClientError as error:
            reasons.append(error)
            raise

    switch._ready = keeping  # type: ignore[method-assign]
    return reasons


def _credentials(tls: TlsFiles | None) -> finsy.GRPCCredentialsTLS | None:
    return finsy.GRPCCredentialsTLS(cacert=tls.ca, cert=tls.certificate, private_key=tls.key) if tls else None


def _refused_pipeline(error: finsy.P4ClientError, where: str) -> SwitchError:
    if error.code in _GONE:
        return SwitchError(*_explain(error, where, "connect"))
    said = error.message or error.code.name
    return SwitchError(
        SwitchErrorKind.NO_PIPELINE, f"{where} refused the pipeline ({said}); check the files of --pipeline"
    )


def _explain(error: finsy.P4ClientError, where: str, doing: str) -> tuple[SwitchErrorKind, str]:
    said = error.message or error.code.name
    if error.code in _GONE:
        told = f"{where} cannot be reached to {doing} ({said}); is it running?"
        return SwitchErrorKind.UNAVAILABLE, told
    if error.code is finsy.GRPCStatusCode.PERMISSION_DENIED:
        return (
            SwitchErrorKind.NOT_PRIMARY,
            f"{where} has another primary controller ({said}); stop it, or pass a higher --election-id",
        )
    if error.code is finsy.GRPCStatusCode.FAILED_PRECONDITION:
        return SwitchErrorKind.NO_PIPELINE, f"{where} cannot {doing} ({said}); pass --pipeline P4INFO CONFIG"
    return SwitchErrorKind.REJECTED, f"{where} refused to {doing}: {error.code.name}, {said}"


def _refusal(position: int, detail: P4Error) -> Refusal:
    try:
        kind = RefusalKind(detail.canonical_code.name)
    except ValueError:
        kind = RefusalKind.OTHER
    return Refusal(position, kind, f"{detail.canonical_code.name}: {detail.message}")


def _signed(kind: UpdateKind, entry: finsy.P4TableEntry) -> finsy.P4TableEntry:
    match kind:
        case UpdateKind.INSERT:
            return +entry
        case UpdateKind.MODIFY:
            return ~entry
        case UpdateKind.DELETE:
            return -entry


def _from_entry(entry: Entry) -> finsy.P4TableEntry:
    key = entry.key
    params = dict(zip(ACTION_PARAMS[entry.action], entry.params, strict=True))
    return finsy.P4TableEntry(
        key.table,
        match=_match(TABLES.get(key.table, FLOW_SHAPE), key.match),
        action=finsy.P4TableAction(entry.action, **params),
        priority=key.priority,
    )


def _match(shape: TableShape, values: Sequence[MatchValue]) -> finsy.P4TableMatch:
    # None is "any", which P4Runtime wants left out.
    fields = zip(shape.fields, values, strict=True)
    return finsy.P4TableMatch({name: value for (name, _, _), value in fields if value is not None})


def _flow_match(key: FiveTuple) -> tuple[MatchValue, ...]:
    return (key.src, key.dst, key.proto, key.sport, key.dport)


def _to_entry(entry: finsy.P4TableEntry) -> Entry:
    shape = TABLES.get(entry.table_id, FLOW_SHAPE)
    found: dict[str, Any] = dict(entry.match or {})
    match = tuple(_plain(kind, found.get(name)) for name, kind, _ in shape.fields)
    action = entry.action
    if not isinstance(action, finsy.P4TableAction):
        raise ValueError(f"table {entry.table_id} holds an entry without a direct action")
    params = tuple(int(action.args[name]) for name in ACTION_PARAMS[action.name])
    return Entry(Key(entry.table_id, match, entry.priority), action.name, params)


def _plain(kind: MatchKind, value: Any) -> MatchValue:
    if value is None:
        return None
    match kind:
        case MatchKind.EXACT:
            return int(value)
        case MatchKind.LPM | MatchKind.TERNARY:
            first, second = value
            return int(first), int(second)


def _key(entry: finsy.P4TableEntry) -> FiveTuple:
    found: dict[str, Any] = dict(entry.match or {})
    values = (_plain(kind, found.get(name)) for name, kind, _ in FLOW_SHAPE.fields)
    return FiveTuple(*(value if isinstance(value, int) else 0 for value in values))


def _to_flow(entry: finsy.P4TableEntry) -> Flow:
    plain = _to_entry(entry)
    kind, new_src, new_dst, new_sport, new_dport, service_id = plain.params
    age = entry.time_since_last_hit
    return Flow(
        _key(entry),
        kind,
        new_src,
        new_dst,
        new_sport,
        new_dport,
        service_id,
        entry.idle_timeout_ns / 1e9,
        None if entry.counter_data is None else entry.counter_data.packet_count,
        None if age is None else age / 1e9,
    )


def _digest_event(data: dict[str, Any]) -> Event | None:
    key = FiveTuple(data["src"], data["dst"], data["proto"], data["sport"], data["dport"])
    match data["event"]:
        case 1:
            return NewFlow(
                key,
                data["new_src"],
                data["new_dst"],
                data["new_sport"],
                data["new_dport"],
                data["service_id"],
                data["tcp_flags"],
            )
        case 2:
            return FlowClosing(key)
        case _:
            return None  # a newer pipeline may tell more than we know
