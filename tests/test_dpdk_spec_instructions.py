"""Each mnemonic of a `.spec`: one instruction in, the IR instructions out."""

from __future__ import annotations

import pytest

from p4nic.ir import ops
from p4nic.ir.ops import Const, Op, Ref, Temp
from p4nic.load.dpdk_spec import load_text

SPEC = """\
struct ip_t {
	bit<8> ttl
	bit<16> checksum
	bit<32> src
	bit<32> dst
	bit<24> odd
}
struct wide_t {
	bit<128> address
	bit<64> half
}
struct option_t {
	bit<16> kind
	varbit<320> data
}
struct meta_t {
	bit<32> port
	bit<8> small
	bit<16> color
	bit<32> a
	bit<16> b
	bit<128> wide
	bit<64> long
}
struct learned_arg_t {
	bit<32> ip
	bit<16> port
}
metadata instanceof meta_t
header ip instanceof ip_t
header wide instanceof wide_t
header option instanceof option_t
regarray regs size 0x100 initval 0x5
metarray mets size 100
rss r0
action learned args instanceof learned_arg_t {
	return
}
action plain args none {
	return
}
action tried args instanceof learned_arg_t {
	HERE :	%s
	return
}
learner seen {
	key {
		m.a
	}
	actions {
		learned @tableonly
		plain @defaultonly
	}
	default_action plain args none
	timeout {
		10
		}
}
apply {
	rx m.port
	THERE :	%s
	tx m.port
}
"""

M_A, M_B, M_SMALL, M_WIDE = Ref("m", "a"), Ref("m", "b"), Ref("m", "small"), Ref("m", "wide")
SRC, DST, TTL, SUM = Ref("ip", "src"), Ref("ip", "dst"), Ref("ip", "ttl"), Ref("ip", "checksum")


def plain(code: tuple[Op, ...], after: str) -> list[Op]:
    """The ops behind a label up to the closing return or tx, their positions taken away."""
    names = [op.name if isinstance(op, ops.Label) else None for op in code]
    return [_without_source(op) for op in code[names.index(after) + 1 : -1]]


def _without_source(op: Op) -> Op:
    values = {name: getattr(op, name) for name in op.__dataclass_fields__ if name != "source"}
    return type(op)(**values)


def in_apply(instruction: str) -> list[Op]:
    program = load_text(SPEC % ("return", instruction), "one.spec")
    return plain(program.blocks["pipeline"].code, "THERE")


