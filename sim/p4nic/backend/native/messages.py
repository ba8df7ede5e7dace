"""What became of packets, and what they tell the control plane and the log, decoded.

In: the engine's reply to a burst, its event words: (kind << 32 | number), count, then two words for each
value, or for each 128 bits of a wider one, the lowest first. Called by `pipeline` and `forwarding`.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterator, Sequence

from p4nic.backend.api import DigestMessage, Outcome
from p4nic.ir.program import DigestList

DIGEST, LOG, ASSERT = range(3)
_HEAD = struct.Struct("=II")


def decode_outcomes(reply: bytes, count: int, reasons: Sequence[str]) -> list[Outcome]:
    """For each packet (copies, reason), for each copy (port, length, bytes)."""
    outcomes = []
    at = 0
    for _ in range(count):
        copies, reason = _HEAD.unpack_from(reply, at)
        at += 8
        sent = []
        for _ in range(copies):
            port, length = _HEAD.unpack_from(reply, at)
            sent.append((port, reply[at + 8 : at + 8 + length]))
            at += 8 + length
        outcomes.append(Outcome(tuple(sent), "" if sent else reasons[reason]))
    return outcomes


def decode(words: Sequence[int]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """(kind, number, values) of each message."""
    at = 0
    while at < len(words):
        kind, number, count = words[at] >> 32, words[at] & 0xFFFFFFFF, words[at + 1]
        values = words[at + 2 : at + 2 + 2 * count]
        yield (
            kind,
            number,
            tuple(low | high << 64 for low, high in zip(values[::2], values[1::2], strict=True)),
        )
        at += 2 + 2 * count


def digest_message(digest: DigestList, pieces: tuple[int, ...]) -> DigestMessage:
    """One message of a digest."""
    if len(pieces) == len(digest.fields):
        return DigestMessage(digest.name, pieces)
    left = list(pieces)
    values = []
    for _, width in digest.fields:
        size = max((width + 127) // 128, 1)
        values.append(_joined(left[:size]))
        del left[:size]
    return DigestMessage(digest.name, tuple(values))


def _joined(pieces: Sequence[int]) -> int:
    return sum(piece << 128 * i for i, piece in enumerate(pieces))


def log_message(log: logging.Logger, kind: int, told: str, values: tuple[int, ...]) -> None:
    """A log_msg, or an assertion that failed; `told` is "position NUL signs NUL text": a "-" for each value
    that may be negative, which comes in two's complement, a "+" for each other, and a "." for each further
    128 bits of it."""
    source, signs, text = told.split("\0", 2)
    if kind == ASSERT:
        log.warning("assertion failed at %s: %s", source, text)
        return
    at = 0
    for part in re.findall(r"[+-]\.*", signs):
        size = 128 * len(part)
        value = _joined(values[at : at + len(part)])
        at += len(part)
        if part[0] == "-" and value >> (size - 1):
            value -= 1 << size
        text = text.replace("{}", str(value), 1)
    log.info("%s (%s)", text, source)
