// SPDX-License-Identifier: Apache-2.0
// Headers on the wire. Fields are whole bytes, because DPDK SWX knows nothing smaller.
//
// One packet in, at most one tunnel layer looked into, at most one tunnel layer put in front:
//
//   outer_ethernet outer_ipv4 outer_udp outer_vxlan      written by encapsulation, never parsed
//   ethernet vlan ipv4 ipv4_options                      the packet (after decapsulation: the inner one)
//   tunnel_udp vxlan inner_ethernet inner_ipv4 inner_options   parsed when UDP port 4789; gone after decapsulation,
//                                                        except inner_options, which then follow ipv4
//   tcp | udp | icmp                                     the innermost transport: never copied when a tunnel ends

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ether_type;
}

header vlan_t {
    bit<16> tci;
    bit<16> ether_type;
}

header arp_t {
    bit<16> htype;
    bit<16> ptype;
    bit<16> hlen_plen;
    bit<16> oper;
    bit<48> sha;
    bit<32> spa;
    bit<48> tha;
    bit<32> tpa;
}

header ipv4_t {
    bit<8> version_ihl;
    bit<8> tos;
    bit<16> total_len;
    bit<16> id;
    bit<16> flags_fragment;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

header ipv4_options_t {
    varbit<320> options;
}

header tcp_t {
    bit<16> sport;
    bit<16> dport;
    bit<32> seq;
    bit<32> ack;
    bit<8> data_offset;   // upper four bits
    bit<8> flags;
    bit<16> window;
    bit<16> checksum;
    bit<16> urgent;
}

header udp_t {
    bit<16> sport;
    bit<16> dport;
    bit<16> length;
    bit<16> checksum;
}

header icmp_t {
    bit<8> type;
    bit<8> code;
    bit<16> checksum;
    bit<16> echo_id;
    bit<16> echo_seq;
}

header vxlan_t {
    bit<8> flags;
    bit<24> reserved;
    bit<32> vni_reserved;   // the VNI is the upper 24 bits
}

struct headers_t {
    ethernet_t outer_ethernet;
    ipv4_t outer_ipv4;
    udp_t outer_udp;
    vxlan_t outer_vxlan;
    ethernet_t ethernet;
    vlan_t vlan;
    arp_t arp;
    ipv4_t ipv4;
    ipv4_options_t ipv4_options;
    udp_t tunnel_udp;
    vxlan_t vxlan;
    ethernet_t inner_ethernet;
    ipv4_t inner_ipv4;
    ipv4_options_t inner_options;
    tcp_t tcp;
    udp_t udp;
    icmp_t icmp;
}
