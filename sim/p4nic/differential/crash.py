"""Keeps what DPDK died of: the packet, the entries, and a command that shows it again.

In: a Crash of `backend.swx`. Out: a folder with `entries.json`, captures, `crash.txt`; half a sentence that
says where. Given to the backend by `cli.common`. The scenario is made small first: a fresh DPDK takes
milliseconds.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from p4nic.backend.api import Backend
from p4nic.backend.swx.crash import Crash
from p4nic.differential.engines import Engine
from p4nic.differential.reproducer import write_scenario
from p4nic.differential.scenario import Packet, Scenario, Update
from p4nic.differential.shrink import shrink
from p4nic.errors import InputError, P4nicError, TargetError
from p4nic.target.entities import DefaultEntry, Group, GroupMember, Member

MOST_ENTRIES = 2000
"""With more, the entries are kept as they are: each of many tries would write them all."""
_TRIES = 150


def reporter(
    fresh: Callable[[], Backend], artifact: Sequence[Path], p4info: Path | None
) -> Callable[[Crash], str]:
    """`fresh` makes the backend that crashed, without a reporter; the files are for the command."""

    def report(crash: Crash) -> str:
        scenario = scenario_of(crash)
        engine = Engine(fresh(), crash.program, crash.options)
        again = _dies(engine, scenario)
        if again and len(scenario.updates) <= MOST_ENTRIES:
            scenario = shrink(scenario, None, lambda smaller: _dies(engine, smaller), _TRIES)
        try:
            folder = Path(tempfile.mkdtemp(prefix="p4nic-crash-"))
            captures = write_scenario(folder, crash.program, scenario)
            command = _command(artifact, p4info, folder, captures)
            needs = "" if again else "It needs what came before: this alone does not show it.\n"
            (folder / "crash.txt").write_text(f"{needs}{command}\n", encoding="utf-8")
        except (OSError, InputError) as error:
            return f"its packet and entries could not be kept: {error}"
        kept = f"{len(scenario.packets)} packets and {len(scenario.updates)} entries"
        return f"{kept} {'that show it again' if again else 'that came last'} are in {folder}"

    return report


def scenario_of(crash: Crash) -> Scenario:
    """Everything the control plane wrote, then the packets."""
    updates: list[Update] = []
    for (profile, number), call in crash.members.items():
        updates.append(("insert", Member(profile, number, call)))
    for (profile, number), members in crash.groups.items():
        weighted = tuple(GroupMember(member, weight) for member, weight in members)
        most = crash.program.action_profiles[profile].max_group_size
        updates.append(("insert", Group(profile, number, weighted, most)))
    updates += [("insert", entry) for entry in crash.entries]
    updates += [("modify", DefaultEntry(table, call)) for table, call in crash.defaults.items()]
    return Scenario(tuple(updates), tuple(Packet(0, port, frame) for port, frame in crash.packets))


def _dies(engine: Engine, scenario: Scenario) -> bool:
    try:
        session = engine.begin(scenario)
    except P4nicError:
        return False
    try:
        for packet in scenario.packets:
            session.send(packet)
    except TargetError:
        return True
    finally:
        session.close()
    return False


def _command(artifact: Sequence[Path], p4info: Path | None, folder: Path, captures: dict[int, Path]) -> str:
    words = ["p4nic", "run", *map(str, artifact)]
    words += ["--p4info", str(p4info)] if p4info is not None else []
    words += ["--backend", "swx", "--entries", str(folder / "entries.json")]
    for port, path in captures.items():
        words += ["--in", f"{port}={path}"]
    return shlex.join([*words, "--out", str(folder / "out")])
