"""A device that runs already, with port numbers of its own: a suite runs on it through its testbed file.

The device is `p4nic serve` on ports 20..35, over TLS; suites and PTF keep calling them 0..15.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import unittest
from pathlib import Path

import pytest
import yaml

from harness import environment
from harness.environment import Environment
from harness.target_process import TargetProcess
from harness.testbed import ARTIFACTS, FOLDER, load_testbed
from harness.topology import ROLES

OFFSET = 20


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_suite_on_a_device_with_other_port_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=device "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem",
        shell=True,
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    tls = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    device = TargetProcess((*ARTIFACTS["spec"], *tls), [OFFSET + number for number in ROLES.values()])
    ports = {
        role: {"port": OFFSET + number, "interface": device.ports[OFFSET + number]}
        for role, number in ROLES.items()
    }
    path = tmp_path / "device.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "device",
                "kind": "p4runtime",
                "profile": str(FOLDER / "profiles" / "p4nic-spec.yaml"),
                "p4runtime": {"address": device.address, "tls": {"ca": "cert.pem"}},
                "ports": ports,
            }
        )
    )
    try:
        made = Environment(load_testbed(path))
        monkeypatch.setattr(environment, "_current", made)
        result = unittest.TestResult()
        importlib.import_module("smoke").ServiceIsReachable("runTest").run(result)
        made.close()
        assert (result.testsRun, result.failures, result.errors, result.skipped) == (1, [], [], [])
    finally:
        device.stop()
