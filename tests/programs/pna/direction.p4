// SPDX-License-Identifier: Apache-2.0
// The direction of the input port chooses what is looked up. p4c-bm2-pna refuses SelectByDirection, so there it is
// written out.

#include <core.p4>
#include "nic.p4"

header request_t {
    bit<32> from_net;
    bit<32> from_host;
}

struct headers_t {
    request_t request;
}

struct meta_t {
    bit<32> address;
}

parser Parse(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        pkt.extract(hdr.request);
        transition accept;
    }
}

control Main(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
             inout pna_main_output_metadata_t ostd) {
    action send(PortId_t port) {
        send_to_port(port);
    }

    action drop() {
        drop_packet();
    }

    table route {
        key = { meta.address: exact @name("address"); }
        actions = { send; drop; }
        default_action = drop();
        size = 16;
    }

    apply {
        meta.address = 0;
#ifdef __TARGET_BMV2__
        if (istd.direction == PNA_Direction_t.NET_TO_HOST) {
            meta.address = hdr.request.from_net;
        } else {
            meta.address = hdr.request.from_host;
        }
#else
        meta.address = SelectByDirection(istd.direction, hdr.request.from_net, hdr.request.from_host);
#endif
        route.apply();
    }
}

control Deparse(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply { pkt.emit(hdr.request); }
}

#include "shell.p4"
