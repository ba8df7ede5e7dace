"""`p4nic serve`: a switch with ports, and a P4Runtime server to program it. Runs until SIGINT or SIGTERM.

In: an artifact (or none yet, --empty), ports, an address. Out: one line when ready, the ready file, then log
lines on stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from p4nic.cli.common import add_artifact_arguments, add_switch_arguments, build, is_compiled, load, notified
from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info
    from p4nic.observe.endpoint import MetricsEndpoint
    from p4nic.server.security import Credentials
    from p4nic.server.service import Limits, P4RuntimeServer
    from p4nic.target.ports import Port
    from p4nic.target.ports.spec import PortSpec
    from p4nic.target.switch import Switch

MAX_WORKERS = 64

EXAMPLES = """examples:
  p4nic serve --grpc 127.0.0.1:9559 --port 1@veth:veth1 --port 2@veth:veth2
  p4nic serve --grpc unix:/tmp/p4rt.sock --port 1@unix:/tmp/p1 --port 2@unix:/tmp/p2 --clock manual
  p4nic serve --port 1@unix:/tmp/p1 --metrics 127.0.0.1:9100   then: curl 127.0.0.1:9100/metrics
  p4nic serve my.json --p4info my.p4info.txtpb --grpc 127.0.0.1:0 --ready-file /tmp/ready.json
  p4nic serve --empty --grpc 127.0.0.1:9559       the client brings the program

ports: N@KIND:NAME, KIND one of
  unix    Unix datagram socket bound at NAME; the peer binds NAME.peer; no root
  veth    network interface NAME through a raw socket (root or CAP_NET_RAW)
  tap     TAP interface NAME, made if it does not exist (root or CAP_NET_ADMIN)
  dpdk    a device of DPDK's own, with --backend swx and the real clock: net_af_packet,iface=IF (root),
          net_tap,iface=IF (root) or net_ring (what is sent comes back); DPDK polls it, p4nic does not
  pcap    frames come from file NAME; with NAME,OUT what is sent goes to OUT

--clock manual: time stands still until a client calls p4nic.sim.v1.Simulation/Advance.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    parser.add_argument(
        "--empty", action="store_true", help="start without a program; a P4Runtime client brings it"
    )
    parser.add_argument(
        "--grpc", metavar="ADDR", default="127.0.0.1:9559",
        help="HOST:PORT (port 0: any free one) or unix:PATH (default 127.0.0.1:9559)",
    )  # fmt: skip
    parser.add_argument(
        "--tls-cert", metavar="F", type=Path, help="PEM certificate: serve TLS (with --tls-key)"
    )
    parser.add_argument("--tls-key", metavar="F", type=Path, help="PEM key of the certificate")
    parser.add_argument(
        "--tls-client-ca", metavar="F", type=Path, help="PEM: only clients with a certificate it has signed"
    )
    parser.add_argument(
        "--client-role", metavar="NAME=ROLE", action="append", default=[],
        help="with --tls-client-ca: the certificate NAME may use ROLE ('' the default role, * all); may be "
        "repeated, and names that are not given may use none",
    )  # fmt: skip
    parser.add_argument(
        "--max-requests", metavar="N", type=float, default=0.0,
        help="requests a second of each client, 0 for any number (default 0)",
    )  # fmt: skip
    parser.add_argument(
        "--max-message", metavar="MB", type=int, default=64, help="size of the largest request (64)"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="plain gRPC on an address other machines can reach"
    )
    parser.add_argument(
        "--port",
        metavar="N@KIND:NAME",
        dest="ports",
        action="append",
        default=[],
        help="a port; may be repeated",
    )
    parser.add_argument(
        "--workers", metavar="N", type=_positive, help="threads that forward, each flow in one (native; 1)"
    )
    parser.add_argument(
        "--entries", metavar="F", type=Path, help="entries to begin with, YAML or JSON (docs/p4nic.md)"
    )
    parser.add_argument(
        "--metrics", metavar="HOST:PORT", help="counters for Prometheus at http://HOST:PORT/metrics"
    )
    parser.add_argument("--device-id", metavar="N", type=int, default=1, help="P4Runtime device id (1)")
    parser.add_argument(
        "--clock", choices=("real", "manual"), default="real", help="what time is (default: real)"
    )
    parser.add_argument(
        "--ready-file", metavar="F", type=Path, help="written when ready: JSON with address and ports"
    )
    parser.add_argument(
        "--log", choices=("warning", "info", "debug"), default="info", help="log level (info)"
    )
    add_switch_arguments(parser)


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_WORKERS:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of workers from 1 to {MAX_WORKERS}')
    return int(text)


