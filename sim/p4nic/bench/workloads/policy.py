"""Established connections to a pod with an ingress policy of many rules, of which the last one allows them.

Rules have 17 lengths of prefix, with a port and without, as selectors of CIDR blocks make them. Every packet
is judged. The same with ten rules runs in the same trials: `figures` has the ratio of their cycles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from p4nic.backend.api import Entry
from p4nic.bench import lb
from p4nic.bench.api import Options, Progress, Result, round_to
from p4nic.bench.peers import NO_FLOOR, engines
from p4nic.bench.trials import take_turns
from p4nic.ir.program import ActionCall, Exact, Lpm, Program, Ternary

NAME = "policy"
ABOUT = "established connections to a pod with an ingress policy (--rules: 10, 1000, 10000)"
FEW = 10
POLICY = 1
SWX_RULES = 2000


def rules(program: Program, count: int) -> Iterator[Entry]:
    """`count` rules of one policy; the clients' packets match the one of lowest priority only."""
    table = "Lb.policy_ingress"
    anything = Ternary(0, 0)
    tcp = Ternary(6, 0xFF)
    for i in range(count - 1):
        mask = 0xFFFFFFFF << (32 - (16 + i % 17)) & 0xFFFFFFFF
        remote = Ternary((0x0B000000 + i * 0x00010061) & mask, mask)
        port = Ternary(8080, 0xFFFF) if i % 3 else anything
        key = (Exact(POLICY), remote, tcp, port)
        yield Entry(table, key, ActionCall("Lb.allow", ()), priority=count - i + 1)
    clients = Ternary(lb.CLIENTS & 0xFFFF0000, 0xFFFF0000)
    yield Entry(table, (Exact(POLICY), clients, tcp, anything), ActionCall("Lb.allow", ()), priority=1)


def entries(program: Program, count: int) -> Iterator[Entry]:
    """The load balancer, its pod under the policy."""
    for one in lb.configuration(program):
        if one.table == "Lb.route" and one.key == (Lpm(lb.POD, 32),):
            args = (lb.POD_PORT, lb.MAC_B, lb.MAC_A, POLICY)
            one = replace(one, action=ActionCall("Lb.to_pod", args))
        yield one
    seen = set()
    for rule in rules(program, count):
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
    syn, ack = (lb.flow_frames(order, lb.to_vip(f), options.frame_size) for f in (lb.SYN, lb.ACK))
    with (
        engines(options, program, entries(program, count), flows, sizes, progress, unfit=unfit) as found,
        engines(alone, program, entries(program, FEW), flows, sizes, progress) as few,
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
    parameters = {"rules": count, "flows": flows, "frame_size": options.frame_size}
    return Result.of(NAME, found, measured, parameters)
