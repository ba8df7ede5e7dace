"""The suites under the real ptf command, target by target: `make ptf`.

    run_ptf.py                        all suites on every shipped testbed
    run_ptf.py --testbed spec smoke   one suite on one of them; what follows are ptf's test specs
    run_ptf.py --veth                 over veth pairs instead of Unix sockets (root)

In: arguments. Out: ptf's output, then one line per testbed; exit code 1 if anything failed, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness.environment import PORTS  # noqa: E402  the path must be set first
from harness.target_process import TargetError, TargetProcess  # noqa: E402
from harness.testbed import Testbed, shipped_testbeds  # noqa: E402
from harness.veth_pairs import veth_pairs  # noqa: E402


def main() -> int:
    testbeds = {testbed.name: testbed for testbed in shipped_testbeds()}
    parser = argparse.ArgumentParser(prog="run_ptf.py", description="the PTF suites under the ptf command")
    parser.add_argument("--testbed", choices=sorted(testbeds), action="append", help="default: all of them")
    parser.add_argument("--veth", action="store_true", help="veth pairs instead of Unix sockets (root)")
    parser.add_argument(
        "specs", nargs="*", help="modules, module.Class, groups, ^negated; default: everything"
    )
    arguments = parser.parse_args()
    results = {}
    for name in arguments.testbed or sorted(testbeds):
        try:
            results[name] = run_on(testbeds[name], arguments.specs, arguments.veth)
        except (TargetError, RuntimeError) as error:
            print(f"run_ptf.py: {error}", file=sys.stderr)
            return 2
    print()
    for name, (code, summary) in results.items():
        print(f"{name:10} {'passed' if code == 0 else 'FAILED'}  {summary}")
    return 1 if any(code for code, _ in results.values()) else 0


def run_on(testbed: Testbed, specs: list[str], veth: bool) -> tuple[int, str]:
    """Start the target, run ptf against it; its exit code, and its last words."""
    with contextlib.ExitStack() as stack:
        pairs = stack.enter_context(veth_pairs(PORTS)) if veth else {}
        process = TargetProcess(testbed.launch, PORTS, {number: ours for number, (ours, _) in pairs.items()})
        stack.callback(process.stop)
        ports = {number: theirs for number, (_, theirs) in pairs.items()} or process.ports
        described = process.folder / "testbed.yaml"
        described.write_text(yaml.safe_dump(_running(testbed, process.address, ports, bool(veth))))
        return _ptf(described, process.folder, specs)


def _running(testbed: Testbed, address: str, ports: dict[int, str], veth: bool) -> dict[str, object]:
    lacks = dict(testbed.lacks)
    if veth:
        lacks["runt_frames"] = "The kernel takes no frame shorter than an Ethernet header."
    return {
        "name": testbed.name + ("-veth" if veth else ""),
        "hash": testbed.target.value,
        "launch": list(testbed.launch),
        "p4runtime": address,
        "device_id": testbed.device_id,
        "ports": ports,
        "lacks": lacks,
    }


def _ptf(testbed: Path, folder: Path, specs: list[str]) -> tuple[int, str]:
    command = [sys.executable, str(Path(sys.executable).with_name("ptf")), *specs]
    command += ["--test-dir", str(HERE / "suites"), "--pypath", str(HERE)]
    command += ["--platform", "p4nic_platform", "--platform-dir", str(HERE / "harness")]
    command += ["--log-file", str(folder / "ptf.log"), "--allow-user", "--qlen", "10000"]
    command += ["--socket-recv-size", "65536", "--debug", "warning"]
    done = subprocess.Popen(
        command,
        env={**os.environ, "P4NIC_TESTBED": str(testbed)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    assert done.stdout is not None
    for line in done.stdout:
        print(line, end="", flush=True)
        lines.append(line.rstrip())
    code = done.wait()
    ran = next((line for line in lines if re.match(r"Ran \d+ test", line)), "no test ran")
    verdict = next((line for line in reversed(lines) if line.startswith(("OK", "FAILED"))), "")
    return code or ("Ran 0" in ran or ran == "no test ran"), f"{ran}: {verdict}"


if __name__ == "__main__":
    sys.exit(main())
