// SPDX-License-Identifier: Apache-2.0
// What `p4nic bench p4rt-writes` fills over P4Runtime (v1model, so that BMv2 runs it too): flows by a 5-field exact key
// with two parameters, and a table whose entries age.

#include <core.p4>
#include <v1model.p4>

header flow_t {
    bit<32> src;
    bit<32> dst;
    bit<8> protocol;
    bit<16> sport;
    bit<16> dport;
}
struct headers_t { flow_t flow; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.flow); transition accept; }
}
control Check(inout headers_t h, inout meta_t m) { apply { } }
control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    action send(bit<32> dst, bit<16> dport) { h.flow.dst = dst; h.flow.dport = dport; }
    action miss() { }
    table flows {
        key = {
            h.flow.src: exact;
            h.flow.dst: exact;
            h.flow.protocol: exact;
            h.flow.sport: exact;
            h.flow.dport: exact;
        }
        actions = { send; miss; }
        default_action = miss();
        size = 2097152;
    }
    table ages {
        key = { h.flow.src: exact; }
        actions = { miss; }
        default_action = miss();
        support_timeout = true;
        size = 131072;
    }
    apply {
        s.egress_spec = 1;
        flows.apply();
        ages.apply();
    }
}
control Out(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
control Fill(inout headers_t h, inout meta_t m) { apply { } }
control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.flow); } }

V1Switch(Parse(), Check(), Main(), Out(), Fill(), Deparse()) main;
