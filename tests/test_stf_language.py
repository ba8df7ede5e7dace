"""STF itself: what the statements mean, what is refused in which words, and that wrong expectations fail."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from p4nic.__main__ import main
from p4nic.errors import InputError
from p4nic.ir.program import Any, Exact, Lpm, Match, MatchKind, Range, Ternary
from p4nic.stf.frames import difference
from p4nic.stf.junit import Case, document
from p4nic.stf.parse import parse
from p4nic.stf.statements import Add, CallText, Expect, Target, Value
from p4nic.stf.values import match_of

BUILD = Path(__file__).parent / "programs" / "build"


def run(name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    script = tmp_path / "t.stf"
    script.write_text(text)
    code = main(["stf", str(BUILD / f"{name}.json"), str(BUILD / f"{name}.p4info.txtpb"), str(script)])
    return code, capsys.readouterr().out.replace(str(script), "t.stf")


def test_an_entry_with_everything() -> None:
    (statement,) = parse('add "a.t" 7 h.x$1.$valid:0b1 y[2].f:0x1*/4 c.act(p:3, 4) = A # why', "f")
    matches = (("h.x$1.$valid", Value("0b1")), ("y[2].f", Value("0x1*", "/", "4")))
    assert statement == Add(1, "a.t", 7, matches, CallText("c.act", (("p", 3), ("", 4))), "A")


def test_an_entry_without_an_action() -> None:
    (statement,) = parse("ADD t k:1 -> group 3", "f")
    assert isinstance(statement, Add)
    assert statement.action == Target("group", 3)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("ad t k:1 a()", 'f:1: "ad" is no STF statement; there are add, '),
        ("add t k:1", "f:1: a match or an action is missing before the end of the line"),
        ("add t k:1 a(p:", "f:1: an argument is missing before the end of the line"),
        ("add t k:1 a() b", 'f:1: "b" is one word too many'),
        ("add t k:% a()", 'f:1: "%" cannot stand here'),
        ("packet x 00", "f:1: packet needs a port number first"),
        ("packet 1 0", "f:1: 1 digits make no whole bytes"),
        ("packet 1 0g", 'f:1: "g" is no hex digit'),
        ("expect 1 0g", 'f:1: "g" is neither a hex digit nor *'),
        ("wait 3", "f:1: a duration such as 500ms is missing before 3"),
        ("mc_node_associate 1", "f:1: mc_node_associate takes 2 numbers, not 1"),
        ("check_counter c(1) frames == 1", 'f:1: "frames" is neither packets nor bytes'),
        ("check_counter c(1) packets 1", "f:1: a comparison (== != < <= > >=) is missing before 1"),
        ("meter_set_rates m 1", "f:1: a meter takes one or two RATE:BURST"),
        ("register_write r 1 1.5", 'f:1: "1.5" is no whole number'),
    ],
)
def test_what_is_no_stf(line: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        parse(line, "f")
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("kind", "width", "value", "expected"),
    [
        ("exact", 8, Value("0x1ff"), Exact(0xFF)),
        ("ternary", 16, Value("0x1"), Ternary(1, 0xF)),
        ("ternary", 16, Value("0x*1**"), Ternary(0x100, 0xF00)),
        ("ternary", 4, Value("0b1*0*"), Ternary(0b1000, 0b1010)),
        ("ternary", 16, Value("5"), Ternary(5, 0xFFFF)),
        ("ternary", 16, Value("0xff", "&&&", "0x0f"), Ternary(0x0F, 0x0F)),
        ("ternary", 16, Value("0x****"), Any()),
        ("lpm", 32, Value("0x0a0b0000", "/", "8"), Lpm(0x0A000000, 8)),
        ("lpm", 20, Value("0x0a00*"), Lpm(0x0A000, 16)),
        ("lpm", 32, Value("0x0a000001"), Lpm(0x0A000001, 32)),
        ("lpm", 32, Value("0x0", "/", "0"), Any()),
        ("range", 8, Value("3", "..", "9"), Range(3, 9)),
        ("range", 8, Value("0", "..", "255"), Any()),
        ("optional", 8, Value("*"), Any()),
    ],
)
def test_values(kind: MatchKind, width: int, value: Value, expected: Match) -> None:
    assert match_of("x", value, kind, width) == expected


@pytest.mark.parametrize(
    ("pattern", "exact", "frame", "why"),
    [
        ("01*2", False, "011299", ""),
        ("01*2", True, "01a2", ""),
        ("01*2", True, "011299", "has 3 bytes, expected 2"),
        ("0102", False, "01", "has 1 bytes, expected at least 2"),
        ("0102", False, "0103", "has digit 3 at byte 1, expected 2"),
        ("", False, "0103", ""),
    ],
)
def test_differences(pattern: str, exact: bool, frame: str, why: str) -> None:
    assert difference(Expect(1, 1, pattern, exact), bytes.fromhex(frame)) == why


PACKET = "packet 0 01 00 00000000"
FAILING = [
    (f"{PACKET}\nexpect 1 02", "t.stf:2: port 1: the packet of line 1 has digit 1 at byte 0, expected 2"),
    (f"{PACKET}\npacket 1 01 00 00000000", "t.stf:1: port 1: this packet was sent and not expected"),
    (f"{PACKET}\nexpect 1\nexpect 1", "t.stf:3: port 1: this packet did not come; the port sent 1"),
    (f"{PACKET}\nno_packet", "t.stf:2: port 1: the last packet was sent on: 010000000000"),
    ("check_register totals(1) == 1", "t.stf:1: register Main.totals(1) is 0, expected == 1"),
    ("check_counter both(1) packets > 0", "t.stf:1: counter Main.both(1) is 0 packets, expected > 0"),
    ("check_entries counted != 0", "t.stf:1: table Main.counted, entries is 0, expected != 0"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), FAILING)
def test_a_wrong_expectation_fails(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = run("v1_arrays", text, tmp_path, capsys)
    assert code == 1
    assert sentence in shown


def test_a_digest_that_did_not_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run("v1_messages", "expect_digest seen_t 1 2", tmp_path, capsys)
    assert code == 1
    assert "t.stf:1: digest seen_t did not come" in shown
    text = "packet 0 01 42 00000007\nexpect_digest seen_t 1 2"
    assert "t.stf:2: the next digest is seen_t 0x42 0x7" in run("v1_messages", text, tmp_path, capsys)[1]


REFUSED = [
    ("add nosuch k:1 a()", 't.stf:1: there is no table "nosuch"; choose one of Main.counted'),
    ("add counted nosuch:1 marked(mark:1)", '"nosuch" is no key field of table Main.counted; its key fields'),
    ("add counted index:1 nosuch()", 'there is no action of table Main.counted "nosuch"; choose '),
    ("add counted index:1 marked()", "action Main.marked also needs mark"),
    ("add counted index:1 marked(1, 2)", "action Main.marked takes 1 arguments, not 2"),
    ("add counted index:1&&&2 marked(1)", 'an exact key takes one value, not "&&&2"'),
    ("add counted index:1 marked(1)\nadd counted index:1 marked(2)", "t.stf:2: table Main.counted"),
    ("remove A", "there is no entry $A; entries with an id are none yet"),
    ("check_counter per_entry($B) packets == 1", "there is no entry $B"),
    ("mc_node_associate 1 0", "there is no multicast group 1; create it first"),
    ("mirroring_get 1", "there is no clone session 1"),
    ("register_read totals 99", "register Main.totals: index 99 is beyond the last, 15"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_what_the_program_does_not_have(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = run("v1_arrays", text, tmp_path, capsys)
    assert code == 2
    assert sentence in shown


def test_no_script_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stf", str(BUILD / "v1_arrays.json")]) == 2
    assert "stf needs a test to run" in capsys.readouterr().err


def test_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, broken = (tmp_path / name for name in ("a.stf", "b.stf", "c.stf"))
    good.write_text("packet 0 01 00 00000000\nexpect 1\n")
    bad.write_text("check_entries counted == 3\n")
    broken.write_text("nonsense\n")
    result = tmp_path / "r.xml"
    scripts = [str(good), str(bad), str(broken)]
    assert main(["stf", str(BUILD / "v1_arrays.json"), *scripts, "--junit", str(result)]) == 2
    assert "1 passed, 1 failed, 1 could not be run" in capsys.readouterr().out
    suite = ElementTree.parse(result).getroot()[0]
    assert [suite.get(key) for key in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["error"]]


def test_junit_escapes_what_xml_cannot_hold() -> None:
    text = document([Case("s", 'a<"&', "failed", "b\x00<&\nc", 1.5)])
    case = ElementTree.fromstring(text)[0][0]
    assert (case.get("name"), case[0].text, case[0].get("message")) == ('a<"&', "b?<&\nc", "b?<&")
