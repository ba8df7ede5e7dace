"""`make run PCAP=file`: a capture through the shop's load balancer, packet by packet.

In: a capture and the port it arrives on. Out: for each packet what came out and the steps that led there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from shop_explain import entries_file, explain_command, run_explain
from shop_target import Target

from lbctl.controller import Controller


def replay(capture: Path, port: int, target: Target, controller: Controller) -> None:
    """Print what happened to each packet, and why. Later packets meet the flows that earlier ones made."""
    with tempfile.TemporaryDirectory() as folder:
        entries = Path(folder) / "entries.json"
        entries_file(controller, entries)
        command = explain_command(target.artifact, entries, port, ["--pcap", str(capture)])
        print(run_explain(command), end="")
