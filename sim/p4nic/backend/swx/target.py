"""One DPDK process with the program in it: built, asked, built again after a crash.

In: the `.spec`, port numbers. Out: answers of the shim, as data. Called by `pipeline`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import final

from p4nic.backend.api import Options, Outcome
from p4nic.backend.swx import wire
from p4nic.backend.swx.compiled import compiled
from p4nic.backend.swx.layout import Description, read_description
from p4nic.backend.swx.process import MEMORY_VARIABLE, Child, Died, memory, start
from p4nic.backend.swx.wire import Operation, Reader
from p4nic.errors import TargetError, UnsupportedError
from p4nic.ir.image import SpecImage

DROP_ACTION = "drop action"
DROP_PORT = "drop port"
LOOP = "instruction limit"
NEGATIVE = "frame shorter than the headers taken from it"
NO_PORT = "ingress port does not exist"
_SENT, _DROPPED, _ENDLESS, _NEGATIVE = range(4)
_NO_MORE = 0xFFFFFFFF
_LONGEST_REPORT = 64
_MOST_MEMORY = 65536
"""Megabytes that are tried for a pipeline; DPDK takes what it touches."""


@final
class Target:
    """`description` is what the built pipeline told; `soonest_ns` a time before which no learned
    entry dies. `inputs` 0: as many input ports as output ports. `source`: see `compiled`."""

    def __init__(self, image: SpecImage, options: Options, inputs: int, source: Path | None) -> None:
        self._image = image
        self._options = options
        self._library = str(compiled(image, source)) if source is not None else ""
        self.ports = max(options.port_count, options.cpu_port + 1)
        # Input ports are a power of two in 22.11.
        self.inputs = 1 << ((inputs or self.ports) - 1).bit_length()
        self.soonest_ns: int | None = None
        self._child: Child | None = None
        self.generation = object()
        """Another one for each process."""
        self.description: Description = self.build()

    def build(self) -> Description:
        """A fresh process; UnsupportedError if DPDK refuses the `.spec`."""
        self.close()
        self.soonest_ns = None
        child = start()
        ports = wire.u32(self.inputs) + wire.u32(self.ports)
        arguments = ports + wire.name(self._library) + self._image.text.encode()
        try:
            status, answer = child.request(Operation.BUILD, arguments)
        except Died as died:
            raise UnsupportedError(
                f"{self._image.file}: DPDK {died.how} while it built the pipeline"
            ) from None
        if status:
            child.close()
            raise UnsupportedError(self._refusal(answer.rest().decode(errors="replace"), arguments))
        self._child = child
        self.generation = object()
        return read_description(answer)

    def ask(self, operation: Operation, arguments: bytes = b"") -> tuple[int, Reader]:
        """(status, answer); TargetError if the process dies of it."""
        try:
            return self._running().request(operation, arguments)
        except Died as died:
            self._child = None
            raise TargetError(f"DPDK {died.how} while it handled {operation.name.lower()}") from None

    @property
    def receiving(self) -> int:
        """Ports a packet can arrive at."""
        return min(self.inputs, self.ports)

    def last_words(self) -> str:
        """The last line DPDK has written to its log."""
        return self._running().last_line()

    @property
    def running(self) -> bool:
        return self._child is not None

    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int, entries: int) -> list[Outcome]:
        """Run a burst; TargetError naming the packet DPDK died of, `entries` (a number) only being told."""
        known = [(port, frame) for port, frame in packets if port < self.receiving]
        head = struct.pack("<QI", now_ns, len(known))
        body = b"".join(struct.pack("<II", port, len(frame)) + frame for port, frame in known)
        try:
            status, answer = self._running().request(Operation.PROCESS, head + body)
        except Died as died:
            self._child = None
            raise _crash(died, known, entries) from None
        if status:
            raise TargetError(f"the DPDK process refuses a burst of {len(known)} packets (error {status})")
        outcomes = iter(self._outcomes(answer, known, entries))
        return [next(outcomes) if port < self.receiving else Outcome((), NO_PORT) for port, _ in packets]

    def _outcomes(self, answer: Reader, packets: list[tuple[int, bytes]], entries: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while answer.u8():
            copies = []
            while (port := answer.u32()) != _NO_MORE:
                copies.append((port, answer.take(answer.u32())))
            verdict = answer.u8()
            if verdict == _ENDLESS:
                self.close()
                port, frame = packets[len(outcomes)]
                raise TargetError(
                    f"DPDK does not come to an end with the packet {_shown(frame)} on port {port}, {entries} "
                    "entries in its tables; it was ended, and the next packet finds a fresh one",
                    (port, frame),
                )
            outcomes.append(self._outcome(copies, verdict))
        soonest = answer.u64()
        self.soonest_ns = None if soonest == (1 << 64) - 1 else soonest
        return outcomes

    def _outcome(self, copies: list[tuple[int, bytes]], verdict: int) -> Outcome:
        sent = tuple(copy for copy in copies if copy[0] != self._options.drop_port)
        if sent:
            return Outcome(sent)
        if copies:
            return Outcome((), DROP_PORT)
        return Outcome((), NEGATIVE if verdict == _NEGATIVE else DROP_ACTION)

    def _running(self) -> Child:
        if self._child is None:
            raise TargetError("the DPDK process has ended")
        return self._child

    def _refusal(self, answer: str, arguments: bytes) -> str:
        """Our sentence for what the shim could not build; DPDK itself says next to nothing."""
        stage, line, status, message = (*answer.split("\t", 3), "", "", "")[:4]
        said = f": {message.rstrip('.')}" if message else ""
        file = self._image.file
        if status in ("-12", "-19"):  # ENOMEM, ENODEV: which it also says where memory is short
            needed = _memory_for(arguments)
            # Its heap has gaps: a quarter more than it takes has always been enough.
            way = (
                f"it takes {needed} MB: set ${MEMORY_VARIABLE} to {needed * 5 // 4} or more"
                if needed is not None
                else f"set ${MEMORY_VARIABLE} higher"
            )
            return (
                f"{file}: DPDK has not enough memory for this pipeline in {memory()} MB; {way}, or make the "
                "tables smaller"
            )
        if stage == "parse":
            return f"{file}, line {line}: DPDK's parser refuses it{said}"
        if stage in ("configure", "build"):
            return (
                f"{file}: DPDK refuses to {stage} the pipeline (error {status}){said}; it does not say which "
                "line it means; p4nic's own backends run what they load"
            )
        return f"{file}: DPDK cannot set the pipeline up ({stage}, error {status}){said}"

    def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


def _crash(died: Died, packets: list[tuple[int, bytes]], entries: int) -> TargetError:
    port, frame = packets[died.progress] if died.progress < len(packets) else packets[-1]
    return TargetError(
        f"DPDK {died.how} on packet {died.progress + 1} of a burst of {len(packets)}: port {port}, "
        f"{_shown(frame)}, with {entries} entries in its tables; the next packet finds a fresh one",
        (port, frame),
    )


def _shown(frame: bytes) -> str:
    if len(frame) <= _LONGEST_REPORT:
        return f"{len(frame)} bytes {frame.hex()}"
    return f"{len(frame)} bytes {frame[:_LONGEST_REPORT].hex()}…"


def _memory_for(arguments: bytes) -> int | None:
    """Megabytes DPDK takes to build this; None if even the most we try is not enough."""
    megabytes = 2 * memory()
    while megabytes <= _MOST_MEMORY:
        try:
            child = start(megabytes)
        except TargetError:
            return None  # this machine has not so much address space to give
        try:
            if child.request(Operation.BUILD, arguments)[0] == 0:
                status, answer = child.request(Operation.HEAP)
                return None if status else (answer.u64() >> 20) + 1
        except Died:
            return None
        finally:
            child.close()
        megabytes *= 2
    return None
