"""The lbctl command without a switch: output, exit codes, one sentence instead of a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbctl.__main__ import main

SHOP = Path(__file__).parent.parent / "manifests" / "shop"
INPUTS = ["-f", str(SHOP), "--node", str(SHOP / "node-a.yaml")]


def test_where_names_endpoint_bucket_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["where", "10.244.1.16:40000", "10.96.10.3:80/TCP", *INPUTS]) == 0
    out = capsys.readouterr().out
    for words in ("shop/catalog:http", "bucket ", "of 512", "pod shop/catalog-", "verdict   delivered to"):
        assert words in out


def test_where_ends_on_1_when_the_flow_would_be_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["where", "10.244.1.16:40000", "10.96.10.9:80/TCP", *INPUTS]) == 1
    assert "reason no_endpoints" in capsys.readouterr().out


def test_the_two_targets_hash_differently(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for target in ("pna", "v1model"):
        main(["where", "10.244.1.16:40000", "10.96.10.3:80/TCP", *INPUTS, "--target", target])
        texts.append(capsys.readouterr().out)
    assert "CRC32C" in texts[0]
    assert "CRC-32 " in texts[1]


def test_diff_without_a_switch_prints_all_updates_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", *INPUTS]) == 0
    lines = capsys.readouterr().out.splitlines()
    tables = list(dict.fromkeys(line.split()[1] for line in lines[:-1]))
    assert tables.index("endpoint") < tables.index("maglev_bucket") < tables.index("service_vip")
    assert tables[-1] == "port_role"
    assert "+ maglev_bucket  service_id=7: 512 buckets" in lines
    assert lines[-1].endswith("to insert, 0 to modify, 0 to delete")


@pytest.mark.parametrize(
    ("arguments", "golden"),
    [
        (["where", "1.2.3.4", "5.6.7.8:80/TCP", *INPUTS], "'1.2.3.4' has no port from 1 to 65535"),
        (["diff", "-f", "/nope.yaml", *INPUTS[2:]], "/nope.yaml: cannot be read (No such file or directory)"),
        (["diff", *INPUTS[:2], "--node", str(SHOP / "pods.yaml")], "is not a node file"),
        (
            ["status", "--p4rt", "unix:/nope.sock"],
            "the switch at unix:/nope.sock cannot be reached to connect",
        ),
        (["status", "--p4rt", "unix:/nope.sock", "-f", "x"], "give both or none"),
        (
            ["apply", *INPUTS, "--p4rt", "unix:/nope.sock", "--pipeline", "/nope.txtpb", "/nope.json"],
            "the pipeline files cannot be used (/nope.txtpb: No such file or directory); check --pipeline",
        ),
        (
            ["apply", *INPUTS, "--p4rt", "unix:/nope.sock", "--pipeline", __file__, __file__],
            "the pipeline files cannot be used (1:1 : ",
        ),
        (["apply", *INPUTS, "--p4rt", "unix:/nope.sock", "--election-id", "0"], "--election-id 0 is outside"),
        (["status", "--p4rt", "unix:/nope.sock", "--device-id", "-1"], "--device-id -1 is outside"),
        (["status", "--p4rt", "127.0.0.1:99999"], "has no port from 1 to 65535; write HOST:PORT"),
        (["status", "--p4rt", "localhost"], "has no port from 1 to 65535; write HOST:PORT"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], golden: str
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("lbctl: ")
    assert err.count("\n") == 1
    assert golden in err


def test_usage_errors_end_on_2_and_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["apply"])
    assert caught.value.code == 2
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "lbctl where 10.244.1.16:40000" in capsys.readouterr().out
