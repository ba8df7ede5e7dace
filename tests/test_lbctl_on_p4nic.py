"""lbctl against a real P4Runtime server, black box: the simulator as a process, packets over Unix sockets.

    shop/loadgen-0 ──7──┐                ┌──0── uplink: node-b, node-c (VXLAN), the world
    shop/catalog-0 ──3──┤  p4nic serve   │
    coredns-a      ──6──┘   (manual clock) └── 127.0.0.1: lbctl.Controller

Both artifacts: PNA learns in the data plane, v1model from digests.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from lbctl.__main__ import main
from lbctl.controller import Controller
from lbctl.errors import SwitchError, SwitchErrorKind
from lbctl.hashing import Target
from lbctl.kube import load_manifests
from lbctl.model import Cluster, Name, ip_text
from lbctl.nodefile import load_node_config

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "pipeline" / "build"
SHOP = ROOT / "manifests" / "shop"
ARTIFACTS = {
    Target.PNA: (BUILD / "k8s_lb.pna.p4info.txtpb", BUILD / "k8s_lb.spec"),
    Target.V1MODEL: (BUILD / "k8s_lb.v1model.p4info.txtpb", BUILD / "k8s_lb.json"),
}
PORTS = (0, 3, 6, 7)
LOADGEN, CATALOG_VIP, DNS_VIP = "10.244.1.16", "10.96.10.3", "10.96.0.10"
GATEWAY = "02:00:00:00:01:01"


class Nic:
    """A running `p4nic serve` with a datagram socket on each port."""

    def __init__(self, folder: Path, target: Target, *flags: str) -> None:
        p4info, config = ARTIFACTS[target]
        ready = folder / "ready.json"
        command = [
            sys.executable,
            "-m",
            "p4nic",
            "serve",
            *flags,
            "--grpc",
            "127.0.0.1:0",
            "--clock",
            "manual",
        ]
        if "--empty" not in flags:
            command += [str(config), "--p4info", str(p4info)]
        command += ["--ready-file", str(ready)]
        for port in PORTS:
            command += ["--port", f"{port}@unix:{folder}/p{port}"]
        self.folder = folder
        self.log = folder / "serve.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        eventually(lambda: ready.exists() and ready.stat().st_size > 0, 60)
        self.address: str = json.loads(ready.read_text())["grpc"]
        self.sockets = {port: self._peer(folder / f"p{port}") for port in PORTS}
        self.channel = grpc.insecure_channel(self.address)

    @staticmethod
    def _peer(path: Path) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        peer.bind(f"{path}.peer")
        peer.setblocking(False)
        return peer

    def clock(self, method: str, request: Duration | Empty) -> None:
        """Call the simulator's side service."""
        call = self.channel.unary_unary(
            f"/p4nic.sim.v1.Simulation/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=Duration.FromString,
        )
        call(request, timeout=30)

    def send(self, port: int, packet: Ether) -> dict[int, list[Ether]]:
        """Send one frame and give what came out, by port."""
        self.sockets[port].sendto(bytes(packet), f"{self.folder}/p{port}")
        self.clock("Drain", Empty())
        out: dict[int, list[Ether]] = {}
        for number, peer in self.sockets.items():
            while True:
                try:
                    frame = peer.recv(65536)
                except BlockingIOError:
                    break
                out.setdefault(number, []).append(Ether(frame))
        return out

    def close(self) -> None:
        self.channel.close()
        for peer in self.sockets.values():
            peer.close()
        self.process.terminate()
        self.process.wait(20)


def eventually(happened: Callable[[], bool], seconds: int = 20) -> None:
    """Wait for something another process does."""
    for _ in range(seconds * 50):
        if happened():
            return
        time.sleep(0.02)
    pytest.fail("what the test waits for did not happen")


@pytest.fixture(params=list(Target), ids=lambda target: target.value)
def nic(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nic]:
    made = Nic(tmp_path, request.param)
    try:
        yield made
    finally:
        made.close()


def controller(nic: Nic, **options: int) -> Controller:
    return Controller(nic.address, node=load_node_config(SHOP / "node-a.yaml"), **options)  # type: ignore[arg-type]


def shop() -> Cluster:
    return load_manifests([SHOP])


def without_dns_on_node_a() -> Cluster:
    objects = shop()
    name = Name("kube-system", "kube-dns")
    slices = tuple(
        replace(piece, endpoints=tuple(e for e in piece.endpoints if e.node != "node-a"))
        if piece.service == name
        else piece
        for piece in objects.slices
    )
    return replace(objects, slices=slices)


