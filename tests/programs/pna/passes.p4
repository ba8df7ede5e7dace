// SPDX-License-Identifier: Apache-2.0
// Recirculation: a packet goes round until `rounds` is 0. It notes the number of the last pass and how much metadata
// gathered on the way; only the first pass chooses a port.

#include <core.p4>
#include "nic.p4"

header request_t {
    bit<8> rounds;
    bit<8> pass;
    bit<8> gathered;
    bit<32> port;
}

struct headers_t {
    request_t request;
}

struct meta_t {
    bit<8> gathered;
}

parser Parse(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        pkt.extract(hdr.request);
        transition accept;
    }
}

control Main(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
             inout pna_main_output_metadata_t ostd) {
    apply {
        if (istd.pass == (PassNumber_t)0) {
            send_to_port((PortId_t)hdr.request.port);
        }
        meta.gathered = meta.gathered + 5;
        hdr.request.gathered = meta.gathered;
        hdr.request.pass = (bit<8>)(PassNumberUint_t)istd.pass;
        if (hdr.request.rounds != 0) {
            hdr.request.rounds = hdr.request.rounds - 1;
            recirculate();
        }
    }
}

control Deparse(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply { pkt.emit(hdr.request); }
}

#include "shell.p4"
