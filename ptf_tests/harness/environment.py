"""A testbed brought to life: target, PTF data plane, control plane, counters and clock.

In: a Testbed. Out: an Environment, which `lb_base` works with. Called by `conftest.py` (pytest) or, under the
ptf command, by the first test that needs it.

Nothing here waits for a fixed time where the target can say that it is done: `settle` drains the target and
then PTF's own sockets, so that silence afterwards is silence.
"""

from __future__ import annotations

import atexit
import os
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import ptf
from ptf.dataplane import DataPlane

from harness.p4runtime_reader import P4RuntimeReader, SimulatedTime
from harness.recording_transport import RecordingTransport
from harness.start import Running, from_environment, profile_of, start
from harness.testbed import Testbed, load_testbed
from harness.topology import wired
from harness.unix_port import EchoedPort, UnixPort, port_class
from lbctl.controller import Controller
from lbctl.model import Cluster
from lbctl.p4client import P4RuntimeTransport
from lbctl.transport import TlsFiles

_SHORT_LIVES_S = 130.0  # longer than every memory of a flow that is no flow entry
_EVENTUALLY_S = 10.0
_QUIET_S = 0.05
_election = int(time.time())


class Environment:
    """Everything a test needs of one testbed. `dataplane`: PTF's, if the ptf command made one."""

    def __init__(
        self, testbed: Testbed, options: Sequence[str] = (), dataplane: DataPlane | None = None
    ) -> None:
        """`options` are passed to the target when it is ours to start."""
        self.testbed, self.profile = testbed, profile_of(testbed)
        running = (None if options else from_environment(testbed)) or start(testbed, options)
        self.process = running.process
        self._own_dataplane = dataplane is None or bool(options)
        self.dataplane: Any = dataplane
        if self._own_dataplane:
            portclass = port_class(testbed.loopback)
            self.dataplane = DataPlane({**ptf.config, "dataplane": {"portclass": portclass}})
            for number, interface in running.interfaces.items():
                self.dataplane.port_add(interface, 0, number)
        where, device_id = running.address, running.device_id
        self._channel = _channel(running)
        self._reader = P4RuntimeReader(self._channel, device_id)
        self.time = None if "virtual_time" in self.profile.lacks else SimulatedTime(self._channel)
        self.transport = RecordingTransport(
            P4RuntimeTransport(
                where, device_id, _next_election(), artifact=running.pipeline, tls=_tls(running)
            )
        )
        node = wired(running.device_ports)
        self.controller = Controller(where, device_id, node=node, transport=self.transport)
        self.controller.start()

    def settle(self) -> None:
        """Return when everything sent so far has had its effect and waits in PTF's queues."""
        if self.time is None:
            self._wait_for_quiet()
            return
        self.time.drain()
        sockets = list(self.dataplane.ports.values())
        while select.select(sockets, [], [], 0)[0]:
            time.sleep(0.0002)
        # PTF's thread takes a frame out of its socket and into its queue under this lock.
        with self.dataplane.cvar:
            pass

    def _wait_for_quiet(self) -> None:
        """A target without `drain`: no frame and no drop for the testbed's quiet time."""
        seen: Any = None
        while seen != (now := self._activity()):
            seen = now
            time.sleep(self.testbed.timeouts.quiet)

    def _activity(self) -> tuple[dict[str, int], list[int]]:
        with self.dataplane.cvar:
            queues = [len(queue) for queue in self.dataplane.packet_queues.values()]
        return self.drops(), queues

    def advance(self, seconds: float) -> None:
        """Let time pass, and the control plane deal with what expired."""
        self.settle()
        if self.time is None:
            time.sleep(seconds + self.profile.timer_granularity_s())
        else:
            self.time.advance(seconds)
        self.controller.wait_idle(quiet=_QUIET_S)

    def learned(self) -> None:
        """Let a control plane that learns from digests catch up."""
        self.settle()
        if "data_plane_learning" in self.profile.lacks:
            self.controller.wait_idle(quiet=_QUIET_S)

    def drops(self) -> dict[str, int]:
        """Packets dropped so far, by reason."""
        return self._reader.drops()

    def service_packets(self, service_id: int) -> int:
        """Packets counted for a service, both directions."""
        return self._reader.counters("service_counter", [service_id])[service_id][0]

    def reset(self) -> None:
        """No services, no flows, no memory of closed ones, nothing in the queues."""
        self.controller.apply(Cluster())
        self.controller.flush_flows()
        if self.time is not None:
            self.advance(_SHORT_LIVES_S)
            self.controller.flush_flows()
        self.settle()
        self.dataplane.flush()
        self.transport.events.clear()

    def close(self, keep_log: bool = False) -> None:
        """Disconnect, and stop what was started here."""
        self.controller.close()
        self._channel.close()
        if self._own_dataplane:
            ports = list(self.dataplane.ports.values())
            self.dataplane.kill()
            for port in ports:
                # PTF's own port class leaves its socket to the garbage collector.
                (port if isinstance(port, UnixPort | EchoedPort) else port.socket).close()
        if self.process is not None:
            self.process.stop(keep_log)


def _tls(running: Running) -> TlsFiles | None:
    tls = running.tls
    return TlsFiles(tls.ca, tls.certificate, tls.key) if tls is not None else None


def _channel(running: Running) -> grpc.Channel:
    tls = running.tls
    if tls is None:
        return grpc.insecure_channel(running.address)
    own = (tls.key, tls.certificate) if tls.key is not None and tls.certificate is not None else ()
    key, certificate = (path.read_bytes() for path in own) if own else (None, None)
    credentials = grpc.ssl_channel_credentials(tls.ca.read_bytes(), key, certificate)
    return grpc.secure_channel(running.address, credentials)


def eventually(happened: Callable[[], bool]) -> bool:
    """Wait for an effect that crosses the control plane; False when it did not come in ten seconds."""
    deadline = time.monotonic() + _EVENTUALLY_S
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _next_election() -> int:
    global _election
    _election += 1
    return _election


_current: Environment | None = None


def use(environment: Environment | None) -> None:
    """What `current` gives from now on; pytest's side of the door."""
    global _current
    _current = environment


def current() -> Environment:
    """The environment tests run in. Under the ptf command: made from the file P4NIC_TESTBED names."""
    global _current
    if _current is None:
        path = os.environ.get("P4NIC_TESTBED")
        if path is None:
            raise RuntimeError("set P4NIC_TESTBED to a testbed file, or run ptf_tests/run_ptf.py")
        _current = Environment(load_testbed(Path(path)), dataplane=ptf.dataplane_instance)
        atexit.register(_current.close)
    return _current
