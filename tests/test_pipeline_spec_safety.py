"""The committed `.spec` files are free of what p4c-dpdk miscompiles and of what DPDK SWX wraps silently.

None of these mistakes is reported by a tool: p4c compiles, DPDK loads, and packets go wrong. Each test names
one that was seen.
"""

import re
from pathlib import Path

import pytest
from spec_reading import JUMPS_ON_TWO, Spec, read_spec, reads, writes

ROOT = Path(__file__).resolve().parent.parent
SPECS = [
    ROOT / "pipeline" / "build" / "k8s_lb.spec",
    ROOT / "tests" / "programs" / "build" / "add_on_miss.spec",
]

# SWX instructions hold a metadata offset in one byte: beyond 255 they address the beginning again.
ADDRESSABLE_BYTES = 256
# DPDK 22.11 casts the bit offset of a hash's destination to eight bits before dividing it.
HASH_DESTINATION_BYTES = 32
LONGEST_TOKEN = 63

LEARNERS_WITHOUT_REARM = {"closing": "30 seconds after FIN or RST, whatever else arrives (pna/flow_table.p4)"}


@pytest.fixture(params=SPECS, ids=lambda path: path.stem)
def spec(request: pytest.FixtureRequest) -> Spec:
    return read_spec(request.param)


def instructions(spec: Spec) -> list[tuple[str, list[str]]]:
    return [(block.name, words) for block in spec.blocks.values() for words in block.instructions]


def metadata_read(spec: Spec) -> set[str]:
    """Every metadata field something reads: operands, keys, and the ranges that hash and learn take."""
    order = list(spec.metadata_fields())
    found = {key for table in spec.tables.values() for key in table.keys}
    for _, words in instructions(spec):
        operands = reads(words)
        found.update(operands)
        if words[0] == "hash":
            found.update(order[order.index(operands[0]) : order.index(operands[1]) + 1])
        if words[0] == "learn" and len(words) == 4:
            first = order.index(words[2])
            found.update(order[first : first + len(spec.structs[spec.arguments[words[1]]])])
    return {name for name in found if name.startswith("m.")}


def metadata_written(spec: Spec) -> set[str]:
    return {name for _, words in instructions(spec) for name in writes(words) if name.startswith("m.")}


def test_the_reader_sees_the_program(spec: Spec) -> None:
    assert len(spec.blocks["apply"].instructions) > 30
    assert any(table.kind == "learner" for table in spec.tables.values())
    known = set(spec.metadata_fields())
    assert metadata_read(spec) <= known
    assert metadata_written(spec) <= known


def test_metadata_is_addressable(spec: Spec) -> None:
    bits = sum(width for _, width in spec.metadata_fields().values())
    assert bits // 8 < ADDRESSABLE_BYTES


def test_no_128_bit_fields(spec: Spec) -> None:
    wide = [
        f"{struct}.{name}"
        for struct, rows in spec.structs.items()
        for name, kind, bits in rows
        if kind == "bit" and bits > 64
    ]
    assert wide == []


def test_no_token_is_too_long(spec: Spec) -> None:
    assert [token for token in spec.tokens if len(token) > LONGEST_TOKEN] == []


def test_no_jump_compares_a_constant_first(spec: Spec) -> None:
    wrong = [
        words
        for _, words in instructions(spec)
        if words[0] in JUMPS_ON_TWO and re.match(r"(0x)?[0-9]", words[2])
    ]
    assert wrong == []


def test_everything_written_is_read(spec: Spec) -> None:
    """A constant propagated over a table's write leaves the table's own write unread: `out_port` always 0."""
    unread = metadata_written(spec) - metadata_read(spec)
    assert unread == set()


def test_everything_read_is_written(spec: Spec) -> None:
    """A store dropped as a copy leaves a table key that is never written."""
    assert metadata_read(spec) - metadata_written(spec) == set()


