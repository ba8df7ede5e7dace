// SPDX-License-Identifier: Apache-2.0
// The kind of load balancer DPDK's SWX is shown with, for comparing engines: a table of VIPs, a learned flow (hit and
// refresh), a table of endpoints, DNAT with incremental IPv4 and TCP checksums. No reverse direction, no policy.

#include <core.p4>
#define send_to_port(parameter) send_to_port(in parameter)
#include <dpdk/pna.p4>
#undef send_to_port
#include "headers.p4"

struct headers_t {
    ethernet_t ethernet;
    ipv4_t ipv4;
    tcp_t tcp;
}

struct meta_t {
    bit<32> k_src;
    bit<32> k_dst;
    bit<8> k_proto;
    bit<16> k_sport;
    bit<16> k_dport;
    bit<8> is_service;
    bit<32> first;
    bit<32> mask;
    bit<32> endpoint_id;
    bit<32> new_dst;
    bit<16> new_dport;
    bit<32> port;
}

struct pinned_args_t {
    bit<32> endpoint_id;
}

parser SmallParser(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        pkt.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            0x0800: parse_ipv4;
            default: accept;
        }
    }

    state parse_ipv4 {
        pkt.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol) {
            6: parse_tcp;
            default: accept;
        }
    }

    state parse_tcp {
        pkt.extract(hdr.tcp);
        transition accept;
    }
}

control SmallPre(in headers_t hdr, inout meta_t meta, in pna_pre_input_metadata_t istd,
                 inout pna_pre_output_metadata_t ostd) {
    apply { }
}

control Small(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
              inout pna_main_output_metadata_t ostd) {
    InternetChecksum() ck;

    action set_service(bit<32> first, bit<32> mask) {
        meta.is_service = 1;
        meta.first = first;
        meta.mask = mask;
    }

    table vip {
        key = {
            hdr.ipv4.dst: exact @name("ip_dst");
        }
        actions = {
            set_service;
            @defaultonly NoAction;
        }
        const default_action = NoAction();
        size = 1024;
    }

    action pinned(bit<32> endpoint_id) {
        meta.endpoint_id = endpoint_id;
        restart_expire_timer();
    }

    action choose() {
        add_entry(action_name = "pinned", action_params = (pinned_args_t){ endpoint_id = meta.endpoint_id },
                  expire_time_profile_id = (ExpireTimeProfileId_t)(bit<8>)5);
    }

    table flows {
        key = {
            meta.k_src: exact @name("src");
            meta.k_dst: exact @name("dst");
            meta.k_proto: exact @name("proto");
            meta.k_sport: exact @name("sport");
            meta.k_dport: exact @name("dport");
        }
        actions = {
            @tableonly pinned;
            @defaultonly choose;
        }
        add_on_miss = true;
        idle_timeout_with_auto_delete = true;
        const default_action = choose();
        size = 65536;
    }

    action set_endpoint(bit<32> ip, bit<16> dport, bit<48> smac, bit<48> dmac, bit<32> port) {
        meta.new_dst = ip;
        meta.new_dport = dport;
        hdr.ethernet.src = smac;
        hdr.ethernet.dst = dmac;
        meta.port = port;
    }

    action no_endpoint() {
        drop_packet();
    }

    table endpoint {
        key = {
            meta.endpoint_id: exact @name("endpoint_id");
        }
        actions = {
            set_endpoint;
            @defaultonly no_endpoint;
        }
        const default_action = no_endpoint();
        size = 4096;
    }

    action translate_ip() {
        ck.clear();
        ck.subtract(hdr.ipv4.checksum);
        ck.subtract(hdr.ipv4.dst);
        ck.add(meta.new_dst);
        hdr.ipv4.checksum = ck.get();
    }

    action translate_tcp() {
        ck.clear();
        ck.subtract(hdr.tcp.checksum);
        ck.subtract(hdr.ipv4.dst);
        ck.subtract(hdr.tcp.dport);
        ck.add(meta.new_dst);
        ck.add(meta.new_dport);
        hdr.tcp.checksum = ck.get();
    }

    apply {
        meta.is_service = 0;
        if (!hdr.tcp.isValid()) {
            drop_packet();
        } else {
            vip.apply();
            if (meta.is_service == 0) {
                drop_packet();
            } else {
                meta.k_src = hdr.ipv4.src;
                meta.k_dst = hdr.ipv4.dst;
                meta.k_proto = hdr.ipv4.protocol;
                meta.k_sport = hdr.tcp.sport;
                meta.k_dport = hdr.tcp.dport;
                meta.endpoint_id = hdr.ipv4.src ^ (bit<32>)hdr.tcp.sport;
                meta.endpoint_id = meta.endpoint_id & meta.mask;
                meta.endpoint_id = meta.endpoint_id + meta.first;
                flows.apply();
                endpoint.apply();
                translate_tcp();
                translate_ip();
                hdr.ipv4.dst = meta.new_dst;
                hdr.tcp.dport = meta.new_dport;
                send_to_port((PortId_t)(PortIdUint_t)meta.port);
            }
        }
    }
}

control SmallDeparser(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply {
        pkt.emit(hdr.ethernet);
        pkt.emit(hdr.ipv4);
        pkt.emit(hdr.tcp);
    }
}

PNA_NIC(SmallParser(), SmallPre(), Small(), SmallDeparser()) main;
