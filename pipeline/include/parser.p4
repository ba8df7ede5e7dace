// SPDX-License-Identifier: Apache-2.0
// Ethernet, one 802.1Q tag, ARP or IPv4 with options, TCP/UDP/ICMP; behind UDP port 4789 a VXLAN header and the
// inner packet. The transport is left alone in a non-first fragment: those bytes are payload.
//
// Whether a VXLAN packet is for us is not known here (local_vtep is a table), so the tunnel is always looked into,
// and if it is not ours the same bytes leave again.

parser LbParser(packet_in pkt, out headers_t hdr, inout meta_t meta, PARSER_INTRINSIC) {
    udp_t peek;

    state start {
        pkt.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_VLAN: parse_vlan;
            ETHERTYPE_ARP: parse_arp;
            default: accept;
        }
    }

    state parse_vlan {
        pkt.extract(hdr.vlan);
        transition select(hdr.vlan.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_ARP: parse_arp;
            default: accept;
        }
    }

    state parse_arp {
        pkt.extract(hdr.arp);
        transition accept;
    }

    state parse_ipv4 {
        pkt.extract(hdr.ipv4);
        transition select(hdr.ipv4.version_ihl) {
            0x45: parse_transport;
            0x46: parse_ipv4_options;
            0x47: parse_ipv4_options;
            0x48: parse_ipv4_options;
            0x49: parse_ipv4_options;
            0x4A: parse_ipv4_options;
            0x4B: parse_ipv4_options;
            0x4C: parse_ipv4_options;
            0x4D: parse_ipv4_options;
            0x4E: parse_ipv4_options;
            0x4F: parse_ipv4_options;
            default: accept;   // the validity stage drops it
        }
    }

    state parse_ipv4_options {
        meta.scratch = (bit<32>)hdr.ipv4.version_ihl;
        meta.scratch = meta.scratch - 0x45;
        meta.scratch = meta.scratch << 5;
        pkt.extract(hdr.ipv4_options, meta.scratch);
        transition parse_transport;
    }

    state parse_transport {
        transition select(hdr.ipv4.flags_fragment) {
            0 &&& IPV4_OFFSET_MASK: parse_protocol;
            default: accept;
        }
    }

    state parse_protocol {
        transition select(hdr.ipv4.protocol) {
            PROTO_TCP: parse_tcp;
            PROTO_UDP: parse_udp_or_tunnel;
            PROTO_ICMP: parse_icmp;
            default: accept;
        }
    }

    state parse_udp_or_tunnel {
        peek = pkt.lookahead<udp_t>();
        transition select(hdr.ipv4.flags_fragment, peek.dport) {
            (0 &&& IPV4_FRAGMENT_MASK, UDP_PORT_VXLAN): parse_tunnel_if_long;
            default: parse_udp;
        }
    }

    // 50 bytes hold UDP, VXLAN, Ethernet and IPv4. Shorter ones (0-31, 32-47, 48-49) are something else on this port.
    state parse_tunnel_if_long {
        transition select(peek.length) {
            0 &&& 0xFFE0: parse_udp;
            0x20 &&& 0xFFF0: parse_udp;
            0x30 &&& 0xFFFE: parse_udp;
            default: parse_tunnel;
        }
    }

    state parse_tunnel {
        pkt.extract(hdr.tunnel_udp);
        pkt.extract(hdr.vxlan);
        pkt.extract(hdr.inner_ethernet);
        transition select(hdr.inner_ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_inner_ipv4;
            default: accept;
        }
    }

    state parse_inner_ipv4 {
        pkt.extract(hdr.inner_ipv4);
        transition select(hdr.inner_ipv4.version_ihl) {
            0x45: parse_inner_transport;
            0x46: parse_inner_options;
            0x47: parse_inner_options;
            0x48: parse_inner_options;
            0x49: parse_inner_options;
            0x4A: parse_inner_options;
            0x4B: parse_inner_options;
            0x4C: parse_inner_options;
            0x4D: parse_inner_options;
            0x4E: parse_inner_options;
            0x4F: parse_inner_options;
            default: accept;
        }
    }

    state parse_inner_options {
        meta.scratch = (bit<32>)hdr.inner_ipv4.version_ihl;
        meta.scratch = meta.scratch - 0x45;
        meta.scratch = meta.scratch << 5;
        pkt.extract(hdr.inner_options, meta.scratch);
        transition parse_inner_transport;
    }

    state parse_inner_transport {
        transition select(hdr.inner_ipv4.flags_fragment) {
            0 &&& IPV4_OFFSET_MASK: parse_inner_protocol;
            default: accept;
        }
    }

    state parse_inner_protocol {
        transition select(hdr.inner_ipv4.protocol) {
            PROTO_TCP: parse_tcp;
            PROTO_UDP: parse_udp;
            PROTO_ICMP: parse_icmp;
            default: accept;
        }
    }

    state parse_tcp {
        pkt.extract(hdr.tcp);
        transition accept;
    }

    state parse_udp {
        pkt.extract(hdr.udp);
        transition accept;
    }

    state parse_icmp {
        pkt.extract(hdr.icmp);
        transition accept;
    }
}
