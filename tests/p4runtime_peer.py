"""A server under test and clients for it, speaking plain P4Runtime: for the tests of p4nic.server.

    with ServerUnderTest(packet_io()) as server:        a switch on a manual clock, a server on a free port
        client = server.client()                        a channel of its own
        client.arbitrate(1)                             its stream, primary now
        client.write(insert(server.names.entry("Switch.l2", {"dst": 5}, "Switch.forward", {"port": 3})))

Messages are built by name here, without p4nic's codec: an independent way to the ids and bytestrings.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, cast

import grpc
from google.protobuf import duration_pb2, empty_pb2, text_format, wrappers_pb2
from server_backends import backend_named

from p4nic.backend.api import Options
from p4nic.clock import Clock, ManualClock
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program
from p4nic.load.p4info import P4Info, load_p4info
from p4nic.server.service import P4RuntimeServer
from p4nic.target.switch import Switch
from p4rt import p4i, p4r, p4r_grpc, rpc_status

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "tests" / "programs" / "build"
PIPELINE = ROOT / "pipeline" / "build"
SECONDS = 10.0
"""How long a client waits for what must come: a limit against hanging, not a measurement."""
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Artifact:
    """A compiled program on disk and in memory."""

    path: Path
    p4info_path: Path
    program: Program
    info: P4Info

    @property
    def config(self) -> p4r.ForwardingPipelineConfig:
        message = p4r.ForwardingPipelineConfig(p4_device_config=self.path.read_bytes())
        message.p4info.CopyFrom(self.info.message)
        return message


@cache
def packet_io() -> Artifact:
    """One of every entity, v1model."""
    return _artifact(PROGRAMS / "packet_io.json", PROGRAMS / "packet_io.p4info.txtpb")


@cache
def bulk_program() -> Artifact:
    """Tables to fill quickly, one for each way to match, v1model."""
    return _artifact(PROGRAMS / "bulk.json", PROGRAMS / "bulk.p4info.txtpb")


@cache
def load_balancer() -> Artifact:
    """The load balancer as p4c-dpdk compiled it: it learns flows in the data plane."""
    return _artifact(PIPELINE / "k8s_lb.spec", PIPELINE / "k8s_lb.pna.p4info.txtpb")


@cache
def program(name: str) -> Artifact:
    """One of tests/programs."""
    return _artifact(PROGRAMS / f"{name}.json", PROGRAMS / f"{name}.p4info.txtpb")


def _artifact(path: Path, p4info: Path) -> Artifact:
    return Artifact(path, p4info, load_program([path], p4info), load_p4info(p4info))


class ServerUnderTest:
    """A switch with a server in this process. `artifact` None: no pipeline until a client brings it.
    `options` are the server's own.
    """

    def __init__(
        self,
        artifact: Artifact | None,
        *,
        clock: Clock | None = None,
        notify: tuple[str, ...] = (),
        device_id: int = 1,
        backend: str = "interp",
        **options: Any,
    ) -> None:
        self.clock = clock or ManualClock()
        self.backend = backend_named(backend)
        build = self.backend.build
        pipeline = build(artifact.program, Options()) if artifact is not None else None
        self.switch = Switch(pipeline, self.clock, notify=notify)
        self.server = P4RuntimeServer(
            self.switch,
            "127.0.0.1:0",
            lambda program: build(program, Options()),
            artifact.info if artifact is not None else None,
            device_id,
            **options,
        )
        self.names = Names((artifact or packet_io()).info.message)
        self._clients: list[Client] = []

    def __enter__(self) -> ServerUnderTest:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self.server.stop(0.2)
        self.switch.close()

    def client(self, metadata_size: int = 1 << 20) -> Client:
        client = Client(self.server.address, metadata_size)
        self._clients.append(client)
        return client

    def primary(self, election_id: int = 1, stream_seconds: float = SECONDS * 6) -> Client:
        """A client that is primary of the default role."""
        client = self.client()
        client.stream_seconds = stream_seconds
        assert client.arbitrate(election_id).status.code == 0
        return client


class Client:
    """One channel and at most one stream."""

    def __init__(self, address: str, metadata_size: int = 1 << 20) -> None:
        options = [("grpc.max_metadata_size", metadata_size), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options)
        self.stub = p4r_grpc.P4RuntimeStub(self.channel)
        self._simulation = "/p4nic.sim.v1.Simulation/"
        self._requests: queue.SimpleQueue[p4r.StreamMessageRequest | None] = queue.SimpleQueue()
        self._call: Iterator[p4r.StreamMessageResponse] | None = None
        self.stream_seconds = SECONDS * 6
        self.election_id: int | None = None
        self.role = ""

    def close(self) -> None:
        self._requests.put(None)
        self.channel.close()

    # --- the stream ---

    def send(self, message: p4r.StreamMessageRequest) -> None:
        if self._call is None:
            call = self.stub.StreamChannel(iter(self._requests.get, None), timeout=self.stream_seconds)
            self._call = iter(cast(Iterable[p4r.StreamMessageResponse], call))
        self._requests.put(message)

    def receive(self) -> p4r.StreamMessageResponse:
        """The next message; grpc.RpcError if the server has ended the stream."""
        assert self._call is not None
        return next(self._call)

    def arbitrate(
        self, election_id: int | None, role: str = "", device_id: int = 1, config: object = None
    ) -> p4r.MasterArbitrationUpdate:
        """Send an update and wait for the next notice."""
        self.send(arbitration(election_id, role, device_id, config))
        self.election_id, self.role = election_id, role
        return self.notice()

    def notice(self) -> p4r.MasterArbitrationUpdate:
        message = self.receive()
        assert message.WhichOneof("update") == "arbitration", message
        return message.arbitration

    def fence(self) -> list[p4r.StreamMessageResponse]:
        """Everything that was queued for this client so far: the answer to another update comes after it."""
        self.send(arbitration(self.election_id, self.role))
        found = []
        while (message := self.receive()).WhichOneof("update") != "arbitration":
            found.append(message)
        return found

    def stream_error(self) -> grpc.RpcError:
        """How the server ended the stream."""
        try:
            while True:
                self.receive()
        except grpc.RpcError as error:
            return error

    # --- unary ---

    def write(self, *updates: p4r.Update, atomicity: int = 0, device_id: int = 1) -> None:
        request = p4r.WriteRequest(device_id=device_id, role=self.role, atomicity=atomicity, updates=updates)  # type: ignore[arg-type]
        if self.election_id is not None:
            request.election_id.CopyFrom(uint128(self.election_id))
        self.stub.Write(request, timeout=SECONDS)

    def refused(self, *updates: p4r.Update, atomicity: int = 0) -> list[tuple[str, str]]:
        """(code, sentence) per update of a Write that must fail; ("OK", "") where it was applied."""
        try:
            self.write(*updates, atomicity=atomicity)
        except grpc.RpcError as error:
            return errors_of(error)
        raise AssertionError("the write was accepted")

    def read(self, *entities: p4r.Entity, role: str = "") -> list[p4r.Entity]:
        return [e for answer in self.read_stream(*entities, role=role) for e in answer.entities]

    def read_stream(self, *entities: p4r.Entity, role: str = "") -> Iterator[p4r.ReadResponse]:
        """The messages as they come."""
        request = p4r.ReadRequest(device_id=1, entities=entities, role=role)
        yield from self.stub.Read(request, timeout=SECONDS)

    def read_entries(self, ask: p4r.TableEntry | None = None) -> list[p4r.TableEntry]:
        return [e.table_entry for e in self.read(p4r.Entity(table_entry=ask or p4r.TableEntry()))]

    def set_config(self, action: int, config: p4r.ForwardingPipelineConfig | None = None) -> None:
        request = p4r.SetForwardingPipelineConfigRequest(device_id=1, role=self.role, action=action)  # type: ignore[arg-type]
        if self.election_id is not None:
            request.election_id.CopyFrom(uint128(self.election_id))
        if config is not None:
            request.config.CopyFrom(config)
        self.stub.SetForwardingPipelineConfig(request, timeout=SECONDS * 3)

    # --- virtual time ---

    def advance(self, nanoseconds: int) -> int:
        step = duration_pb2.Duration(seconds=nanoseconds // SECOND, nanos=nanoseconds % SECOND)
        call = self.channel.unary_unary(
            self._simulation + "Advance",
            duration_pb2.Duration.SerializeToString,
            duration_pb2.Duration.FromString,
        )
        return _nanoseconds(call(step, timeout=SECONDS))

    def set_port(self, number: int, up: bool) -> None:
        """Give a port its link, or take it away."""
        call = self.channel.unary_unary(
            self._simulation + ("OpenPort" if up else "ShutPort"),
            wrappers_pb2.UInt32Value.SerializeToString,
            duration_pb2.Duration.FromString,
        )
        call(wrappers_pb2.UInt32Value(value=number), timeout=SECONDS)

    def now(self) -> int:
        call = self.channel.unary_unary(
            self._simulation + "Now", empty_pb2.Empty.SerializeToString, duration_pb2.Duration.FromString
        )
        return _nanoseconds(call(empty_pb2.Empty(), timeout=SECONDS))


def _nanoseconds(message: duration_pb2.Duration) -> int:
    return message.seconds * SECOND + message.nanos


def code_of(error: grpc.RpcError) -> str:
    code = error.code()
    assert isinstance(code, grpc.StatusCode)
    return code.name


def outcome(call: Callable[[], object]) -> str:
    """The code an RPC ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return code_of(error)
    return "OK"


