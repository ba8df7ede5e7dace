// SPDX-License-Identifier: Apache-2.0
// Match kinds: exact, lpm, ternary, range and optional, priorities, const entries, validity as a key, hit and miss,
// action_run, default actions with arguments.

#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> op; bit<8> result; bit<32> a; bit<16> b; }
header extra_t { bit<8> x; }
struct headers_t { data_t d; extra_t e; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition select(h.d.op) { 0x40 &&& 0x40: extra; default: accept; } }
    state extra { p.extract(h.e); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    action set(bit<8> v) { h.d.result = v; }
    action other(bit<8> v) { h.d.result = v | 0x80; }
    table by_exact { key = { h.d.a: exact; h.d.b: exact; } actions = { set; other; } default_action = set(0xee); }
    table by_lpm { key = { h.d.a: lpm; } actions = { set; NoAction; } default_action = NoAction(); }
    table by_ternary { key = { h.d.a: ternary; h.e.isValid(): exact @name("extra"); } actions = { set; NoAction; } default_action = NoAction(); }
    table by_range { key = { h.d.b: range; } actions = { set; NoAction; } default_action = NoAction(); }
    table by_optional { key = { h.d.b: optional; } actions = { set; NoAction; } default_action = NoAction(); }
    table fixed {
        key = { h.d.a: lpm; h.d.b: ternary; }
        actions = { set; NoAction; }
        const entries = {
            (0x0a000000 &&& 0xff000000, 0x0001): set(1);
            (0x0a0a0000 &&& 0xffff0000, _): set(2);
            (_, 0x00ff &&& 0x00ff): set(3);
        }
        default_action = NoAction();
    }
    apply {
        s.egress_spec = 1;
        bit<8> op = h.d.op & 0x3f;
        if (op == 1) {
            switch (by_exact.apply().action_run) {
                other: { h.d.op = 0xaa; }
                default: { }
            }
        } else if (op == 2) {
            if (!by_lpm.apply().hit) { h.d.op = 0xbb; }
        } else if (op == 3) {
            by_ternary.apply();
        } else if (op == 4) {
            by_range.apply();
        } else if (op == 5) {
            by_optional.apply();
        } else if (op == 6) {
            fixed.apply();
        }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); p.emit(h.e); } }

#include "include/v1_shell.p4"
