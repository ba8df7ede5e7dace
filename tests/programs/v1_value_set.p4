// SPDX-License-Identifier: Apache-2.0
// Parser value sets: of one field, and of two, filled at run time.

#include <core.p4>
#include <v1model.p4>

struct pair_t { bit<8> a; bit<8> b; }
header bytes_t { bit<8> a; bit<8> b; bit<8> result; }
struct headers_t { bytes_t x; }
struct meta_t { bit<8> seen; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    value_set<bit<8>>(4) singles;
    value_set<pair_t>(4) pairs;
    state start {
        p.extract(h.x);
        transition select(h.x.a) { singles: single; 0x10 &&& 0xf0: fixed; default: second; }
    }
    state second {
        transition select(h.x.a, h.x.b) { pairs: pair; default: accept; }
    }
    state single { m.seen = 1; transition accept; }
    state fixed { m.seen = 2; transition accept; }
    state pair { m.seen = 3; transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply { s.egress_spec = 1; h.x.result = m.seen; }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.x); } }

#include "include/v1_shell.p4"
