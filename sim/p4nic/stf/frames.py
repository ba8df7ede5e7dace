"""What STF expects of the frames that come out, port by port, and how they differ.

In: frames as they were sent, each with the line of the `packet` that caused it; `expect` statements. Out:
sentences. Called by `runner`. The n-th `expect` of a port, in the order of the file, is about the n-th frame
sent to it; a port that only `packet` names must stay silent. A port that the file does not name at all does
not exist in p4c's harness: nobody looks what comes out there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from p4nic.stf.statements import Expect

_SHOWN = 64


@dataclass(slots=True)
class Traffic:
    """Frames sent and frames expected, per port."""

    sent: dict[int, list[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(list))
    expected: dict[int, list[Expect]] = field(default_factory=lambda: defaultdict(list))
    named: set[int] = field(default_factory=set)

    def differences(self) -> Iterator[tuple[int, str]]:
        """(line, sentence) for everything that is missing, too much or different."""
        for port in sorted(self.named):
            sent, expected = self.sent.get(port, []), self.expected.get(port, [])
            for number, (line, frame) in enumerate(sent):
                if number >= len(expected):
                    yield line, f"port {port}: this packet was sent and not expected: {shown(frame)}"
                elif why := difference(expected[number], frame):
                    yield (
                        expected[number].line,
                        f"port {port}: the packet of line {line} {why}: {shown(frame)}",
                    )
            for expect in expected[len(sent) :]:
                yield expect.line, f"port {port}: this packet did not come; the port sent {len(sent)}"


def difference(expect: Expect, frame: bytes) -> str:
    """Why the frame is not the expected one, "" if it is. Without `$` it may go on after the pattern."""
    digits, pattern = frame.hex(), expect.pattern
    if len(digits) < len(pattern):
        least = "" if expect.exact else "at least "
        return f"has {len(digits) / 2:g} bytes, expected {least}{len(pattern) / 2:g}"
    for position, (found, wanted) in enumerate(zip(digits, pattern, strict=False)):
        if wanted not in ("*", found):
            return f"has digit {found} at byte {position // 2}, expected {wanted}"
    if expect.exact and len(digits) > len(pattern):
        return f"has {len(digits) / 2:g} bytes, expected {len(pattern) / 2:g}"
    return ""


def shown(frame: bytes) -> str:
    """Hex, cut where it gets long."""
    text = frame.hex()
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}… ({len(frame)} bytes)"
