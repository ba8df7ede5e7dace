// SPDX-License-Identifier: Apache-2.0
// A header union, alone and in a stack: one member valid at a time, in the parser and in the control.

#include <core.p4>
#include <v1model.p4>

header op_t { bit<8> kind; bit<8> code; }
header short_t { bit<8> a; }
header long_t { bit<24> a; }
header_union either_t { short_t s; long_t l; }
struct headers_t { op_t op; either_t one; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.op);
        transition select(h.op.kind) { 1: take_short; 2: take_long; default: accept; }
    }
    state take_short { p.extract(h.one.s); transition accept; }
    state take_long { p.extract(h.one.l); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (h.op.code == 1) {
            h.one.s.setValid();
            h.one.s.a = 0xaa;
        } else if (h.op.code == 2) {
            h.one.l.setValid();
            h.one.l.a = 0xbbbbbb;
        } else if (h.op.code == 3) {
            h.one.s.setInvalid();
        }
        if (h.one.isValid()) {
            h.op.kind = h.op.kind | 0x80;
        }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.op); p.emit(h.one); } }

#include "include/v1_shell.p4"
