// SPDX-License-Identifier: Apache-2.0
// What leaves the data plane otherwise: digests of two kinds, log_msg, assert and assume; and random, timestamps and the
// length of the packet, which come into it.

#include <core.p4>
#include <v1model.p4>
#define HAS_OUT

header data_t { bit<8> op; bit<8> a; bit<32> b; }
struct headers_t { data_t d; }
struct seen_t { bit<8> a; bit<32> b; }
struct port_t { bit<9> port; }
struct meta_t { bit<48> arrival; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        m.arrival = s.ingress_global_timestamp;
        if (h.d.op == 1) { digest<seen_t>(1, { h.d.a, h.d.b }); }
        if (h.d.op == 2) { digest<port_t>(1, { s.ingress_port }); }
        if (h.d.op == 3) { log_msg("a is {}, b is {}", { h.d.a, h.d.b }); assert(h.d.a == 1); assume(h.d.b == 1); }
        if (h.d.op == 4) { random(h.d.a, 8w7, 8w9); }
        if (h.d.op == 5) { h.d.b = s.packet_length; }
    }
}

control Out(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        if (h.d.op == 4 && (h.d.a < 7 || h.d.a > 9)) { mark_to_drop(s); }
        if (h.d.op == 4) { h.d.a = 0; }
        if (h.d.op == 6 && s.egress_global_timestamp >= m.arrival && m.arrival > 1000) { h.d.a = 0x66; }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); } }

#include "include/v1_shell.p4"
