// SPDX-License-Identifier: Apache-2.0
// Stage 9 on v1model: incremental checksums, RFC 1624 equation 3, HC' = ~(~HC + ~m + m'): csum16 complements the
// sum of the words it is given. What was wrong stays wrong.

// 0 when the first 20 bytes sum up; meaningful without options only.
action sum_ipv4_header() {
    hash(meta.checksum, HashAlgorithm.csum16, 16w0, hdr.ipv4, 32w0x10000);
}

action translate_ipv4() {
    hash(hdr.ipv4.checksum, HashAlgorithm.csum16, 16w0,
         { ~hdr.ipv4.checksum, ~hdr.ipv4.src, ~hdr.ipv4.dst, meta.new_src, meta.new_dst }, 32w0x10000);
    hdr.ipv4.src = meta.new_src;
    hdr.ipv4.dst = meta.new_dst;
}

action translate_tcp() {
    hash(hdr.tcp.checksum, HashAlgorithm.csum16, 16w0,
         { ~hdr.tcp.checksum, ~hdr.ipv4.src, ~hdr.ipv4.dst, ~hdr.tcp.sport, ~hdr.tcp.dport,
           meta.new_src, meta.new_dst, meta.new_sport, meta.new_dport }, 32w0x10000);
    hdr.tcp.sport = meta.new_sport;
    hdr.tcp.dport = meta.new_dport;
}

// The caller leaves out a checksum of 0 (none was sent), and sends a computed 0 as 0xFFFF.
action sum_udp() {
    hash(hdr.udp.checksum, HashAlgorithm.csum16, 16w0,
         { ~hdr.udp.checksum, ~hdr.ipv4.src, ~hdr.ipv4.dst, ~hdr.udp.sport, ~hdr.udp.dport,
           meta.new_src, meta.new_dst, meta.new_sport, meta.new_dport }, 32w0x10000);
}

action sum_tunnel_udp() {
    hash(hdr.tunnel_udp.checksum, HashAlgorithm.csum16, 16w0,
         { ~hdr.tunnel_udp.checksum, ~hdr.ipv4.src, ~hdr.ipv4.dst, ~hdr.tunnel_udp.sport, ~hdr.tunnel_udp.dport,
           meta.new_src, meta.new_dst, meta.new_sport, meta.new_dport }, 32w0x10000);
}

action decrement_ttl() {
    hash(hdr.ipv4.checksum, HashAlgorithm.csum16, 16w0, { ~hdr.ipv4.checksum, 16w0xFEFF }, 32w0x10000);
    hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
}

action sum_outer_ipv4() {
    hash(meta.checksum, HashAlgorithm.csum16, 16w0, hdr.outer_ipv4, 32w0x10000);
    hdr.outer_ipv4.checksum = meta.checksum;
}