def from_loadgen(vip: str, sport: int, layer: TCP | UDP) -> Ether:
    source = "02:00:0a:f4:01:07"
    layer.sport = sport
    return Ether(src=source, dst=GATEWAY) / IP(src=LOADGEN, dst=vip) / layer


def inner(frame: Ether) -> IP:
    """The packet for the endpoint, out of its tunnel if it is in one."""
    return frame[VXLAN].payload[IP] if VXLAN in frame else frame[IP]


def test_packets_go_where_where_says(nic: Nic) -> None:
    with controller(nic) as lb:
        lb.apply(shop())
        seen = set()
        for sport in range(40000, 40024):
            verdict = lb.where(f"{LOADGEN}:{sport}", f"{CATALOG_VIP}:80/TCP")
            out = nic.send(7, from_loadgen(CATALOG_VIP, sport, TCP(dport=80, flags="S")))
            assert verdict.endpoint is not None
            assert verdict.out_port is not None
            assert list(out) == [verdict.out_port], (sport, verdict.text())
            packet = inner(out[verdict.out_port][0])
            assert (packet.dst, packet[TCP].dport) == (ip_text(verdict.endpoint[0]), verdict.endpoint[1])
            seen.add(packet.dst)
        assert len(seen) == 3


def test_flows_are_learned_live_their_time_and_are_gone(nic: Nic) -> None:
    with controller(nic) as lb:
        lb.apply(shop())
        nic.send(7, from_loadgen(DNS_VIP, 5000, UDP(dport=53)))
        eventually(lambda: len(lb.flows()) == 2)
        forward, reverse = sorted(lb.flows(), key=lambda flow: flow.kind)
        assert (reverse.new_src, reverse.new_sport) == (forward.key.dst, 53)
        live = lb.where(f"{LOADGEN}:5000", f"{DNS_VIP}:53/UDP", live=True)
        assert live.pinned is not None
        nic.clock("Advance", Duration(seconds=100))
        assert len(lb.flows()) == 2
        nic.clock("Advance", Duration(seconds=30))
        eventually(lambda: lb.flows() == [])
        eventually(lambda: lb.counts.expired == 2)


def test_udp_flows_of_a_removed_endpoint_are_gone_when_apply_returns(nic: Nic) -> None:
    with controller(nic) as lb:
        lb.apply(shop())
        ports = [
            sport
            for sport in range(5000, 5200)
            if lb.where(f"{LOADGEN}:{sport}", f"{DNS_VIP}:53/UDP").out_port == 6
        ][:5]
        for sport in ports:
            assert list(nic.send(7, from_loadgen(DNS_VIP, sport, UDP(dport=53)))) == [6]
        eventually(lambda: len(lb.flows()) == 10)
        lb.apply(without_dns_on_node_a())
        assert lb.flows() == []
        out = nic.send(7, from_loadgen(DNS_VIP, ports[0], UDP(dport=53)))
        assert inner(out[0][0]).dst == "10.244.3.15"


def test_a_restarted_controller_changes_nothing_and_a_second_one_is_refused(nic: Nic) -> None:
    with controller(nic, election_id=7) as lb:
        assert lb.apply(shop()).inserted > 5000
    with controller(nic, election_id=8) as lb:
        assert lb.apply(shop()).changes == 0
        with pytest.raises(SwitchError) as caught:
            controller(nic, election_id=5).__enter__()
        assert caught.value.kind is SwitchErrorKind.NOT_PRIMARY
        assert "backup of election id 8; stop that controller" in str(caught.value)