def errors_of(error: grpc.RpcError) -> list[tuple[str, str]]:
    """The p4.v1.Error list of an RPC that ended with UNKNOWN; AssertionError if it did not (§12.3)."""
    assert code_of(error) == "UNKNOWN", f"{code_of(error)}: {error.details()}"
    trailers: dict[str, bytes] = dict(cast(Any, error.trailing_metadata()))
    status = rpc_status.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == grpc.StatusCode.UNKNOWN.value[0]
    assert status.message == error.details()
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    found = []
    for detail in status.details:
        one = p4r.Error()
        assert detail.Unpack(one)
        found.append((names[one.canonical_code], one.message))
    return found


def uint128(value: int) -> p4r.Uint128:
    return p4r.Uint128(high=value >> 64, low=value & (1 << 64) - 1)


def arbitration(
    election_id: int | None, role: str = "", device_id: int = 1, config: object = None
) -> p4r.StreamMessageRequest:
    message = p4r.StreamMessageRequest()
    message.arbitration.device_id = device_id
    if role or config is not None:
        message.arbitration.role.name = role
    if config is not None:
        message.arbitration.role.config.Pack(config)  # type: ignore[arg-type]
    if election_id is not None:
        message.arbitration.election_id.CopyFrom(uint128(election_id))
    return message


