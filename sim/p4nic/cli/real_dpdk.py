"""`--backend swx` on the command line: what DPDK refuses is explained, what it dies of is kept.

In: arguments, a Program. Out: a Pipeline. Called by `common.build` and `diff`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p4nic.errors import UnsupportedError

if TYPE_CHECKING:
    from p4nic.backend.api import Backend, Options, Pipeline
    from p4nic.ir.program import Program


def build_swx(args: argparse.Namespace, program: Program, options: Options) -> Pipeline:
    """The pipeline; UnsupportedError with the construct DPDK stumbles over, where we know it."""
    from p4nic.backend.swx import SwxBackend
    from p4nic.differential.crash import reporter

    report = reporter(SwxBackend, args.artifact, args.p4info)
    return explained(SwxBackend(report=report), program, options)


def explained(backend: Backend, program: Program, options: Options) -> Pipeline:
    """`backend.build`, its refusal with what `p4nic lint` finds."""
    from p4nic.lint.targets import why_refused

    try:
        return backend.build(program, options)
    except UnsupportedError as error:
        image = program.image
        finding = why_refused(image.text, image.file) if image is not None else None
        if finding is None or "DPDK" not in str(error):
            raise
        what = str(error).partition("; it does not say")[0]
        raise UnsupportedError(
            f"{what}; p4nic lint says: {finding.where}: {finding.what}: {finding.effect}; {finding.instead}"
        ) from None