def run(args: argparse.Namespace) -> int:
    from p4nic.clock import ManualClock, RealClock
    from p4nic.target.ports.spec import parse_port
    from p4nic.target.switch import Switch

    logging.basicConfig(level=args.log.upper(), format="p4nic: %(message)s")
    if args.empty and args.artifact:
        raise InputError(
            f"--empty starts without a program, but {args.artifact[0]} is given; leave one of them out"
        )
    _check_address(args.grpc)
    if args.device_id < 0:
        raise InputError(f"--device-id {args.device_id} is negative; P4Runtime's device ids begin at 0")
    # Of an address that cannot be bound gRPC would log its own version besides our sentence.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    specs = [parse_port(text) for text in args.ports]
    args.devices = {spec.number: spec.name for spec in specs if spec.kind == "dpdk"}
    clock = ManualClock() if args.clock == "manual" else RealClock()
    if args.empty:
        switch, p4info = Switch(None, clock), None
    else:
        program = load(args)
        p4info = _p4info(args)
        switch = Switch(build(args, program, hurry=True), clock, notify=notified(args, program))
    workers = _workers(args, specs, switch)
    with switch:
        if args.entries is not None:
            from p4nic.cli.entries_file import apply_file

            apply_file(args.entries, switch.program, switch.tables)
        for spec in specs:
            _attach(switch, spec, workers)
        return _serve(args, switch, p4info, specs)


def _workers(args: argparse.Namespace, specs: list[PortSpec], switch: Switch) -> int | None:
    """Threads that forward in C; None where packets pass through Python: with other backends, under a manual
    clock."""
    from p4nic.target.ports.wire import KINDS

    native = args.backend == "native" and (args.empty or is_compiled(switch.pipeline))
    if native and args.clock == "real":
        workers = 1 if args.workers is None else int(args.workers)
        slow = [s for s in specs if s.kind not in KINDS]
        if workers > 1 and slow:
            raise InputError(
                f"port {slow[0].number}@{slow[0].kind}:{slow[0].name} passes through Python, which has one "
                f"thread; --workers {workers} takes ports of kind {', '.join(KINDS)}"
            )
        switch.workers = workers
        return workers
    if args.workers is not None:
        why = "--clock manual" if native else f"--backend {args.backend}"
        if args.backend == "native" and not native:
            why = "the interpreter, which serves in place of the native backend,"
        raise InputError(
            f"--workers does not go with {why}: only the native backend under the real clock has them"
        )
    return None


def _p4info(args: argparse.Namespace) -> P4Info:
    from p4nic.load.p4info import load_p4info
    from p4nic.load.shipped import shipped

    path = args.p4info or (shipped().p4info if not args.artifact else None)
    if path is None:
        path = next((p for p in args.artifact if "p4info" in p.name), None)
    if path is None:
        raise InputError("serve needs the artifact's P4Info to speak P4Runtime; give it with --p4info F")
    return load_p4info(path)


def _attach(switch: Switch, spec: PortSpec, workers: int | None) -> None:
    """`workers`: of a pipeline that forwards by itself."""
    from p4nic.target.ports.spec import open_port
    from p4nic.target.ports.wire import KINDS, open_wire

    if spec.kind == "dpdk":
        from p4nic.cli.real_dpdk import open_device

        port: Port = open_device(switch, spec)
    elif workers is not None and spec.kind in KINDS:
        port = open_wire(spec, workers)
    else:
        port = open_port(spec)
    try:
        switch.attach(spec.number, port)
    except InputError:
        port.close()
        raise


class _Stop(BaseException):
    """SIGINT or SIGTERM: raised in the main thread, wherever it waits."""


