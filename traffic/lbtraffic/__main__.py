"""The command `lbtraffic`: send seeded flows, replay a capture, check a capture.

In: argv. Out: one line per frame on stdout and an exit code: 0 fine, 1 a checksum or expectation failed,
2 usage or bad input.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lbtraffic.errors import TrafficError

_EXAMPLES = """\
examples:
  lbtraffic send --wire unix:/tmp/p7.sock --from 10.244.1.16 --to 10.96.10.1:80/TCP --flows 5 --seed 1
  lbtraffic replay capture.pcap --wire unix:/tmp/p0.sock --out answers.pcap
  lbtraffic check answers.pcap
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except TrafficError as error:
        print(f"lbtraffic: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("lbtraffic", description=__doc__, epilog=_EXAMPLES, formatter_class=raw)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    send = commands.add_parser(
        "send", help="send the first packet of seeded flows, print what comes back here"
    )
    send.add_argument("--from", dest="clients", required=True, metavar="IP|CIDR", help="client addresses")
    send.add_argument("--to", required=True, metavar="IP:PORT/PROTO", help="the service")
    send.add_argument("--flows", type=int, default=1, metavar="N")
    send.add_argument("--seed", type=int, default=0, metavar="N")
    send.add_argument("--dmac", default="02:00:00:00:01:01", help="the gateway's address")
    send.add_argument("--smac", default="02:00:00:00:ff:01", help="the client's address")
    send.set_defaults(command=_send)
    replay = commands.add_parser("replay", help="send the frames of a capture in order")
    replay.add_argument("capture", type=Path)
    replay.set_defaults(command=_replay)
    for sub in (send, replay):
        sub.add_argument("--wire", required=True, metavar="unix:PATH|veth:IF", help="the target's port")
        sub.add_argument("--wait", type=float, default=0.2, metavar="S", help="seconds to wait for answers")
        sub.add_argument("--out", type=Path, metavar="PCAP", help="write what comes back")
    check = commands.add_parser("check", help="verify every checksum of a capture, outer and inner")
    check.add_argument("capture", type=Path)
    check.set_defaults(command=_check)
    return parser


def _send(options: argparse.Namespace) -> int:
    from lbtraffic.flows import flows, parse_service
    from lbtraffic.frames import Frame, build

    wanted = flows(options.clients, parse_service(options.to), options.flows, options.seed)
    frames = [
        build(
            Frame(
                smac=options.smac, dmac=options.dmac, src=flow.client, dst=flow.service.address,
                protocol=flow.service.protocol, sport=flow.client_port, dport=flow.service.port,
            )
        )
        for flow in wanted
    ]  # fmt: skip
    return _exchange(options, frames)


def _replay(options: argparse.Namespace) -> int:
    return _exchange(options, [frame for _, frame in _frames_of(options.capture)])


def _exchange(options: argparse.Namespace, frames: list[bytes]) -> int:
    """Send, wait, print and keep what came back on the same wire."""
    from lbtraffic.frames import read
    from lbtraffic.wires import open_wire

    wire = open_wire(options.wire)
    try:
        answers = []
        for frame in frames:
            wire.send(frame)
            answers += wire.receive_all()
        deadline = time.monotonic() + options.wait
        while (left := deadline - time.monotonic()) > 0:
            answer = wire.receive(left)
            answers += [answer] if answer is not None else []
    finally:
        wire.close()
    for answer in answers:
        print(read(answer).text())
    print(f"{len(frames)} sent on {options.wire}, {len(answers)} came back there")
    if options.out:
        from scapy.utils import wrpcap

        wrpcap(str(options.out), answers)
    return 0


def _check(options: argparse.Namespace) -> int:
    from lbtraffic.frames import wrong_checksums

    frames, wrong = _frames_of(options.capture), 0
    for number, frame in frames:
        if found := wrong_checksums(frame):
            wrong += 1
            print(f"frame {number}: wrong checksum in {', '.join(found)}")
    print(f"{len(frames)} frames, {wrong} with a wrong checksum")
    return 1 if wrong else 0


def _frames_of(capture: Path) -> list[tuple[int, bytes]]:
    """Every frame with its number. scapy hands over what is left of a broken one."""
    from scapy.error import Scapy_Exception, log_runtime
    from scapy.utils import RawPcapReader

    log_runtime.setLevel("ERROR")  # it warns of what is said below
    frames = []
    try:
        with RawPcapReader(str(capture)) as reader:
            for number, (data, meta) in enumerate(reader, start=1):
                captured = getattr(meta, "caplen", len(data))
                if len(data) < captured:
                    raise TrafficError(
                        f"{capture} is truncated: frame {number} has {len(data)} of its {captured} bytes; "
                        "capture it again"
                    )
                frames.append((number, bytes(data)))
    except FileNotFoundError:
        raise TrafficError(f"{capture} does not exist") from None
    except (Scapy_Exception, OSError, EOFError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error).rstrip("!.")
        raise TrafficError(f"{capture} is not a capture that can be read: {said}") from None
    return frames


if __name__ == "__main__":
    sys.exit(main())
