"""p4nic lint of a `.spec`: every rule on a program of a few lines that breaks it, and on one that does not.

The rules about loading were compared with DPDK 22.11, which refuses exactly these one-line programs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from p4nic.__main__ import main
from p4nic.errors import P4nicError
from p4nic.lint.finding import Finding
from p4nic.lint.targets import Target, lint

PROGRAM = """\
struct ip_t {{
  bit<128> src
  bit<128> dst
  bit<64> half
  bit<32> word
  bit<16> sum
}}
header ip instanceof ip_t
struct _p4c_sandbox_header_t {{
  bit<64> upper_half
  bit<64> lower_half
}}
header x_128 instanceof _p4c_sandbox_header_t
header y_128 instanceof _p4c_sandbox_header_t
struct arg_t {{
  bit<128> wide
}}
struct meta_t {{
  bit<32> pna_main_input_metadata_input_port
  bit<32> pna_main_output_metadata_output_port
  bit<32> key
  bit<32> a
  bit<8> pna_main_input_metadata_parser_error
{fields}
}}
metadata instanceof meta_t
metarray mt size 0x10
{objects}
action hit args none {{
  {hit}
  return
}}
table t {{
  key {{
    m.key exact
  }}
  actions {{
    hit
  }}
  default_action hit args none const
  size 0x100
}}
apply {{
  rx m.pna_main_input_metadata_input_port
  mov m.pna_main_output_metadata_output_port 0x1
  {key}
  extract h.ip
  {apply}
  table t
  emit h.ip
  tx m.pna_main_output_metadata_output_port
}}
"""
LEARNER = """\
learner l {{
  key {{
    m.key
  }}
  actions {{
    hit
  }}
  default_action hit args none
  size 0x100
  timeout {{
    10
  }}
}}
""".replace("{{", "{").replace("}}", "}")


def found(
    tmp_path: Path,
    target: Target = "dpdk-22.11",
    *,
    apply: str = "mov m.a 0x1",
    hit: str = "mov m.a 0x2",
    fields: str = "",
    objects: str = "",
    key: str = "mov m.key 0x7",
) -> list[Finding]:
    path = tmp_path / "t.spec"
    path.write_text(PROGRAM.format(apply=apply, hit=hit, fields=fields, objects=objects, key=key))
    return [f for f in lint([path], None, target) if f.rule != "short-packets"]


def rules(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(f.level, f.rule) for f in findings}


def test_a_plain_program_has_no_findings(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    assert found(tmp_path, "dpdk-26.07") == []
    assert found(tmp_path, "pna-spec") == []


REFUSED = [
    ({"apply": "jmpeq L 0x1 m.a\n  L : mov m.a 0x1"}, "constant-jump"),
    ({"apply": "jmpgt L 0x1 m.a\n  L : mov m.a 0x1"}, "constant-jump"),
    ({"apply": "meter mt m.a 0x40 m.a m.a"}, "constant-meter-length"),
    ({"apply": "hash crc32 h.ip.src m.a m.a"}, "hash-destination"),
    ({"apply": "mov h.word 0x1"}, "field-without-header"),
    ({"fields": "  bit<4> s"}, "odd-width"),
    ({"apply": "mov h.ip.src 0x5"}, "wide-operand"),
    ({"apply": "add h.ip.src h.ip.dst"}, "wide-operand"),
    ({"apply": "ckadd h.ip.sum h.ip.src"}, "wide-operand"),
    ({"apply": "jmpeq L h.ip.src h.ip.dst\n  L : mov m.a 0x1"}, "wide-operand"),
    ({"fields": f"  bit<32> {'x' * 64}"}, "long-token"),
]


@pytest.mark.parametrize(("change", "rule"), REFUSED)
def test_what_no_dpdk_loads(change: dict[str, str], rule: str, tmp_path: Path) -> None:
    for target in ("dpdk-22.11", "dpdk-26.07"):
        assert ("error", rule) in rules(found(tmp_path, target, **change))


@pytest.mark.parametrize(
    "instruction", ["mov h.ip.half h.ip.src", "movh h.ip.half h.ip.src", "mov h.ip.src h.ip.half"]
)
def test_wide_moves_need_a_newer_dpdk(instruction: str, tmp_path: Path) -> None:
    assert rules(found(tmp_path, apply=instruction)) == {("error", "wide-operand")}
    assert found(tmp_path, "dpdk-26.07", apply=instruction) == []


def test_whole_copies_of_wide_fields_load_everywhere(tmp_path: Path) -> None:
    assert found(tmp_path, apply="mov h.ip.src h.ip.dst") == []


def test_rss_needs_a_newer_dpdk(tmp_path: Path) -> None:
    assert ("error", "rss-unknown") in rules(found(tmp_path, objects="rss h_0"))
    assert found(tmp_path, "dpdk-26.07", objects="rss h_0") == []


def test_a_selector_key_is_an_error_even_if_nothing_else_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t.spec"
    text = PROGRAM.format(apply="", hit="", fields="", objects="", key="mov m.key 0x7")
    path.write_text(text.replace("m.key exact", "m.key selector"))
    assert ("error", "selector-key") in rules(lint([path], None, "dpdk-22.11"))


MEANING = [
    ({"key": "mov m.a 0x1"}, ("error", "lost-key")),
    (
        {"apply": "jmpneq L m.pna_main_input_metadata_parser_error 0x0\n  L : mov m.a 0x1"},
        ("error", "parser-error"),
    ),
    ({"fields": "  bit<32> unset", "apply": "mov m.a m.unset"}, ("warning", "never-written")),
    ({"apply": "mov h.ip.src h.ip.dst\n  mov h.ip.dst h.ip.src"}, ("error", "lost-swap")),
    ({"apply": "meter mt m.a h.ip.word m.a m.a"}, ("error", "meter-colors")),
    ({"apply": "meter mt m.a h.ip.word 0x1 m.a"}, ("error", "meter-colorblind")),
    ({"apply": "mov m.pna_main_output_metadata_output_port 0xFFFFFFFA"}, ("error", "port-crash")),
    ({"objects": LEARNER}, ("warning", "learner-without-rearm")),
    ({"fields": "  bit<1920> filler\n  bit<32> far", "apply": "mov m.far 0x1"}, ("error", "metadata-reach")),
    (
        {
            "apply": "xor h.x_128.upper_half h.y_128.upper_half\n"
            "  xor h.x_128.lower_half h.y_128.lower_half\n"
            "  xor h.x_128.upper_half h.x_128.lower_half"
        },
        ("error", "wide-equality"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), MEANING)
def test_what_loads_and_is_wrong(change: dict[str, str], expected: tuple[str, str], tmp_path: Path) -> None:
    assert expected in rules(found(tmp_path, **change))  # type: ignore[arg-type]


def test_the_last_byte_within_reach_is_fine(tmp_path: Path) -> None:
    # 17 bytes of fields, 235 of filler, and `far` at bytes 252 to 255
    assert found(tmp_path, fields="  bit<1880> filler\n  bit<32> far", apply="mov m.far 0x1") == []
    (finding,) = found(tmp_path, fields="  bit<1888> filler\n  bit<32> far", apply="mov m.far 0x1")
    assert finding.what == "m.far lies at byte 253 of the metadata"


def test_a_learner_that_rearms_is_fine(tmp_path: Path) -> None:
    assert found(tmp_path, objects=LEARNER, hit="rearm") == []


def test_where_the_specification_says_otherwise(tmp_path: Path) -> None:
    findings = found(tmp_path, "pna-spec", hit="drop", apply="ckadd h.ip.sum h.ip.word")
    assert rules(findings) == {("warning", "immediate-drop"), ("note", "checksum-zero")}


def test_a_finding_says_what_where_effect_and_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.spec"
    path.write_text(PROGRAM.format(apply="jmpeq L 0x1 m.a\n  L : mov m.a 0x1", hit="mov m.a 0x2", fields="",
                                   objects="", key="mov m.key 0x7"))  # fmt: skip
    assert main(["lint", str(path), "--target", "dpdk-22.11"]) == 1
    assert capsys.readouterr().out.startswith(
        "error: jmpeq compares the constant 0x1 with m.a at t.spec:48 [constant-jump]\n"
        "    will happen: DPDK wants a field first and refuses the file\n"
        "    instead:     write the variable on the left (x > 5, not 5 < x), and compare no constants with "
        "each other\n"
    )
    assert main(["lint", str(path), "--target", "dpdk-22.11", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown[0]["rule"], shown[0]["level"], shown[0]["where"]) == ("constant-jump", "error", "t.spec:48")


@pytest.mark.parametrize("target", ["dpdk-22.11", "dpdk-26.07", "bmv2-1.15", "pna-spec"])
def test_the_shipped_load_balancer_has_no_errors(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--target", target]) == 0, capsys.readouterr().out


def test_our_fixture_for_dpdk_has_no_errors(capsys: pytest.CaptureFixture[str]) -> None:
    spec = Path(__file__).parent / "programs" / "build" / "dpdk_pipeline.spec"
    assert main(["lint", str(spec), "--target", "dpdk-22.11"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "target", "sentence"),
    [
        (PROGRAM, "bmv2-1.15", "t.spec is a .spec of p4c-dpdk; lint it for dpdk-22.11"),
        (PROGRAM.replace("pna_", "psa_"), "pna-spec", "t.spec is of a PSA program, not of PNA; lint it for"),
        ("nonsense", "dpdk-22.11", "nonsense is not a statement of a .spec"),
    ],
)  # fmt: skip
def test_refused(text: str, target: Target, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "t.spec"
    if "{{" in text:
        text = text.format(apply="", hit="", fields="", objects="", key="")
    path.write_text(text)
    with pytest.raises(P4nicError, match=sentence.split(";")[0]):
        lint([path], None, target)
