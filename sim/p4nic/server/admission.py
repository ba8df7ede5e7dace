"""Before any handler runs: who calls, and whether that client calls too often.

In: every RPC, as a gRPC interceptor. Out: the handler's answer, or RESOURCE_EXHAUSTED. Messages of a stream
are not refused but read later, so that gRPC's flow control slows the client down and none is lost. Made by
the service.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias, final

import grpc

from p4nic.server.access import note_caller

if TYPE_CHECKING:
    _Interceptor: TypeAlias = grpc.ServerInterceptor[Any, Any]
else:  # the stubs' class takes types, gRPC's own does not
    _Interceptor = grpc.ServerInterceptor

MAX_CLIENTS = 1024
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


@final
@dataclass(slots=True)
class Bucket:
    """Tokens of one client: `rate` a second, at most one second's worth."""

    rate: float
    tokens: float
    since: float

    def wait(self, now: float) -> float:
        """Take a token; the seconds until it is due, 0 if one was there."""
        self.tokens = min(self.tokens + (now - self.since) * self.rate, self.rate) - 1
        self.since = now
        return max(-self.tokens / self.rate, 0.0)

    def give_back(self) -> None:
        """The request was refused: it costs nothing."""
        self.tokens += 1


@final
class RateLimit:
    """Requests a second of each connection; 0 is no limit."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = Lock()

    def wait(self, peer: str, refuse: bool) -> float:
        """Seconds until the client may go on; with `refuse`, one that may not now is charged nothing."""
        if not self.rate:
            return 0.0
        now = self._clock()
        with self._lock:
            bucket = self._buckets.pop(peer, None) or Bucket(self.rate, self.rate, now)
            self._buckets[peer] = bucket
            if len(self._buckets) > MAX_CLIENTS:
                self._buckets.popitem(last=False)
            seconds = bucket.wait(now)
            if seconds and refuse:
                bucket.give_back()
            return seconds


@final
class Admission(_Interceptor):
    """Wraps each method once."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._wrapped: dict[str, _Handler] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], _Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        method = handler_call_details.method
        if method not in self._wrapped:
            handler = continuation(handler_call_details)
            if handler is None:
                return None
            self._wrapped[method] = self._wrap(handler)
        return self._wrapped[method]

    def _wrap(self, handler: _Handler) -> _Handler:
        inner, outer = _kind(handler)

        def unary(request: Any, context: grpc.ServicerContext) -> Any:
            self._admit(context)
            return inner(request, context)

        def streaming(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            if not handler.request_streaming:
                self._admit(context)
                yield from inner(request, context)
                return
            note_caller(context)
            yield from inner(self._paced(request, context.peer()), context)

        behaviour = streaming if handler.response_streaming else unary
        made: _Handler = outer(behaviour, handler.request_deserializer, handler.response_serializer)
        return made

    def _admit(self, context: grpc.ServicerContext) -> None:
        note_caller(context)
        if self._limit.wait(context.peer(), refuse=True):
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"this client sends more than {self._limit.rate:g} requests a second; put more into each",
            )

    def _paced(self, requests: Iterator[Any], peer: str) -> Iterator[Any]:
        for request in requests:
            time.sleep(self._limit.wait(peer, refuse=False))
            yield request


def _kind(handler: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The handler's function, and what makes such a handler of another."""
    match handler.request_streaming, handler.response_streaming:
        case True, True:
            return handler.stream_stream, grpc.stream_stream_rpc_method_handler
        case False, True:
            return handler.unary_stream, grpc.unary_stream_rpc_method_handler
        case False, False:
            return handler.unary_unary, grpc.unary_unary_rpc_method_handler
        case _:
            return handler.stream_unary, grpc.stream_unary_rpc_method_handler
