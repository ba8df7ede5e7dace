"""Every error p4nic raises on purpose, in one tree.

    P4nicError
    ├── ArtifactError       a file p4c wrote (JSON, .spec, P4Info, context) that we cannot take
    │   └── UnsupportedError    a construct we know and refuse, with its P4 position and the way out
    ├── VerifyError         a Program that breaks the IR's rules, with the list of problems
    ├── InputError          what a user gave us: flag, entries file, pcap, testbed, frame
    ├── StateError          a change of data-plane state that is refused; `.kind` says why (see ErrorKind)
    ├── PortError           an interface that is missing, busy or gone
    └── TargetError         a target of its own (DPDK) that cannot start, crashed or hangs

Each message is one sentence that names the thing and its value and shows the way out. Callers ask `.kind`;
nobody parses text. The command line ends on exit code 2 for all of them, the server maps `.kind` to a gRPC
status.
"""

from __future__ import annotations

from enum import Enum
from typing import final


class P4nicError(Exception):
    """Base of all errors meant for a person; str() is the one sentence."""


class ArtifactError(P4nicError):
    """The artifact is not what p4c writes: truncated, wrong version, inconsistent, or names something
    absent."""


@final
class UnsupportedError(ArtifactError):
    """The artifact is valid, but uses a construct p4nic refuses; raised at load, never at the first
    packet."""


@final
class VerifyError(P4nicError):
    """A Program that breaks the IR's rules.

    `problems` are (place, sentence) pairs as `ir.verify.problems` returns them.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        shown = "; ".join(f"{place}: {sentence}" for place, sentence in problems[:5])
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        super().__init__(f"the program does not verify: {shown}{more}")


@final
class InputError(P4nicError):
    """A user's flag, file or frame cannot be used as given."""


@final
class PortError(P4nicError):
    """A port's interface is missing, busy, not permitted, or went away while running."""


@final
class TargetError(P4nicError):
    """A target that runs in a process of its own cannot be started, has crashed, or does not answer.

    After a crash by a packet, `packet` is (port, frame).
    """

    def __init__(self, message: str, packet: tuple[int, bytes] | None = None) -> None:
        self.packet = packet
        super().__init__(message)


class ErrorKind(Enum):
    """Why a state change was refused; the names are those of the gRPC status codes they become."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    ABORTED = "ABORTED"
    """Another update of an all-or-nothing batch failed."""


@final
class StateError(P4nicError):
    """A refused change or read of data-plane state; the state is as it was before the call."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        self.kind = kind
        super().__init__(message)
