"""Ports: where frames come from and go to.

In: a specification `N@KIND:NAME` (`spec.open_port`) or an object made in code. Out: the `Port` protocol, used
by `target.loop` and `target.switch` and by nobody else. One kind per file: memory, unix, afpacket, tap, pcap.
"""

from __future__ import annotations

from typing import Protocol

BURST = 64
"""Frames taken from a port in one go."""
MAX_FRAME = 65535
"""Bytes of the longest frame a switch takes or sends."""

QUEUE_FULL = "port queue full"
PORT_DOWN = "port is down"
NO_PEER = "no peer on the port"
TOO_LONG = "frame longer than the port's MTU"


class Port(Protocol):
    """A place frames come from and go to. Nothing here waits, except `send` for at most a fraction of a
    second.

    PortError from `receive` or `send` means the port is gone for good: the switch detaches it and goes on.
    """

    @property
    def name(self) -> str:
        """KIND:NAME, for messages."""
        ...

    def fileno(self) -> int | None:
        """What becomes readable when a frame is there; None for a port that is asked in every round."""
        ...

    def receive(self, limit: int = BURST) -> list[bytes]:
        """Frames that have come in, at most `limit`; [] when there is none now."""
        ...

    def send(self, frame: bytes) -> str:
        """Send, and return "" or the reason why the frame was dropped."""
        ...

    def flush(self) -> None:
        """Write out what is buffered."""
        ...

    def close(self) -> None:
        """Give the resource back; harmless the second time."""
        ...
