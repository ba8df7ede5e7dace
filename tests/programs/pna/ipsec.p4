// SPDX-License-Identifier: Apache-2.0
// DPDK's inline IPsec (p4c-dpdk only): p4nic declares the extern and refuses it by name.

#include <core.p4>
#include <dpdk/pna.p4>

header request_t {
    bit<32> association;
}

struct headers_t {
    request_t request;
}

struct meta_t {
    bit<32> association;
}

parser Parse(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        pkt.extract(hdr.request);
        transition accept;
    }
}

control Main(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
             inout pna_main_output_metadata_t ostd) {
    ipsec_accelerator() ipsec;

    apply {
        ipsec.set_sa_index<bit<32>>(hdr.request.association);
        ipsec.enable();
        send_to_port((PortId_t)1);
    }
}

control Deparse(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply { pkt.emit(hdr.request); }
}

#include "shell.p4"
