// SPDX-License-Identifier: Apache-2.0
// Parsing: lookahead, advance, verify with an error of one's own, NoMatch, PacketTooShort, select on several fields with
// masks and ranges. The control reports the error and lets the packet go on.

#include <core.p4>
#include <v1model.p4>

error { BadMark, Unlikely }
header op_t { bit<8> code; bit<8> report; }
header mark_t { bit<4> high; bit<4> low; }
header big_t { bit<32> data; }
struct headers_t { op_t op; mark_t mark; big_t big; }
struct meta_t { bit<16> ahead; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.op);
        transition select(h.op.code) {
            1: look; 2: skip; 3: check; 4: too_short; 5 .. 7: pair; 0xf0 &&& 0xf0: accept;
        }
    }
    state look { m.ahead = p.lookahead<bit<16>>(); transition accept; }
    state skip { p.advance(16); p.extract(h.mark); transition accept; }
    state check { p.extract(h.mark); verify(h.mark.high == 5, error.BadMark); transition too_short; }
    state too_short { p.extract(h.big); transition accept; }
    state pair {
        p.extract(h.mark);
        transition select(h.mark.high, h.mark.low) {
            (1, 2): too_short;
            (1, _): accept;
            (_, 0 .. 3): reject;
        }
    }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (s.parser_error == error.NoError) { h.op.report = 0x01; }
        if (s.parser_error == error.PacketTooShort) { h.op.report = 0x02; }
        if (s.parser_error == error.NoMatch) { h.op.report = 0x03; }
        if (s.parser_error == error.BadMark) { h.op.report = 0x04; }
        if (m.ahead != 0) { h.op.report = m.ahead[7:0]; }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.op); p.emit(h.mark); p.emit(h.big); } }

#include "include/v1_shell.p4"
