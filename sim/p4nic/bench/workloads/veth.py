"""Established connections through the shipped load balancer's BMv2 JSON between two veth pairs, next to real
BMv2: same JSON, same entries, same frames. Frames are sent as fast as the kernel takes them; what comes out
meanwhile counts, by the wall clock. Needs root."""

from __future__ import annotations

from p4nic.bench import wired
from p4nic.bench.api import Measured, Options, Progress, Result, Sample
from p4nic.bench.traffic import BURST

NAME = "veth"
ABOUT = "over veth pairs (root), the BMv2 JSON, next to BMv2 (--flows: 1,000; --frame-size)"


def run(options: Options, progress: Progress) -> Result:
    """Mpps by the wall clock; `figures` has those of the target's CPU time."""
    flows = max((options.flows or 1000) // BURST, 1) * BURST
    samples: dict[str, list[Sample]] = {}
    with wired.targets(options, flows, progress) as (made, absent):
        for trial in range(options.trials):
            for name, target in made.items():
                sent = target.trial(options.seconds)
                wall = round(sent.seconds * 1e9)
                samples.setdefault(name, []).append(Sample(sent.received, round(sent.cpu * 1e9), wall))
            told = ", ".join(f"{n} {taken[-1].wall_million_per_s:.3g} Mpps" for n, taken in samples.items())
            progress(f"trial {trial + 1} of {options.trials}: {told}")
    measured = {name: Measured.of_wall(taken) for name, taken in samples.items()}
    peers = {name: found for name, found in measured.items() if name != options.backend}
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result(NAME, options.backend, measured[options.backend], peers, absent, parameters)
