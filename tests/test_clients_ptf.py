"""p4c's PTF base class (tools/ptf/base_test.py), unmodified, drives the server.

It is not on any package index: P4C names a checkout of p4c, as for `make conformance`. Without one the test
is skipped, and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from p4runtime_peer import ROOT, SECOND, ServerUnderTest, packet_io
from server_backends import BACKENDS

FRAME = bytes.fromhex("0000000000aa 0000000000bb 1234") + b"payload"
BASE = Path(os.environ.get("P4C", "-")) / "tools" / "ptf"


@pytest.mark.skipif(
    not (BASE / "base_test.py").is_file(), reason="P4C names no checkout of p4c with tools/ptf/base_test.py"
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_session_of_the_ptf_base_class(backend: str) -> None:
    artifact = packet_io()
    with ServerUnderTest(None, backend=backend) as server:
        command: list[str | Path] = [sys.executable, ROOT / "tests" / "ptf_base_session.py", BASE]
        with subprocess.Popen(
            [*command, server.server.address, artifact.p4info_path, artifact.path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as session:  # fmt: skip
            assert session.stdout is not None
            while (line := session.stdout.readline()) and line != "listening\n":
                pass
            if line:
                server.switch.inject(5, FRAME)
                server.client().advance(5 * SECOND)
            out, error = session.communicate(timeout=60)
        assert session.returncode == 0, error
        assert json.loads(out.splitlines()[-1]) == {
            "config": True,
            "twice": [
                [0, "ALREADY_EXISTS", "table Switch.l2: entry dst=0x1 exists already; modify it instead"]
            ],
            "counters": 512,
            "direct": 1,
            "packet": [FRAME.hex(), [[5], [9]]],
            "idle": [[0xAA]],
        }
        assert server.switch.port_statistics()[6].tx_packets == 1
        assert server.switch.tables.entry_count("Switch.l2") == 0
