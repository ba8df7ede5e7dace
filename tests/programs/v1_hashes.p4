// SPDX-License-Identifier: Apache-2.0
// Every hash algorithm of v1model that p4c names, with base and modulus.

#include <core.p4>
#include <v1model.p4>

header data_t { bit<8> op; bit<32> in1; bit<16> in2; bit<32> result; }
struct headers_t { data_t d; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        bit<16> r16 = 0;
        if (h.d.op == 1) { hash(h.d.result, HashAlgorithm.crc32, 32w0, { h.d.in1, h.d.in2 }, 64w0x100000000); }
        if (h.d.op == 2) { hash(r16, HashAlgorithm.crc16, 16w0, { h.d.in1, h.d.in2 }, 32w0x10000); h.d.result = (bit<32>) r16; }
        if (h.d.op == 3) { hash(r16, HashAlgorithm.csum16, 16w0, { h.d.in1, h.d.in2 }, 32w0x10000); h.d.result = (bit<32>) r16; }
        if (h.d.op == 4) { hash(r16, HashAlgorithm.xor16, 16w0, { h.d.in1, h.d.in2 }, 32w0x10000); h.d.result = (bit<32>) r16; }
        if (h.d.op == 5) { hash(h.d.result, HashAlgorithm.identity, 32w0, { h.d.in2 }, 64w0x100000000); }
        if (h.d.op == 6) { hash(h.d.result, HashAlgorithm.crc32, 32w100, { h.d.in1, h.d.in2 }, 32w7); }
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); } }

#include "include/v1_shell.p4"
