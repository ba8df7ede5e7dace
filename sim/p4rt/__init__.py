"""The one door to P4Runtime's protobuf and gRPC stubs.

Out: `p4r` (p4runtime.proto), `p4i` (p4info.proto), `p4d` (p4data.proto), `p4t` (p4types.proto), `p4r_grpc`
(the service), `rpc_code` and `rpc_status` (google.rpc), `stratum_role` (Stratum's role configuration).
Called by the few files that may speak protobuf: p4nic.load.p4info, p4nic.server, lbctl.p4client.

The stubs are finsy's: it keeps them current, whereas the `p4runtime` package on PyPI does not import under
protobuf 4 and later.
"""

from finsy.proto import p4d, p4i, p4r, p4r_grpc, p4t, rpc_code, rpc_status
from finsy.proto.stratum1 import p4_role_config_pb2 as stratum_role

__all__ = ["p4d", "p4i", "p4r", "p4r_grpc", "p4t", "rpc_code", "rpc_status", "stratum_role"]
