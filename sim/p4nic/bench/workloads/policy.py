"""Established connections to a pod with an ingress policy of many rules, of which the last one allows them.

Rules have 17 lengths of prefix, with a port and without, as selectors of CIDR blocks make them. With
`--masks` they have so many masks and lie among the clients, of whom each connection has one of its own: then
no packet is judged from memory. Every packet is judged. The same with ten rules runs in the same trials:
`figures` has the ratio of their cycles.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from p4nic.backend.api import Entry
from p4nic.bench import lb
from p4nic.bench.api import Options, Progress, Result, round_to
from p4nic.bench.peers import NO_FLOOR, engines
from p4nic.bench.trials import take_turns
from p4nic.bits import mask, prefix_mask
from p4nic.ir.program import ActionCall, Exact, Lpm, Program, Ternary

NAME = "policy"
ABOUT = "established connections to a pod with an ingress policy (--rules: 10, 1000, 10000)"
FEW = 10
POLICY = 1
TABLE = "Lb.policy_ingress"
NEAR = 0xFFF00000
"""What rules with `--masks` and clients have in common."""
SWX_RULES = 2000


def rules(program: Program, count: int) -> Iterator[Entry]:
    """`count` rules of one policy; the clients' packets match the one of lowest priority only."""
    anything = Ternary(0, 0)
    tcp = Ternary(6, 0xFF)
    for i in range(count - 1):
        bits = prefix_mask(32, 16 + i % 17)
        remote = Ternary((0x0B000000 + i * 0x00010061) & bits, bits)
        port = Ternary(8080, 0xFFFF) if i % 3 else anything
        key = (Exact(POLICY), remote, tcp, port)
        yield Entry(TABLE, key, ActionCall("Lb.allow", ()), priority=count - i + 1)
    clients = Ternary(lb.CLIENTS & 0xFFFF0000, 0xFFFF0000)
    yield Entry(TABLE, (Exact(POLICY), clients, tcp, anything), ActionCall("Lb.allow", ()), priority=1)


def masked_rules(count: int, masks: int) -> Iterator[Entry]:
    """The same with so many masks of address (/20 to /32) and port, a hole in those of the address beyond
    208. A packet matches one or two rules."""
    draw = random.Random(3)
    for i in range(count - 1):
        remote, port = prefix_mask(32, 32 - i % masks % 13), prefix_mask(16, 16 - i % masks // 13 % 16)
        remote &= ~(1 << i % masks // 208 + 13) if i % masks >= 208 else mask(32)
        key = (
            Exact(POLICY),
            Ternary((lb.CLIENTS & NEAR | draw.getrandbits(20)) & remote, remote),
            Ternary(6, 0xFF),
            Ternary(draw.choice((80, 443, 8080, draw.getrandbits(16))) & port, port),
        )
        yield Entry(TABLE, key, ActionCall("Lb.allow", ()), priority=count - i + 1)
    last = (Exact(POLICY), Ternary(lb.CLIENTS & NEAR, NEAR), Ternary(6, 0xFF), Ternary(0, 0))
    yield Entry(TABLE, last, ActionCall("Lb.allow", ()), priority=1)


def entries(program: Program, count: int, masks: int | None = None) -> Iterator[Entry]:
    """The load balancer, its pod under the policy."""
    for one in lb.configuration(program):
        if one.table == "Lb.route" and one.key == (Lpm(lb.POD, 32),):
            args = (lb.POD_PORT, lb.MAC_B, lb.MAC_A, POLICY)
            one = replace(one, action=ActionCall("Lb.to_pod", args))
        yield one
    seen = set()
    for rule in masked_rules(count, masks) if masks else rules(program, count):
        if rule.key not in seen:
            yield rule
        seen.add(rule.key)


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine with so many rules; of ours also with ten."""
    flows = min(lb.flow_count(options), 1_000_000)
    count = options.rules or 10_000
    order = lb.flow_order(flows)
    program = lb.program()
    sizes = {**lb.table_sizes(flows), "Lb.policy_ingress": max(16384, count)}
    unfit = dict(NO_FLOOR)
    if count > SWX_RULES:
        unfit["swx"] = f"DPDK builds its classifier for more than two minutes with {count} rules"
    alone = replace(options, peers=())
    ports = 1 if options.masks else lb.PORTS_OF_A_CLIENT
    syn, ack = (lb.flow_frames(order, lb.to_vip(f, ports), options.frame_size) for f in (lb.SYN, lb.ACK))
    with (
        engines(
            options, program, entries(program, count, options.masks), flows, sizes, progress, unfit=unfit
        ) as found,
        engines(alone, program, entries(program, FEW, options.masks), flows, sizes, progress) as few,
    ):
        for each in (found, few):
            each.once(syn)
            each.once(ack)
        with_few = f"{FEW} rules"
        loops = {**found.loops(ack), with_few: few.loops(ack)[few.own]}
        subjects = {name: loop.timed for name, loop in loops.items()}
        measured = take_turns(subjects, options, progress)
    baseline = measured.pop(with_few)
    own = measured[found.own]
    cycles = own.cycles_per_packet, baseline.cycles_per_packet
    ratio = cycles[0] / cycles[1] if cycles[0] and cycles[1] else baseline.mpps / own.mpps
    figures = {"mpps_10_rules": round_to(baseline.mpps), "cycles_ratio_to_10_rules": round_to(ratio)}
    measured[found.own] = replace(own, figures=figures)
    parameters = {"rules": count, "masks": options.masks, "flows": flows, "frame_size": options.frame_size}
    return Result.of(NAME, found, measured, parameters)
