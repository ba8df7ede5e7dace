"""Testbed files and profiles: the shipped ones load, a wrong one is refused with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.profile import load_profile
from harness.testbed import DEFAULT, FOLDER, load_testbed
from harness.topology import NODE_CONFIG, ROLES, wired
from lbctl.hashing import Target

PROFILE = """
hash: {function: pna, evidence: the manual says so}
lacks: {virtual_time: {reason: it has a clock, evidence: nothing sets that clock}}
"""
DEVICE = {
    "name": "nic",
    "kind": "p4runtime",
    "profile": "profile.yaml",
    "p4runtime": {"address": "192.0.2.7:9559"},
    "ports": {role: {"port": 100 + number, "interface": f"vf{number}"} for role, number in ROLES.items()},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profile.yaml").write_text(PROFILE)
    (tmp_path / "ca.pem").write_text("-")
    return tmp_path


def write(folder: Path, body: object) -> Path:
    path = folder / "testbed.yaml"
    path.write_text(body if isinstance(body, str) else yaml.safe_dump(body))
    return path


def refused(folder: Path, body: object) -> str:
    """The sentence with which a testbed file is refused."""
    with pytest.raises(ValueError, match=r"\w") as raised:
        load_testbed(write(folder, body))
    sentence = str(raised.value)
    assert "\n" not in sentence
    return sentence.replace(f"{folder}/", "")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_testbed_loads(path: Path) -> None:
    assert load_testbed(path).profile.hash_evidence


def test_the_default_testbeds_cover_both_artifacts() -> None:
    assert {load_testbed(path).profile.hash for path in DEFAULT} == set(Target)


def test_a_device_with_other_port_numbers(folder: Path) -> None:
    bed = load_testbed(write(folder, DEVICE))
    ports = {ROLES[role]: bound.port for role, bound in bed.ports.items()}
    node = wired(ports)
    assert (node.uplink_port, node.host_port) == (100, 115)
    assert [pod.port for pod in node.pods] == [pod.port + 100 for pod in NODE_CONFIG.pods]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"speed": 9},
            "unknown key 'speed'; write one of kind, loopback, name, p4runtime, ports, profile, timeouts",
        ),
        ({"kind": "tofino"}, "kind is 'tofino'; write one of builtin, swx, bmv2, p4runtime"),
        ({"name": None}, "name is None; every testbed has a name and a profile"),
        ({"profile": "none.yaml"}, "none.yaml: there is no such profile (No such file or directory)"),
        ({"loopback": 1}, "loopback is 1; write true or false"),
        ({"timeouts": {"quiet": 0}}, "timeouts.quiet is 0; write seconds, more than 0"),
        ({"p4runtime": {"address": "nic"}}, "p4runtime.address is 'nic'; write host:port"),
        (
            {"p4runtime": {"address": "a:1", "device_id": -1}},
            "device_id is -1; write a whole number, 0 or more",
        ),
        (
            {"p4runtime": {"address": "a:1", "tls": {"ca": "no.pem"}}},
            "p4runtime.tls.ca: there is no file no.pem",
        ),
        (
            {"p4runtime": {"address": "a:1", "tls": {"ca": "ca.pem", "key": "ca.pem"}}},
            "give `ca`, and `certificate` and `key` together or not at all",
        ),
        (
            {"p4runtime": {"address": "a:1", "pipeline": {"p4info": "ca.pem"}}},
            "give both `p4info` and `device_config`",
        ),
        (
            {"ports": {"router": {"port": 1, "interface": "a"}}},
            "there is no role 'router'; the roles are uplink,",
        ),
        (
            {"ports": {"uplink": {"port": 1, "interface": "a"}}},
            "no port has the role node; bind every one of",
        ),
        ({"ports": {"uplink": {"port": "x", "interface": "a"}}}, "port is 'x'; write a whole number"),
        ({"ports": {"uplink": {"port": 1}}}, "ports.uplink: name the tester's `interface`"),
        ({"ports": {"uplink": 7}}, "ports.uplink: write `name: value` pairs, not 7"),
    ],
)
def test_a_wrong_testbed_is_refused(folder: Path, change: dict[str, object], sentence: str) -> None:
    assert sentence in refused(folder, DEVICE | change)


def test_a_port_and_an_interface_have_one_role(folder: Path) -> None:
    twice = {"uplink": {"port": 1, "interface": "a"}, "node": {"port": 1, "interface": "b"}}
    assert "ports.uplink: port 1 has the role node already" in refused(folder, DEVICE | {"ports": twice})
    twice = {"uplink": {"port": 1, "interface": "a"}, "node": {"port": 2, "interface": "a"}}
    assert "interface a has the role node already" in refused(folder, DEVICE | {"ports": twice})


def test_keys_of_another_kind(folder: Path) -> None:
    body = {"name": "x", "kind": "bmv2", "profile": "profile.yaml", "backend": "interp"}
    assert "in a testbed of kind bmv2: unknown key 'backend'" in refused(folder, body)
    body = {"name": "x", "kind": "builtin", "profile": "profile.yaml", "artifact": "c"}
    assert "artifact is 'c'; write one of spec, json" in refused(folder, body)


def test_a_file_that_is_no_mapping(folder: Path) -> None:
    assert "a testbed file is a mapping of keys to values, not list" in refused(folder, "[1]")
    assert "this is not YAML" in refused(folder, "a: [")
    with pytest.raises(ValueError, match=r"there is no such testbed file"):
        load_testbed(folder / "none.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hash: {function: md5, evidence: a b c}", "hash.function is 'md5'; write one of pna, v1model"),
        ("hash: {function: pna}", "hash.evidence: say it in a sentence, not None"),
        (PROFILE + "wings: 1", "unknown key 'wings'; write one of differs, hash, lacks"),
        (
            PROFILE.replace("virtual_time", "wings"),
            "there is no capability 'wings'; choose one of virtual_time,",
        ),
        (PROFILE.replace("nothing sets that clock", "no"), "virtual_time.evidence: say it in a sentence"),
        (PROFILE + "differs: {colour: {}}", "there is no difference 'colour'; choose one of immediate_drop,"),
        (
            PROFILE + "differs: {timer_granularity_s: {value: true}}",
            "timer_granularity_s: the value is True; write a number, 0 or more",
        ),
        (PROFILE + "differs: {reordering: {value: 3}}", "the value is 3; write true or false"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"\w") as raised:
        load_profile(path)
    assert sentence in str(raised.value)
