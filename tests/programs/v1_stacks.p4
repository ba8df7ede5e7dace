// SPDX-License-Identifier: Apache-2.0
// Header stacks: next, last and lastIndex in the parser; push_front, pop_front, a run-time index, validity and whole-stack
// copies in the control. The first byte chooses what is done.

#include <core.p4>
#include <v1model.p4>

header op_t { bit<8> code; bit<8> index; }
header item_t { bit<7> value; bit<1> more; }
struct headers_t { op_t op; item_t[4] items; item_t[4] copy; }
struct meta_t { bit<8> last; bit<32> count; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.op); transition item; }
    state item {
        p.extract(h.items.next);
        m.last = h.items.last.value ++ h.items.last.more;
        m.count = h.items.lastIndex;
        transition select(h.items.last.more) { 1: item; default: accept; }
    }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (h.op.code == 0) {
            h.op.index = m.last;
        } else if (h.op.code == 1) {
            h.items.push_front(1);
            h.items[0].setValid();
            h.items[0].value = 0x55;
            h.items[0].more = 1;
        } else if (h.op.code == 2) {
            h.items.pop_front(2);
        } else if (h.op.code == 3) {
            h.items[h.op.index].value = 0x7f;
        } else if (h.op.code == 4) {
            h.copy = h.items;
            h.items[1].setInvalid();
        } else if (h.op.code == 5) {
            h.op.index = (bit<8>) m.count;
        }
    }
}

control Deparse(packet_out p, in headers_t h) {
    apply { p.emit(h.op); p.emit(h.items); p.emit(h.copy); }
}

#include "include/v1_shell.p4"
