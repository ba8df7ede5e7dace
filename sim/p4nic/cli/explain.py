"""`p4nic explain`: one packet (or each of a capture), step by step. Out: text, JSON, or one HTML page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from p4nic.cli.common import add_artifact_arguments, add_switch_arguments, make_switch, unhex
from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.observe.explain import Explanation
    from p4nic.target.switch import Switch

EXAMPLES = """examples:
  p4nic explain --entries lb.yaml --port 1 --pcap clients.pcap
  p4nic explain --entries lb.yaml --port 1 --pcap clients.pcap --packet 3 --html packet3.html
  p4nic explain my.json --port 1 --hex '02 00 00 00 00 01 02 00 00 00 00 02 08 00 45 00 ...' --json

With --packet K the packets before K are processed first, so that K meets the state they left.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    parser.add_argument(
        "--entries", metavar="F", type=Path, help="tables' entries, YAML or JSON (docs/p4nic.md)"
    )
    parser.add_argument("--port", metavar="N", type=int, required=True, help="where the packet arrives")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--hex", metavar="BYTES", help="the packet as hex digits")
    source.add_argument("--pcap", metavar="F", type=Path, help="the packet from a capture")
    parser.add_argument(
        "--packet", metavar="K", type=int, help="only the K-th packet of the capture, counted from 1"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything as JSON")
    form.add_argument("--html", metavar="OUT", type=Path, help="one self-contained page")
    parser.add_argument(
        "--all", action="store_true", help="in the text also branches, helper tables, metadata"
    )
    add_switch_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from p4nic.clock import ManualClock

    if args.packet is not None and (args.pcap is None or args.packet < 1):
        raise InputError(f"--packet {args.packet} needs --pcap and counts from 1")
    with make_switch(args, ManualClock()) as switch:
        if args.entries is not None:
            from p4nic.cli.entries_file import apply_file

            apply_file(args.entries, switch.program, switch.tables)
        broken: list[InputError] = []
        explanations = _explanations(args, switch, broken)
        _show(args, switch, explanations)
    if broken:
        raise broken[0]
    return 0


def _explanations(args: argparse.Namespace, switch: Switch, broken: list[InputError]) -> list[Explanation]:
    from p4nic.cli.run import Capture
    from p4nic.observe.explain import Explanation

    switch.check_port(args.port, "the packet")
    if args.hex is not None:
        frame = unhex(args.hex)
        outcome, events = switch.trace(args.port, frame)
        return [Explanation(1, args.port, frame, 0, outcome, events)]
    capture = Capture([(args.port, args.pcap)])
    found: list[Explanation] = []
    first_ns, number = None, 0
    for number, (time_ns, port, frame) in enumerate(capture, start=1):
        first_ns = time_ns if first_ns is None else first_ns
        now = switch.advance(max(time_ns - first_ns - switch.clock.now_ns(), 0))
        if args.packet in (None, number):
            outcome, events = switch.trace(port, frame)
            found.append(Explanation(number, port, frame, now, outcome, events))
        else:
            switch.inject(port, frame)
        if number == args.packet:
            return found
    if capture.broken is not None:
        broken.append(capture.broken)
    elif args.packet is not None:
        raise InputError(f"--packet {args.packet}: {args.pcap} has {number} packets")
    return found


def _show(args: argparse.Namespace, switch: Switch, explanations: list[Explanation]) -> None:
    from p4nic.observe.explain import as_json, as_text, headline

    if args.json:
        print(json.dumps([as_json(e) for e in explanations], indent=2))
    elif args.html is not None:
        from p4nic.observe.page import page

        try:
            args.html.write_text(page(explanations, switch.program), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write {args.html}: {error.strerror}") from None
        for e in explanations:
            print(headline(e))
        print(f"page written to {args.html}")
    else:
        print("\n".join(as_text(e, switch.program, args.all) for e in explanations), end="")
