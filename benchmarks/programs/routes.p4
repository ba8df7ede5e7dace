// SPDX-License-Identifier: Apache-2.0
// A router's tables: the longest prefix of the IPv4 or IPv6 destination names the port, what has none drops.

#include <core.p4>
#define send_to_port(parameter) send_to_port(in parameter)
#include <dpdk/pna.p4>
#undef send_to_port
#include "headers.p4"

header ipv6_t {
    bit<32> version_class_flow;
    bit<16> payload_len;
    bit<8> next_header;
    bit<8> hop_limit;
    bit<128> src;
    bit<128> dst;
}

struct headers_t {
    ethernet_t ethernet;
    ipv4_t ipv4;
    ipv6_t ipv6;
}

struct meta_t {
    bit<32> port;
}

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        pkt.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            0x0800: ipv4;
            0x86dd: ipv6;
            default: accept;
        }
    }

    state ipv4 {
        pkt.extract(hdr.ipv4);
        transition accept;
    }

    state ipv6 {
        pkt.extract(hdr.ipv6);
        transition accept;
    }
}

control Pre(in headers_t hdr, inout meta_t meta, in pna_pre_input_metadata_t istd,
            inout pna_pre_output_metadata_t ostd) {
    apply { }
}

control Main(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
             inout pna_main_output_metadata_t ostd) {
    action to_port(bit<32> port) {
        meta.port = port;
        send_to_port((PortId_t)(PortIdUint_t)meta.port);
    }

    action unknown() {
        drop_packet();
    }

    table routes4 {
        key = {
            hdr.ipv4.dst: lpm @name("dst");
        }
        actions = {
            to_port;
            @defaultonly unknown;
        }
        const default_action = unknown();
        size = 1048576;
    }

    table routes6 {
        key = {
            hdr.ipv6.dst: lpm @name("dst");
        }
        actions = {
            to_port;
            @defaultonly unknown;
        }
        const default_action = unknown();
        size = 1048576;
    }

    apply {
        if (hdr.ipv4.isValid()) {
            routes4.apply();
        } else if (hdr.ipv6.isValid()) {
            routes6.apply();
        } else {
            drop_packet();
        }
    }
}

control D(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply {
        pkt.emit(hdr.ethernet);
        pkt.emit(hdr.ipv4);
        pkt.emit(hdr.ipv6);
    }
}

PNA_NIC(P(), Pre(), Main(), D()) main;
