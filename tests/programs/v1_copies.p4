// SPDX-License-Identifier: Apache-2.0
// Copies and second passes: clone in ingress and egress with preserved fields, resubmit, recirculate, multicast, truncate.

#include <core.p4>
#include <v1model.p4>
#define HAS_OUT

header data_t { bit<8> op; bit<8> instance; bit<8> kept; bit<8> rid; }
struct headers_t { data_t d; }
struct meta_t { @field_list(1) bit<8> kept; bit<8> lost; bit<8> second; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (s.instance_type != 0) {
            s.egress_spec = 3;      // resubmitted or recirculated: a second pass, which only ingress is told
            m.second = (bit<8>) s.instance_type;
        } else {
            m.kept = 0x5a;
            m.lost = 0xa5;
            if (h.d.op == 1) { clone_preserving_field_list(CloneType.I2E, 7, 1); h.d.op = 0x91; }
            if (h.d.op == 3) { resubmit_preserving_field_list(1); h.d.op = 0x93; }
            if (h.d.op == 5) { s.mcast_grp = 9; }
            if (h.d.op == 6) { mark_to_drop(s); }
            if (h.d.op == 7) { truncate(3); }
        }
    }
}

control Out(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        h.d.instance = (bit<8>) s.instance_type | m.second;
        h.d.kept = m.kept | m.lost;
        h.d.rid = (bit<8>) s.egress_rid;
        if (s.instance_type == 0) {
            if (h.d.op == 2) { clone_preserving_field_list(CloneType.E2E, 7, 1); h.d.op = 0x92; }
            if (h.d.op == 4) { recirculate_preserving_field_list(1); h.d.op = 0x94; }
        }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); } }

#include "include/v1_shell.p4"
