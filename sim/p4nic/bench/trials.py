"""Trials, taken in turn: A B A B, so that what else the machine does is shared by those compared.

In: for each engine a callable that works for about so many seconds and returns a Sample. Out: its Measured.
Called by the workloads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from p4nic.bench.api import Measured, Options, Progress, Sample

Subject = Callable[[float], Sample]


def take_turns(
    subjects: Mapping[str, Subject], options: Options, progress: Progress, unit: str = "Mpps"
) -> dict[str, Measured]:
    """`options.trials` trials of each, after a short one that warms caches and is thrown away."""
    found: dict[str, list[Sample]] = {name: [] for name in subjects}
    for subject in subjects.values():
        subject(min(options.seconds, 0.2))
    for trial in range(options.trials):
        told = []
        for name, subject in subjects.items():
            found[name].append(subject(options.seconds))
            told.append(f"{name} {found[name][-1].million_per_s:.3g} {unit}")
        progress(f"trial {trial + 1} of {options.trials}: {', '.join(told)}")
    return {name: Measured.of(samples, unit) for name, samples in found.items()}
