"""The P4Runtime server: gRPC in front of a switch (P4Runtime 1.5).

In: RPCs. Out: what `writer`, `reader`, `stream` and `pipeline_config` make of them, or a status with one
sentence. Called by the command line and tests. Every handler ends in `_guarded`: whatever goes wrong
becomes a status, and the server goes on.

Writes and pipeline changes happen one after another (`_writing`); Reads collect their rows under the same
lock, so that each sees a state between two Writes (§13.4).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TypeVar, final

import grpc
from google.protobuf.message import DecodeError, Message

from p4nic.errors import ErrorKind, InputError, P4nicError, StateError
from p4nic.load.p4info import P4Info
from p4nic.server import bulk, reader, simulation, writer
from p4nic.server.access import Access
from p4nic.server.admission import Admission, RateLimit
from p4nic.server.arbitration import ArbitrationRefused
from p4nic.server.forwarding import Forwarding
from p4nic.server.notifications import Notifications
from p4nic.server.pipeline_config import MakePipeline, PipelineConfigs
from p4nic.server.reads import PATIENCE, PLACES, Reads
from p4nic.server.roles import RoleRules, may_write
from p4nic.server.security import check_plain
from p4nic.server.sessions import Sessions
from p4nic.server.status import DETAILS_KEY, RpcRefused, batch_refused, refused
from p4nic.server.stream import Streams
from p4nic.target.switch import Switch
from p4rt import p4r

log = logging.getLogger(__name__)

API_VERSION = "1.5.0"
_SERVICE = "p4.v1.P4Runtime"
MAX_STREAMS = 128
_THREADS = MAX_STREAMS + 32
_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # two servers on one port must not both come up
    # A client that vanishes without a word must not stay primary for ever.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
]
Q = TypeVar("Q")
A = TypeVar("A")


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take from the others. `requests_per_second` is per connection, 0 is no limit."""

    access: Access = field(default_factory=Access)
    message_bytes: int = 64 << 20
    requests_per_second: float = 0.0
    reads: int = PLACES
    read_patience: float = PATIENCE


