"""How refusals become gRPC statuses (P4Runtime 1.5 §10, §12.3).

In: StateErrors, one per update or entity. Out: RpcRefused, which a handler raises and the service turns
into the RPC's end: a plain status for the whole RPC, or UNKNOWN with one p4.v1.Error per update in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import grpc
from google.protobuf import any_pb2

from p4nic.errors import ErrorKind, StateError
from p4rt import p4r, rpc_status

_OK = any_pb2.Any()
_OK.Pack(p4r.Error())
DETAILS_KEY = "grpc-status-details-bin"
_TRAILER_BASE, _TRAILER_PER_UPDATE = 8192, 100
_CUT = "…"


@final
class RpcRefused(Exception):
    """Ends an RPC with this code and sentence. `details` is a serialized google.rpc.Status for the trailer,
    or empty.
    """

    def __init__(self, code: grpc.StatusCode, message: str, details: bytes = b"") -> None:
        self.code = code
        self.details = details
        super().__init__(message)


def refused(kind: ErrorKind, message: str) -> RpcRefused:
    """A status for the whole RPC."""
    return RpcRefused(status_code(kind), message)


def status_code(kind: ErrorKind) -> grpc.StatusCode:
    """ErrorKind has the names of gRPC's codes."""
    return grpc.StatusCode[kind.value]


def canonical_code(kind: ErrorKind) -> int:
    """The number in google.rpc.Code."""
    number: int = status_code(kind).value[0]
    return number


def batch_refused(what: str, results: Sequence[StateError | None]) -> RpcRefused:
    """UNKNOWN with one p4.v1.Error per result; `what` is "update" or "entity"."""
    failed = [(number, error) for number, error in enumerate(results, start=1) if error is not None]
    number, first = next(((n, e) for n, e in failed if e.kind is not ErrorKind.ABORTED), failed[0])
    message = (
        f"{len(failed)} of {len(results)} {_plural(what, len(results))} failed; {what} {number}: {first}"
    )
    longest = _longest_message(results)
    status = rpc_status.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
    for error in results:
        status.details.add().CopyFrom(_OK if error is None else _packed(error, longest))
    return RpcRefused(grpc.StatusCode.UNKNOWN, message, status.SerializeToString())


def _packed(error: StateError, longest: int) -> any_pb2.Any:
    message = str(error)
    if len(message) > longest:
        message = message[: max(longest - 1, 0)] + _CUT
    packed = any_pb2.Any()
    packed.Pack(p4r.Error(canonical_code=canonical_code(error.kind), message=message))
    return packed


def _longest_message(results: Sequence[StateError | None]) -> int:
    """Clients are told to take 8192 + 100 bytes of trailer per update (§A.3.1): messages are cut to fit into
    that.
    """
    overhead = 48  # an Any with its type URL, the code, the lengths
    budget = _TRAILER_BASE + _TRAILER_PER_UPDATE * len(results) - overhead * len(results) - 1024
    lengths = sorted(len(str(error)) for error in results if error is not None)
    left, count = budget, len(lengths)
    for length in lengths:
        if length * count > left:
            return max(left // count, 16)
        left -= length
        count -= 1
    return lengths[-1] if lengths else 0


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return "entities" if word == "entity" else f"{word}s"
