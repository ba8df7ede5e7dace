// SPDX-License-Identifier: Apache-2.0
// Stage 4, the steps validity and classification share. The checks themselves are in lb.p4.

// DPDK keeps the last packet's values, so everything that may be read before it is written starts here. Not here:
// fields that only tables' actions write (out_port, bucket_mask, endpoint_id). p4c-dpdk would see a single definition
// and put its constant wherever the field is used.
action start_packet() {
    meta.in_port = INPUT_PORT;
    meta.role = 0;
    meta.drop_reason = DROP_NONE;
    meta.tcp_class = TCP_NOT;
    meta.tcp_flags = 0;
    meta.is_arp_request = 0;
    meta.arp_answered = 0;
    meta.terminate = 0;
    meta.learn = 0;
    meta.known = 0;
    meta.is_service = 0;
    meta.affinity = 0;
    meta.k_src = 0;
    meta.k_dst = 0;
    meta.k_proto = 0;
    meta.k_sport = 0;
    meta.k_dport = 0;
    meta.sport = 0;
    meta.dport = 0;
    meta.pod_ip = 0;
    meta.egress_policy = 0;
    meta.ingress_policy = 0;
    meta.vni = 0;
    meta.kind = FLOW_UNKNOWN;
    meta.new_src = 0;
    meta.new_dst = 0;
    meta.new_sport = 0;
    meta.new_dport = 0;
    meta.service_id = 0;
}

action measure_ipv4() {
    meta.header_len = (bit<16>)hdr.ipv4.version_ihl;
    meta.header_len = meta.header_len & 0x0F;
    meta.header_len = meta.header_len << 2;
    meta.l4_len = hdr.ipv4.total_len - meta.header_len;
    meta.fragment = hdr.ipv4.flags_fragment & IPV4_FRAGMENT_MASK;
    meta.src_top = hdr.ipv4.src >> 24;
    meta.dst_top = hdr.ipv4.dst >> 24;
}

action set_flow_key() {
    meta.k_src = hdr.ipv4.src;
    meta.k_dst = hdr.ipv4.dst;
    meta.k_proto = hdr.ipv4.protocol;
    meta.k_sport = meta.sport;
    meta.k_dport = meta.dport;
}

// Until something says otherwise, the packet stays what it is.
action keep_tuple() {
    meta.new_src = hdr.ipv4.src;
    meta.new_dst = hdr.ipv4.dst;
    meta.new_sport = meta.sport;
    meta.new_dport = meta.dport;
}

// The tuple the packet leaves with: hashed for the source port of a tunnel.
action set_leaving_key() {
    meta.k_src = meta.new_src;
    meta.k_dst = meta.new_dst;
    meta.k_sport = meta.new_sport;
    meta.k_dport = meta.new_dport;
}
