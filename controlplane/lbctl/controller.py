"""The control plane as one object: connect, apply, keep in step, answer questions. Used by the command line
and, in-process, by the suites.

    with Controller("127.0.0.1:9559", node=load_node_config("node-a.yaml"), artifact=(p4info, config)) as lb:
        lb.apply(load_manifests(["manifests/shop"]))       # -> Outcome; raises PlanError, SwitchError
        lb.where("10.244.1.16:40000", "10.96.10.3:80/TCP") # -> Verdict, before any packet is sent
        ...                                                # send packets
        lb.wait_idle()                                     # digests and idle notices so far are dealt with
        lb.flows()                                         # -> the switch's flow table

All methods may be called from any thread; they run on the process's asyncio loop (`background`), one after
the other. In: Clusters and events of the switch. Out: writes to the switch. Called by `__main__`
and the suites.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from lbctl import background
from lbctl.addresses import parse_flow
from lbctl.backends import Vip
from lbctl.entries import Entry, Flow
from lbctl.errors import LbctlError, SwitchError, SwitchErrorKind
from lbctl.flows import FlowCounts, FlowKeeper
from lbctl.model import Cluster, Name, NodeConfig
from lbctl.p4client import P4RuntimeTransport
from lbctl.plan import Plan, make_plan
from lbctl.reconcile import Outcome, Reconciler
from lbctl.transport import (
    Disconnected,
    Event,
    FlowClosing,
    FlowIdle,
    NewFlow,
    RoleChanged,
    TargetInfo,
    TlsFiles,
    Transport,
)
from lbctl.where import Verdict, where

_T = TypeVar("_T")
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.1, 5.0
_CALL_TIMEOUT_S = 900.0


class Controller:
    """One switch under control. `log` gets one sentence for everything that happens by itself."""

    def __init__(
        self,
        address: str,
        device_id: int = 1,
        *,
        node: NodeConfig,
        artifact: tuple[Path | str, Path | str] | None = None,
        election_id: int | None = None,
        connect_timeout: float = 10.0,
        transport: Transport | None = None,
        log: Callable[[str], None] | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        """`artifact` is (P4Info, device config), loaded unless the switch runs it already. `election_id`
        defaults to the time in seconds, so that the newest controller wins. `transport` replaces P4Runtime.
        """
        files = None if artifact is None else (Path(artifact[0]), Path(artifact[1]))
        self._transport: Transport = transport or P4RuntimeTransport(
            address,
            device_id,
            int(time.time()) if election_id is None else election_id,
            files,
            connect_timeout,
            tls=tls,
        )
        self._node = node
        self._connect_timeout = connect_timeout
        self._log = log or (lambda sentence: None)
        self._lock = asyncio.Lock()
        self._reconciler = Reconciler(self._transport)
        self._info: TargetInfo | None = None
        self._keeper: FlowKeeper | None = None
        self._cluster: Cluster | None = None
        self._plan: Plan | None = None
        self._owners: dict[Vip, Name] = {}
        self._listener: asyncio.Task[None] | None = None
        self._last_event = 0.0
        self._handling = False
        self._connections = 0
        self._closed = False

    # What callers use. Each of these runs its coroutine on the loop's thread.

    def start(self) -> TargetInfo:
        """Connect, trying for `connect_timeout` seconds. Raises SwitchError, also when another controller is
        primary."""
        return self._call(self._start())

    def apply(self, cluster: Cluster) -> Outcome:
        """Make `cluster` the desired state and bring the switch to it.

        Raises PlanError, or SwitchError: REJECTED after everything was rolled back (the former state stays
        desired), UNAVAILABLE when the switch did not come back in time (`cluster` stays desired and is
        applied on reconnect).
        """
        return self._call(self._apply(cluster))

    def sync(self) -> Outcome:
        """Read the switch and repair what differs from the desired state."""
        return self._call(self._sync())

    def wait_idle(self, timeout: float = 5.0, quiet: float = 0.1) -> bool:
        """Wait until no event of the switch was seen for `quiet` seconds; False when `timeout` passed
        first.
        """
        return self._call(self._wait_idle(timeout, quiet))

    def flows(self) -> list[Flow]:
        """The switch's flow table now, sorted by key."""
        return sorted(self._call(self._locked(self._transport.read_flows)), key=lambda flow: flow.key)

    def flush_flows(self) -> int:
        """Forget every flow, as `conntrack -F` does: the next packet of each is a new flow's. How many
        entries went.
        """
        return self._call(self._flush_flows())

    def where(self, client: str, service: str, live: bool = False) -> Verdict:
        """Where `client` ("ip:port") to `service` ("ip:port/PROTO") goes and why; `live` looks for a pin
        as well.
        """
        flow = parse_flow(client, service)
        if self._plan is None:
            raise SwitchError(SwitchErrorKind.NO_PIPELINE, "nothing was applied yet; call apply first")
        return where(self._plan, self._node, self.info.target, flow, self.flows() if live else ())

    def entries(self) -> list[Entry]:
        """All planned tables as the switch holds them (not flows)."""
        return self._call(self._locked(self._transport.read_entries))

    @property
    def info(self) -> TargetInfo:
        """What is connected. Raises SwitchError before `start`."""
        if self._info is None:
            raise SwitchError(SwitchErrorKind.UNAVAILABLE, "not connected; call start first")
        return self._info

    @property
    def plan(self) -> Plan | None:
        """The plan in force, None before the first apply."""
        return self._plan

    @property
    def counts(self) -> FlowCounts:
        """Flows learned, expired, purged so far."""
        return self._keeper.counts if self._keeper is not None else FlowCounts()

    def close(self) -> None:
        """Disconnect and stop the thread. What is installed stays. Harmless when called twice."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(LbctlError):
            background.run(self._stop(), _CALL_TIMEOUT_S)

    def __enter__(self) -> Controller:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What runs on the loop.

    def _call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        listener = self._listener
        if listener is not None and listener.done() and not listener.cancelled() and not self._closed:
            error = listener.exception()
            if error is not None:
                # A mistake of ours in dealing with an event: better loud at the next call than deaf for ever.
                coroutine.close()
                raise error
        return background.run(coroutine, _CALL_TIMEOUT_S)

    async def _locked(self, read: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        async with self._lock:
            return await read()

    async def _flush_flows(self) -> int:
        async with self._lock:
            if self._keeper is None:
                raise SwitchError(SwitchErrorKind.UNAVAILABLE, "not connected; call start first")
            return await self._keeper.flush()

    async def _start(self) -> TargetInfo:
        async with self._lock:
            info = await self._connect(self._connect_timeout)
        if not info.primary:
            await self._transport.close()
            raise SwitchError(
                SwitchErrorKind.NOT_PRIMARY,
                f"{info.description}; stop that controller, or pass a higher --election-id",
            )
        self._listener = asyncio.create_task(self._listen())
        return info

    async def _stop(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._transport.close()

    async def _connect(self, patience: float) -> TargetInfo:
        """Open the transport, with backoff while it is unavailable; then read the flows of whoever was
        here before.
        """
        delay, waited = _FIRST_RETRY_S, 0.0
        while True:
            try:
                self._info = await self._transport.open()
                break
            except SwitchError as error:
                if error.kind is not SwitchErrorKind.UNAVAILABLE or waited >= patience:
                    raise
            await asyncio.sleep(delay)
            waited += delay
            delay = min(2 * delay, _LONGEST_RETRY_S)
        self._connections += 1
        self._reconciler.doubt()
        counts = self.counts
        self._keeper = FlowKeeper(self._transport, self._info.target)
        self._keeper.counts = counts
        await self._keeper.load()
        return self._info

    async def _apply(self, cluster: Cluster) -> Outcome:
        async with self._lock:
            before, self._cluster = self._cluster, cluster
            try:
                return await self._reconcile_with_retry()
            except SwitchError as error:
                if error.kind is SwitchErrorKind.REJECTED:
                    self._cluster = before
                raise
            except LbctlError:
                self._cluster = before
                raise

    async def _sync(self) -> Outcome:
        async with self._lock:
            self._reconciler.doubt()
            return await self._reconcile_with_retry()

    async def _reconcile_with_retry(self) -> Outcome:
        try:
            return await self._reconcile()
        except SwitchError as error:
            if error.kind is not SwitchErrorKind.UNAVAILABLE:
                raise
        # The outcome of the last batch is unknown: connect again, read back, and write what is still missing.
        await self._connect(self._connect_timeout)
        return await self._reconcile()

    async def _reconcile(self) -> Outcome:
        assert self._keeper is not None
        assert self._info is not None
        cluster, limits = self._cluster or Cluster(), self._info.limits
        outcome = await self._reconciler.reconcile(
            lambda installed: make_plan(cluster, self._node, installed, limits), await self._keeper.current()
        )
        self._plan = outcome.plan
        vips = outcome.plan.vips()
        owners = {vip: planned.backend.service for vip, planned in vips.items()}
        moved = frozenset(vip for vip, owner in owners.items() if self._owners.get(vip, owner) != owner)
        self._owners = owners
        purged = await self._keeper.follow(vips, moved)
        if purged:
            self._log(f"{purged} flow entries of removed services or UDP endpoints were dropped")
        return outcome

    async def _listen(self) -> None:
        """Deal with events until cancelled; a broken connection is opened again with backoff."""
        while True:
            connection = self._connections
            events = await self._transport.next_events()
            self._handling = True
            try:
                async with self._lock:
                    if connection == self._connections:
                        await self._handle(events)
                    # else: `apply` has connected again meanwhile, and these are news of the former connection
            except SwitchError as error:
                self._log(str(error))
                if error.kind is SwitchErrorKind.UNAVAILABLE:
                    await self._reopen()
            finally:
                self._last_event = background.loop().time()
                self._handling = False

    async def _handle(self, events: list[Event]) -> None:
        assert self._keeper is not None
        for event in events:
            match event:
                case Disconnected(reason):
                    raise SwitchError(SwitchErrorKind.UNAVAILABLE, reason)
                case RoleChanged(primary):
                    await self._change_role(primary)
                case NewFlow() | FlowClosing() | FlowIdle():
                    pass
        await self._keeper.learn([event for event in events if isinstance(event, NewFlow)])
        await self._keeper.close_flows([event for event in events if isinstance(event, FlowClosing)])
        await self._keeper.expire([event for event in events if isinstance(event, FlowIdle)])
        await self._transport.acknowledge()

    async def _change_role(self, primary: bool) -> None:
        if not primary:
            self._log("another controller became primary; this one only watches until that one leaves")
            return
        self._log("primary again; reading the switch")
        self._reconciler.doubt()
        assert self._keeper is not None
        await self._keeper.load()
        if self._cluster is not None:
            await self._reconcile()

    async def _reopen(self) -> None:
        """Connect again, however long it takes, and restore the desired state."""
        delay = _FIRST_RETRY_S
        while True:
            # The lock is taken for each attempt anew: a caller of `apply` or `sync` gets its answer in
            # between.
            async with self._lock:
                try:
                    await self._connect(0.0)
                    if self._cluster is not None:
                        await self._reconcile()
                except SwitchError as error:
                    if error.kind is not SwitchErrorKind.UNAVAILABLE:
                        self._log(str(error))
                else:
                    self._log("connected again; the desired state is installed")
                    return
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_RETRY_S)

    async def _wait_idle(self, timeout: float, quiet: float) -> bool:
        start = background.loop().time()
        while background.loop().time() - start < timeout:
            since = background.loop().time() - max(self._last_event, start)
            if not self._handling and since >= quiet:
                return True
            await asyncio.sleep(quiet / 5)
        return False
