"""MeterConfig messages (P4Runtime 1.5 §9.4): three kinds of meter behind one message.

The message always has the five numbers; which of them may say something depends on the meter's type in the
P4Info. In `backend.api.MeterConfig` a single-rate three-colour meter keeps its excess burst in `pburst`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from p4nic.backend.api import Marks, MeterConfig
from p4nic.load.p4info_model import MeterInfo
from p4nic.server.codec.scalar import invalid
from p4rt import p4r


@final
@dataclass(frozen=True, slots=True)
class MeterCodec:
    info: MeterInfo

    def decode(self, message: p4r.MeterConfig) -> MeterConfig:
        kind = self.info.kind
        if kind == "two_rate_three_color":
            self._refuse_eburst(message)
            return MeterConfig(kind, message.cir, message.cburst, message.pir, message.pburst)
        for peak, committed in (("pir", "cir"), ("pburst", "cburst")):
            if getattr(message, peak) != getattr(message, committed):
                raise invalid(
                    f"meter {self.info.name} has a single rate: {peak} {getattr(message, peak)} must equal "
                    f"{committed} {getattr(message, committed)}"
                )
        if kind == "single_rate_two_color":
            self._refuse_eburst(message)
            return MeterConfig(kind, message.cir, message.cburst, message.cir, message.cburst)
        return MeterConfig(kind, message.cir, message.cburst, message.cir, message.eburst)

    def _refuse_eburst(self, message: p4r.MeterConfig) -> None:
        if message.eburst:
            kind = self.info.kind.replace("_", " ")
            raise invalid(f"meter {self.info.name} is {kind}: eburst {message.eburst} must be unset")

    def encode(self, config: MeterConfig) -> p4r.MeterConfig:
        if config.kind == "two_rate_three_color":
            return p4r.MeterConfig(cir=config.cir, cburst=config.cburst, pir=config.pir, pburst=config.pburst)
        excess = config.pburst if config.kind == "single_rate_three_color" else 0
        return p4r.MeterConfig(
            cir=config.cir, cburst=config.cburst, pir=config.cir, pburst=config.cburst, eburst=excess
        )


def encode_marks(marks: Marks) -> p4r.MeterCounterData:
    """What a meter has coloured, as MeterCounterData (§9.4.3)."""
    message = p4r.MeterCounterData()
    for name, (packets, bytes_) in (("green", marks.green), ("yellow", marks.yellow), ("red", marks.red)):
        getattr(message, name).CopyFrom(p4r.CounterData(packet_count=packets, byte_count=bytes_))
    return message


def decode_unmark(place: str, message: p4r.MeterCounterData) -> None:
    """A write can set the counts to 0 only."""
    for name in ("green", "yellow", "red"):
        count = getattr(message, name)
        if count.packet_count or count.byte_count:
            raise invalid(
                f"{place}: {name} counts {count.packet_count} packets and {count.byte_count} bytes; a client "
                "can only set them to 0"
            )
