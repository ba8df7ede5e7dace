"""What the `.spec` loader says about files that are wrong: one sentence, with line, line text and the
nearest names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from dpdk_spec_samples import NAT_SPEC, nat_p4info

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.ir.verify import problems
from p4nic.load.dpdk_spec import load, load_text

# What is replaced in NAT_SPEC, by what, and the whole message (L is the number of the changed line).
GOLDEN = [
    (
        "jmpnh LABEL_END",
        "jmpnh LABEL_ED",
        "nat.spec:L: LABEL_ED is a missing label: no instruction of the apply block carries it; "
        "the nearest labels are LABEL_END, LABEL_DROP, in `jmpnh LABEL_ED`",
    ),
    (
        "mov m.k_src h.ipv4.src",
        "mvo m.k_src h.ipv4.src",
        "nat.spec:L: mvo is not an instruction of a .spec; the nearest instructions are mov, movh, jmpv, "
        "in `mvo m.k_src h.ipv4.src`",
    ),
    (
        "mov m.k_src h.ipv4.src",
        "mov m.k_src h.ipv4.srcc",
        "nat.spec:L: there is no field h.ipv4.srcc: struct ipv4_t of the header h.ipv4 does not have it; "
        "the nearest of the fields is src, in `mov m.k_src h.ipv4.srcc`",
    ),
    (
        "mov m.k_src h.ipv4.src",
        "mov m.k_src h.ip4.src",
        "nat.spec:L: there is no header h.ip4; the nearest of the headers is ipv4, in `mov "
        "m.k_src h.ip4.src`",
    ),
    (
        "mov m.k_src h.ipv4.src",
        "mov m.k_src t.src",
        "nat.spec:L: t.src is an action parameter, but there are none here, in `mov m.k_src t.src`",
    ),
    (
        "mov m.k_src h.ipv4.src",
        "mov m.k_src",
        "nat.spec:L: mov takes 2 operands, not 1, in `mov m.k_src`",
    ),
    (
        "mov m.k_src h.ipv4.src",
        "mov 5 h.ipv4.src",
        "nat.spec:L: 5 is a number and cannot be written, in `mov 5 h.ipv4.src`",
    ),
    (
        "table route\n",
        "table rout\n",
        "nat.spec:L: there is no table rout; the nearest of the tables is route, in `table rout`",
    ),
    (
        "learn nat_hit m.Main_tmp m.profile",
        "learn nat_hit m.Main_tmp_0 m.profile",
        "nat.spec:L: parameter ip of action nat_hit has 32 bits, but metadata field m.Main_tmp_0 "
        "in its place has 16, "
        "in `learn nat_hit m.Main_tmp_0 m.profile`",
    ),
    (
        "learn nat_hit m.Main_tmp m.profile",
        "learn nat_hit m.profile",
        "nat.spec:L: action nat_hit has 2 parameters, so learn needs the metadata field of the first, "
        "in `learn nat_hit m.profile`",
    ),
    (
        "default_action to_port_1 args port 0x7",
        "default_action to_port_1 args none",
        "nat.spec:L: default action to_port_1 has parameters (port), which must all be given, by "
        "name and in this order, "
        "in `default_action to_port_1 args none`",
    ),
    (
        "m.k_src wildcard",
        "m.k_src fuzzy",
        "nat.spec:L: a key is `FIELD exact`, `FIELD wildcard` or `FIELD lpm`, in `m.k_src fuzzy`",
    ),
    (
        "regarray direction size 0x100 initval 0",
        "regarray direction size 0 initval 0",
        "nat.spec:L: 0 is not a size; it must be a number from 1 to 4294967295, in `regarray "
        "direction size 0 initval 0`",
    ),
    (
        "metadata instanceof meta_t",
        "metadata instanceof metadata_t",
        "nat.spec:L: there is no struct metadata_t; the nearest structs are meta_t, ethernet_t, "
        "to_port_arg_t, "
        "in `metadata instanceof metadata_t`",
    ),
    (
        "header ipv4 instanceof ipv4_t",
        "heder ipv4 instanceof ipv4_t",
        "nat.spec:L: heder is not a statement of a .spec; the nearest statements are header, "
        "learner, selector, "
        "in `heder ipv4 instanceof ipv4_t`",
    ),
    (
        "header ipv4 instanceof ipv4_t",
        "extobj ipsec instanceof ipsec",
        "nat.spec:L: extern object ipsec is code outside the .spec, which p4nic cannot run, in "
        "`extobj ipsec instanceof ipsec`",
    ),
    (
        "LABEL_DROP :	regadd",
        "LABEL_END :	regadd",
        "nat.spec:L: label LABEL_END is already at line 146, in `LABEL_END : regadd drops_0 0x1 1`",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), GOLDEN, ids=[new for _, new, _ in GOLDEN])
def test_message(old: str, new: str, message: str) -> None:
    text = NAT_SPEC.replace(old, new, 1)
    line = next(
        n for n, (a, b) in enumerate(zip(NAT_SPEC.split("\n"), text.split("\n"), strict=False), 1) if a != b
    )
    with pytest.raises(ArtifactError) as error:
        load_text(text, "nat.spec")
    assert str(error.value) == message.replace("L:", f"{line}:", 1)


def test_file_cut_off_inside_a_block_names_the_block() -> None:
    with pytest.raises(
        ArtifactError, match=r"nat\.spec:\d+: the file ends inside this block; it was cut off.* in `apply {`"
    ):
        load_text(NAT_SPEC[:-30], "nat.spec")


def test_file_cut_off_between_blocks() -> None:
    with pytest.raises(ArtifactError, match=r"nat\.spec has no `apply` block; it was cut off"):
        load_text(NAT_SPEC.partition("apply {")[0], "nat.spec")


def test_header_field_without_its_header_is_refused_with_the_way_out() -> None:
    """p4c-dpdk writes this where the P4 parser's header parameter is a single header."""
    text = NAT_SPEC.replace("mov m.k_src h.ipv4.src", "mov m.k_src h.src")
    with pytest.raises(UnsupportedError, match="Put the header into a struct"):
        load_text(text, "nat.spec")


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"apply {\n}\n"])
def test_file_that_is_no_spec(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.spec"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"bad\.spec"):
        load(path)


def mutations(seed: int) -> str:
    """NAT_SPEC with one to three random changes of tokens, lines or bytes."""
    random_ = random.Random(seed)
    lines = NAT_SPEC.split("\n")
    words = [
        *NAT_SPEC.split(),
        "0x",
        "m.",
        "h..",
        "t.x",
        ":",
        "18446744073709551616",
        "bit<0>",
        "varbit<8>",
        "é",
        "-1",
        "}",
    ]
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(lines))
        tokens = lines[at].split()
        match random_.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, random_.choice(lines))
            case 2:
                other = random_.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3 if tokens:
                tokens[random_.randrange(len(tokens))] = random_.choice(words)
                lines[at] = " ".join(tokens)
            case 4 if tokens:
                del tokens[random_.randrange(len(tokens))]
                lines[at] = " ".join(tokens)
            case 5 if lines[at]:
                where = random_.randrange(len(lines[at]))
                lines[at] = lines[at][:where] + random_.choice("{}<>. \x00:0x9ä") + lines[at][where + 1 :]
            case _:
                lines[at] += " " + random_.choice(words)
        lines = lines or [""]
    text = "\n".join(lines)
    return text[: random_.randrange(len(text))] if random_.random() < 0.1 and text else text


def test_no_mutation_gets_past_the_error_tree() -> None:
    """Whatever is done to the text, it loads and verifies, or an ArtifactError says in one line what is
    wrong."""
    info = nat_p4info()
    loaded = 0
    messages = []
    for seed in range(600):
        text = mutations(seed)
        try:
            program = load_text(text, "nat.spec", info if seed % 2 else None)
            assert problems(program) == [], seed
            loaded += 1
        except ArtifactError as error:
            messages.append(str(error))
    assert [m for m in messages if "nat.spec" not in m or "\n" in m] == []
    assert 30 < loaded < 300  # both outcomes were really tried
