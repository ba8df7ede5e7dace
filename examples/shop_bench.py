"""The shop's bench: a target programmed by lbctl, driven frame by frame, judged row by row.

In: a Target, the node file. Out: Verdicts. `run_shop` makes it, `shop_scenarios` uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shop_target import Target

from lbctl.controller import Controller
from lbctl.model import NodeConfig, ip_text, mac_text
from lbtraffic.frames import Frame, build, differences, read, wrong_checksums


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of the table: frames as text, `ok` as judged."""

    section: str
    what: str
    packets: int
    expected: str
    seen: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame to send, and the port it goes in on."""

    port: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come out, exactly: these frames at these ports and no other, or nothing and one reason
    counted.
    """

    frames: tuple[tuple[int, Frame], ...] = ()
    dropped: str | None = None

    def text(self) -> str:
        if self.dropped:
            return f"dropped: {self.dropped}"
        return "; ".join(f"port {port}: {frame.text()}" for port, frame in self.frames) or "nothing"


class Bench:
    """A running target, its controller, and the verdicts so far."""

    def __init__(self, target: Target, controller: Controller, node: NodeConfig) -> None:
        self.target = target
        self.controller = controller
        self.node = node
        self.verdicts: list[Verdict] = []
        self.sent: list[tuple[int, bytes]] = []

    def port_of(self, address: str) -> int:
        """The switch port behind an address: a local pod's own, else the uplink."""
        assert self.controller.plan is not None
        pods = {ip_text(pod.ip): pod.wiring.port for pod in self.controller.plan.pods}
        return pods.get(address, self.node.uplink_port)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, and the controller hear of it."""
        self.target.advance(seconds)
        self.controller.wait_idle(timeout=10.0, quiet=0.05)

    def send(self, port: int, frame: bytes) -> list[tuple[int, bytes]]:
        """Send one frame; what came out, by port and in order."""
        self.sent.append((port, frame))
        self.target.exchange(port, frame)
        if self.target.artifact == "json":  # this one learns through the controller
            self.controller.wait_idle(timeout=10.0, quiet=0.05)
        return self.target.received()

    def check(self, section: str, what: str, sent: Sequence[Sent], expected: Expected) -> None:
        """Send, compare, note a verdict."""
        before = self.target.drops()
        out: list[tuple[int, bytes]] = []
        for one in sent:
            out += self.send(one.port, build(self._addressed(one)))
        counted = {
            name: count - before.get(name, 0)
            for name, count in self.target.drops().items()
            if count != before.get(name, 0)
        }
        seen = [(port, read(frame)) for port, frame in out]
        faults = _faults(expected, out, seen, counted, len(sent))
        text = "; ".join(f"port {port}: {frame.text()}" for port, frame in seen)
        text = text or ", ".join(f"dropped: {name}" for name in counted) or "nothing"
        if faults:
            text += f" ({'; '.join(faults)})"
        self.verdicts.append(Verdict(section, what, len(sent), expected.text(), text, not faults))

    def _addressed(self, sent: Sent) -> Frame:
        """Frames without Ethernet addresses get those of the port they go in on."""
        pod = next((p for p in self.node.pods if p.port == sent.port), None)
        smac = mac_text(pod.mac) if pod else "02:00:00:00:0f:fe"
        dmac = mac_text(self.node.gateway_mac if pod else self.node.vtep_mac)
        frame = replace(sent.frame, smac=sent.frame.smac or smac, dmac=sent.frame.dmac or dmac)
        if frame.vni is not None:
            frame = replace(frame, tunnel_dmac=frame.tunnel_dmac or mac_text(self.node.vtep_mac))
        return frame


def _faults(
    expected: Expected,
    out: list[tuple[int, bytes]],
    seen: list[tuple[int, Frame]],
    counted: dict[str, int],
    packets: int,
) -> list[str]:
    faults = [f"wrong checksum: {name}" for _, frame in out for name in wrong_checksums(frame)]
    if expected.dropped is not None:
        if counted != {expected.dropped: packets}:
            faults.append(f"counted {counted or 'no drop'}")
        return faults + (["something came out"] if out else [])
    if len(seen) != len(expected.frames):
        why = f", {' and '.join(counted)} counted" if counted else ""
        return [*faults, f"{len(seen)} frames came out, not {len(expected.frames)}{why}"]
    for (port, wanted), (at, frame) in zip(expected.frames, seen, strict=True):
        if port != at:
            faults.append(f"at port {at}, not {port}")
        faults += differences(wanted, frame)
    return faults
