"""A small `.spec` that uses what DPDK's pipeline can do, and a switch that runs it there.

The Ethernet type picks the part of the program: 1 exact table, 2 wildcard table, 3 prefix table, 4 mirror to
session 5, 5 a port that does not exist, 6 meter, anything else port 7.
"""

from __future__ import annotations

import pytest

from p4nic.backend.api import Entry, Options
from p4nic.backend.swx import SwxBackend
from p4nic.backend.swx.shim import unavailable
from p4nic.clock import ManualClock
from p4nic.ir.program import ActionCall, Match
from p4nic.load.dpdk_spec import load_text
from p4nic.target.switch import Switch

needs_dpdk = pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")

SPEC = """\
struct eth_t {
	bit<48> dst
	bit<48> src
	bit<16> type
}
struct to_arg_t {
	bit<32> port
}
struct meta_t {
	bit<32> in_port
	bit<32> out_port
	bit<32> slot
	bit<32> session
	bit<32> length
	bit<32> green
	bit<32> color
}
metadata instanceof meta_t
header eth instanceof eth_t
regarray seen size 0x10 initval 0x7
metarray rate size 0x10
action NoAction args none {
	return
}
action to args instanceof to_arg_t {
	mov m.out_port t.port
	return
}
table same {
	key {
		h.eth.dst exact
	}
	actions {
		to
		NoAction
	}
	default_action NoAction args none
	size 0x40
}
table masked {
	key {
		h.eth.dst wildcard
	}
	actions {
		to
		NoAction
	}
	default_action NoAction args none
	size 0x40
}
table routes {
	key {
		h.eth.dst lpm
	}
	actions {
		to
		NoAction
	}
	default_action NoAction args none
	size 0x40
}
apply {
	rx m.in_port
	extract h.eth
	mov m.out_port 0x7
	regadd seen m.in_port 1
	jmpeq SAME h.eth.type 0x1
	jmpeq MASKED h.eth.type 0x2
	jmpeq ROUTES h.eth.type 0x3
	jmpeq MIRROR h.eth.type 0x4
	jmpeq AWAY h.eth.type 0x5
	jmpeq RATE h.eth.type 0x6
	jmp OUT
	SAME : table same
	jmp OUT
	MASKED : table masked
	jmp OUT
	ROUTES : table routes
	jmp OUT
	MIRROR : mov m.slot 0x0
	mov m.session 0x5
	mirror m.slot m.session
	jmp OUT
	AWAY : mov m.out_port 0xFFFFFFF0
	jmp OUT
	RATE : mov m.length 0x64
	mov m.green 0x0
	meter rate m.in_port m.length m.green m.color
	mov m.out_port m.color
	OUT : emit h.eth
	tx m.out_port
}
"""


def swx_switch(text: str = SPEC) -> Switch:
    """The program on real DPDK, with a manual clock."""
    program = load_text(text, "small.spec")
    return Switch(SwxBackend().build(program, Options()), ManualClock())


def frame(kind: int, dst: int = 0, payload: bytes = b"payload") -> bytes:
    return dst.to_bytes(6) + bytes(6) + kind.to_bytes(2) + payload


def entry(table: str, match: Match, port: int, priority: int = 0) -> Entry:
    return Entry(table, (match,), ActionCall("to", (port,)), priority)


def ports(switch: Switch, sent: bytes, port: int = 0) -> list[int]:
    """Where copies of the frame go."""
    return [number for number, _ in switch.inject(port, sent).sent]
