// SPDX-License-Identifier: Apache-2.0
// Where a packet goes: each bit of `calls` stands for one call, made in this order: 1 drop, 2 send to `first`, 4 drop,
// 8 send to `second`, 16 mirror by slot 1 and session 5, 32 by slot 3 and session 6, 64 by slot 1 and session 6.

#include <core.p4>
#include "nic.p4"

header request_t {
    bit<8> calls;
    bit<32> first;
    bit<32> second;
}

struct headers_t {
    request_t request;
}

struct meta_t {
    bit<8> unused;
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
        if (hdr.request.calls & 16 != 0) {
            mirror_packet((MirrorSlotId_t)1, (MirrorSessionId_t)5);
        }
        if (hdr.request.calls & 32 != 0) {
            mirror_packet((MirrorSlotId_t)3, (MirrorSessionId_t)6);
        }
        if (hdr.request.calls & 64 != 0) {
            mirror_packet((MirrorSlotId_t)1, (MirrorSessionId_t)6);
        }
        if (hdr.request.calls & 1 != 0) {
            drop_packet();
        }
        if (hdr.request.calls & 2 != 0) {
            send_to_port((PortId_t)hdr.request.first);
        }
        if (hdr.request.calls & 4 != 0) {
            drop_packet();
        }
        if (hdr.request.calls & 8 != 0) {
            send_to_port((PortId_t)hdr.request.second);
        }
        hdr.request.calls = 0;
    }
}

control Deparse(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply { pkt.emit(hdr.request); }
}

#include "shell.p4"