@final
class P4RuntimeServer:
    """Serves one switch on `address` ("HOST:PORT", port 0 for any, or "unix:PATH").

    `p4info` given: the switch's pipeline counts as configured, and `device_config` is what a client reads
    back. `credentials` None is plain text. InputError if the address cannot be bound.
    """

    def __init__(
        self,
        switch: Switch,
        address: str,
        make_pipeline: MakePipeline,
        p4info: P4Info | None = None,
        device_id: int = 1,
        *,
        device_config: bytes = b"",
        credentials: grpc.ServerCredentials | None = None,
        insecure: bool = False,
        limits: Limits = Limits(),
    ) -> None:
        if credentials is None and not insecure:
            check_plain(address)
        self._stopped = Event()
        writing = Lock()
        configs = PipelineConfigs(switch, make_pipeline, p4info, device_config)

        if configs.committed is not None:
            configs.committed.wire()  # begins to make it ready

        def committed() -> Forwarding | None:
            return configs.committed

        def new_primary() -> None:
            if configs.committed is not None:
                configs.committed.digests.forget_sent()

        self._sessions = Sessions(device_id, writing, new_primary, MAX_STREAMS, limits.access)
        self._notifications = Notifications(switch, self._sessions, committed)
        streams = Streams(switch, self._sessions, committed)
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="p4nic-rpc"),
            options=[*_OPTIONS, ("grpc.max_receive_message_length", limits.message_bytes)],
            maximum_concurrent_rpcs=_THREADS,
            interceptors=[Admission(RateLimit(limits.requests_per_second))],
        )
        self._reads = Reads(limits.reads, limits.read_patience)
        servicer = _Servicer(device_id, configs, self._sessions, streams, writing, self._reads)
        self._server.add_generic_rpc_handlers((servicer.handlers(),))
        self._server.add_generic_rpc_handlers((simulation.handlers(switch, self._notifications, _guarded),))
        self.address = self._bind(address, credentials)

    def _bind(self, address: str, credentials: grpc.ServerCredentials | None) -> str:
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            port = 0
        if port == 0:
            self._notifications.close()
            raise InputError(
                f"the P4Runtime server cannot listen on {address}; is it in use, or not of this machine?"
            )
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the server has stopped; False after `timeout` seconds."""
        return self._stopped.wait(timeout)

    def stop(self, grace_seconds: float = 1.0) -> None:
        """End all streams, let RPCs under way finish for `grace_seconds`, then cut them off."""
        self._sessions.close_all()
        self._server.stop(grace_seconds).wait()
        self._notifications.close()
        self._reads.close()
        self._stopped.set()


@final
class _Servicer:
    """The RPCs, each as its checks in the order of the specification and one call."""

    def __init__(
        self,
        device_id: int,
        configs: PipelineConfigs,
        sessions: Sessions,
        streams: Streams,
        writing: Lock,
        reads: Reads,
    ) -> None:
        self._device_id = device_id
        self._configs = configs
        self._sessions = sessions
        self._streams = streams
        self._writing = writing
        self._reads = reads

    def handlers(self) -> grpc.GenericRpcHandler[bytes, bytes]:
        """gRPC's names. Write takes and Read gives bytes: the bulk path makes no message of them."""
        unary, parse = grpc.unary_unary_rpc_method_handler, p4r.ReadRequest.FromString
        set_, get, able = (
            p4r.SetForwardingPipelineConfigRequest,
            p4r.GetForwardingPipelineConfigRequest,
            p4r.CapabilitiesRequest,
        )
        return grpc.method_handlers_generic_handler(
            _SERVICE,
            {
                "Write": unary(_guarded(self._write_bytes)),
                "Read": grpc.unary_stream_rpc_method_handler(self._stream_read, parse),
                "SetForwardingPipelineConfig": unary(_guarded(self._set_config), set_.FromString, _serialize),
                "GetForwardingPipelineConfig": unary(_guarded(self._get_config), get.FromString, _serialize),
                "Capabilities": unary(_guarded(self._capabilities), able.FromString, _serialize),
                "StreamChannel": grpc.stream_stream_rpc_method_handler(
                    self._stream, p4r.StreamMessageRequest.FromString, _serialize
                ),
            },
        )

    def _stream_read(self, request: p4r.ReadRequest, context: grpc.ServicerContext) -> Iterator[bytes]:
        return _guarded_stream(self._reads.watched(self._read(request), context), context)

    def _stream(
        self, requests: Iterator[p4r.StreamMessageRequest], context: grpc.ServicerContext
    ) -> Iterator[p4r.StreamMessageResponse]:
        return _guarded_stream(self._streams.serve(requests, context.add_callback), context)

    # --- what they do ---

    def _write_bytes(self, data: bytes) -> bytes:
        """The bulk path if it can, the general one for everything else."""
        decoded = bulk.decode(self._configs.active, data) if self._configs.committed is not None else None
        if decoded is not None and self._write_rows(decoded):
            return b""  # a WriteResponse: it has no fields
        try:
            request = p4r.WriteRequest.FromString(data)
        except DecodeError:
            code = grpc.StatusCode.INTERNAL  # what gRPC itself says of such bytes
            raise RpcRefused(code, "the bytes of the request are no p4.v1.WriteRequest") from None
        return self._write(request).SerializeToString()

    def _write_rows(self, decoded: bulk.Decoded) -> bool:
        """The checks of `_write`, in its order."""
        head = decoded[1].head
        self._check_device(head.device_id)
        with self._writing:
            rules = self._check_primary(head)
            return bulk.write(decoded, self._configs.active(), rules, self._sessions.all_rules())

    def _write(self, request: p4r.WriteRequest) -> p4r.WriteResponse:
        self._check_device(request.device_id)
        atomicity = writer.ATOMICITIES.get(request.atomicity)
        with self._writing:
            rules = self._check_primary(request)
            forwarding = self._configs.active()
            if atomicity is None:
                raise refused(
                    ErrorKind.INVALID_ARGUMENT,
                    f"atomicity {request.atomicity} is not one of P4Runtime's three",
                )
            others = self._sessions.all_rules()
            results = writer.write(
                forwarding, request.updates, atomicity, lambda entity: may_write(rules, others, entity)
            )
        if any(results):
            raise batch_refused("update", results)
        return p4r.WriteResponse()

    def _read(self, request: p4r.ReadRequest) -> Iterator[bytes]:
        self._check_device(request.device_id)
        self._sessions.check_role(request.role)
        sees = self._sessions.rules(request.role).sees
        with self._writing:
            entities, results = reader.collect(self._configs.active(), request.entities, sees)
        yield from reader.responses(entities)
        if any(results):
            raise batch_refused("entity", results)

    def _set_config(
        self, request: p4r.SetForwardingPipelineConfigRequest
    ) -> p4r.SetForwardingPipelineConfigResponse:
        self._check_device(request.device_id)
        with self._writing:
            rules = self._check_primary(request)
            if not rules.pushes_pipeline:
                raise refused(ErrorKind.PERMISSION_DENIED, f"role {request.role!r} may not push a pipeline")
            self._configs.set(request)
        return p4r.SetForwardingPipelineConfigResponse()

    def _get_config(
        self, request: p4r.GetForwardingPipelineConfigRequest
    ) -> p4r.GetForwardingPipelineConfigResponse:
        self._check_device(request.device_id)
        return self._configs.get(request.response_type)

    def _capabilities(self, request: p4r.CapabilitiesRequest) -> p4r.CapabilitiesResponse:
        if request.device_id:
            self._check_device(request.device_id)
        return p4r.CapabilitiesResponse(p4runtime_api_version=API_VERSION)

    def _check_device(self, device_id: int) -> None:
        if device_id != self._device_id:
            raise refused(
                ErrorKind.NOT_FOUND,
                f"there is no device {device_id} here; the only device is {self._device_id}",
            )

    def _check_primary(self, request: p4r.WriteRequest | p4r.SetForwardingPipelineConfigRequest) -> RoleRules:
        """Role known, then primary: NOT_FOUND, PERMISSION_DENIED (§12, §14). The caller holds `_writing`."""
        election_id = request.election_id if request.HasField("election_id") else None
        self._sessions.check_primary(request.role, election_id)
        return self._sessions.rules(request.role)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


