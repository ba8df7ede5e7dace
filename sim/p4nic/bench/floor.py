"""The floor: a load balancer written by hand in C (c/floor.h), given the entries the P4 program gets.

In: entries of the shipped load balancer. Out: the same measurements as of our engines. Called by the lb-*
workloads, and by the test that compares its frames with the interpreter's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

from p4nic.backend.api import Entry
from p4nic.backend.native.measuring import MAX_ROUNDS, Timing, in_c, timing
from p4nic.bench import csource
from p4nic.bench.api import NOW_NS, BenchError
from p4nic.bench.traffic import Traffic
from p4nic.ccompiler import owned
from p4nic.ir.program import ActionCall, Exact, Lpm

_ROLES = {"Lb.uplink": 1, "Lb.pod_port": 2, "Lb.host_port": 3}
_DELIVER = {"Lb.to_pod": 1, "Lb.to_host": 2, "Lb.to_next_hop": 3, "Lb.to_tunnel": 4}
_ROOM = 2304


@final
class Floor:
    """The hand-written load balancer with room for so many connections."""

    def __init__(self, connections: int) -> None:
        self._ffi, self._lib = csource.library()
        made = self._lib.floor_create(2 * connections + 64)
        if made == self._ffi.NULL:
            raise BenchError(f"there is no memory for the floor with {connections} connections")
        self._floor = owned((self._ffi, self._lib), made, "floor_destroy")
        self._tunnel = [0, 0, 0]

    def configure(self, entries: Iterable[Entry]) -> None:
        """Take over entries of the P4 program's tables. Routes come in ascending order of prefix length."""
        endpoints: dict[int, tuple[int, ...]] = {}
        buckets: list[tuple[int, int, int]] = []
        routes: list[tuple[Lpm, ActionCall]] = []
        for entry in entries:
            assert isinstance(entry.action, ActionCall)
            keys = [match.value for match in entry.key if isinstance(match, Exact)]
            args = entry.action.args
            match entry.table:
                case "Lb.port_role":
                    pod_ip = args[0] if args else 0
                    self._lib.floor_port(self._floor, keys[0], _ROLES[entry.action.action], pod_ip)
                case "Lb.service_vip":
                    self._lib.floor_service(self._floor, *keys, args[0], args[1])
                case "Lb.maglev_bucket":
                    buckets.append((keys[0], keys[1], args[0]))
                case "Lb.endpoint":
                    endpoints[keys[0]] = args
                case "Lb.route":
                    prefix = entry.key[0] if isinstance(entry.key[0], Lpm) else Lpm(0, 0)
                    routes.append((prefix, entry.action))
                case "Lb.local_vtep" | "Lb.tunnel_peer" | "Lb.known_vni":
                    self._tunnel[["local_vtep", "tunnel_peer", "known_vni"].index(entry.table[3:])] = keys[0]
                case other:
                    raise BenchError(f"the floor has no table {other}")
        for service, bucket, endpoint in buckets:
            self._lib.floor_endpoint(self._floor, service, bucket, *endpoints[endpoint])
        self._lib.floor_tunnel(self._floor, *self._tunnel)
        for prefix, call in sorted(routes, key=lambda route: route[0].prefix_length):
            self._route(prefix, call)

    def _route(self, prefix: Lpm, call: ActionCall) -> None:
        made: Any = self._ffi.new("route_t *")
        made.deliver = _DELIVER[call.action]
        made.port, made.smac, made.dmac = call.args[:3]
        if call.action == "Lb.to_tunnel":
            made.local_vtep, made.remote_vtep, made.vni, made.inner_dmac = call.args[3:]
        if not self._lib.floor_route(self._floor, prefix.value, prefix.prefix_length, made):
            raise BenchError("the floor has no room for another route")

    def one(self, port: int, frame: bytes) -> tuple[tuple[int, bytes], ...]:
        """What leaves for one frame: (port, bytes), or nothing."""
        out = self._ffi.new("uint8_t[]", _ROOM)
        out_port = self._ffi.new("uint32_t *")
        length = self._lib.floor_one(self._floor, frame, len(frame), port, NOW_NS, out, out_port)
        return ((int(out_port[0]), bytes(self._ffi.buffer(out, length))),) if length else ()

    def flows(self) -> int:
        """Entries there are: two for a connection."""
        return int(self._lib.floor_flows(self._floor))

    def measure(
        self, traffic: Traffic, first: int, now_ns: int, rounds: int = MAX_ROUNDS, seconds: float = 3600.0
    ) -> Timing:
        """As NativePipeline.measure."""
        frames, kept = in_c(traffic, self._ffi)
        out = self._ffi.new("p4_timing_t *")
        self._lib.floor_bench(self._floor, frames, first, rounds, int(seconds * 1e9), now_ns, out)
        del kept
        return timing(out)
