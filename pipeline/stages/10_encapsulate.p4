// SPDX-License-Identifier: Apache-2.0
// Stage 10, VXLAN encapsulation (RFC 7348): to_tunnel already wrote the outer addresses. The tag of the inner frame
// is stripped, the outer UDP checksum is 0, the outer source port is the inner flow's hash in 49152-65535, the outer
// TTL is fresh, the DSCP is copied and the outer ECN is Not-ECT (RFC 6040 compatibility mode: decapsulation does not
// look at the outer ECN either).

action encapsulate() {
    hdr.ethernet.ether_type = ETHERTYPE_IPV4;
    hdr.vlan.setInvalid();

    hdr.outer_vxlan.setValid();
    hdr.outer_vxlan.flags = VXLAN_FLAG_I;
    hdr.outer_vxlan.reserved = 0;
    hdr.outer_vxlan.vni_reserved = meta.vni << 8;

    hdr.outer_udp.setValid();
    hdr.outer_udp.sport = meta.hash | 0xC000;
    hdr.outer_udp.dport = UDP_PORT_VXLAN;
    hdr.outer_udp.length = hdr.ipv4.total_len + TUNNEL_UDP_OVERHEAD;
    hdr.outer_udp.checksum = 0;

    hdr.outer_ipv4.version_ihl = 0x45;
    hdr.outer_ipv4.tos = hdr.ipv4.tos & 0xFC;
    hdr.outer_ipv4.total_len = hdr.ipv4.total_len + TUNNEL_IPV4_OVERHEAD;
    hdr.outer_ipv4.id = 0;
    hdr.outer_ipv4.flags_fragment = IPV4_DONT_FRAGMENT;
    hdr.outer_ipv4.ttl = 64;
    hdr.outer_ipv4.protocol = PROTO_UDP;
    hdr.outer_ipv4.checksum = 0;

    hdr.outer_ethernet.ether_type = ETHERTYPE_IPV4;
}
