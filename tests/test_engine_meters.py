"""Token buckets against RFC 2697 and RFC 2698, with exact times."""

from __future__ import annotations

import pytest
from ir_builders import const, header_type, m, one, pipeline, swx

from p4nic.backend.api import Backend, MeterConfig, Pipeline
from p4nic.ir.ops import Emit, Extract, Meter, Op, Ref, SetValid, Transmit
from p4nic.ir.program import MeterArray

S = 1_000_000_000
GREEN, YELLOW, RED = 0, 1, 2


class Paced:
    """One meter in a program that reads amount and colour of each packet from its first bytes."""

    def __init__(self, backend: Backend) -> None:
        asked, told = header_type("asked_t", amount=64, before=8), header_type("told_t", colour=8)
        amount, before = Ref("asked", "amount"), Ref("asked", "before")
        code: list[Op] = [
            Extract("asked"),
            SetValid("told"),
            Meter(Ref("told", "colour"), "mt", const(0), amount, before),
            Emit("told"),
            Transmit(const(0)),
        ]
        headers, meters = {"asked": "asked_t", "told": "told_t"}, [MeterArray("mt", "bytes", 1)]
        self.running = pipeline(backend, swx(code, types=[asked, told], headers=headers, meters=meters))

    def colour(self, amount: int, now_ns: int, before: int) -> int:
        frame = amount.to_bytes(8, "big") + bytes([before])
        return one(self.running, frame, now_ns=now_ns).sent[0][1][0]


def meter(backend: Backend, kind: str, cir: int, cburst: int, pir: int = 0, pburst: int = 0) -> Paced:
    made = Paced(backend)
    made.running.set_meter("mt", 0, MeterConfig(kind, cir, cburst, pir, pburst))  # type: ignore[arg-type]
    return made


def colours(made: Paced, *packets: tuple[int, int], before: int = GREEN) -> list[int]:
    """The colours of packets given as (amount, time)."""
    return [made.colour(amount, now, before) for amount, now in packets]


def test_unconfigured_meter_keeps_the_colour(backend: Backend) -> None:
    assert colours(Paced(backend), (10**9, 0)) == [GREEN]
    assert colours(Paced(backend), (1, 0), before=YELLOW) == [YELLOW]


def test_two_rates_start_full_and_refill(backend: Backend) -> None:
    made = meter(backend, "two_rate_three_color", cir=1000, cburst=100, pir=2000, pburst=300)
    assert colours(made, (100, 0), (100, 0), (100, 0), (1, 0)) == [GREEN, YELLOW, YELLOW, RED]
    # After 50 ms: 50 committed, 100 peak.
    assert colours(made, (50, S // 20), (50, S // 20), (1, S // 20)) == [GREEN, YELLOW, RED]
    assert colours(made, (101, 100 * S)) == [YELLOW]  # more than the committed burst, ever


def test_red_and_yellow_packets_take_no_token_they_were_refused(backend: Backend) -> None:
    made = meter(backend, "two_rate_three_color", cir=0, cburst=10, pir=0, pburst=30)
    assert colours(made, (31, 0), (11, 0), (10, 0), (9, 0), (1, 0)) == [RED, YELLOW, GREEN, YELLOW, RED]


def test_colour_aware_two_rates(backend: Backend) -> None:
    made = meter(backend, "two_rate_three_color", cir=0, cburst=10, pir=0, pburst=20)
    assert colours(made, (5, 0), before=RED) == [RED]
    assert colours(made, (5, 0), before=YELLOW) == [YELLOW]
    assert colours(made, (10, 0), (5, 0), (1, 0)) == [GREEN, YELLOW, RED]


def test_single_rate_three_colours_overflows_into_the_excess_bucket(backend: Backend) -> None:
    made = meter(backend, "single_rate_three_color", cir=10, cburst=10, pburst=10)
    assert colours(made, (10, 0), (10, 0), (1, 0)) == [GREEN, YELLOW, RED]
    # 1.5 s bring 15 tokens: 10 committed, 5 excess.
    assert colours(made, (10, 3 * S // 2), (5, 3 * S // 2), (1, 3 * S // 2)) == [GREEN, YELLOW, RED]


def test_the_excess_bucket_fills_while_packets_are_green(backend: Backend) -> None:
    made = meter(backend, "single_rate_three_color", cir=10, cburst=10, pburst=10)
    assert colours(made, (10, 0), (10, 0)) == [GREEN, YELLOW]
    assert colours(made, (1, 2 * S), (9, 2 * S), (10, 2 * S)) == [GREEN, GREEN, YELLOW]


def test_single_rate_two_colours_has_no_yellow(backend: Backend) -> None:
    made = meter(backend, "single_rate_two_color", cir=10, cburst=10)
    assert colours(made, (10, 0), (1, 0), (1, S // 10), (1, S // 10)) == [GREEN, RED, GREEN, RED]


def test_tokens_are_exact_over_many_small_steps(backend: Backend) -> None:
    made = meter(backend, "single_rate_two_color", cir=3, cburst=1)
    made.colour(1, 0, GREEN)
    # A token takes a third of a second; steps of 1 ns must not lose any of it.
    third = S // 3
    assert colours(made, *((1, third - 5 + i) for i in range(5))) == [RED] * 5
    assert colours(made, (1, third), (1, third + 1)) == [RED, GREEN]


# --- as an array in a program ---


def array(backend: Backend, unit: str, *more: Op) -> Pipeline:
    code = [Meter(m("x"), "mt", m("in_port")), *more, Transmit(m("x"))]
    built = swx(code, metadata={"x": 32}, meters=[MeterArray("mt", unit, 4)])  # type: ignore[arg-type]
    return pipeline(backend, built)


TWO = MeterConfig("two_rate_three_color", cir=1, cburst=8, pir=1, pburst=16)


@pytest.mark.parametrize(("unit", "expected"), [("packets", [0] * 8 + [1] * 8 + [2]), ("bytes", [0, 1, 2])])
def test_array_counts_packets_or_received_bytes(backend: Backend, unit: str, expected: list[int]) -> None:
    running = array(backend, unit)
    running.set_meter("mt", 2, TWO)
    assert running.meter("mt", 2) == TWO
    assert running.meter("mt", 3) is None
    sent = running.process([(2, b"8 bytes!")] * len(expected), 0)
    assert [o.sent[0][0] for o in sent] == expected
    assert running.process([(3, b"x"), (9, b"beyond the size")], 0)[0].sent[0][0] == 0
    running.set_meter("mt", 2, None)
    assert running.process([(2, b"8 bytes!")], 0)[0].sent[0][0] == 0


def test_meter_takes_length_and_colour_from_the_program(backend: Backend) -> None:
    running = array(backend, "bytes", Meter(m("x"), "mt", m("in_port"), length=const(16), color=const(1)))
    running.set_meter("mt", 2, TWO)
    assert [o.sent[0][0] for o in running.process([(2, b""), (2, b"")], 0)] == [1, 2]
    assert running.process([(9, b"")], 0)[0].sent[0][0] == 1
