"""`N@KIND:NAME`, how the command line spells a port.

In: the text. Out: a PortSpec, and from it a Port. Used by `p4nic serve`. Errors: InputError for the spelling,
PortError where the thing behind it cannot be opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from p4nic.errors import InputError
from p4nic.target.ports import Port

KINDS = {
    "memory": "two queues in this process, for tests",
    "unix": "Unix datagram socket bound at NAME; the peer binds NAME.peer; no root",
    "veth": "network interface NAME through a raw socket (also spelled afpacket)",
    "tap": "TAP interface NAME, made if it does not exist",
    "dpdk": "a device of DPDK's own (--backend swx): net_af_packet,iface=IF or net_tap,iface=IF or net_ring",
    "pcap": "frames come from file NAME; with NAME,OUT what is sent goes to OUT",
}
_ALIASES = {"afpacket": "veth"}


@final
@dataclass(frozen=True, slots=True)
class PortSpec:
    """Port `number` is a `kind` called `name`."""

    number: int
    kind: str
    name: str


def parse_port(text: str) -> PortSpec:
    """`3@veth:eth1` as a PortSpec."""
    number, at, rest = text.partition("@")
    kind, _, name = rest.partition(":")
    kind = _ALIASES.get(kind, kind)
    if not at or not number.isdecimal():
        raise InputError(f'port "{text}" is not N@KIND:NAME, for example 1@veth:veth0 or 2@unix:/tmp/p2')
    if kind not in KINDS:
        raise InputError(f'port "{text}" has kind "{kind}"; kinds are {", ".join(KINDS)}')
    if kind != "memory" and not name:
        raise InputError(f'port "{text}" has no name: write {number}@{kind}:NAME ({KINDS[kind]})')
    return PortSpec(int(number), kind, name)


def open_port(spec: PortSpec) -> Port:
    """Open what the spec names."""
    match spec.kind:
        case "unix":
            from p4nic.target.ports.unix import UnixPort

            return UnixPort(spec.name)
        case "veth":
            from p4nic.target.ports.afpacket import AfPacketPort

            return AfPacketPort(spec.name)
        case "tap":
            from p4nic.target.ports.tap import TapPort

            return TapPort(spec.name)
        case "dpdk":
            raise InputError(f"port {spec.number}@dpdk:{spec.name} is DPDK's own: it needs --backend swx")
        case "pcap":
            from p4nic.target.ports.pcap import PcapPort

            source, _, sink = spec.name.partition(",")
            return PcapPort(Path(source), Path(sink) if sink else None)
        case _:
            from p4nic.target.ports.memory import MemoryPort

            return MemoryPort()
