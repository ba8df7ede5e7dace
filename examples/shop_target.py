"""A target of our own: `p4nic serve` in a process, its wires, its clock and its counters.

In: the artifact and the backend. Out: frames sent and received, virtual time, drop counters. Used by
`shop_bench`. Ports are Unix sockets and the clock is manual: no root, no sleeping, and two runs see the
same bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty

from lbtraffic.wires import Wire, open_wire
from p4rt import p4r, p4r_grpc

ROOT = Path(__file__).resolve().parent.parent
PORTS = range(16)
SIMULATION = "/p4nic.sim.v1.Simulation"
START_TIMEOUT_S = 30.0

ARTIFACTS = {
    "spec": (["k8s_lb.spec", "k8s_lb.context.json"], "k8s_lb.pna.p4info.txtpb"),
    "json": (["k8s_lb.json"], "k8s_lb.v1model.p4info.txtpb"),
}
"""What `p4nic serve` gets: the PNA program as p4c-dpdk wrote it, the v1model one as p4c-bm2-ss did."""


class BenchError(Exception):
    """The target did not come up or stopped answering; the text is what it said."""


class Target:
    """A running `p4nic serve`. A context manager: leaving it stops the process."""

    def __init__(self, artifact: str, backend: str) -> None:
        self.artifact = artifact
        self.backend = backend
        self._folder = tempfile.TemporaryDirectory(prefix="p4nic-shop-")
        self._wires: dict[int, Wire] = {}
        reasons = json.loads((ROOT / "pipeline/drop_reasons.json").read_text())
        self._reasons = {int(number): name for name, number in reasons.items()}

    def __enter__(self) -> Target:
        folder = Path(self._folder.name)
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self.command(folder), stdout=log, stderr=subprocess.STDOUT)
        try:
            self.address = self._await_ready(folder)
            self._channel = grpc.insecure_channel(self.address)
            self._wires = {n: open_wire(f"unix:{folder}/p{n}") for n in PORTS}
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        for wire in self._wires.values():
            wire.close()
        self._process.terminate()
        self._process.wait(10)
        self._folder.cleanup()

    def command(self, folder: Path) -> list[str]:
        """Its command line."""
        files, p4info = ARTIFACTS[self.artifact]
        built = ROOT / "pipeline/build"
        return [
            str(Path(sys.executable).parent / "p4nic"), "serve", *(str(built / name) for name in files),
            "--p4info", str(built / p4info), "--grpc", "127.0.0.1:0", "--clock", "manual",
            "--backend", self.backend, "--ready-file", str(folder / "ready"),
            *(word for n in PORTS for word in ("--port", f"{n}@unix:{folder}/p{n}")),
        ]  # fmt: skip

    def _await_ready(self, folder: Path) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if (folder / "ready").exists():
                return str(json.loads((folder / "ready").read_text())["grpc"])
            time.sleep(0.01)
        raise BenchError(f"the target did not start: {(folder / 'log').read_text().strip() or 'no message'}")

    def exchange(self, port: int, frame: bytes) -> None:
        """Put one frame on a port's wire and wait until the target has dealt with it."""
        self._wires[port].send(frame)
        self._simulation("Drain", Empty())

    def received(self) -> list[tuple[int, bytes]]:
        """What came out since the last call, by port and in order."""
        return [(n, frame) for n, wire in self._wires.items() for frame in wire.receive_all()]

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; everything that expires does so now."""
        self._simulation("Advance", Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)))
        self._simulation("Drain", Empty())

    def drops(self) -> dict[str, int]:
        """The program's drop counter by reason, zeros left out."""
        stub = p4r_grpc.P4RuntimeStub(self._channel)
        config = stub.GetForwardingPipelineConfig(p4r.GetForwardingPipelineConfigRequest(device_id=1))
        request = p4r.ReadRequest(device_id=1)
        request.entities.add().counter_entry.counter_id = next(
            c.preamble.id for c in config.config.p4info.counters if c.preamble.alias == "drop_counter"
        )
        cells = [e.counter_entry for answer in stub.Read(request) for e in answer.entities]
        counted = {cell.index.index: cell.data.packet_count for cell in cells}
        return {self._reasons.get(n, f"reason {n}"): count for n, count in counted.items() if count}

    def _simulation(self, method: str, argument: Duration | Empty) -> None:
        call = self._channel.unary_unary(
            f"{SIMULATION}/{method}",
            request_serializer=type(argument).SerializeToString,
            response_deserializer=(Empty if method == "Drain" else Duration).FromString,
        )
        call(argument, timeout=60)