def in_action(instruction: str) -> list[Op]:
    program = load_text(SPEC % (instruction, "tx m.port"), "one.spec")
    return plain(program.actions["tried"].code, "HERE")


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("mov m.a h.ip.src", [ops.Move(M_A, SRC)]),
        ("mov h.ip.ttl 0x140", [ops.Move(TTL, Const(0x40, 8))]),
        ("mov m.wide h.wide.address", [ops.Move(M_WIDE, Ref("wide", "address"))]),
        (
            "movh h.wide.half h.wide.address",
            [ops.Binary(Ref("wide", "half"), "shr", Ref("wide", "address"), Const(64, 8))],
        ),
        (
            "movh m.wide h.wide.half",
            [
                ops.Binary(Temp("t1", 128), "and", M_WIDE, Const(2**64 - 1, 128)),
                ops.Binary(Temp("t2", 128), "shl", Ref("wide", "half"), Const(64, 8)),
                ops.Binary(M_WIDE, "or", Temp("t1", 128), Temp("t2", 128)),
            ],
        ),
        ("add h.ip.ttl 0xFF", [ops.Binary(TTL, "add", TTL, Const(0xFF, 8))]),
        ("sub m.a m.b", [ops.Binary(M_A, "sub", M_A, M_B)]),
        ("and m.a h.ip.src", [ops.Binary(M_A, "and", M_A, SRC)]),
        ("or m.small 0x101", [ops.Binary(M_SMALL, "or", M_SMALL, Const(1, 8))]),
        ("xor h.ip.src h.ip.dst", [ops.Binary(SRC, "xor", SRC, DST)]),
        ("shl m.a 0x20", [ops.Binary(M_A, "shl", M_A, Const(0x20, 6))]),
        ("shr m.a m.small", [ops.Binary(M_A, "shr", M_A, M_SMALL)]),
        ("ckadd h.ip.checksum h.ip.src", [ops.ChecksumAdd(SUM, SRC)]),
        ("cksub h.ip.checksum h.ip.src", [ops.ChecksumAdd(SUM, SRC, subtract=True)]),
        ("ckadd h.ip.checksum h.wide", [ops.ChecksumAdd(SUM, "wide")]),
        (
            "ckadd h.ip.checksum h.ip.odd",
            [
                ops.Binary(Temp("t1", 32), "shl", Ref("ip", "odd"), Const(8, 4)),
                ops.ChecksumAdd(SUM, Temp("t1", 32)),
            ],
        ),
        (
            "hash crc32 m.a m.small m.b",
            [ops.Hash(M_A, "crc32c", (M_SMALL, Ref("m", "color"), M_A, M_B), host_order=True)],
        ),
        ("hash jhash m.a h.ip.src h.ip.dst", [ops.Hash(M_A, "jhash", (SRC, DST))]),
        ("rss r0 m.a h.ip.src h.ip.src", [ops.Hash(M_A, "toeplitz", (SRC,))]),
        ("extract h.ip", [ops.Extract("ip")]),
        (
            "extract h.option m.small",
            [ops.Binary(Temp("t1", 11), "shl", M_SMALL, Const(3, 2)), ops.Extract("option", Temp("t1", 11))],
        ),
        ("lookahead h.ip", [ops.SetValid("ip"), ops.Lookahead("ip")]),
        ("emit h.ip", [ops.Emit("ip")]),
        ("validate h.ip", [ops.SetValid("ip")]),
        ("invalidate h.ip", [ops.SetInvalid("ip")]),
        ("tx 3", [ops.Transmit(Const(3, 2))]),
        ("drop", [ops.Drop()]),
        ("mirror m.small m.b", [ops.Mirror(M_SMALL, M_B)]),
        ("recirculate", [ops.Recirculate()]),
        ("recircid m.a", [ops.RecirculationId(M_A)]),
        ("table seen", [ops.Apply("seen")]),
        ("jmp THERE", [ops.Jump("THERE")]),
        ("jmpv THERE h.ip", [ops.Branch("eq", ops.Valid("ip"), Const(1, 1), "THERE")]),
        ("jmpnv THERE h.ip", [ops.Branch("ne", ops.Valid("ip"), Const(1, 1), "THERE")]),
        ("jmph THERE", [ops.BranchHit("THERE", True)]),
        ("jmpnh THERE", [ops.BranchHit("THERE", False)]),
        ("jmpa THERE learned", [ops.BranchAction("learned", "THERE", True)]),
        ("jmpna THERE learned", [ops.BranchAction("learned", "THERE", False)]),
        ("jmpeq THERE m.a m.b", [ops.Branch("eq", M_A, M_B, "THERE")]),
        ("jmpneq THERE m.small 0x101", [ops.Branch("ne", M_SMALL, Const(0x101, 9), "THERE")]),
        ("jmpneq THERE h.ip.ttl 0x101", [ops.Branch("ne", TTL, Const(1, 8), "THERE")]),
        ("jmplt THERE h.ip.ttl 0x101", [ops.Branch("lt", TTL, Const(0x101, 9), "THERE")]),
        ("jmpgt THERE 0x64 h.ip.ttl", [ops.Branch("gt", Const(0x64, 8), TTL, "THERE")]),
        ("regrd m.a regs 0x101", [ops.RegisterRead(M_A, "regs", Const(1, 8))]),
        ("regwr regs m.small h.ip.src", [ops.RegisterWrite("regs", M_SMALL, SRC)]),
        (
            "regadd regs m.b 2",
            [
                ops.Binary(Temp("t1", 8), "and", M_B, Const(0xFF, 8)),
                ops.RegisterAdd("regs", Temp("t1", 8), Const(2, 64)),
            ],
        ),
        ("regprefetch regs m.b", []),
        ("metprefetch mets 1", []),
        (
            "meter mets 5 m.b 0x1 m.color",
            [ops.Meter(Ref("m", "color"), "mets", Const(5, 7), M_B, Const(1, 1))],
        ),
    ],
)
def test_instruction_of_the_apply_block(instruction: str, expected: list[Op]) -> None:
    assert in_apply(instruction) == expected


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("learn learned m.a m.small", [ops.Learn("learned", (M_A, M_B), M_SMALL)]),
        ("learn plain m.small", [ops.Learn("plain", (), M_SMALL)]),
        ("rearm", [ops.Rearm()]),
        ("rearm m.small", [ops.Rearm(M_SMALL)]),
        ("forget", [ops.Forget()]),
        ("entryid m.a", [ops.EntryId(M_A)]),
        ("mov h.ip.dst t.ip", [ops.Move(DST, ops.Param("ip"))]),
        ("return", [ops.Return()]),
    ],
)
def test_instruction_of_an_action(instruction: str, expected: list[Op]) -> None:
    assert in_action(instruction) == expected


def test_a_wide_metadata_field_is_hashed_in_network_order() -> None:
    """DPDK keeps fields above 64 bits big-endian in its metadata, so their bytes are hashed first byte
    first."""
    *parts, hashed = in_apply("hash crc32 m.a m.wide m.long")
    assert [p for p in parts if isinstance(p, ops.Binary)] == parts
    assert [(p.op, p.b) for p in parts if isinstance(p, ops.Binary)][:2] == [
        ("shr", Const(120, 16)),
        ("shr", Const(112, 16)),
    ]
    assert isinstance(hashed, ops.Hash)
    assert hashed.inputs == (*(Temp(f"t{n}", 8) for n in range(1, 17)), Ref("m", "long"))
    assert hashed.host_order


def test_instructions_carry_their_line() -> None:
    text = SPEC % ("return", "drop")
    line = text.split("\n").index("\tTHERE :\tdrop") + 1
    program = load_text(text, "one.spec")
    drop = next(op for op in program.blocks["pipeline"].code if isinstance(op, ops.Drop))
    assert str(drop.source) == f"one.spec:{line}"


def test_arrays_keep_their_sizes_and_initial_value() -> None:
    program = load_text(SPEC % ("return", "drop"), "one.spec")
    assert (program.registers["regs"].size, program.registers["regs"].initial) == (0x100, 5)
    assert program.meters["mets"].size == 100
