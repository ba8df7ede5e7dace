"""`load_program`: any files p4c wrote, in any order, become a verified Program, or one sentence says why
not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dpdk_spec_samples import NAT_P4INFO, NAT_SPEC, nat_p4info

from p4nic.errors import ArtifactError
from p4nic.load.artifact import load_config, load_program
from p4nic.load.p4info import check, load_p4info
from p4nic.load.shipped import shipped

CONTEXT = json.dumps({"target": "DPDK", "tables": [], "externs": []})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The NAT program's files under names that say nothing."""
    contents = {"spec": NAT_SPEC, "p4info": NAT_P4INFO, "context": CONTEXT}
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    return {name: tmp_path / name for name in contents}


def test_shipped_load_balancer_is_the_default() -> None:
    program = load_program(())
    assert program.architecture == "swx"
    assert program.tables["Lb.flow_table"].is_learner


@pytest.mark.parametrize("kind", ["spec", "json"])
def test_both_shipped_artifacts_match_their_p4info(kind: str) -> None:
    files = shipped("spec" if kind == "spec" else "json")
    program = load_program(files.paths, files.p4info)
    check(program, load_p4info(files.p4info))
    assert "Lb.service_vip" in program.tables


def test_order_and_names_of_files_do_not_matter(files: dict[str, Path]) -> None:
    one = load_program([files["spec"], files["context"], files["p4info"]])
    other = load_program([files["p4info"], files["spec"]], None)
    assert one.tables == other.tables
    assert "Main.nat" in one.tables


def test_without_a_p4info_names_are_the_artifacts_own(files: dict[str, Path]) -> None:
    assert "nat" in load_program([files["spec"]]).tables


def test_config_of_a_p4runtime_client() -> None:
    assert "Main.nat" in load_config(NAT_SPEC.encode(), nat_p4info()).tables


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the device config is empty; send the JSON or the .spec that p4c wrote"),
        (NAT_P4INFO.encode(), "the device config is a P4Info, not a program"),
        (b"\x00\x01\x02", "the device config is a binary file of another kind"),
    ],
)
def test_config_that_is_no_program(data: bytes, message: str) -> None:
    with pytest.raises(ArtifactError) as error:
        load_config(data, nat_p4info())
    assert str(error.value).startswith(message)


KINDS = (
    "p4nic loads the JSON of p4c-bm2-ss, -psa or -pna and the .spec of p4c-dpdk, "
    "with a P4Info and p4c-dpdk's context JSON"
)
NOT_WHOLE = (
    "FILE is not whole JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); "
    "it was cut off, compile the P4 program again"
)
SOURCE = "FILE is P4 source; compile it first: p4c-dpdk --arch pna -o OUT.spec, or p4c-bm2-ss -o OUT.json"
ALONE = "FILE alone is no program; add the JSON or the .spec of the same p4c run"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "FILE is empty; compile the P4 program again to get its artifact (BMv2 JSON or .spec)"),
        (b"{", NOT_WHOLE),
        (b"[1]", f"FILE is JSON of another kind; {KINDS}"),
        (
            b'{"schema_version": "1", "tables": []}',
            "FILE is a bf-rt schema, which p4nic does not need; leave it out",
        ),
        (b"\xd4\xc3\xb2\xa1\x00\x00", f"FILE is a binary file of another kind; {KINDS}"),
        (b"hello\n", f"FILE is text of another kind; {KINDS}"),
        (b"/* mine */\n#include <core.p4>\n", SOURCE),
        (NAT_P4INFO.encode(), ALONE),
        (CONTEXT.encode(), ALONE),
    ],
)
def test_file_that_is_no_program(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ArtifactError) as error:
        load_program([path])
    assert str(error.value) == message.replace("FILE", str(path))


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match=r"none\.json does not exist; give the artifact .* file that p4c wrote"
    ):
        load_program([tmp_path / "none.json"])
    with pytest.raises(ArtifactError, match="is a directory; give the artifact"):
        load_program([tmp_path])


def test_two_programs_are_one_too_many(files: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(NAT_SPEC)
    with pytest.raises(
        ArtifactError, match="cannot be loaded together: a target runs one program; give one of them"
    ):
        load_program([files["spec"], other])
    with pytest.raises(ArtifactError, match="cannot be loaded together"):
        load_program([files["spec"], *shipped("json").paths])


def test_two_p4infos_are_one_too_many(files: dict[str, Path]) -> None:
    with pytest.raises(ArtifactError, match="are both P4Info; give one"):
        load_program([files["spec"], files["p4info"]], files["p4info"])


def test_context_json_does_not_go_with_bmv2_json(files: dict[str, Path]) -> None:
    with pytest.raises(ArtifactError, match="belongs to a .spec, not to"):
        load_program([*shipped("json").paths, files["context"]])


def test_p4info_of_another_program(files: dict[str, Path]) -> None:
    with pytest.raises(
        ArtifactError,
        match=r"the P4Info does not match k8s_lb_v1model: its table Main\.nat is not in the artifact",
    ):
        load_program(shipped("json").paths, files["p4info"])
    with pytest.raises(ArtifactError, match=r"its table Main\.nat is not in the artifact"):
        load_program(shipped("spec").paths, files["p4info"])


def test_truncated_artifacts_of_every_length(tmp_path: Path) -> None:
    """A file that stops early is refused wherever it stops."""
    path = tmp_path / "cut"
    for kind in ("spec", "json"):
        data = shipped("spec" if kind == "spec" else "json").paths[0].read_bytes().rstrip()
        for part in range(1, 20):
            path.write_bytes(data[: len(data) * part // 20])
            with pytest.raises(ArtifactError, match="cut"):
                load_program([path])