def test_the_command_line_applies_compares_and_reports(
    nic: Nic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = ["-f", str(SHOP), "--node", str(SHOP / "node-a.yaml")]
    switch = ["--p4rt", nic.address]
    assert main(["status", *switch, *inputs]) == 1
    assert main(["apply", *inputs, *switch]) == 0
    assert "5475 entries inserted" in capsys.readouterr().out
    assert main(["diff", *inputs, *switch]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "lbctl: nothing to write, the switch is in step\n")
    assert main(["status", *switch, *inputs]) == 0
    assert "service 10.96.10.9:80/TCP  no endpoints" in capsys.readouterr().out
    assert main(["where", f"{LOADGEN}:1", f"{CATALOG_VIP}:80/TCP", *inputs, *switch]) == 0


def test_an_empty_switch_is_refused_in_one_sentence_and_loaded_when_asked(tmp_path: Path) -> None:
    made = Nic(tmp_path, Target.PNA, "--empty")
    try:
        with pytest.raises(SwitchError, match=r"has no pipeline; pass --pipeline P4INFO CONFIG to load one"):
            controller(made).__enter__()
        node = load_node_config(SHOP / "node-a.yaml")
        mixed = (ARTIFACTS[Target.PNA][0], ARTIFACTS[Target.V1MODEL][1])
        with pytest.raises(SwitchError, match=r"refused the pipeline \(the P4Info does not match") as refused:
            Controller(made.address, node=node, artifact=mixed).__enter__()
        assert refused.value.kind is SwitchErrorKind.NO_PIPELINE
        with Controller(made.address, node=node, artifact=ARTIFACTS[Target.PNA]) as lb:
            assert lb.apply(shop()).inserted > 5000
        with Controller(made.address, node=node, artifact=ARTIFACTS[Target.PNA]) as lb:
            assert lb.apply(shop()).changes == 0  # the cookie told that it runs this pipeline already
    finally:
        made.close()


def test_a_switch_that_dies_is_an_error_and_not_a_hang(nic: Nic) -> None:
    lb = Controller(nic.address, node=load_node_config(SHOP / "node-a.yaml"), connect_timeout=1.0)
    with lb:
        lb.apply(shop())
        nic.process.terminate()
        nic.process.wait(20)
        with pytest.raises(SwitchError) as caught:
            lb.sync()
        assert caught.value.kind is SwitchErrorKind.UNAVAILABLE


def test_serve_follows_file_changes_survives_a_bad_file_and_ends_on_sigterm(nic: Nic, tmp_path: Path) -> None:
    manifests = tmp_path / "shop"
    manifests.mkdir()
    for path in SHOP.glob("*.yaml"):
        (manifests / path.name).write_text(path.read_text())
    said = tmp_path / "serve-lbctl.log"
    command = [sys.executable, "-m", "lbctl", "serve", "-f", str(manifests), "--p4rt", nic.address]
    with said.open("w") as log:
        serve = subprocess.Popen(
            [*command, "--node", str(SHOP / "node-a.yaml"), "--poll", "0.05"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: "entries inserted" in said.read_text())
        policies = manifests / "policies.yaml"
        whole = policies.read_text()
        policies.write_text("kind: [")
        eventually(lambda: "still serving the former state" in said.read_text())
        policies.unlink()
        eventually(lambda: said.read_text().count("entries inserted") == 2)
        assert f"{manifests}/policies.yaml: is not YAML" in said.read_text()
        policies.write_text(whole)
        eventually(lambda: said.read_text().count("entries inserted") == 3)
    finally:
        serve.terminate()
    assert serve.wait(20) == 0
    assert said.read_text().endswith("lbctl: stopped; the switch keeps what is installed\n")
    with controller(nic) as lb:
        assert lb.apply(shop()).changes == 0


def test_an_established_connection_outlives_its_handshake_and_ends_after_fin(nic: Nic) -> None:
    with controller(nic) as lb:
        lb.apply(shop())
        sport = next(
            sport
            for sport in range(41000, 41100)
            if lb.where(f"{LOADGEN}:{sport}", f"{CATALOG_VIP}:80/TCP").out_port == 3
        )

        def from_client(flags: str) -> None:
            out = nic.send(7, from_loadgen(CATALOG_VIP, sport, TCP(dport=80, flags=flags)))
            assert [frame[IP].dst for frame in out[3]] == ["10.244.1.12"]

        def from_server(flags: str) -> None:
            packet = IP(src="10.244.1.12", dst=LOADGEN) / TCP(sport=8080, dport=sport, flags=flags)
            out = nic.send(3, Ether(src="02:00:0a:f4:01:03", dst=GATEWAY) / packet)
            assert [(frame[IP].src, frame[TCP].sport) for frame in out[7]] == [(CATALOG_VIP, 80)]

        from_client("S")
        eventually(lambda: len(lb.flows()) == 2)
        from_server("SA")
        from_client("A")
        from_server("A")
        nic.clock("Advance", Duration(seconds=31))
        lb.wait_idle()
        nic.clock("Advance", Duration(seconds=6 * 3600))
        lb.wait_idle()
        assert len(lb.flows()) == 2
        from_client("A")
        from_client("FA")
        from_server("FA")
        eventually(lambda: {flow.idle_timeout_s for flow in lb.flows()} == {10.0})
        nic.clock("Advance", Duration(seconds=11))
        eventually(lambda: lb.flows() == [])