def _stop(number: int, frame: FrameType | None) -> None:
    for again in _SIGNALS:
        signal.signal(again, signal.SIG_IGN)  # one is enough
    raise _Stop


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _serve(args: argparse.Namespace, switch: Switch, p4info: P4Info | None, specs: list[PortSpec]) -> int:
    from p4nic.server.service import P4RuntimeServer

    server = P4RuntimeServer(
        switch,
        args.grpc,
        make_pipeline=partial(build, args, hurry=True),
        p4info=p4info,
        device_id=args.device_id,
        device_config=_device_config(args),
        credentials=_credentials(args),
        insecure=args.insecure,
        limits=_limits(args),
    )
    metrics: MetricsEndpoint | None = None
    before = {number: signal.signal(number, _stop) for number in _SIGNALS}
    try:
        metrics = _metrics(args, switch)
        server.start()
        switch.start()
        _ready(args, server, switch, specs, metrics)
        server.wait(None)
    except _Stop:
        pass
    finally:
        server.stop(1.0)
        switch.stop()
        if metrics is not None:
            metrics.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _check_address(address: str) -> None:
    """InputError for a port beyond 65535: gRPC would take what is left of it modulo 65536."""
    port = address.rpartition(":")[2]
    if not address.startswith("unix:") and not (port.isdecimal() and int(port) <= 65_535):
        raise InputError(f"--grpc {address} is neither HOST:PORT nor unix:PATH, for example 127.0.0.1:9559")


def _metrics(args: argparse.Namespace, switch: Switch) -> MetricsEndpoint | None:
    from p4nic.observe.endpoint import MetricsEndpoint

    return MetricsEndpoint(switch, args.metrics) if args.metrics is not None else None


def _credentials(args: argparse.Namespace) -> Credentials | None:
    """TLS if the files are given; None is plain text."""
    from p4nic.server.security import credentials

    if args.tls_cert is not None and args.tls_key is not None:
        return credentials(args.tls_cert, args.tls_key, args.tls_client_ca)
    if args.tls_cert is not None or args.tls_key is not None or args.tls_client_ca is not None:
        raise InputError(
            "TLS needs --tls-cert and --tls-key, and --tls-client-ca needs both; give them together"
        )
    return None


def _limits(args: argparse.Namespace) -> Limits:
    """Who may use which role, how often, and how much at a time."""
    from p4nic.server.access import parse_bindings
    from p4nic.server.service import Limits

    if args.client_role and args.tls_client_ca is None:
        raise InputError(
            "--client-role needs --tls-client-ca: without mutual TLS nobody knows who a client is"
        )
    if args.max_requests < 0:
        raise InputError(f"--max-requests {args.max_requests:g} is negative; 0 is any number")
    if not 4 <= args.max_message <= 1024:
        raise InputError(f"--max-message {args.max_message} is not in 4..1024 MB")
    return Limits(parse_bindings(args.client_role), args.max_message << 20, args.max_requests)


def _device_config(args: argparse.Namespace) -> bytes:
    """What a client reads back as the device config: the program's own file."""
    from p4nic.load.shipped import shipped

    if args.empty:
        return b""
    paths = args.artifact or shipped().paths
    program = [path for path in paths if "context" not in path.name and path != args.p4info]
    return bytes(program[0].read_bytes()) if program else b""


def _ready(
    args: argparse.Namespace,
    server: P4RuntimeServer,
    switch: Switch,
    specs: list[PortSpec],
    metrics: MetricsEndpoint | None,
) -> None:
    """Say where the server listens; the file appears whole."""
    program = switch.program.name if switch.has_pipeline else "no program yet"
    print(
        f"p4nic: {program}, P4Runtime on {server.address}, ports {len(specs)}, clock {args.clock}", flush=True
    )
    if args.ready_file is not None:
        ports = {str(spec.number): f"{spec.kind}:{spec.name}" for spec in specs}
        said: dict[str, object] = {"grpc": server.address, "pid": os.getpid(), "ports": ports}
        said["clock"] = args.clock
        if metrics is not None:
            said["metrics"] = metrics.address
        text = json.dumps(said) + "\n"
        partial_file = args.ready_file.with_name(args.ready_file.name + ".partial")
        try:
            partial_file.write_text(text, encoding="utf-8")
            partial_file.replace(args.ready_file)
        except OSError as error:
            raise InputError(f"cannot write the ready file {args.ready_file}: {error.strerror}") from None
