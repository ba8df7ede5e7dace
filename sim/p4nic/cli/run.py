"""`p4nic run`: captures in, captures out, no server, no time but the captures' own.

In: an entries file and one capture per port. Out: `port-N.pcap` for every port that sent, `summary.json`,
with --explain `explain.txt`; a line per packet or a summary on stdout. The same input gives the same bytes
(I8).

The manual clock follows the packets' time stamps, beginning at the first packet, so that entries age as they
did.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from typing import Any as Json

from p4nic.cli.common import add_artifact_arguments, add_switch_arguments, make_switch, split_numbered
from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.backend.api import DigestMessage, Outcome
    from p4nic.target.ports.pcap import PcapWriter
    from p4nic.target.switch import Switch

EXAMPLES = """examples:
  p4nic run --entries lb.yaml --in 1=clients.pcap --out result
  p4nic run my.json --entries my.yaml --in 1=a.pcap --in 2=b.pcap --out result --explain

The entries file is described in docs/p4nic.md. Packets of several captures are merged by time stamp.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    parser.add_argument("--entries", metavar="F", type=Path, help="tables' entries, YAML or JSON")
    parser.add_argument(
        "--in", metavar="N=PCAP", dest="inputs", action="append", required=True,
        help="frames that arrive at port N; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="where the results go; made if missing"
    )
    parser.add_argument("--explain", action="store_true", help="say for each packet what happened and why")
    add_switch_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from p4nic.clock import ManualClock

    inputs = _inputs(args.inputs)
    switch = make_switch(args, ManualClock())
    with switch:
        if args.entries is not None:
            from p4nic.cli.entries_file import apply_file

            apply_file(args.entries, switch.program, switch.tables)
        for number, path in inputs:
            switch.check_port(number, str(path))
        replay = Replay(switch, _folder(args.out, [path for _, path in inputs]), args.explain)
        try:
            packets = Capture(inputs)
            for time_ns, port, frame in packets:
                replay.packet(time_ns, port, frame)
        finally:
            replay.close()
    if packets.broken is not None:
        raise packets.broken
    return 0


def _inputs(texts: list[str]) -> list[tuple[int, Path]]:
    inputs = [split_numbered(text, "--in", "N=PCAP, for example 1=clients.pcap") for text in texts]
    for number, _ in inputs:
        if sum(n == number for n, _ in inputs) > 1:
            raise InputError(f"port {number} has two captures; merge them first")
    return [(number, Path(name)) for number, name in inputs]


def _folder(path: Path, captures: list[Path]) -> Path:
    """The folder, without the results of an earlier run: its ports need not be this one's."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        results = [*path.glob("port-*.pcap"), path / "summary.json", path / "explain.txt"]
        for old in results:
            if any(old.exists() and capture.exists() and old.samefile(capture) for capture in captures):
                raise InputError(f"{old} is read, and results are written to {path}; give another --out")
        for old in results:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to the folder {path}: {error.strerror}; give another --out") from None
    return path


class Capture:
    """Packets of several files, merged by time. A file that breaks ends there; the others go on, `broken`
    keeps the first error.
    """

    def __init__(self, inputs: list[tuple[int, Path]]) -> None:
        self._inputs = inputs
        self.broken: InputError | None = None

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """(nanoseconds since the epoch, port, frame)."""
        streams = [self._read(order, port, path) for order, (port, path) in enumerate(self._inputs)]
        for time_ns, _, _, port, frame in merge(*streams):
            yield time_ns, port, frame

    def _read(self, order: int, port: int, path: Path) -> Iterator[tuple[int, int, int, int, bytes]]:
        from p4nic.target.ports.pcap import read_packets

        try:
            for number, packet in enumerate(read_packets(path)):
                yield packet.time_ns, order, number, port, packet.data
        except InputError as error:
            self.broken = self.broken or error


class Replay:
    """Runs packets and writes what comes of them."""

    def __init__(self, switch: Switch, folder: Path, explain: bool) -> None:
        self._switch = switch
        self._folder = folder
        self._writers: dict[int, PcapWriter] = {}
        self._text: TextIO | None = (folder / "explain.txt").open("w", encoding="utf-8") if explain else None
        self._first_ns: int | None = None
        self._count = 0
        self._digests: list[DigestMessage] = []
        self._expired = 0
        switch.subscribe(on_digest=self._digests.append, on_expired=self._count_expired)

    def _count_expired(self, _: object) -> None:
        self._expired += 1

    def packet(self, time_ns: int, port: int, frame: bytes) -> None:
        """Move the clock to the packet's time, process it, write the copies with that time."""
        self._count += 1
        if self._first_ns is None:
            self._first_ns = time_ns
        now = time_ns - self._first_ns
        # Captures merged from several machines may step back a little; the clock then stands still.
        self._switch.advance(max(now - self._switch.clock.now_ns(), 0))
        outcome = self._explained(port, frame) if self._text else self._switch.inject(port, frame)
        for number, copy in outcome.sent:
            self._writer(number).write(copy, time_ns)

    def _explained(self, port: int, frame: bytes) -> Outcome:
        from p4nic.observe.explain import Explanation, as_text, headline

        outcome, events = self._switch.trace(port, frame)
        explanation = Explanation(self._count, port, frame, self._switch.clock.now_ns(), outcome, events)
        assert self._text is not None
        self._text.write(as_text(explanation, self._switch.program) + "\n")
        print(headline(explanation))
        return outcome

    def _writer(self, port: int) -> PcapWriter:
        from p4nic.target.ports.pcap import PcapWriter

        if port not in self._writers:
            self._writers[port] = PcapWriter(self._folder / f"port-{port}.pcap")
        return self._writers[port]

    def close(self) -> None:
        """Finish the files, write and print the summary."""
        for writer in self._writers.values():
            writer.close()
        if self._text:
            self._text.close()
        summary = self._summary()
        (self._folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        print(f"{self._count} packets, results in {self._folder}")
        for number, counts in summary["ports"].items():
            print(f"  port {number}: {counts['rx_packets']} received, {counts['tx_packets']} sent")
        for reason, count in summary["drops"].items():
            print(f"  dropped {count}: {reason}")

    def _summary(self) -> dict[str, Json]:
        switch = self._switch
        return {
            "packets": self._count,
            "duration_ns": switch.clock.now_ns(),
            "ports": {
                str(number): {
                    name: getattr(counts, name)
                    for name in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")
                }
                for number, counts in switch.port_statistics().items()
            },
            "drops": dict(switch.drop_statistics()),
            "engine": dict(sorted(switch.statistics().items())),
            "digests": [{"digest": d.digest, "values": list(d.values)} for d in self._digests],
            "expired": self._expired,
        }
