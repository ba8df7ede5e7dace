"""The `lbctl` command: flags to calls, errors to one sentence and an exit code.

Exit codes: 0 fine; 1 a verdict failed (the flow of `where` is dropped, `status` found a switch without
pipeline or differences); 2 usage or bad input, or the switch refused or cannot be reached.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from lbctl.addresses import parse_flow
from lbctl.controller import Controller
from lbctl.errors import LbctlError, UsageError
from lbctl.hashing import Target
from lbctl.kube import load_manifests
from lbctl.nodefile import load_node_config
from lbctl.offline import SwitchView, look, pending, print_status, print_updates
from lbctl.plan import make_plan
from lbctl.reconcile import Outcome
from lbctl.transport import TlsFiles
from lbctl.where import where
from lbctl.yamlread import manifest_files

_EXAMPLES = """\
examples:
  lbctl apply -f manifests/shop --node manifests/shop/node-a.yaml --p4rt 127.0.0.1:9559 \\
        --pipeline pipeline/build/k8s_lb.pna.p4info.txtpb pipeline/build/k8s_lb.spec
  lbctl diff  -f manifests/shop --node manifests/shop/node-a.yaml --p4rt 127.0.0.1:9559
  lbctl serve -f manifests/shop --node manifests/shop/node-a.yaml --p4rt 127.0.0.1:9559
  lbctl where 10.244.1.16:40000 10.96.10.3:80/TCP -f manifests/shop --node manifests/shop/node-a.yaml
  lbctl status --p4rt 127.0.0.1:9559
