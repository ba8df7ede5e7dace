"""Keys: FieldMatch messages to Match values and back (P4Runtime 1.5 §9.1.1).

In: the `match` list of a TableEntry or ValueSetMember. Out: one Match per key field, `Any` where the client
left the field out. Whether a value may be left out, has bits beyond its mask or matches everything is
judged by `target.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never, final

from p4nic.ir.program import Any, Exact, Lpm, Match, MatchKind, Range, Ternary
from p4nic.server.codec.scalar import Scalar, invalid, shortest
from p4nic.target.checks import choices
from p4rt import p4r

_DONT_CARE = Any()


@final
@dataclass(frozen=True, slots=True)
class KeyField:
    """One field of a key: its P4Info id, how it is matched, its value on the wire."""

    id: int
    name: str
    kind: MatchKind
    scalar: Scalar

    def decode(self, message: p4r.FieldMatch) -> Match:
        which = message.WhichOneof("field_match_type")
        if which != self.kind:
            raise invalid(f"{self.scalar.place}: it is matched {self.kind}, not {which or 'by nothing'}")
        scalar = self.scalar
        match which:
            case "exact":
                return Exact(scalar.decode(message.exact.value))
            case "optional":
                return Exact(scalar.decode(message.optional.value))
            case "lpm":
                return Lpm(self._number(message.lpm.value), message.lpm.prefix_len)
            case "ternary":
                return Ternary(self._number(message.ternary.value), self._number(message.ternary.mask))
            case "range":
                return Range(self._number(message.range.low), self._number(message.range.high))
            case _:
                assert_never(which)

    def _number(self, data: bytes) -> int:
        if self.scalar.names is not None:
            raise invalid(
                f"{self.scalar.place}: strings of type {self.scalar.names.type_name} are matched "
                "exact or optional only"
            )
        return self.scalar.decode(data)

    def encode(self, match: Match) -> p4r.FieldMatch | None:
        """The message, None for don't care."""
        match match:
            case Exact(value) if self.kind == "optional":
                return p4r.FieldMatch(
                    field_id=self.id, optional=p4r.FieldMatch.Optional(value=self.scalar.encode(value))
                )
            case Exact(value):
                return p4r.FieldMatch(
                    field_id=self.id, exact=p4r.FieldMatch.Exact(value=self.scalar.encode(value))
                )
            case Lpm(value, length):
                lpm = p4r.FieldMatch.LPM(value=shortest(value), prefix_len=length)
                return p4r.FieldMatch(field_id=self.id, lpm=lpm)
            case Ternary(value, bits):
                ternary = p4r.FieldMatch.Ternary(value=shortest(value), mask=shortest(bits))
                return p4r.FieldMatch(field_id=self.id, ternary=ternary)
            case Range(low, high):
                return p4r.FieldMatch(
                    field_id=self.id, range=p4r.FieldMatch.Range(low=shortest(low), high=shortest(high))
                )
            case Any():
                return None
            case _:
                assert_never(match)


@final
class KeyCodec:
    """The whole key of a table or value set; `place` names it."""

    def __init__(self, place: str, fields: tuple[KeyField, ...]) -> None:
        self._place = place
        self.fields = fields
        self._by_id = {field.id: (position, field) for position, field in enumerate(fields)}
        self._empty: list[Match] = [_DONT_CARE] * len(fields)

    def decode(self, messages: Iterable[p4r.FieldMatch]) -> tuple[Match, ...]:
        key = self._empty.copy()
        seen: set[int] = set()
        for message in messages:
            found = self._by_id.get(message.field_id)
            if found is None:
                raise self._unknown(message.field_id)
            position, field = found
            if position in seen:
                raise invalid(f"{field.scalar.place}: it is given twice")
            seen.add(position)
            key[position] = field.decode(message)
        return tuple(key)

    def encode(self, key: tuple[Match, ...]) -> list[p4r.FieldMatch]:
        messages = (field.encode(match) for field, match in zip(self.fields, key, strict=True))
        return [message for message in messages if message is not None]

    def _unknown(self, number: int) -> Exception:
        names = [f"{field.name} ({field.id})" for field in self.fields]
        return invalid(f"{self._place} has no field with id {number}; {choices(str(number), names)}")
