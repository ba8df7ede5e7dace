"""The side service p4nic.sim.v1.Simulation: virtual time for clients in any language (see simulation.proto).

In: Now, Advance, Drain, ShutPort, OpenPort. Out: the switch's time. Registered by the service beside
P4Runtime, with generic handlers: all messages are protobuf's well-known types, so nothing is generated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
from google.protobuf import duration_pb2, empty_pb2, wrappers_pb2

from p4nic.clock import ManualClock
from p4nic.errors import ErrorKind, StateError
from p4nic.server.notifications import Notifications
from p4nic.server.status import RpcRefused
from p4nic.target.switch import Switch

SERVICE = "p4nic.sim.v1.Simulation"
_DRAIN_SECONDS = 5.0
_Empty = empty_pb2.Empty
_Duration = duration_pb2.Duration


def duration(nanoseconds: int) -> duration_pb2.Duration:
    return _Duration(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)


def nanoseconds(message: duration_pb2.Duration) -> int:
    """StateError INVALID_ARGUMENT for what is no Duration (protobuf: same signs, nanos below a second)."""
    if not -(10**9) < message.nanos < 10**9 or message.seconds * message.nanos < 0:
        raise StateError(
            ErrorKind.INVALID_ARGUMENT, f"{message.seconds} s and {message.nanos} ns are no duration"
        )
    return message.seconds * 10**9 + message.nanos


def handlers(
    switch: Switch,
    notifications: Notifications,
    guard: Callable[[Callable[..., duration_pb2.Duration]], Callable[..., duration_pb2.Duration]],
) -> grpc.GenericRpcHandler[Any, Any]:
    """The service's methods; `guard` turns exceptions into statuses."""

    def now(_: empty_pb2.Empty) -> duration_pb2.Duration:
        return duration(switch.clock.now_ns())

    def advance(step: duration_pb2.Duration) -> duration_pb2.Duration:
        return duration(notifications.advance(nanoseconds(step)))

    def drain(_: empty_pb2.Empty) -> duration_pb2.Duration:
        if not switch.drain(_DRAIN_SECONDS):
            raise RpcRefused(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"frames keep coming: the ports were not empty within {_DRAIN_SECONDS:g} s",
            )
        return duration(switch.clock.now_ns())

    def set_port(up: bool, port: wrappers_pb2.UInt32Value) -> duration_pb2.Duration:
        if not isinstance(switch.clock, ManualClock):
            raise StateError(
                ErrorKind.FAILED_PRECONDITION,
                f"switch {switch.name} follows the real clock; clients move ports under a manual one",
            )
        switch.set_port(port.value, up)
        return duration(switch.clock.now_ns())

    def method(
        function: Callable[..., duration_pb2.Duration], request: Any
    ) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.unary_unary_rpc_method_handler(
            guard(function),
            request_deserializer=request.FromString,
            response_serializer=_Duration.SerializeToString,
        )

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Now": method(now, _Empty),
            "Advance": method(advance, _Duration),
            "Drain": method(drain, _Empty),
            "ShutPort": method(partial(set_port, False), wrappers_pb2.UInt32Value),
            "OpenPort": method(partial(set_port, True), wrappers_pb2.UInt32Value),
        },
    )
