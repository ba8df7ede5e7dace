"""What each architecture brings along: its metadata, its blocks, and how a program says where a packet goes.

In: nothing. Called by `shape` and `program`.
"""

from __future__ import annotations

from p4nic.ir.ops import Ref
from p4nic.ir.program import Architecture, BlockKind

INTRINSIC: dict[Architecture, dict[str, dict[str, int]]] = {
    "v1model": {
        "standard_metadata": {
            "ingress_port": 9, "egress_spec": 9, "egress_port": 9, "instance_type": 32, "packet_length": 32,
            "enq_timestamp": 32, "enq_qdepth": 19, "deq_timedelta": 32, "deq_qdepth": 19,
            "ingress_global_timestamp": 48, "egress_global_timestamp": 48, "mcast_grp": 16, "egress_rid": 16,
            "checksum_error": 1, "parser_error": 32, "priority": 3,
        },
    },
    "psa": {
        "psa_ingress_parser_input_metadata": {"ingress_port": 32, "packet_path": 32},
        "psa_ingress_input_metadata": {
            "ingress_port": 32, "packet_path": 32, "ingress_timestamp": 64, "parser_error": 32,
        },
        "psa_ingress_output_metadata": {
            "class_of_service": 8, "clone": 1, "clone_session_id": 16, "drop": 1, "resubmit": 1,
            "multicast_group": 32, "egress_port": 32,
        },
        "psa_egress_parser_input_metadata": {"egress_port": 32, "packet_path": 32},
        "psa_egress_input_metadata": {
            "class_of_service": 8, "egress_port": 32, "packet_path": 32, "instance": 16,
            "egress_timestamp": 64, "parser_error": 32,
        },
        "psa_egress_output_metadata": {"clone": 1, "clone_session_id": 16, "drop": 1},
        "psa_egress_deparser_input_metadata": {"egress_port": 32},
    },
    "pna": {
        "pna_main_parser_input_metadata": {"recirculated": 1, "input_port": 32, "pass": 8},
        "pna_main_input_metadata": {
            "recirculated": 1, "timestamp": 64, "parser_error": 32, "class_of_service": 8, "input_port": 32,
            "pass": 8,
        },
        "$pna": {"dropped": 1, "port": 32},
    },
    "swx": {},
}  # fmt: skip

BLOCKS: dict[Architecture, dict[str, BlockKind]] = {
    "v1model": {
        "parser": "parser", "verify_checksum": "control", "ingress": "control", "egress": "control",
        "compute_checksum": "control", "deparser": "deparser",
    },
    "psa": {
        "ingress_parser": "parser", "ingress": "control", "ingress_deparser": "deparser",
        "egress_parser": "parser", "egress": "control", "egress_deparser": "deparser",
    },
    "pna": {"main_parser": "parser", "main_control": "control", "main_deparser": "deparser"},
    "swx": {"pipeline": "pipeline"},
}  # fmt: skip

PORTS: dict[Architecture, Ref] = {
    "v1model": Ref("standard_metadata", "egress_spec"),
    "psa": Ref("psa_ingress_output_metadata", "egress_port"),
    "pna": Ref("$pna", "port"),
    "swx": Ref("m", "byte"),
}
"""Where a program puts the port it wants."""

KEPT: dict[Architecture, Ref] = {"psa": Ref("psa_ingress_output_metadata", "drop")}
"""A field that must be 0 for a packet to go anywhere, and is not at the start."""
