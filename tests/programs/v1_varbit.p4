// SPDX-License-Identifier: Apache-2.0
// A varbit field: two-argument extract, copied with its length, compared; a length beyond the maximum is a parser error.

#include <core.p4>
#include <v1model.p4>

header fixed_t { bit<8> units; bit<8> mark; }
header options_t { bit<8> tag; varbit<64> data; bit<8> tail; }
struct headers_t { fixed_t fixed; options_t first; options_t second; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start {
        p.extract(h.fixed);
        p.extract(h.first, ((bit<32>) h.fixed.units) * 16);
        transition accept;
    }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    apply {
        s.egress_spec = 1;
        if (s.parser_error == error.HeaderTooShort) {
            h.fixed.mark = 0xee;
        } else if (s.parser_error == error.PacketTooShort) {
            h.fixed.mark = 0xdd;
        } else if (h.fixed.mark == 1) {
            h.second = h.first;
            h.second.tag = 0x22;
        }
    }
}

control Deparse(packet_out p, in headers_t h) {
    apply { p.emit(h.fixed); p.emit(h.first); p.emit(h.second); }
}

#include "include/v1_shell.p4"
