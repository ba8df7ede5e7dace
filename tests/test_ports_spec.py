"""How ports are spelled on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from p4nic.errors import InputError, PortError
from p4nic.target.ports.memory import MemoryPort
from p4nic.target.ports.spec import PortSpec, open_port, parse_port
from p4nic.target.ports.unix import UnixPort


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("0@memory", PortSpec(0, "memory", "")),
        ("12@unix:/tmp/a:b", PortSpec(12, "unix", "/tmp/a:b")),
        ("3@veth:eth1", PortSpec(3, "veth", "eth1")),
        ("3@afpacket:eth1", PortSpec(3, "veth", "eth1")),
        ("4@pcap:in.pcap,out.pcap", PortSpec(4, "pcap", "in.pcap,out.pcap")),
    ],
)
def test_parses(text: str, spec: PortSpec) -> None:
    assert parse_port(text) == spec


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("veth0", 'port "veth0" is not N@KIND:NAME, for example 1@veth:veth0 or 2@unix:/tmp/p2'),
        ("x@memory", 'port "x@memory" is not N@KIND:NAME, for example 1@veth:veth0 or 2@unix:/tmp/p2'),
        ("1@wire:x", 'port "1@wire:x" has kind "wire"; kinds are memory, unix, veth, tap, dpdk, pcap'),
        ("1@veth", 'port "1@veth" has no name: write 1@veth:NAME '
         "(network interface NAME through a raw socket (also spelled afpacket))"),
    ],
)  # fmt: skip
def test_refuses(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_port(text)
    assert str(refusal.value) == sentence


def test_opens(tmp_path: Path) -> None:
    memory = open_port(PortSpec(1, "memory", ""))
    assert isinstance(memory, MemoryPort)
    memory.close()
    unix = open_port(PortSpec(1, "unix", str(tmp_path / "p")))
    assert isinstance(unix, UnixPort)
    unix.close()


def test_a_missing_interface_is_one_sentence() -> None:
    with pytest.raises(PortError) as refusal:
        open_port(PortSpec(1, "veth", "p4nicnone"))
    assert str(refusal.value) == (
        "there is no interface p4nicnone; make one with: ip link add p4nicnone type veth peer name "
        "p4nicnone-peer"
    )


def test_an_impossible_tap_name_is_one_sentence() -> None:
    with pytest.raises(
        PortError, match='"0123456789abcdef" cannot be an interface: names have 1 to 15 bytes'
    ):
        open_port(PortSpec(1, "tap", "0123456789abcdef"))
