"""StreamChannel: one client's requests, and the messages it gets back (P4Runtime 1.5 §16).

In: StreamMessageRequests. Out: what the outbox holds, then the stream's end. One thread reads requests;
gRPC's own thread sends. Called by the service.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from threading import Thread
from typing import final

import grpc

from p4nic.errors import ErrorKind, P4nicError, StateError
from p4nic.server.arbitration import ArbitrationRefused
from p4nic.server.forwarding import Forwarding
from p4nic.server.sessions import Session, Sessions
from p4nic.server.status import canonical_code, refused
from p4nic.target.switch import Switch
from p4rt import p4r

log = logging.getLogger(__name__)


@final
class Streams:
    """Serves StreamChannel RPCs of one switch."""

    def __init__(
        self, switch: Switch, sessions: Sessions, committed: Callable[[], Forwarding | None]
    ) -> None:
        self._switch = switch
        self._sessions = sessions
        self._committed = committed

    def serve(
        self, requests: Iterator[p4r.StreamMessageRequest], on_end: Callable[[Callable[[], None]], bool]
    ) -> Iterator[p4r.StreamMessageResponse]:
        """Run one stream to its end; RpcRefused if it was the server that ended it.

        `on_end` takes a function to be called when the client is gone.
        """
        try:
            session = self._sessions.open()
        except ArbitrationRefused as refusal:
            raise refused(refusal.kind, str(refusal)) from None
        try:
            if on_end(session.outbox.discard):
                Thread(target=self._read, args=(session, requests), name="p4nic-stream", daemon=True).start()
                yield from session.outbox
        finally:
            self._sessions.close(session)
        if session.refusal is not None:
            raise refused(session.refusal.kind, str(session.refusal))

    def _read(self, session: Session, requests: Iterator[p4r.StreamMessageRequest]) -> None:
        try:
            for request in requests:
                self._take(session, request)
                if session.refusal is not None:
                    return
        except grpc.RpcError:
            pass  # the client went away; `on_end` has seen to the rest
        except Exception:
            log.exception("stream %d failed on a request; it is closed", session.number)
            refusal = ArbitrationRefused(ErrorKind.ABORTED, "the server failed on this request; see its log")
            session.refuse(refusal)
        finally:
            session.outbox.close()

    def _take(self, session: Session, request: p4r.StreamMessageRequest) -> None:
        match request.WhichOneof("update"):
            case "arbitration":
                try:
                    self._sessions.arbitrate(session, request.arbitration)
                except ArbitrationRefused as refusal:
                    session.refuse(refusal)
            case "packet":
                self._packet_out(session, request.packet)
            case "digest_ack":
                self._acknowledge(session, request.digest_ack)
            case "other":
                error = StateError(ErrorKind.UNIMPLEMENTED, "p4nic takes no other messages on the stream")
                message = _error(error)
                message.error.other.other.CopyFrom(request.other)
                session.outbox.put(message)
            case _:
                error = StateError(ErrorKind.INVALID_ARGUMENT, "the message is empty; set what it is about")
                message = _error(error)
                message.error.other.SetInParent()
                session.outbox.put(message)

    def _packet_out(self, session: Session, packet: p4r.PacketOut) -> None:
        try:
            if not self._sessions.is_primary(session):
                raise StateError(
                    ErrorKind.PERMISSION_DENIED, "only the primary may send packets; become primary first"
                )
            frame = self._running().codec.packet_out.join(packet)
            self._switch.packet_out(frame)
        except P4nicError as error:
            message = _error(error)
            message.error.packet_out.packet_out.CopyFrom(packet)
            session.outbox.put(message)

    def _acknowledge(self, session: Session, ack: p4r.DigestListAck) -> None:
        try:
            if not self._sessions.is_primary(session):
                raise StateError(
                    ErrorKind.PERMISSION_DENIED, "only the primary acknowledges digests; become primary first"
                )
            forwarding = self._running()
            forwarding.digests.acknowledge(forwarding.codec.digest_name(ack.digest_id), ack.list_id)
        except P4nicError as error:
            message = _error(error)
            message.error.digest_list_ack.digest_list_ack.CopyFrom(ack)
            session.outbox.put(message)

    def _running(self) -> Forwarding:
        forwarding = self._committed()
        if forwarding is None:
            raise StateError(
                ErrorKind.FAILED_PRECONDITION, "no pipeline configuration is set; set one before you use it"
            )
        return forwarding


def _error(error: P4nicError) -> p4r.StreamMessageResponse:
    kind = error.kind if isinstance(error, StateError) else ErrorKind.INVALID_ARGUMENT
    message = p4r.StreamMessageResponse()
    message.error.canonical_code = canonical_code(kind)
    message.error.message = str(error)
    return message