# --- whatever goes wrong becomes a status
# ----------------------------------------------------------------------


def _guarded(method: Callable[[Q], A]) -> Callable[[Q, grpc.ServicerContext], A]:
    """A unary handler that never raises anything but gRPC's own abort."""

    def handler(request: Q, context: grpc.ServicerContext) -> A:
        try:
            return method(request)
        except Exception as error:  # noqa: BLE001 - the boundary: _refusal logs what is unexpected
            refusal = _refusal(error)
        _abort(context, refusal)
        raise AssertionError("abort() raises")

    return handler


def _guarded_stream(answers: Iterator[A], context: grpc.ServicerContext) -> Iterator[A]:
    """A streaming handler likewise."""
    try:
        yield from answers
        return
    except Exception as error:  # noqa: BLE001 - the boundary: _refusal logs what is unexpected
        refusal = _refusal(error)
    _abort(context, refusal)


def _refusal(error: Exception) -> RpcRefused:
    match error:
        case RpcRefused():
            return error
        case StateError() | ArbitrationRefused():
            return refused(error.kind, str(error))
        case P4nicError():
            return refused(ErrorKind.INVALID_ARGUMENT, str(error))
        case _:
            log.error("an RPC failed", exc_info=error)
            what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            return RpcRefused(
                grpc.StatusCode.INTERNAL, f"the server failed on this request ({what}); see its log"
            )


def _abort(context: grpc.ServicerContext, refusal: RpcRefused) -> None:
    if refusal.details:
        context.set_trailing_metadata(((DETAILS_KEY, refusal.details),))
    context.abort(refusal.code, str(refusal))
