"""`make run PCAP=file`: a capture through the shop's load balancer, packet by packet.

In: a capture and the port it arrives on. Out: for each packet the steps and the outcome, then one line each.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shop_explain import entries_file, explain_command
from shop_target import ROOT, BenchError, Target

from lbctl.controller import Controller

_DROP = re.compile(r"(counter=Lb\.drop_counter index=)(\d+)")


def replay(capture: Path, port: int, target: Target, controller: Controller) -> None:
    """Print what happened to each packet, and why. Later packets meet the flows that earlier ones made.

    Raises BenchError for a capture that cannot be read to its end; what came before is printed all the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        entries = Path(folder) / "entries.json"
        entries_file(controller, entries)
        command = explain_command(target.artifact, entries, port, ["--pcap", str(capture)])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    text = _named(done.stdout)
    print(text)
    for line in _summary(text):
        print(line)
    if done.returncode:
        raise BenchError(done.stderr.strip().removeprefix("p4nic: "))


def _named(text: str) -> str:
    """The program counts drops by number; people want the reason."""
    numbers = json.loads((ROOT / "pipeline/drop_reasons.json").read_text())
    names = {str(number): name for name, number in numbers.items()}
    return _DROP.sub(lambda m: f"{m[1]}{m[2]} ({names.get(m[2], 'unnamed')})", text)


def _summary(text: str) -> Iterator[str]:
    """One line per packet: number, what it was, what became of it."""
    for part in re.split(r"^(?=packet \d)", text, flags=re.MULTILINE):
        lines = part.splitlines()
        if len(lines) < 2:
            continue
        number = lines[0].split(" on ")[0]
        verdicts = [line.strip() for line in lines if line.startswith("  ⇒")]
        reason = re.search(r"drop_counter index=\d+ \((\w+)\)", part)
        why = f" ({reason[1]})" if reason else ""
        yield f"{number}: {lines[1].strip()} {'; '.join(verdicts)}{why}"