# --- messages by name ---------------------------------------------------------------------------------------


def bytestring(value: int) -> bytes:
    return value.to_bytes(max(1, -(-value.bit_length() // 8)), "big")


Value = int | tuple[int, int] | bytes
"""A match: exact or optional value; (value, prefix length), (value, mask) or (low, high)."""


class Names:
    """Ids by name, straight from the protobuf."""

    def __init__(self, info: p4i.P4Info) -> None:
        self.tables = {t.preamble.name: t for t in info.tables}
        self.actions = {a.preamble.name: a for a in info.actions}
        kinds = ("action_profiles", "counters", "direct_counters", "meters", "registers", "digests")
        self.ids = {o.preamble.name: o.preamble.id for kind in kinds for o in getattr(info, kind)}
        self.ids |= {n: t.preamble.id for n, t in self.tables.items()}
        self.ids |= {n: a.preamble.id for n, a in self.actions.items()}

    def action(self, name: str, args: Mapping[str, int] | None = None) -> p4r.Action:
        info = self.actions[name]
        message = p4r.Action(action_id=info.preamble.id)
        numbers = {p.name: p.id for p in info.params}
        for param, value in (args or {}).items():
            message.params.add(param_id=numbers[param], value=bytestring(value))
        return message

    def entry(
        self,
        table: str,
        match: Mapping[str, Value] | None = None,
        action: str | p4r.TableAction | None = None,
        args: Mapping[str, int] | None = None,
        **fields: object,
    ) -> p4r.TableEntry:
        info = self.tables[table]
        message = p4r.TableEntry(table_id=info.preamble.id, **fields)  # type: ignore[arg-type]
        keys = {f.name: f for f in info.match_fields}
        for name, value in (match or {}).items():
            message.match.append(_match(keys[name], value))
        if isinstance(action, p4r.TableAction):
            message.action.CopyFrom(action)
        elif action is not None:
            message.action.action.CopyFrom(self.action(action, args))
        return message


def _match(info: p4i.MatchField, value: Value) -> p4r.FieldMatch:
    message = p4r.FieldMatch(field_id=info.id)
    first = value[0] if isinstance(value, tuple) else value
    raw = first if isinstance(first, bytes) else bytestring(first)
    second = value[1] if isinstance(value, tuple) else 0
    match info.match_type:
        case p4i.MatchField.EXACT:
            message.exact.value = raw
        case p4i.MatchField.OPTIONAL:
            message.optional.value = raw
        case p4i.MatchField.LPM:
            message.lpm.value, message.lpm.prefix_len = raw, second
        case p4i.MatchField.TERNARY:
            message.ternary.value, message.ternary.mask = raw, bytestring(second)
        case p4i.MatchField.RANGE:
            message.range.low, message.range.high = raw, bytestring(second)
        case _:
            raise AssertionError(info)
    return message


def insert(what: p4r.TableEntry | p4r.Entity) -> p4r.Update:
    return _update(p4r.Update.INSERT, what)


def modify(what: p4r.TableEntry | p4r.Entity) -> p4r.Update:
    return _update(p4r.Update.MODIFY, what)


def delete(what: p4r.TableEntry | p4r.Entity) -> p4r.Update:
    return _update(p4r.Update.DELETE, what)


def _update(kind: p4r.Update.Type.ValueType, what: p4r.TableEntry | p4r.Entity) -> p4r.Update:
    entity = what if isinstance(what, p4r.Entity) else p4r.Entity(table_entry=what)
    return p4r.Update(type=kind, entity=entity)


def entity(text: str, **ids: int) -> p4r.Entity:
    """An Entity in protobuf text; `$name` stands for an id."""
    return text_format.Parse(Template(text).substitute(ids), p4r.Entity())
