"""One packet explained, and the words for each packet of a replay: what `p4nic explain` says with the
shop's entries.

In: a Bench whose controller has applied the manifests. Out: text for people, an HTML page. The planned
entries go into an entries file, so the same command can be repeated by hand; `run_shop` prints it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shop_target import ARTIFACTS, ROOT, BenchError, Target

from lbctl.controller import Controller
from lbctl.entries import ACTION_PARAMS, TABLES, Entry
from lbtraffic.frames import Frame, read


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was explained, as text and as a page of its own."""

    frame: Frame
    text: str
    page: str
    command: str


def entries_file(controller: Controller, path: Path) -> None:
    """Write everything lbctl installed as a file for `p4nic run` and `p4nic explain`."""
    document = {"entries": [_item(entry) for entry in controller.entries()]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def _item(entry: Entry) -> dict[str, object]:
    match: dict[str, object] = {}
    for (name, kind, _), value in zip(TABLES[entry.key.table].fields, entry.key.match, strict=True):
        if value is None:
            continue
        if isinstance(value, int):
            match[name] = value
        elif kind.value == "lpm":
            match[name] = f"{value[0]:#x}/{value[1]}"
        else:
            match[name] = f"{value[0]:#x}&&&{value[1]:#x}"
    item: dict[str, object] = {"table": entry.key.table, "match": match, "action": entry.action}
    if entry.params:
        item["args"] = dict(zip(ACTION_PARAMS[entry.action], entry.params, strict=True))
    if entry.key.priority:
        item["priority"] = entry.key.priority
    return item


def explain_command(artifact: str, entries: Path, port: int, source: Sequence[str]) -> list[str]:
    """The `p4nic explain` command for a frame or a capture arriving on `port`."""
    files, p4info = ARTIFACTS[artifact]
    build = ROOT / "pipeline/build"
    return [
        str(Path(sys.executable).parent / "p4nic"), "explain", *(str(build / name) for name in files),
        "--p4info", str(build / p4info), "--entries", str(entries), "--port", str(port), *source,
    ]  # fmt: skip


def run_explain(command: Sequence[str]) -> str:
    """Run it; what it prints. Raises BenchError with its sentence."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(done.stderr.strip() or f"p4nic explain ended with code {done.returncode}")
    return done.stdout


def explain(target: Target, controller: Controller, port: int, frame: bytes, out: Path) -> Explanation:
    """Explain one frame on a fresh switch with the shop's entries."""
    out.mkdir(parents=True, exist_ok=True)
    entries, page = out / f"entries-{target.artifact}.json", out / "explained.html"
    entries_file(controller, entries)
    source = ["--hex", frame.hex()]
    text = run_explain(explain_command(target.artifact, entries, port, source))
    run_explain(explain_command(target.artifact, entries, port, [*source, "--html", str(page)]))
    shown = explain_command(target.artifact, _relative(entries), port, source)
    return Explanation(read(frame), text, page.name, " ".join(["p4nic", *map(_short, shown[1:])]))


def _relative(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _short(word: str) -> str:
    return str(_relative(Path(word))) if word.startswith("/") else word
