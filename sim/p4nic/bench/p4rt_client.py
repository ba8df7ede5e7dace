"""A P4Runtime client that costs next to nothing beside the server it measures, and servers in processes of
their own.

In: the program `writes` of the benchmarks. Out: requests as bytes, made before they are timed, and how long
the server took to answer. Called by the workload `p4rt-writes`.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import grpc

from p4nic.backend.api import Options
from p4nic.backend.native import NativeBackend
from p4nic.bench import programs
from p4nic.bench.api import BenchError
from p4nic.load.known import load_known
from p4nic.load.p4info import load_p4info
from p4rt import p4r

_SERVICE = "/p4.v1.P4Runtime/"
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
STDERR = 2
START_SECONDS = 60.0
KEY = (("src", 4), ("dst", 4), ("protocol", 1), ("sport", 2), ("dport", 2))
"""Fields of `flows` and their bytes."""
ARGS = (("dst", 4), ("dport", 2))


def flow(number: int) -> tuple[int, ...]:
    """The values of flow `number`: key, then arguments. No two flows have one key."""
    return (
        0x0A000000 + number, 0xC0A80000 + number * 2654435761 % 65536, 6, 1024 + number % 60000, 443,
        0x0A800000 + number % 1000, 8000 + number % 100,
    )  # fmt: skip


class Requests:
    """Serialized WriteRequests for the program `writes`.

    A batch is one update's bytes, repeated, with the values put in from the side: protobuf would take longer
    to make them than the server to apply them.
    """

    def __init__(self) -> None:
        path = programs.files("writes", "json")[1]
        self.info = load_p4info(path)
        self.head = p4r.WriteRequest(device_id=1, election_id=p4r.Uint128(low=1)).SerializeToString()
        marks = [bytes([0xE0 + i]) * size for i, (_, size) in enumerate((*KEY, *ARGS))]
        entry = p4r.TableEntry(table_id=self.info.tables["Main.flows"].id)
        for i, mark in enumerate(marks[: len(KEY)]):
            entry.match.add(field_id=i + 1).exact.value = mark
        entry.action.action.action_id = self.info.actions["Main.send"].id
        for i, mark in enumerate(marks[len(KEY) :]):
            entry.action.action.params.add(param_id=i + 1, value=mark)
        update = p4r.Update(type=p4r.Update.INSERT, entity=p4r.Entity(table_entry=entry))
        self._one = p4r.WriteRequest(updates=[update]).SerializeToString()
        self._places = [(self._one.index(mark), len(mark)) for mark in marks]

    def inserts(self, first: int, count: int) -> bytes:
        """One request that inserts the flows from `first` on."""
        made = bytearray(self._one * count)
        columns = zip(*(flow(first + i) for i in range(count)), strict=True)
        for column, (at, size) in zip(columns, self._places, strict=True):
            data = b"".join(value.to_bytes(size, "big") for value in column)
            for byte in range(size):
                made[at + byte :: len(self._one)] = data[byte::size]
        return self.head + bytes(made)

    def ageing(self, first: int, count: int, timeout_ns: int, kind: int) -> bytes:
        """One request about entries of `ages`."""
        made = p4r.WriteRequest.FromString(self.head)
        for number in range(first, first + count):
            update = made.updates.add(type=kind)
            entry = update.entity.table_entry
            entry.table_id = self.info.tables["Main.ages"].id
            entry.match.add(field_id=1).exact.value = (1 + number).to_bytes(4, "big")
            entry.action.action.action_id = self.info.actions["Main.miss"].id
            entry.idle_timeout_ns = timeout_ns
        return made.SerializeToString()

    def read(self) -> bytes:
        asked = p4r.ReadRequest(device_id=1)
        asked.entities.add().table_entry.table_id = self.info.tables["Main.flows"].id
        return asked.SerializeToString()


class Client:
    """Primary on one channel; requests and answers are bytes."""

    def __init__(self, address: str, pid: int) -> None:
        self._stat = Path(f"/proc/{pid}/stat")
        self.channel = grpc.insecure_channel(address, options=_OPTIONS)
        self.write: Callable[[bytes], bytes] = self.channel.unary_unary(_SERVICE + "Write", bytes, bytes)
        self.read: Any = self.channel.unary_stream(_SERVICE + "Read", bytes, bytes)
        self._asked: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        stream = self.channel.stream_stream(_SERVICE + "StreamChannel", bytes, bytes)
        self.told: Iterator[bytes] = iter(cast(Any, stream(iter(self._asked.get, None))))
        hello = p4r.StreamMessageRequest()
        hello.arbitration.device_id = 1
        hello.arbitration.election_id.low = 1
        self._asked.put(hello.SerializeToString())
        answer = p4r.StreamMessageResponse.FromString(next(self.told))
        if answer.arbitration.status.code:
            raise BenchError(f"the server at {address} has another primary: {answer.arbitration}")

    def server_cpu(self) -> float:
        """Seconds of CPU time the server has taken so far: what a busy machine changes least."""
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self._asked.put(None)
        self.channel.close()


@contextmanager
def p4nic_server(backend: str, *options: str) -> Iterator[Client]:
    """`p4nic serve` with the program, and a client of it."""
    artifact, info = programs.files("writes", "json")
    if backend == "native":  # no compiler shall run beside what is measured
        NativeBackend().build(load_known([artifact], info), Options()).close()
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        words = ["serve", str(artifact), "--p4info", str(info), "--grpc", "127.0.0.1:0", "--backend", backend]
        command = [sys.executable, "-m", "p4nic", *words, "--ready-file", str(ready), "--log", "warning"]
        # stdout is for the one JSON object of the bench: what the server says goes to stderr
        process = subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL, stdout=STDERR)
        try:
            end = time.monotonic() + START_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise BenchError("`p4nic serve` did not start; what it said is above")
                time.sleep(0.02)
            time.sleep(0.05)
            client = Client(json.loads(ready.read_text())["grpc"], process.pid)
            yield client
            client.close()
        finally:
            process.terminate()
            process.wait()


@contextmanager
def bmv2_server() -> Iterator[Client]:
    """`simple_switch_grpc` with the program, and a client of it."""
    command = shutil.which("simple_switch_grpc")
    assert command is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    words = [command, "--no-p4", "--device-id", "1"]
    process = subprocess.Popen(
        [*words, "--", "--grpc-server-addr", address],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with grpc.insecure_channel(address) as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=START_SECONDS / 4)
            except grpc.FutureTimeoutError:
                raise BenchError(f"{command} does not answer at {address}") from None
        client = Client(address, process.pid)
        artifact, info = programs.files("writes", "json")
        request = p4r.SetForwardingPipelineConfigRequest(device_id=1)
        request.election_id.low = 1
        request.action = p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT
        request.config.p4info.CopyFrom(load_p4info(info).message)
        request.config.p4_device_config = artifact.read_bytes()
        set_config = client.channel.unary_unary(_SERVICE + "SetForwardingPipelineConfig", bytes, bytes)
        set_config(request.SerializeToString())
        yield client
        client.close()
    finally:
        process.terminate()
        process.wait()
