"""A testbed: which target, how to start or reach it, which roles are behind which of its ports.

    name: bmv2                        # shown in test names and reports
    kind: bmv2                        # builtin | swx | bmv2: started for the run; p4runtime: runs already
    artifact: json                    # spec | json, for builtin only; swx runs the .spec, bmv2 the JSON
    backend: interp                   # interp | native, for builtin only
    options: [--table-size, a=1]      # more arguments of the target's command, where it is started
    profile: profiles/bmv2.yaml       # relative to this file: what the target lacks and does differently
    timeouts: {frame: 2.0, quiet: 0.1, start: 60}   # seconds

and for `kind: p4runtime` (hardware, infrap4d, any switch that listens):

    p4runtime:
      address: 192.0.2.7:9559
      device_id: 1
      tls: {ca: ca.pem, certificate: me.pem, key: me.key}      # absent: plain text; without the pair: TLS
      pipeline: {p4info: a.p4info.txtpb, device_config: a.bin}  # absent: the device runs the program already
    ports:                            # each role: the device's port number, and the tester's interface
      uplink: {port: 132, interface: enp1s0f0}
      pod1: {port: 0, interface: enp2s0f0}
    loopback: true                    # the tester's side echoes each frame it sends: one copy is ignored

Roles are those of topology/node.yaml: uplink, node, pod1..pod8, and spare (connected, belongs to nobody).
In: a path. Out: a Testbed, or ValueError with one sentence. Called by `conftest.py`, `run_ptf.py`,
`environment` and `p4nic_platform`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.profile import Profile, load_profile
from harness.topology import ROLES
from harness.yaml_file import mapping, number, one_of, only, read_yaml, texts

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "testbeds"
# Under pytest: both artifacts on the definition. The other testbeds are for `make ptf TESTBED=...`.
DEFAULT = (FOLDER / "interp-json.yaml", FOLDER / "interp-spec.yaml")

Kind = Literal["builtin", "swx", "bmv2", "p4runtime"]
_BUILD = "pipeline/build/"
ARTIFACTS: Mapping[str, tuple[str, ...]] = {
    "spec": (
        f"{_BUILD}k8s_lb.spec",
        f"{_BUILD}k8s_lb.context.json",
        "--p4info",
        f"{_BUILD}k8s_lb.pna.p4info.txtpb",
    ),
    "json": (f"{_BUILD}k8s_lb.json", "--p4info", f"{_BUILD}k8s_lb.v1model.p4info.txtpb"),
}
_COMMON = {"name", "kind", "profile", "timeouts"}
_KEYS: Mapping[str, set[str]] = {
    "builtin": _COMMON | {"artifact", "backend", "options"},
    "swx": _COMMON | {"options"},
    "bmv2": _COMMON | {"options"},
    "p4runtime": _COMMON | {"p4runtime", "ports", "loopback"},
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: until a frame must have come; without a frame that count as silence; until it has started."""

    frame: float = 2.0
    quiet: float = 0.1
    start: float = 60.0


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files. Without `certificate` and `key` only the server shows who it is."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A P4Runtime server that runs already."""

    address: str
    device_id: int = 1
    tls: Tls | None = None
    pipeline: tuple[Path, Path] | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a role is: the device's port number, the tester's interface."""

    port: int
    interface: str


@dataclass(frozen=True, slots=True)
class Testbed:
    """See the module's docstring for the fields. `launch`: arguments of `p4nic serve` (builtin, swx)."""

    __test__ = False  # its name begins with Test, and pytest collects such classes

    name: str
    kind: Kind
    profile: Profile
    launch: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    device: Device | None = None
    ports: Mapping[str, Binding] = field(default_factory=dict)
    loopback: bool = False
    timeouts: Timeouts = Timeouts()


