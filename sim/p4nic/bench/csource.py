"""The benchmarks' own C (folder `c/`), compiled once and cached like any unit: frames, and the floor.

Out: a cffi library. Called by `lb` (frames of many flows) and `floor`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from p4nic import ccompiler
from p4nic.backend.native import compiler
from p4nic.backend.native.declarations import MEASURING

FILES = ("frames.h", "floor_table.h", "floor.h", "floor_api.h", "wire.h")
_HEAD = """#define _GNU_SOURCE
#include "p4nic_timing.h"
#include <unistd.h>
#define API __attribute__((visibility("default"))) extern
"""
_DECLARATIONS = (
    MEASURING
    + """
typedef struct { uint64_t smac, dmac, inner_dmac; uint32_t port, deliver, local_vtep, remote_vtep, vni;
} route_t;
typedef struct floor floor_t;
void make_frames(uint8_t *out, uint64_t stride, const uint8_t *pattern, uint32_t length, uint32_t at,
    uint32_t address_at, uint32_t port_at, uint32_t checksum_at, const uint32_t *order, uint64_t count,
    uint32_t base, uint32_t ports);
floor_t *floor_create(uint64_t flows);
void floor_destroy(floor_t *f);
void floor_port(floor_t *f, uint32_t port, uint32_t role, uint32_t pod_ip);
void floor_tunnel(floor_t *f, uint32_t vtep, uint32_t peer, uint32_t vni);
void floor_service(floor_t *f, uint32_t vip, uint32_t proto, uint32_t port, uint32_t id, uint32_t mask);
void floor_endpoint(floor_t *f, uint32_t id, uint32_t bucket, uint32_t ip, uint32_t port);
int floor_route(floor_t *f, uint32_t prefix, uint32_t length, const route_t *route);
uint64_t floor_flows(const floor_t *f);
uint32_t floor_one(floor_t *f, const uint8_t *data, uint32_t length, uint32_t port, uint64_t now_ns,
    uint8_t *out, uint32_t *out_port);
int wire_open(uint32_t interface);
void wire_close(int fd);
void wire_send(int fd, const p4_traffic_t *t, uint32_t first, double per_ns, uint64_t nanoseconds,
    p4_timing_t *out);
void floor_bench(floor_t *f, const p4_traffic_t *t, uint32_t first, uint64_t rounds, uint64_t nanoseconds,
    uint64_t now_ns, p4_timing_t *out);
"""
)


def has_compiler() -> bool:
    """Without one there are neither millions of frames nor a floor."""
    return bool(compiler.compiler())


@cache
def library() -> tuple[Any, Any]:
    """(ffi, library); CompilerError if it cannot be compiled."""
    folder = Path(__file__).parent / "c"
    text = _HEAD + "\n".join((folder / name).read_text("utf-8") for name in FILES)
    return ccompiler.load(compiler.shared_object(text, ("-O3",)), _DECLARATIONS)
