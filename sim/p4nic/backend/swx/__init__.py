"""The backend `swx`: the real P4-DPDK target, DPDK's own SWX pipeline, behind the Pipeline protocol.

`shim/` is a small C program around Debian's libdpdk; `shim.py` compiles it, `process.py` runs it, `wire.py`
speaks to it; `layout.py` turns names and numbers into DPDK's bytes; `tables.py`, `learners.py` and
`arrays.py` are state; `pipeline.py` is the protocol. Called by `cli.common`.
"""

from p4nic.backend.swx.pipeline import SwxBackend, SwxPipeline

__all__ = ["SwxBackend", "SwxPipeline"]
