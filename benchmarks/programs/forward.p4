// SPDX-License-Identifier: Apache-2.0
// Out of the other port of a pair, nothing looked up: what an engine costs before the program does anything.

#include <core.p4>
#define send_to_port(parameter) send_to_port(in parameter)
#include <dpdk/pna.p4>
#undef send_to_port
#include "headers.p4"

struct headers_t {
    ethernet_t ethernet;
}

struct meta_t {
    bit<32> port;
}

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        pkt.extract(hdr.ethernet);
        transition accept;
    }
}

control Pre(in headers_t hdr, inout meta_t meta, in pna_pre_input_metadata_t istd,
            inout pna_pre_output_metadata_t ostd) {
    apply { }
}

control Main(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
             inout pna_main_output_metadata_t ostd) {
    apply {
        meta.port = (bit<32>)(PortIdUint_t)istd.input_port;
        meta.port = meta.port ^ 1;
        send_to_port((PortId_t)(PortIdUint_t)meta.port);
    }
}

control D(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply {
        pkt.emit(hdr.ethernet);
    }
}

PNA_NIC(P(), Pre(), Main(), D()) main;
