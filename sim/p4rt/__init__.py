"""The one door to P4Runtime's protobuf and gRPC stubs.

Out: `p4r` (p4runtime.proto), `p4i` (p4info.proto), `p4d` (p4data.proto), `p4t` (p4types.proto), `p4r_grpc`
(the service), `rpc_code` and `rpc_status` (google.rpc), `stratum_role` (Stratum's role configuration).
Called by the few files that may speak protobuf: p4nic.load.p4info, p4nic.server, lbctl.p4client.

The stubs are finsy's: it keeps them current, whereas the `p4runtime` package on PyPI does not import under
protobuf 4 and later. They are imported from its folder, each when it is asked for: `import finsy` has asyncio
and gRPC imported, for which who only reads a P4Info would wait ten times as long. Where finsy
is imported as well, the messages are the same classes: protobuf makes one of each descriptor.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finsy.proto import p4d, p4i, p4r, p4r_grpc, p4t, rpc_code, rpc_status
    from finsy.proto.stratum1 import p4_role_config_pb2 as stratum_role

__all__ = ["p4d", "p4i", "p4r", "p4r_grpc", "p4t", "rpc_code", "rpc_status", "stratum_role"]

_STUBS = {
    "p4d": "p4.v1.p4data_pb2",
    "p4i": "p4.config.v1.p4info_pb2",
    "p4r": "p4.v1.p4runtime_pb2",
    "p4r_grpc": "p4.v1.p4runtime_pb2_grpc",
    "p4t": "p4.config.v1.p4types_pb2",
    "rpc_code": "google.rpc.code_pb2",
    "rpc_status": "google.rpc.status_pb2",
    "stratum_role": "stratum1.p4_role_config_pb2",
}


_FOLDER = f"{__name__}.stubs"
"""finsy/proto, under a name of ours."""


def __getattr__(name: str) -> ModuleType:
    if name not in _STUBS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _FOLDER not in sys.modules:
        finsy = find_spec("finsy")
        if finsy is None:
            raise ModuleNotFoundError("No module named 'finsy'", name="finsy")
        folder = ModuleType(_FOLDER)
        folder.__path__ = [str(Path(place, "proto")) for place in finsy.submodule_search_locations or ()]
        sys.modules[_FOLDER] = folder
    stub = globals()[name] = import_module(f"{_FOLDER}.{_STUBS[name]}")
    return stub
