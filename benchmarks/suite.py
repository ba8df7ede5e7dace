"""What `make bench` runs: calls of `p4nic bench`, and the goals their numbers are held against.

Called by `run` and `report`. A Run's key is its name in the report, in the JSON and in the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Answer = Mapping[str, Any]
"""The JSON object of one run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of `p4nic bench`. `quick`: also part of `make bench ARGS=--quick`; `profiled`: where a goal of
    it is missed, the report tells which functions the cycles go to."""

    key: str
    words: tuple[str, ...]
    quick: bool = False
    profiled: bool = False
    root: bool = False


def _established(key: str, *words: str, quick: bool = False, profiled: bool = False) -> Run:
    return Run(key, ("lb-established", *words), quick, profiled)


RUNS = (
    Run("forward", ("forward",), True),
    Run("l2-exact 10k", ("l2-exact",), True, True),
    Run("small lb 100k", ("lb-swx-like", "--flows", "100000"), True, True),
    _established("lb 1k", "--flows", "1000"),
    _established("lb 100k", "--flows", "100000", quick=True, profiled=True),
    _established("lb 1M", "--flows", "1000000", profiled=True),
    _established("lb 10M", "--flows", "10000000", "--peers", "floor"),
    _established("lb 100k imix", "--flows", "100000", "--frame-size", "imix"),
    _established("lb 100k 1518", "--flows", "100000", "--frame-size", "1518"),
    _established("lb 100k 2 workers", "--flows", "100000", "--workers", "2", "--peers", "none"),
    _established("lb 1k interp", "--flows", "1000", "--backend", "interp", "--peers", "none"),
    Run("first packets", ("lb-first-packet", "--flows", "500000"), True, True),
    Run("policy 1k", ("policy", "--rules", "1000", "--flows", "10000")),
    Run("policy 10k", ("policy", "--rules", "10000", "--flows", "10000"), True, True),
    Run("policy 10k, 1000 masks", ("policy", "--rules", "10000", "--masks", "1000", "--flows", "65536")),
    Run("lpm 10k", ("lpm",), True),
    Run("lpm 500k", ("lpm", "--rules", "500000")),
    Run("lpm ipv6 100k", ("lpm-ipv6",)),
    Run("vxlan 100k", ("vxlan", "--flows", "100000"), True, True),
    Run("latency", ("latency", "--flows", "100000", "--peers", "none")),
    Run("table writes", ("table-writes", "--flows", "1000000")),
    Run("p4runtime", ("p4rt-writes", "--peers", "bmv2")),
    Run("memory 1M", ("memory", "--flows", "1000000")),
    Run("start", ("start", "--peers", "none"), True),
    Run("veth", ("veth", "--peers", "bmv2"), root=True),
    Run("ndr", ("ndr", "--peers", "bmv2", "--seconds", "0.5"), root=True),
)


@dataclass(frozen=True, slots=True)
class Goal:
    """`value` of the answer to the run `key` is to be at least, or at most, `target`."""

    text: str
    key: str
    value: Callable[[Answer], float | None]
    target: float
    unit: str
    direction: Literal["least", "most"] = "least"

    def met(self, value: float) -> bool:
        return value >= self.target if self.direction == "least" else value <= self.target

    def part(self, value: float) -> float:
        """How much of the goal is reached: 1 is all of it."""
        return value / self.target if self.direction == "least" else self.target / max(value, 1e-12)


def _mpps(answer: Answer) -> float | None:
    return _number(answer.get("mpps"))


def _figure(name: str, scale: float = 1.0) -> Callable[[Answer], float | None]:
    def value(answer: Answer) -> float | None:
        found = _number(answer.get(name))
        return None if found is None else found * scale

    return value


def _ratio(first: str, last: str) -> Callable[[Answer], float | None]:
    def value(answer: Answer) -> float | None:
        above, below = _number(answer.get(first)), _number(answer.get(last))
        return above / below if above and below else None

    return value


def _of(peer: str) -> Callable[[Answer], float | None]:
    """The median of our samples over the peer's, trial by trial: they shared the noise."""

    def value(answer: Answer) -> float | None:
        other = answer["peers"].get(peer)
        if not other:
            return None
        ratios = sorted(a / b for a, b in zip(answer["samples"], other["samples"], strict=True) if b)
        return ratios[len(ratios) // 2] if ratios else None

    return value


def _percent_of(peer: str) -> Callable[[Answer], float | None]:
    ratio = _of(peer)

    def value(answer: Answer) -> float | None:
        found = ratio(answer)
        return None if found is None else 100 * found

    return value


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


GOALS = (
    Goal("small load balancer of SWX's kind, 100k flows", "small lb 100k", _mpps, 10, "Mpps"),
    Goal("the same against SWX", "small lb 100k", _of("swx"), 3.5, "× SWX"),
    Goal("whole program, established, 100k flows", "lb 100k", _mpps, 8, "Mpps"),
    Goal("whole program, established, 1M flows", "lb 1M", _mpps, 5, "Mpps"),
    Goal("whole program, established, 10M flows", "lb 10M", _mpps, 2.5, "Mpps"),
    Goal("part of the hand-written floor, 100k flows", "lb 100k", _percent_of("floor"), 40, "%"),
    Goal("part of the hand-written floor, 1M flows", "lb 1M", _percent_of("floor"), 40, "%"),
    Goal("part of the hand-written floor, 10M flows", "lb 10M", _percent_of("floor"), 30, "%"),
    Goal("first packets, both directions learned", "first packets", _mpps, 3, "M connections/s"),
    Goal("L2 exact, 10k entries", "l2-exact 10k", _mpps, 30, "Mpps"),
    Goal("over veth against BMv2, same JSON", "veth", _of("bmv2"), 20, "× BMv2"),
    Goal(
        "policy, 10k rules against 10", "policy 10k", _figure("cycles_ratio_to_10_rules"), 1.5,
        "× cycles", "most",
    ),
    Goal("table writes through the target API, 1M entries", "table writes", _mpps, 0.5, "M writes/s"),
    Goal("writes stay flat: last fifth against first", "table writes", _figure("flatness"), 0.9, "×"),
    Goal("traffic during writes", "table writes", _figure("traffic_kept", 100), 90, "% kept"),
    Goal("P4Runtime inserts, batches of 1,000, to 1M entries", "p4runtime", _mpps, 0.15, "M entries/s"),
    Goal("first 100k against last", "p4runtime", _ratio("first_100k", "last_100k"), 1.2, "×", "most"),
    Goal("P4Runtime writes one by one", "p4runtime", _figure("single_per_s"), 4000, "/s"),
    Goal("the same, 99th percentile", "p4runtime", _figure("single_p99_us", 1e-3), 2, "ms", "most"),
    Goal("P4Runtime reading back", "p4runtime", _figure("read_per_s", 1e-6), 0.2, "M entries/s"),
    Goal("idle-timeout notifications", "p4runtime", _figure("idle_notifications_per_s"), 10_000, "/s"),
    Goal("memory, 1M connections", "memory 1M", _figure("megabytes"), 200, "MB", "most"),
    Goal("artifact to first packet, cold", "start", _figure("cold_s"), 2.5, "s", "most"),
    Goal("artifact to first packet, cached", "start", _figure("cached_s"), 0.3, "s", "most"),
    Goal("two workers against one", "lb 100k 2 workers", _figure("ratio_to_1_worker"), 1.9, "×"),
)  # fmt: skip
