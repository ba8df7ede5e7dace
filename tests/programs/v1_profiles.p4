// SPDX-License-Identifier: Apache-2.0
// Action profile and action selector: tables that point to members and groups, two tables that share a profile.

#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> op; bit<8> key; bit<16> flow; bit<8> result; }
struct headers_t { data_t d; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    action set(bit<8> v) { h.d.result = v; }
    action_profile(8) plain;
    @name("chosen") action_selector(HashAlgorithm.crc16, 32w16, 32w16) chosen;
    table direct_one {
        key = { h.d.key: exact; }
        actions = { set; NoAction; }
        implementation = plain;
    }
    table selected {
        key = { h.d.key: exact; h.d.flow: selector; }
        actions = { set; NoAction; }
        implementation = chosen;
    }
    apply {
        s.egress_spec = 1;
        if (h.d.op == 1) { direct_one.apply(); } else { selected.apply(); }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); } }

#include "include/v1_shell.p4"
