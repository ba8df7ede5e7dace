"""`p4nic serve` as a process: it is programmed, forwards, survives nonsense, stops on SIGTERM."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from p4runtime_peer import Client, Names, code_of, insert, load_balancer, outcome

from p4rt import p4r

ARTIFACT = load_balancer()
NAMES = Names(ARTIFACT.info.message)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    ports = [f"--port={n}@unix:{tmp_path}/port{n}" for n in range(2)]
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "p4nic",
        "serve",
        ARTIFACT.path,
        "--p4info",
        ARTIFACT.p4info_path,
        *ports,
    ]
    command += ["--grpc", "127.0.0.1:0", "--clock", "manual", "--ready-file", tmp_path / "ready.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("p4nic: k8s_lb, P4Runtime on 127.0.0.1:"), (
                process.communicate()
            )
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


def test_frames_flow_after_programming(
    client: Client, process: subprocess.Popen[str], tmp_path: Path
) -> None:
    """An ARP request, answered by the switch: port role and responder written over P4Runtime."""
    client.arbitrate(1)
    client.write(
        insert(NAMES.entry("Lb.port_role", {"in_port": 0}, "Lb.uplink")),
        insert(
            NAMES.entry("Lb.arp_responder", {"arp_tpa": 0x0A000001}, "Lb.arp_reply", {"mac": 0x020000000001})
        ),
    )
    request = bytes.fromhex(
        "ffffffffffff 0200000000aa 0806 0001 0800 06 04 0001 0200000000aa 0a000002 000000000000 0a000001"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind(f"{tmp_path}/port0.peer")
        peer.settimeout(10)
        peer.sendto(request.ljust(60, b"\0"), f"{tmp_path}/port0")
        reply = peer.recv(2048)
    assert reply[:12] == bytes.fromhex("0200000000aa 020000000001")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_nonsense_ends_in_statuses_and_the_server_stays(
    client: Client, process: subprocess.Popen[str]
) -> None:
    garbage = [b"", b"\xff" * 100, bytes(range(256))]
    methods = (
        "Write",
        "Read",
        "SetForwardingPipelineConfig",
        "GetForwardingPipelineConfig",
        "Capabilities",
        "None",
    )
    ended = set()
    for method in methods:
        for data in garbage:
            call = client.channel.unary_unary(f"/p4.v1.P4Runtime/{method}", bytes, bytes)
            ended.add(outcome(partial(call, data, timeout=10)))
    assert ended == {"OK", "INTERNAL", "NOT_FOUND", "UNIMPLEMENTED"}
    with pytest.raises(grpc.RpcError) as error:
        client.channel.unary_unary("/p4nic.sim.v1.Simulation/Advance", bytes, bytes)(b"\xff", timeout=10)
    assert code_of(error.value) == "INTERNAL"
    client.arbitrate(1)
    assert client.refused(p4r.Update(), insert(p4r.TableEntry(table_id=1)))[0][0] == "INVALID_ARGUMENT"
    assert process.poll() is None
    client.write(insert(NAMES.entry("Lb.port_role", {"in_port": 0}, "Lb.uplink")))


def test_sigterm_in_the_middle_of_a_batch_ends_it_with_a_status(
    client: Client, process: subprocess.Popen[str]
) -> None:
    """A batch that takes longer than RPCs under way are granted is cut off: the client is told, the process
    ends as ever."""
    client.arbitrate(1)
    batch = p4r.WriteRequest(device_id=1, election_id=p4r.Uint128(low=1))
    for bucket in range(15_000):
        entry = NAMES.entry(
            "Lb.maglev_bucket", {"service_id": 1, "bucket": bucket}, "Lb.set_endpoint", {"endpoint_id": 1}
        )
        batch.updates.append(insert(entry))
    call = client.stub.Write.future(batch, timeout=60)
    with pytest.raises(grpc.FutureTimeoutError):
        call.result(0.2)
    process.send_signal(signal.SIGTERM)
    assert outcome(call.result) in ("OK", "UNAVAILABLE")
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_client_that_vanishes_leaves_no_primary(
    client: Client, process: subprocess.Popen[str], tmp_path: Path
) -> None:
    """kill -9 of a client: its stream ends, the others are told."""
    address = json.loads((tmp_path / "ready.json").read_text())["grpc"]
    backup_notice = client.arbitrate(1)
    assert backup_notice.status.code == 0
    script = (
        "import sys; from p4runtime_peer import Client; c = Client(sys.argv[1]); "
        "print(c.arbitrate(2).status.code, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "0\n"
        assert client.notice().status.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
        other.kill()
    assert client.notice().status.code == grpc.StatusCode.NOT_FOUND.value[0]


def test_address_in_use(client: Client, process: subprocess.Popen[str], tmp_path: Path) -> None:
    address = json.loads((tmp_path / "ready.json").read_text())["grpc"]
    command: list[str | Path] = [sys.executable, "-m", "p4nic", "serve"]
    command += ["--empty", "--grpc", address]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert second.returncode == 2
    assert (
        f"the P4Runtime server cannot listen on {address}; is it in use, or not of this machine?"
        in second.stderr
    )
