// SPDX-License-Identifier: Apache-2.0
// Stage 9 on PNA: incremental checksums (RFC 1624) with InternetChecksum. What was wrong stays wrong. The extern
// never yields 0x0000 but 0xFFFF: right for UDP as it is, and put back for IPv4 and TCP, whose true sum can be 0.
//
// The extern is started from a header's own checksum by subtracting it: set_state() compiles to nothing.

InternetChecksum() ck;

// 0 when the first 20 bytes sum up; meaningful without options only.
action sum_ipv4_header() {
    ck.clear();
    ck.add(hdr.ipv4);
    meta.checksum = ck.get();
    meta.checksum = meta.checksum ^ 0xFFFF;
}

action translate_ipv4() {
    ck.clear();
    ck.subtract(hdr.ipv4.checksum);
    ck.subtract(hdr.ipv4.src);
    ck.subtract(hdr.ipv4.dst);
    ck.add(meta.new_src);
    ck.add(meta.new_dst);
    hdr.ipv4.checksum = ck.get();
    if (hdr.ipv4.checksum == 0xFFFF) {
        hdr.ipv4.checksum = 0;
    }
    hdr.ipv4.src = meta.new_src;
    hdr.ipv4.dst = meta.new_dst;
}

action translate_tcp() {
    ck.clear();
    ck.subtract(hdr.tcp.checksum);
    ck.subtract(hdr.ipv4.src);
    ck.subtract(hdr.ipv4.dst);
    ck.subtract(hdr.tcp.sport);
    ck.subtract(hdr.tcp.dport);
    ck.add(meta.new_src);
    ck.add(meta.new_dst);
    ck.add(meta.new_sport);
    ck.add(meta.new_dport);
    hdr.tcp.checksum = ck.get();
    if (hdr.tcp.checksum == 0xFFFF) {
        hdr.tcp.checksum = 0;
    }
    hdr.tcp.sport = meta.new_sport;
    hdr.tcp.dport = meta.new_dport;
}

// The caller leaves out a checksum of 0 (none was sent), and writes the ports afterwards.
action sum_udp() {
    ck.clear();
    ck.subtract(hdr.udp.checksum);
    ck.subtract(hdr.ipv4.src);
    ck.subtract(hdr.ipv4.dst);
    ck.subtract(hdr.udp.sport);
    ck.subtract(hdr.udp.dport);
    ck.add(meta.new_src);
    ck.add(meta.new_dst);
    ck.add(meta.new_sport);
    ck.add(meta.new_dport);
    hdr.udp.checksum = ck.get();
}

action sum_tunnel_udp() {
    ck.clear();
    ck.subtract(hdr.tunnel_udp.checksum);
    ck.subtract(hdr.ipv4.src);
    ck.subtract(hdr.ipv4.dst);
    ck.subtract(hdr.tunnel_udp.sport);
    ck.subtract(hdr.tunnel_udp.dport);
    ck.add(meta.new_src);
    ck.add(meta.new_dst);
    ck.add(meta.new_sport);
    ck.add(meta.new_dport);
    hdr.tunnel_udp.checksum = ck.get();
}

action decrement_ttl() {
    ck.clear();
    ck.subtract(hdr.ipv4.checksum);
    ck.subtract(16w0x0100);
    hdr.ipv4.checksum = ck.get();
    if (hdr.ipv4.checksum == 0xFFFF) {
        hdr.ipv4.checksum = 0;
    }
    hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
}

action sum_outer_ipv4() {
    ck.clear();
    ck.add(hdr.outer_ipv4);
    hdr.outer_ipv4.checksum = ck.get();
    if (hdr.outer_ipv4.checksum == 0xFFFF) {
        hdr.outer_ipv4.checksum = 0;
    }
}
