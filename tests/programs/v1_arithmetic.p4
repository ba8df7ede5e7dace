// SPDX-License-Identifier: Apache-2.0
// Arithmetic: wrapping, saturating, signed, shifts, concatenation, slices, 128-bit fields, division of constants.

#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> op; bit<8> a; bit<8> b; }
header wide_t { bit<128> x; bit<128> y; }
struct headers_t { data_t d; wide_t w; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition select(h.d.op) { 0x80 &&& 0x80: wide; default: accept; } }
    state wide { p.extract(h.w); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        bit<8> a = h.d.a;
        bit<8> b = h.d.b;
        int<8> sa = (int<8>) a;
        int<8> sb = (int<8>) b;
        if (h.d.op == 0) { h.d.a = a + b; }
        else if (h.d.op == 1) { h.d.a = a - b; }
        else if (h.d.op == 2) { h.d.a = a |+| b; }
        else if (h.d.op == 3) { h.d.a = a |-| b; }
        else if (h.d.op == 4) { h.d.a = (bit<8>) (sa |+| sb); }
        else if (h.d.op == 5) { h.d.a = (bit<8>) (sa |-| sb); }
        else if (h.d.op == 6) { h.d.a = (bit<8>) (sa >> 2); }
        else if (h.d.op == 7) { h.d.a = a >> b; }
        else if (h.d.op == 8) { h.d.a = a << b; }
        else if (h.d.op == 9) { if (sa < sb) { h.d.a = 1; } else { h.d.a = 0; } }
        else if (h.d.op == 10) { h.d.a = a[3:0] ++ b[7:4]; }
        else if (h.d.op == 11) { h.d.a[5:2] = b[3:0]; }
        else if (h.d.op == 12) { h.d.a = a * b; }
        else if (h.d.op == 13) { h.d.a = ~a ^ (a & b) | 8w1; }
        else if (h.d.op == 14) { bit<16> wide = (bit<16>) (int<16>) sa; h.d.a = wide[15:8]; }
        else if (h.d.op == 0x80) { h.w.x = h.w.x + h.w.y; }
        else if (h.d.op == 0x81) { h.w.x = h.w.x - h.w.y; }
        else if (h.d.op == 0x82) { if (h.w.x == h.w.y) { h.d.a = 1; } }
        else if (h.d.op == 0x83) { h.w.x = h.w.x |+| h.w.y; }
        else if (h.d.op == 0x84) { h.w.x = h.w.x[63:0] ++ h.w.y[127:64]; }
        else if (h.d.op == 0x85) { h.w.x = h.w.x << 65; }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); p.emit(h.w); } }

#include "include/v1_shell.p4"
