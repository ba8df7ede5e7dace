// SPDX-License-Identifier: Apache-2.0
// verify_checksum, update_checksum and update_checksum_with_payload, each under its condition.

#include <core.p4>
#include <v1model.p4>
#define HAS_CHECK
#define HAS_FILL

header data_t { bit<8> mode; bit<8> verdict; bit<16> a; bit<16> sum; }
header more_t { bit<16> b; bit<16> sum; }
struct headers_t { data_t d; more_t m; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition select(h.d.mode) { 3: more; default: accept; } }
    state more { p.extract(h.m); transition accept; }
}

control Check(inout headers_t h, inout meta_t m) {
    apply { verify_checksum(h.d.mode == 1, { h.d.mode, 8w0, h.d.a }, h.d.sum, HashAlgorithm.csum16); }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        h.d.verdict = (bit<8>) s.checksum_error;
    }
}

control Fill(inout headers_t h, inout meta_t m) {
    apply {
        update_checksum(h.d.mode == 2, { h.d.mode, h.d.verdict, h.d.a }, h.d.sum, HashAlgorithm.csum16);
        update_checksum_with_payload(h.m.isValid(), { h.m.b }, h.m.sum, HashAlgorithm.csum16);
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); p.emit(h.m); } }

#include "include/v1_shell.p4"