"""

_READER_ELECTION_ID = 1  # lower than any controller's: a question must not take over the switch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        _check_numbers(options)
        return command(options)
    except LbctlError as error:
        print(f"lbctl: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output left; nothing more to say to it
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="lbctl",
        formatter_class=raw,
        epilog=_EXAMPLES,
        description="Program the Kubernetes load balancer of a P4 NIC over P4Runtime.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, formatter_class=raw)
        command.set_defaults(command=run)
        return command

    apply = add("apply", _apply, "bring the switch to what the manifests say, then exit")
    serve = add(
        "serve", _serve, "apply, then stay: follow file changes, learn and expire flows; SIGTERM ends it"
    )
    diff = add("diff", _diff, "print the updates that apply would make, in order; writes nothing")
    where_ = add("where", _where, "say where a flow would go, and why; exit code 1 when it would be dropped")
    status = add(
        "status", _status, "say what a switch holds: services, entries, flows; with -f also what differs"
    )
    where_.add_argument("client", metavar="CLIENT:PORT")
    where_.add_argument("service", metavar="VIP:PORT/PROTO")
    where_.add_argument(
        "--target",
        choices=[target.value for target in Target],
        help="whose hash to use (default: the connected switch's, else pna)",
    )
    for command in (apply, serve, diff, where_):
        _add_inputs(command, required=True)
    _add_inputs(status, required=False)
    for command in (apply, serve, status):
        _add_switch(command, required=True)
    for command in (diff, where_):
        _add_switch(command, required=False)
    for command in (apply, serve):
        command.add_argument(
            "--pipeline",
            nargs=2,
            type=Path,
            metavar=("P4INFO", "CONFIG"),
            help="load this pipeline unless the switch runs it already",
        )
        command.add_argument(
            "--election-id", type=int, metavar="N", help="the highest writes (default: the time in seconds)"
        )
    serve.add_argument(
        "--poll",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="how often to look for changed files (default 1)",
    )
    return parser


def _add_inputs(command: argparse.ArgumentParser, required: bool) -> None:
    command.add_argument(
        "-f",
        "--file",
        action="append",
        type=Path,
        required=required,
        default=None,
        metavar="PATH",
        help="manifest file or folder; may be given several times",
    )
    command.add_argument("--node", type=Path, required=required, metavar="FILE", help="node file")


def _add_switch(command: argparse.ArgumentParser, required: bool) -> None:
    command.add_argument(
        "--p4rt", required=required, metavar="HOST:PORT", help="P4Runtime address, or unix:PATH"
    )
    command.add_argument(
        "--device-id", type=int, default=1, metavar="N", help="P4Runtime device id (default 1)"
    )
    tls = (
        ("ca", "CA of the switch's certificate: connect with TLS"),
        ("cert", "our certificate"),
        ("key", "its key"),
    )
    for name, what in tls:
        command.add_argument(f"--{name}", type=Path, metavar="PEM", help=what)


def _tls(options: argparse.Namespace) -> TlsFiles | None:
    """Raises UsageError if the files make no sense together or cannot be read."""
    if (options.cert is None) != (options.key is None) or (options.cert and options.ca is None):
        raise UsageError(
            "--cert and --key go together, and with --ca; give --ca alone if the switch asks for none"
        )
    for path in filter(None, (options.ca, options.cert, options.key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return None if options.ca is None else TlsFiles(options.ca, options.cert, options.key)


def _check_numbers(options: argparse.Namespace) -> None:
    """Raises UsageError for ids that P4Runtime has no room for; gRPC would break off without a reason."""
    election_id, device_id = getattr(options, "election_id", None), getattr(options, "device_id", 1)
    if election_id is not None and not 1 <= election_id < 1 << 128:
        raise UsageError(f"--election-id {election_id} is outside 1..2^128-1; the highest one writes")
    if not 0 <= device_id < 1 << 64:
        raise UsageError(f"--device-id {device_id} is outside 0..2^64-1; p4nic's is 1")
    address: str = getattr(options, "p4rt", None) or "unix:"
    port = address.rpartition(":")[2]
    # gRPC takes any number modulo 65536, and would dial a port nobody named.
    if not address.startswith("unix:") and not (port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"--p4rt {address} has no port from 1 to 65535; write HOST:PORT or unix:PATH")


def _say(sentence: str) -> None:
    print(f"lbctl: {sentence}", file=sys.stderr, flush=True)


def _controller(options: argparse.Namespace) -> Controller:
    return Controller(
        options.p4rt,
        options.device_id,
        node=load_node_config(options.node),
        artifact=tuple(options.pipeline) if options.pipeline else None,
        election_id=options.election_id,
        log=_say,
        tls=_tls(options),
    )


def _report(outcome: Outcome) -> None:
    for warning in outcome.plan.warnings:
        _say(f"warning: {warning}")
    services = sum(1 for planned in outcome.plan.services if planned.service_id)
    ports = f"{len(outcome.plan.services)} service ports ({services} with endpoints)"
    changes = f"{outcome.inserted} entries inserted, {outcome.modified} modified, {outcome.deleted} deleted"
    print(f"{ports}, {len(outcome.plan.pods)} local pods: {changes}", flush=True)


def _apply(options: argparse.Namespace) -> int:
    cluster = load_manifests(options.file)
    with _controller(options) as controller:
        _report(controller.apply(cluster))
    return 0


def _serve(options: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    seen = _stamps(options)
    cluster = load_manifests(options.file)
    with _controller(options) as controller:
        _report(controller.apply(cluster))
        while not stop.wait(options.poll):
            try:
                now = _stamps(options)
                if now == seen:
                    continue
                seen = now
                _report(controller.apply(load_manifests(options.file)))
            except LbctlError as error:
                # A file that is half written, or wrong: say so, keep serving what was right, look again.
                _say(f"{error}; still serving the former state")
    _say("stopped; the switch keeps what is installed")
    return 0


def _stamps(options: argparse.Namespace) -> list[tuple[str, int, int]]:
    stamps = []
    for path in manifest_files(options.file):
        try:
            status = path.stat()
        except OSError:
            continue  # reading it will say so
        stamps.append((str(path), status.st_mtime_ns, status.st_size))
    return stamps


def _view(options: argparse.Namespace) -> SwitchView | None:
    return (
        None
        if options.p4rt is None
        else look(options.p4rt, options.device_id, _READER_ELECTION_ID, _tls(options))
    )


def _diff(options: argparse.Namespace) -> int:
    cluster, node = load_manifests(options.file), load_node_config(options.node)
    plan, updates = pending(cluster, node, _view(options))
    for warning in plan.warnings:
        _say(f"warning: {warning}")
    print_updates(updates)
    if not updates:
        _say("nothing to write, the switch is in step")
    return 0


def _where(options: argparse.Namespace) -> int:
    flow = parse_flow(options.client, options.service)
    cluster, node = load_manifests(options.file), load_node_config(options.node)
    view = _view(options)
    target = Target(options.target) if options.target else view.info.target if view else Target.PNA
    if view is None:
        plan, live = make_plan(cluster, node), []
    else:
        plan, live = make_plan(cluster, node, view.installed, view.info.limits), view.flows
    verdict = where(plan, node, target, flow, live)
    print(verdict.text())
    return 1 if verdict.drop else 0


def _status(options: argparse.Namespace) -> int:
    if (options.file is None) != (options.node is None):
        raise UsageError("status compares with -f and --node together; give both or none")
    view = look(options.p4rt, options.device_id, _READER_ELECTION_ID, _tls(options))
    print_status(view)
    if options.file is None:
        return 0
    _, updates = pending(load_manifests(options.file), load_node_config(options.node), view)
    print(f"differs from the manifests by {len(updates)} updates" if updates else "as the manifests say")
    return 1 if updates else 0


if __name__ == "__main__":
    sys.exit(main())
