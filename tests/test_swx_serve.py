"""`p4nic serve --backend swx` as a process: a P4Runtime client programs the real P4-DPDK target."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_samples import syn
from p4runtime_peer import Client, Names, insert, load_balancer
from swx_samples import needs_dpdk

pytestmark = needs_dpdk
ARTIFACT = load_balancer()
NAMES = Names(ARTIFACT.info.message)
SECOND = 10**9


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command: list[str | Path] = [sys.executable, "-m", "p4nic", "serve", "--backend", "swx"]
    command += [f"--port={n}@unix:{tmp_path}/port{n}" for n in (1, 2)]
    command += ["--grpc", "127.0.0.1:0", "--clock", "manual", "--ready-file", tmp_path / "ready.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("p4nic: k8s_lb, P4Runtime"), process.communicate()
            yield process
        finally:
            process.kill()


@pytest.fixture
def client(process: subprocess.Popen[str], tmp_path: Path) -> Iterator[Client]:
    while not (tmp_path / "ready.json").exists():
        assert process.poll() is None
    client = Client(json.loads((tmp_path / "ready.json").read_text())["grpc"])
    yield client
    client.close()


def program(client: Client) -> None:
    """The service of `cli_samples`, over P4Runtime, in one write: one transaction of DPDK."""
    to_pod = {"port": 2, "smac": 0x0200000000FE, "dmac": 0x020000000006, "ingress_policy": 0}
    client.write(
        insert(NAMES.entry("Lb.port_role", {"in_port": 1}, "Lb.uplink")),
        insert(
            NAMES.entry(
                "Lb.service_vip",
                {"ip_dst": 0x0A60000A, "proto": 6, "dport": 80},
                "Lb.set_service",
                {"service_id": 7, "bucket_mask": 0, "affinity": 0},
            )
        ),
        insert(
            NAMES.entry(
                "Lb.maglev_bucket", {"service_id": 7, "bucket": 0}, "Lb.set_endpoint", {"endpoint_id": 1}
            )
        ),
        insert(
            NAMES.entry(
                "Lb.endpoint", {"endpoint_id": 1}, "Lb.set_destination", {"ip": 0x0A000106, "port": 8080}
            )
        ),
        insert(NAMES.entry("Lb.route", {"ip_dst": (0x0A000106, 32)}, "Lb.to_pod", to_pod)),
    )


def test_a_service_works_end_to_end_and_its_flow_ages(
    client: Client, process: subprocess.Popen[str], tmp_path: Path
) -> None:
    client.arbitrate(1)
    program(client)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as uplink,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as pod,
    ):
        for number, peer in ((1, uplink), (2, pod)):
            peer.bind(f"{tmp_path}/port{number}.peer")
            peer.settimeout(10)
        uplink.sendto(syn(), f"{tmp_path}/port1")
        received = pod.recv(2048)
    assert received[30:34] == bytes((10, 0, 1, 6)), "translated to the endpoint"
    assert received[36:38] == (8080).to_bytes(2)
    assert sum(entry.metadata == b"learned" for entry in client.read_entries()) == 2
    client.advance(31 * SECOND)
    assert len(client.read_entries()) == 5, "what the control plane wrote is left"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
