"""`p4nic doctor`: what this machine has, and what each thing is for. Out: a table, or JSON; always exit code
0.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import final

EXAMPLES = """examples:
  p4nic doctor
  p4nic doctor --json
"""


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, whether it is there, its version or the reason, and what it is for."""

    name: str
    present: bool
    detail: str
    purpose: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    findings = examine()
    if args.json:
        print(json.dumps([asdict(f) for f in findings], indent=2))
        return 0
    width = max(len(f.name) for f in findings)
    for f in findings:
        print(f"{'yes' if f.present else 'no ':3}  {f.name.ljust(width)}  {f.detail}  ({f.purpose})")
    return 0


def examine() -> list[Finding]:
    """Look at this machine; nothing is changed, no interface is made."""
    return [
        Finding("Python", sys.version_info >= (3, 11), platform.python_version(), "p4nic needs 3.11"),
        *(_package(name, purpose) for name, purpose in _PACKAGES),
        _compiler(),
        *(_backend(name) for name in ("interp", "native")),
        Finding("processors", True, str(os.cpu_count()), "one worker each"),
        Finding(
            "root", os.geteuid() == 0, f"user id {os.geteuid()}", "veth and tap ports; unix ports need none"
        ),
        _raw_sockets(),
        _tap(),
        *(_program(name, purpose) for name, purpose in _PROGRAMS),
        _dpdk(),
    ]


_PACKAGES = (
    ("grpcio", "P4Runtime server"),
    ("finsy", "P4Runtime messages and client"),
    ("scapy", "building packets"),
    ("ptf", "the ptf command"),
)
_PROGRAMS = (
    ("ip", "making veth interfaces"),
    ("p4c-bm2-ss", "recompiling for BMv2"),
    ("p4c-dpdk", "recompiling for P4-DPDK"),
    ("simple_switch_grpc", "comparing with BMv2"),
)


def _package(name: str, purpose: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name), purpose)
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", purpose)


def _program(name: str, purpose: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path is not None, path or "not on PATH", purpose)


def _compiler() -> Finding:
    purpose = "the native backend"
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return Finding("C compiler", True, _first_line([name, "--version"]), purpose)
    try:
        return Finding("C compiler", True, f"ziglang {metadata.version('ziglang')}", purpose)
    except metadata.PackageNotFoundError:
        return Finding("C compiler", False, "neither cc nor the ziglang package", purpose)


def _backend(name: str) -> Finding:
    from p4nic.cli.common import backend
    from p4nic.errors import P4nicError

    purpose = {"interp": "the definition", "native": "the product"}[name]
    try:
        backend(name)
    except P4nicError:
        return Finding(f"backend {name}", False, "not part of this installation", purpose)
    return Finding(f"backend {name}", True, "works", purpose)


def _raw_sockets() -> Finding:
    return _try("raw sockets", "veth ports", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())


def _tap() -> Finding:
    return _try("TAP device", "tap ports", lambda: os.close(os.open("/dev/net/tun", os.O_RDWR)))


def _try(name: str, purpose: str, attempt: Callable[[], None]) -> Finding:
    try:
        attempt()
    except OSError as error:
        return Finding(name, False, error.strerror or str(error), purpose)
    return Finding(name, True, "works", purpose)


def _dpdk() -> Finding:
    purpose = "the swx backend"
    if shutil.which("pkg-config") and (found := _first_line(["pkg-config", "--modversion", "libdpdk"])):
        return Finding("DPDK", True, found, purpose)
    return Finding("DPDK", False, "pkg-config knows no libdpdk", purpose)


def _first_line(command: list[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.splitlines()[0] if result.returncode == 0 and result.stdout else ""