def test_no_code_is_unreachable(spec: Spec) -> None:
    """`<` or `>` under `&&` jumps on true either way, and what follows is cut off."""
    for block in spec.blocks.values():
        for at, words in enumerate(block.instructions[:-1]):
            if words[0] in ("jmp", "return") and at + 1 not in block.labels:
                following = block.instructions[at + 1]
                assert following[0] == "jmp", f"{block.name}: {' '.join(following)} can never run"


def test_jumps_go_forward_to_labels_that_exist(spec: Spec) -> None:
    for block in spec.blocks.values():
        where = {label: at for at, label in block.labels.items()}
        for at, words in enumerate(block.instructions):
            if words[0].startswith("jmp"):
                assert where.get(words[1], -1) > at, f"{block.name}: {' '.join(words)}"


def test_no_action_reads_a_header_field_it_has_overwritten(spec: Spec) -> None:
    """Save, overwrite, store what was saved: the copy is dropped, and the new value is stored instead."""
    for name, block in spec.blocks.items():
        if name == "apply":
            continue
        overwritten: set[str] = set()
        for words in block.instructions:
            if words[0] == "mov":
                assert words[2] not in overwritten, f"{name}: {' '.join(words)}"
            overwritten.update(operand for operand in writes(words) if operand.startswith("h."))


def test_hash_destinations_are_where_dpdk_writes_them(spec: Spec) -> None:
    fields = spec.metadata_fields()
    for _, words in instructions(spec):
        if words[0] == "hash":
            assert fields[words[2]][0] // 8 < HASH_DESTINATION_BYTES, words[2]


def test_learn_takes_its_arguments_from_consecutive_fields(spec: Spec) -> None:
    fields = spec.metadata_fields()
    order = list(fields)
    for _, words in instructions(spec):
        if words[0] == "learn" and len(words) == 4:
            wanted = [width for _, _, width in spec.structs[spec.arguments[words[1]]]]
            first = order.index(words[2])
            assert [fields[name][1] for name in order[first : first + len(wanted)]] == wanted


def test_learner_keys_are_consecutive_metadata(spec: Spec) -> None:
    order = list(spec.metadata_fields())
    for name, table in spec.tables.items():
        if table.kind == "learner":
            first = order.index(table.keys[0])
            assert order[first : first + len(table.keys)] == table.keys, name


def test_a_hit_refreshes_a_learned_entry(spec: Spec) -> None:
    for name, table in spec.tables.items():
        if table.kind == "learner" and name not in LEARNERS_WITHOUT_REARM:
            used = {words[0] for action in table.actions for words in spec.blocks[action].instructions}
            assert "rearm" in used, f"{name}: entries would die at their first expiry, traffic or not"


def conditions(text: str) -> list[str]:
    """The conditions of all `if`s, without casts' angle brackets, shifts and comments."""
    text = re.sub(r"//.*|/\*.*?\*/", "", text)
    text = re.sub(r"\bbit<\d+>", "bit", text).replace("<<", "").replace(">>", "")
    found = []
    for start in re.finditer(r"\bif \(", text):
        depth, at = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        found.append(" ".join(text[start.end() : at - 1].split()))
    return found


def test_conditions_compile_right() -> None:
    """p4c-dpdk jumps on true for `<` and `>` even under `&&`, on false for `<=` and `>=` even under `||`."""
    programs = ROOT / "tests" / "programs"
    sources = sorted((ROOT / "pipeline").rglob("*.p4"))
    compiled = {path.name.split(".")[0] for path in (programs / "build").rglob("*.spec")}
    sources += [path for path in sorted(programs.rglob("*.p4")) if path.stem in compiled]
    assert compiled <= {path.stem for path in sources}
    seen = 0
    for path in sources:
        for condition in conditions(path.read_text()):
            seen += 1
            if "&&" in condition:
                assert not re.search(r"[<>](?!=)", condition), f"{path.name}: {condition}"
            if "||" in condition:
                assert not re.search(r"[<>]=", condition), f"{path.name}: {condition}"
    assert seen > 50
