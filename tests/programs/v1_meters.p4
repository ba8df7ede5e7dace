// SPDX-License-Identifier: Apache-2.0
// Meters: indirect by packets, direct by bytes. The colour is written into the packet: 0 green, 1 yellow, 2 red.

#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> op; bit<8> index; bit<8> color; }
struct headers_t { data_t d; }
struct meta_t { bit<2> color; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    meter(8, MeterType.packets) by_index;
    direct_meter<bit<2>>(MeterType.bytes) by_entry;
    action measured() { by_entry.read(m.color); }
    table metered {
        key = { h.d.index: exact; }
        actions = { measured; NoAction; }
        meters = by_entry;
        default_action = NoAction();
    }
    apply {
        s.egress_spec = 1;
        if (h.d.op == 1) {
            by_index.execute_meter((bit<32>) h.d.index, m.color);
        } else {
            metered.apply();
        }
        h.d.color = (bit<8>) m.color;
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); } }

#include "include/v1_shell.p4"
