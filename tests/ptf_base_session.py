# mypy: ignore-errors
"""What a PTF author writes on p4c's own base class, as a script, run in a process of its own by its test.

In: the folder of base_test.py, the server's address, the P4Info, the artifact. The base class is used as is,
found at run time, without types; it wants the stubs under their authors' names, which stand for finsy's here.
Out, on stdout: "listening" when packets and time may come, then one JSON object of what the test saw.
"""

import importlib
import json
import os
import sys
import types


def alias_stubs() -> None:
    """`p4` and `google.rpc` as the base class imports them."""
    for name in ("p4", "p4.v1", "p4.config", "p4.config.v1"):
        sys.modules.setdefault(name, types.ModuleType(name)).__path__ = []
    for name in ("p4.config.v1.p4info_pb2", "p4.v1.p4runtime_pb2", "p4.v1.p4runtime_pb2_grpc"):
        package, _, leaf = name.rpartition(".")
        sys.modules[name] = importlib.import_module(f"finsy.proto.{name}")
        setattr(sys.modules[package], leaf, sys.modules[name])
    google = importlib.import_module("google")
    google.rpc = sys.modules["google.rpc"] = importlib.import_module("finsy.proto.google.rpc")
    for leaf in ("code_pb2", "status_pb2"):
        module = importlib.import_module(f"finsy.proto.google.rpc.{leaf}")
        sys.modules[f"google.rpc.{leaf}"] = module
        setattr(google.rpc, leaf, module)


class NoDataplane:
    """Packets come from the server's own test."""

    def flush(self) -> None:
        pass


def main(folder: str, address: str, p4info: str, artifact: str) -> None:
    import ptf
    import ptf.testutils

    ptf.dataplane_instance = NoDataplane()
    parameters = {"grpcaddr": address, "p4info": p4info, "config": artifact, "device_id": 1}
    ptf.config.update({"interfaces": [], "log_dir": None, "log_file": os.devnull})
    ptf.testutils.TEST_PARAMS = parameters
    alias_stubs()
    sys.path.insert(0, folder)
    base = importlib.import_module("base_test")
    p4 = sys.modules["p4.v1.p4runtime_pb2"]

    class Session(base.P4RuntimeTest):
        def runTest(self) -> None:
            seen = {"config": self.updateConfig()}
            key = ("Switch.l2", [self.Exact("dst", 1)])
            self.table_add(key, ("Switch.forward", [("port", 3)]), options={"metadata": b"ptf"})
            try:
                self.table_add(key, ("Switch.drop", []))
            except base.P4RuntimeWriteException as error:
                seen["twice"] = [(e["index"], e["code_name"], e["message"]) for e in error.as_list_of_dicts()]
            acl = [
                self.Ternary("src", 10 << 24, 255 << 24),
                self.Lpm("dst", 10 << 24, 16),
                self.Range("dport", 80, 90),
            ]
            self.table_add(("Switch.acl", acl), ("Switch.drop", []), priority=7)
            self.table_add(("Switch.l2", None), ("Switch.drop", []))
            ecmp = ("Switch.ecmp", [self.Lpm("dst", 10 << 24, 8)])
            self.table_add(ecmp, ("Switch.route_to", [("port", 1), ("dmac", 2)]), options={"oneshot": True})
            self.insert_pre_clone_session(5, [510], packet_length_bytes=64)
            seen["counters"] = len(self.counter_dump_data("Switch.port_counter"))
            seen["direct"] = len(self.counter_dump_data("Switch.l2_counter", direct=True))
            entry = ("Switch.l2", [self.Exact("dst", 0xAA)])
            options = {"idle_timeout_ns": 5_000_000_000}
            self.table_add(entry, ("Switch.to_cpu", [("reason", 9)]), options=options)
            print("listening", flush=True)
            packet = self.get_packet_in(timeout=20)
            seen["packet"] = [packet.payload.hex(), [list(m.value) for m in packet.metadata]]
            idle = self.get_stream_packet("idle_timeout_notification", timeout=20)
            told = idle.idle_timeout_notification.table_entry
            seen["idle"] = [list(e.match[0].exact.value) for e in told]
            out = p4.PacketOut(payload=b"frame")
            for number, value in ((1, b"\x06"), (2, b"\0")):
                out.metadata.add(metadata_id=number, value=value)
            self.send_packet_out(out)
            self.undo_write_requests(self._reqs)
            print(json.dumps(seen), flush=True)

    session = Session()
    session.setUp()
    try:
        session.runTest()
    finally:
        session.tearDown()


if __name__ == "__main__":
    main(*sys.argv[1:])
