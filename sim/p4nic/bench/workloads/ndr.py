"""The highest rate without loss (NDR) and with at most half a percent of it (PDR), over veth pairs, found by
MLRsearch (RFC 2544's question, the search of FD.io's CSIT; PyPI `MLRsearch`). Needs root."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from p4nic.bench import wired
from p4nic.bench.api import BenchError, Measured, Options, Progress, Result, round_to
from p4nic.bench.traffic import BURST

NAME = "ndr"
ABOUT = "highest rate over veth (root) without loss and with 0.5 % of it, by MLRsearch"
LOSS = {"ndr": 0.0, "pdr": 0.005}
LOWEST_PER_S = 500.0
WIDTH = 0.05
UNIT = "Mpps (NDR, wall clock)"


def run(options: Options, progress: Progress) -> Result:
    """`mpps` is the NDR of each target; `figures` has the PDR and how long was searched."""
    if find_spec("MLRsearch") is None:
        raise BenchError("the search is not installed: .venv/bin/pip install MLRsearch")
    flows = max((options.flows or 1000) // BURST, 1) * BURST
    measured: dict[str, Measured] = {}
    with wired.targets(options, flows, progress) as (made, absent):
        for name, target in made.items():
            most = target.trial(options.seconds)
            highest = max(3 * most.received / most.seconds, 4 * LOWEST_PER_S)
            found = _search(name, target, highest, options.seconds, progress)
            rate = found["ndr"] / 1e6
            figures = {"pdr_mpps": round_to(found["pdr"] / 1e6)}
            measured[name] = Measured(rate, (rate,), UNIT, None, (), figures)
    peers = {name: found for name, found in measured.items() if name != options.backend}
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result(NAME, options.backend, measured[options.backend], peers, absent, parameters)


def _search(
    name: str, target: wired.Wired, highest: float, seconds: float, progress: Progress
) -> dict[str, float]:
    """Frames a second by the names of LOSS; 0 where even the lowest rate loses more."""
    import MLRsearch

    class Measurer(MLRsearch.AbstractMeasurer):  # type: ignore[misc]
        def measure(self, intended_duration: float, intended_load: float) -> Any:
            sent = target.trial(intended_duration, intended_load)
            told = f"{sent.offered - sent.received} of {sent.offered} lost"
            progress(f"{name}: {intended_load:,.0f}/s for {intended_duration:.2g} s: {told}")
            return MLRsearch.MeasurementResult(
                intended_duration=intended_duration,
                intended_load=intended_load,
                offered_count=sent.offered,
                forwarding_count=min(sent.received, sent.offered),
            )

    goals = [
        MLRsearch.SearchGoal(
            loss_ratio=loss, exceed_ratio=0.5, relative_width=WIDTH, initial_trial_duration=seconds / 2,
            final_trial_duration=seconds, duration_sum=2 * seconds, expansion_coefficient=2,
        )
        for loss in LOSS.values()
    ]  # fmt: skip
    config = MLRsearch.Config(
        goals=goals, min_load=LOWEST_PER_S, max_load=highest, search_duration_max=60.0 + 60 * seconds,
        warmup_duration=seconds / 4,
    )  # fmt: skip
    results = MLRsearch.MultipleLossRatioSearch(config=config).search(Measurer(), debug=lambda _: None)
    return {
        goal_name: float(getattr(results[goal], "conditional_throughput", 0.0) or 0.0)
        for goal_name, goal in zip(LOSS, goals, strict=True)
    }
