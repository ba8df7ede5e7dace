"""A `simple_switch_grpc` process, programmed over P4Runtime, its packets over its own gRPC service.

In: P4Info, JSON, updates, frames. Out: refusals and frames. Called by `bmv2`. Two Unix sockets in a temporary
folder; no interfaces, so no root, and frames of any length into any port.

BMv2's packet service (p4.bm.DataplaneInterface) makes "all done" observable: when the client ends the stream,
the switch answers after the last packet in its queues has left.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Queue
from typing import Any, final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from p4nic.errors import InputError, TargetError
from p4rt import p4i, p4r, p4r_grpc

PROGRAM = "simple_switch_grpc"
_START_S, _ANSWER_S = 30.0, 30.0
_DEVICE = 1
_STREAM = "/p4.bm.DataplaneInterface/PacketStream"


def program_path() -> str:
    """Where BMv2 is; InputError where it is not."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise InputError(f"{PROGRAM} is not on PATH; leave bmv2 out of --targets, or see docs/testbeds.md")
    return found


def _frame_class() -> Any:
    """One message for both directions: id, device_id, port, packet."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="p4nic/bmv2_frame.proto", package="p4nic", syntax="proto3")
    message = file.message_type.add(name="Bmv2Frame")
    fields = (("id", 4), ("device_id", 4), ("port", 13), ("packet", 12))  # uint64, uint64, uint32, bytes
    for number, (name, kind) in enumerate(fields, 1):
        message.field.add(
            name=name, number=number, type=kinds.Type.ValueType(kind), label=kinds.LABEL_OPTIONAL
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p4nic.Bmv2Frame"))


_Frame = _frame_class()


@final
class Bmv2Switch:
    """Started by the constructor; TargetError if it does not start.

    `interfaces` (port number -> network interface; root): packets go over these, and `send` is not there.
    """

    def __init__(self, program: str, interfaces: Mapping[int, str] | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="p4nic-diff-bmv2-"))
        self._log = self._folder / "log"
        control, packets = f"unix:{self._folder}/p4runtime", f"unix:{self._folder}/packets"
        command = [program, "--device-id", str(_DEVICE), "--no-p4"]
        for number, name in (interfaces or {}).items():
            command += ["--interface", f"{number}@{name}"]
        command += ["--", "--grpc-server-addr", control]
        if interfaces is None:
            command += ["--dp-grpc-server-addr", packets]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        listening = (control, packets) if interfaces is None else (control,)
        self._channels = [grpc.insecure_channel(address) for address in listening]
        try:
            for channel in self._channels:
                grpc.channel_ready_future(channel).result(timeout=_START_S)
            self._control: Any = p4r_grpc.P4RuntimeStub(self._channels[0])
            self._packets = self._channels[-1].stream_stream(
                _STREAM, request_serializer=_Frame.SerializeToString, response_deserializer=_Frame.FromString
            )
            self._arbitrate()
        except (grpc.FutureTimeoutError, grpc.RpcError):
            said = self._last_line()
            self.stop()
            raise TargetError(f"{PROGRAM} did not start: {said}") from None

    def _arbitrate(self) -> None:
        self._requests: Queue[Any] = Queue()
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = _DEVICE
        request.arbitration.election_id.low = 1
        self._requests.put(request)
        self._stream = self._control.StreamChannel(iter(self._requests.get, None))
        next(self._stream)

    def load(self, p4info: p4i.P4Info, json: bytes) -> None:
        """Run this program, with nothing in its tables. TargetError if BMv2 refuses it."""
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=_DEVICE,
            election_id=p4r.Uint128(low=1),
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
            config=p4r.ForwardingPipelineConfig(p4info=p4info, p4_device_config=json),
        )
        try:
            self._control.SetForwardingPipelineConfig(request, timeout=_ANSWER_S)
        except grpc.RpcError as error:
            raise TargetError(f"bmv2 refuses the program: {_told(error) or self._last_line()}") from None

    def write(self, update: p4r.Update) -> str | None:
        """None, or why it was refused."""
        request = p4r.WriteRequest(device_id=_DEVICE, election_id=p4r.Uint128(low=1), updates=[update])
        try:
            self._control.Write(request, timeout=_ANSWER_S)
        except grpc.RpcError as error:
            return _told(error)
        return None

    def send(self, port: int, frame: bytes) -> list[tuple[int, bytes]]:
        """Put a frame into a port; everything that leaves because of it. TargetError if the switch ends."""
        request = _Frame(device_id=_DEVICE, port=port, packet=frame)
        end = time.monotonic() + _START_S
        while True:
            try:
                answers = list(self._packets(iter([request]), timeout=_ANSWER_S))
            except grpc.RpcError as error:
                if _not_ready(error) and time.monotonic() < end:
                    time.sleep(0.01)
                    continue
                raise TargetError(f"bmv2 does not answer: {_told(error)}; {self._last_line()}") from None
            return [(answer.port, answer.packet) for answer in answers]

    @property
    def pid(self) -> int:
        """For whoever measures its processor time."""
        return self._process.pid

    def running(self) -> bool:
        """False when the process ended by itself."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it; harmless when it has ended."""
        for channel in self._channels:
            channel.close()
        if self.running():
            self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return lines[-1] if lines else f"exit code {self._process.poll()}"


def _not_ready(error: grpc.RpcError) -> bool:
    """BMv2 takes P4Runtime before its packet service runs, which says so and has taken no frame."""
    call: Any = error
    return bool(call.code() is grpc.StatusCode.UNAVAILABLE and call.details() == "not ready")


def _told(error: grpc.RpcError) -> str:
    call: Any = error
    details = "; ".join(_reasons(call))
    return details or f"{call.code().name}: {call.details()}"


def _reasons(call: Any) -> list[str]:
    """What P4Runtime says about the single update of a write (specification 10.4)."""
    from p4rt import rpc_status

    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = rpc_status.Status.FromString(value)
            found = []
            for detail in status.details:
                one = p4r.Error()
                if detail.Unpack(one) and one.canonical_code:
                    found.append(f"code {one.canonical_code}: {one.message}")
            return found
    return []
