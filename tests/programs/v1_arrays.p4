// SPDX-License-Identifier: Apache-2.0
// Registers and counters, indirect and direct, of all units; an index beyond the end changes nothing.

#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> op; bit<8> index; bit<32> value; }
struct headers_t { data_t d; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    register<bit<32>>(16) totals;
    counter(16, CounterType.packets_and_bytes) both;
    direct_counter(CounterType.packets_and_bytes) per_entry;
    action add_up() {
        bit<32> old;
        totals.read(old, (bit<32>) h.d.index);
        h.d.value = old + h.d.value;
        totals.write((bit<32>) h.d.index, h.d.value);
    }
    action count_it() { both.count((bit<32>) h.d.index); }
    action marked(bit<8> mark) { h.d.index = mark; }
    table counted {
        key = { h.d.index: exact; }
        actions = { marked; NoAction; }
        counters = per_entry;
        default_action = NoAction();
    }
    apply {
        s.egress_spec = 1;
        if (h.d.op == 1) { add_up(); }
        if (h.d.op == 2) { count_it(); }
        if (h.d.op == 3) { counted.apply(); }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); } }

#include "include/v1_shell.p4"
