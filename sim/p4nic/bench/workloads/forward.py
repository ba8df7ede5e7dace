"""Frames out of the other port of a pair, nothing looked up: what an engine costs before the program does
anything."""

from __future__ import annotations

from p4nic.bench import programs
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.lb import ACK, frame_lengths, tcp_frame
from p4nic.bench.peers import NO_FLOOR, engines
from p4nic.bench.traffic import Traffic

NAME = "forward"
ABOUT = "frames out of the other port of a pair, nothing looked up (--frame-size)"
FRAMES = 1024


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    lengths = frame_lengths(options.frame_size)
    traffic = Traffic.of(
        (i % 2, tcp_frame(1 + i, 2, 3, 4, ACK, lengths[i % len(lengths)])) for i in range(FRAMES)
    )
    program = programs.load("forward")
    with engines(options, program, [], 0, {}, progress, unfit=NO_FLOOR) as found:
        measured = found.measure(traffic, options, progress)
    return Result.of(NAME, found, measured, {"frame_size": options.frame_size, "workers": options.workers})
