"""The one door to P4Runtime's protobuf and gRPC stubs.

Out: `p4r` (p4runtime.proto), `p4i` (p4info.proto), `p4d` (p4data.proto), `p4t` (p4types.proto), `p4r_grpc`
(the service), `rpc_code` and `rpc_status` (google.rpc). Called by the few files that may speak protobuf:
p4nic.load.p4info, p4nic.server, lbctl.p4client.

The stubs are finsy's: it keeps them current, whereas the `p4runtime` package on PyPI does not import under
protobuf 4 and later.
"""

from finsy.proto import p4d, p4i, p4r, p4r_grpc, p4t, rpc_code, rpc_status

__all__ = ["p4d", "p4i", "p4r", "p4r_grpc", "p4t", "rpc_code", "rpc_status"]
