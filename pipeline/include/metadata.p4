// SPDX-License-Identifier: Apache-2.0
// What one packet carries from stage to stage.
//
// DPDK SWX addresses metadata with one byte of offset and never clears it between packets: keep this small (a test
// sums the compiled struct), and let start_packet() set what may be read before it is written.

struct meta_t {
    // The flow key. Contiguous and in this order: it is the key of flow_table and closing, and the bytes hashed.
    bit<32> k_src;
    bit<32> k_dst;
    bit<8> k_proto;
    bit<16> k_sport;
    bit<16> k_dport;

    // Its hash, the low bits. Within the first 32 bytes: DPDK 22.11 cuts the bit offset of a hash's destination to
    // eight bits and writes somewhere else beyond that.
    bit<16> hash;

    // What service_vip and reply_service are looked up by. Contiguous.
    bit<32> at_ip;
    bit<8> at_proto;
    bit<16> at_port;

    // Ports of the packet itself, 0 where there are none.
    bit<16> sport;
    bit<16> dport;

    bit<16> in_port;
    bit<16> out_port;
    bit<8> role;
    bit<8> drop_reason;
    bit<8> deliver;
    bit<8> tcp_class;
    bit<8> tcp_flags;
    bit<8> is_arp_request;
    bit<8> arp_answered;
    bit<8> terminate;        // 1: local_vtep named the outer destination
    bit<8> learn;            // 1: this flow is to be remembered
    bit<8> known;            // 1: the flow table knew the packet
    bit<8> is_service;       // 1: service_vip named a service
    bit<8> affinity;
    bit<32> pod_ip;
    bit<16> egress_policy;
    bit<16> ingress_policy;
    bit<32> vni;

    bit<16> header_len;      // IPv4 header with options, bytes
    bit<16> l4_len;          // bytes after the IPv4 header
    bit<16> fragment;        // 0: not a fragment
    bit<16> checksum;        // 0: the IPv4 header sums up
    bit<32> src_top;         // first byte of the addresses
    bit<32> dst_top;
    bit<32> scratch;         // of one step; never carries anything from stage to stage

    // The flow: what the packet becomes. Written by flow_hit, or by the stages behind a miss.
    bit<8> kind;
    bit<32> new_src;
    bit<32> new_dst;
    bit<16> new_sport;
    bit<16> new_dport;
    bit<16> service_id;      // followed by bucket: together the key of maglev_bucket
    bit<16> bucket;
    bit<16> bucket_mask;
    bit<32> endpoint_id;

    ARCH_METADATA
}