def load_testbed(path: Path) -> Testbed:
    """Read a testbed file. Raises ValueError with one sentence."""
    body = read_yaml(path, "testbed file")
    kind: Any = one_of(body.get("kind"), tuple(_KEYS), f"{path}: kind")
    only(body, _KEYS[kind], f"{path}: in a testbed of kind {kind}")
    for key in ("name", "profile"):
        if not isinstance(body.get(key), str):
            raise ValueError(f"{path}: {key} is {body.get(key)!r}; every testbed has a name and a profile")
    if kind == "p4runtime" and not isinstance(body.get("loopback", False), bool):
        raise ValueError(f"{path}: loopback is {body['loopback']!r}; write true or false")
    return Testbed(
        name=body["name"],
        kind=kind,
        profile=load_profile(path.parent / body["profile"]),
        launch=_launch(kind, body, path),
        options=texts(body.get("options"), f"{path}: options"),
        device=_device(body, path) if kind == "p4runtime" else None,
        ports=_ports(body, path) if kind == "p4runtime" else {},
        loopback=body.get("loopback", False),
        timeouts=_timeouts(body, path),
    )


def shipped_testbeds() -> list[Testbed]:
    """The targets the suites run on unless told otherwise."""
    return [load_testbed(path) for path in DEFAULT]


def _launch(kind: Kind, body: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    match kind:
        case "builtin":
            artifact = one_of(body.get("artifact"), tuple(ARTIFACTS), f"{path}: artifact")
            backend = one_of(body.get("backend", "interp"), ("interp", "native"), f"{path}: backend")
            return (*ARTIFACTS[artifact], "--backend", backend)
        case "swx":
            return (*ARTIFACTS["spec"], "--backend", "swx")
        case _:
            return ()


def _device(body: Mapping[str, Any], path: Path) -> Device:
    at = f"{path}: p4runtime"
    told = mapping(body.get("p4runtime"), at)
    only(told, {"address", "device_id", "tls", "pipeline"}, at)
    address = told.get("address")
    if not isinstance(address, str) or ":" not in address:
        raise ValueError(f"{at}.address is {address!r}; write host:port")
    tls = _files(told, "tls", ("ca", "certificate", "key"), path)
    if tls is not None and ("ca" not in tls or ("certificate" in tls) != ("key" in tls)):
        raise ValueError(f"{at}.tls: give `ca`, and `certificate` and `key` together or not at all")
    pipeline = _files(told, "pipeline", ("p4info", "device_config"), path)
    if pipeline is not None and len(pipeline) != 2:
        raise ValueError(f"{at}.pipeline: give both `p4info` and `device_config`")
    return Device(
        address,
        number(told.get("device_id", 1), f"{at}.device_id"),
        Tls(**tls) if tls is not None else None,
        (pipeline["p4info"], pipeline["device_config"]) if pipeline is not None else None,
    )


def _files(told: Mapping[str, Any], key: str, names: tuple[str, ...], path: Path) -> dict[str, Path] | None:
    if key not in told:
        return None
    at = f"{path}: p4runtime.{key}"
    only(mapping(told[key], at), names, at)
    found = {name: path.parent / str(file) for name, file in mapping(told[key], at).items()}
    for name, file in found.items():
        if not file.is_file():
            raise ValueError(f"{at}.{name}: there is no file {file}")
    return found


def _ports(body: Mapping[str, Any], path: Path) -> dict[str, Binding]:
    found: dict[str, Binding] = {}
    for role, told in mapping(body.get("ports"), f"{path}: ports").items():
        at = f"{path}: ports.{role}"
        if role not in ROLES:
            raise ValueError(f"{at}: there is no role {role!r}; the roles are {', '.join(ROLES)}")
        told = mapping(told, at)
        only(told, {"port", "interface"}, at)
        bound = Binding(number(told.get("port"), f"{at}.port"), str(told.get("interface") or ""))
        if not bound.interface:
            raise ValueError(f"{at}: name the tester's `interface`")
        for other, taken in found.items():
            if taken.port == bound.port:
                raise ValueError(f"{at}: port {bound.port} has the role {other} already")
            if taken.interface == bound.interface:
                raise ValueError(f"{at}: interface {bound.interface} has the role {other} already")
        found[role] = bound
    missing = [role for role in ROLES if role not in found]
    if missing:
        raise ValueError(
            f"{path}: ports: no port has the role {missing[0]}; bind every one of {', '.join(ROLES)}"
        )
    return found


def _timeouts(body: Mapping[str, Any], path: Path) -> Timeouts:
    at = f"{path}: timeouts"
    told = mapping(body.get("timeouts"), at)
    only(told, {"frame", "quiet", "start"}, at)
    for name, value in told.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise ValueError(f"{at}.{name} is {value!r}; write seconds, more than 0")
    return Timeouts(**{name: float(value) for name, value in told.items()})
