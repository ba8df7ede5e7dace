"""Where the load balancer that comes with p4nic is: what p4c made of it.

Out: paths. Called by the command line and the benchmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from p4nic.errors import ArtifactError


@final
@dataclass(frozen=True, slots=True)
class Shipped:
    """Files of the load balancer that comes with p4nic: what to give `load_program`, and the P4Info."""

    paths: tuple[Path, ...]
    p4info: Path


def shipped(kind: Literal["spec", "json"] = "spec") -> Shipped:
    """The load balancer as p4c-dpdk (PNA) or p4c-bm2-ss (v1model) compiled it; ArtifactError if the files
    are missing."""
    names = {
        "spec": (("k8s_lb.spec", "k8s_lb.context.json"), "k8s_lb.pna.p4info.txtpb"),
        "json": (("k8s_lb.json",), "k8s_lb.v1model.p4info.txtpb"),
    }
    files, p4info = names[kind]
    package = Path(__file__).resolve().parents[1]
    # A wheel carries the files inside the package; a checkout has them where `make pipeline` writes them.
    for folder in (package / "shipped", package.parents[1] / "pipeline" / "build"):
        if (folder / files[0]).is_file() and (folder / p4info).is_file():
            return Shipped(tuple(folder / f for f in files if (folder / f).is_file()), folder / p4info)
    raise ArtifactError(
        f"{files[0]} and {p4info} of the shipped load balancer are missing; run `make pipeline` "
        f"or name an artifact"
    )
