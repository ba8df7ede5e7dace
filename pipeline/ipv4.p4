// SPDX-License-Identifier: Apache-2.0
// Stages 3 to 10 for everything that is not ARP. Included into Lb.apply (lb.p4).

if (!hdr.ipv4.isValid()) {
    meta.drop_reason = DROP_NOT_IPV4;
    if (PARSER_FAILED) {
        meta.drop_reason = DROP_TRUNCATED;
    }
} else {
    measure_ipv4();
    FIND_IPV4_OFFSET()
    if (FRAME_TOO_SHORT) {
        meta.drop_reason = DROP_TRUNCATED;
    }
}

// 3. Tunnel termination. What comes to the VXLAN port of our VTEP without holding a packet ends here, too.
if (meta.drop_reason == DROP_NONE && meta.role == ROLE_UPLINK) {
    if (hdr.tunnel_udp.isValid() || (hdr.udp.isValid() && hdr.udp.dport == UDP_PORT_VXLAN)) {
        local_vtep.apply();
    }
    if (meta.terminate == 1) {
        sum_ipv4_header();
        if (hdr.ipv4.version_ihl == 0x45 && meta.checksum != 0) {
            meta.drop_reason = DROP_BAD_CHECKSUM;
        } else if (!hdr.tunnel_udp.isValid()) {
            meta.drop_reason = DROP_TUNNEL_MALFORMED;
        } else if (hdr.tunnel_udp.length > meta.l4_len || (hdr.vxlan.flags & VXLAN_FLAG_I) == 0) {
            meta.drop_reason = DROP_TUNNEL_MALFORMED;
        } else {
            tunnel_peer.apply();
            if (meta.drop_reason == DROP_NONE) {
                meta.vni = hdr.vxlan.vni_reserved >> 8;
                known_vni.apply();
            }
        }
        if (meta.drop_reason == DROP_NONE) {
            if (!hdr.inner_ipv4.isValid()) {
                meta.drop_reason = DROP_NOT_IPV4;
            } else if (hdr.inner_ipv4.total_len > hdr.tunnel_udp.length - TUNNEL_UDP_OVERHEAD) {
                meta.drop_reason = DROP_TUNNEL_MALFORMED;
            } else {
                decapsulate();
                measure_ipv4();
            }
        }
    }
}

// 4. Validity of the packet itself.
if (meta.drop_reason == DROP_NONE) {
    sum_ipv4_header();
    meta.scratch = meta.dst_top & 0xF0;
    if (hdr.ipv4.version_ihl < 0x45 || hdr.ipv4.version_ihl > 0x4F || hdr.ipv4.total_len < meta.header_len) {
        meta.drop_reason = DROP_BAD_IP_HEADER;
    } else if (hdr.ipv4.version_ihl == 0x45 && meta.checksum != 0) {
        meta.drop_reason = DROP_BAD_CHECKSUM;
    } else if ((hdr.ethernet.dst & 0x010000000000) != 0 || meta.scratch == 0xE0
               || hdr.ipv4.dst == 0xFFFFFFFF) {
        meta.drop_reason = DROP_MULTICAST;
    } else if (meta.src_top == 0 || meta.src_top == 127 || meta.src_top > 223 || meta.dst_top == 0
               || meta.dst_top == 127 || meta.dst_top > 239 || hdr.ipv4.src == hdr.ipv4.dst) {
        meta.drop_reason = DROP_MARTIAN;
    } else if (hdr.tunnel_udp.isValid()) {
        // VXLAN that is not for us: an ordinary UDP packet, whatever is inside.
        meta.sport = hdr.tunnel_udp.sport;
        meta.dport = hdr.tunnel_udp.dport;
        if (hdr.tunnel_udp.length < 8 || hdr.tunnel_udp.length > meta.l4_len) {
            meta.drop_reason = DROP_TRUNCATED;
        }
    } else if (PARSER_FAILED) {
        meta.drop_reason = DROP_TRUNCATED;
    } else if (hdr.tcp.isValid()) {
        meta.sport = hdr.tcp.sport;
        meta.dport = hdr.tcp.dport;
        meta.tcp_flags = hdr.tcp.flags;
        meta.tcp_class = TCP_RUNNING;
        if ((hdr.tcp.flags & TCP_FIN_OR_RST) != 0) {
            meta.tcp_class = TCP_CLOSING;
        } else if ((hdr.tcp.flags & TCP_SYN_OR_ACK) == TCP_SYN) {
            meta.tcp_class = TCP_OPENING;
        }
        if (meta.l4_len < 20 || hdr.tcp.data_offset < 0x50
            || ((bit<16>)hdr.tcp.data_offset >> 2) & 0x3C > meta.l4_len) {
            meta.drop_reason = DROP_TRUNCATED;
        }
    } else if (hdr.udp.isValid()) {
        meta.sport = hdr.udp.sport;
        meta.dport = hdr.udp.dport;
        if (meta.l4_len < 8 || hdr.udp.length < 8) {
            meta.drop_reason = DROP_TRUNCATED;
        } else if (meta.fragment == 0) {
            if (hdr.udp.length > meta.l4_len) {
                meta.drop_reason = DROP_TRUNCATED;
            }
        }
    } else if (hdr.icmp.isValid()) {
        if (hdr.icmp.type == ICMP_ECHO_REQUEST) {
            meta.sport = hdr.icmp.echo_id;
        } else if (hdr.icmp.type == ICMP_ECHO_REPLY) {
            meta.dport = hdr.icmp.echo_id;
        }
        if (meta.l4_len < 8) {
            meta.drop_reason = DROP_TRUNCATED;
        }
    }
}

// 5. Flow table.
if (meta.drop_reason == DROP_NONE) {
    set_flow_key();
    keep_tuple();
#ifdef TARGET_PNA
#include "pna/lookup_flow.p4"
#else
#include "v1model/lookup_flow.p4"
#endif
    if (meta.kind != FLOW_UNKNOWN) {
        meta.known = 1;
        if (meta.service_id != 0 && meta.fragment != 0) {
            meta.drop_reason = DROP_FRAGMENT_TO_SERVICE;
        }
    } else {
        // 6. Service.
        meta.kind = FLOW_FORWARD;
        meta.at_ip = hdr.ipv4.dst;
        meta.at_proto = hdr.ipv4.protocol;
        meta.at_port = meta.dport;
        service_vip.apply();
        if (meta.affinity == 1) {
            meta.k_sport = 0;
            meta.k_dport = 0;
        }
        hash_key();
        meta.k_sport = meta.sport;
        meta.k_dport = meta.dport;
        if (meta.is_service == 1) {
            if (meta.fragment != 0) {
                meta.drop_reason = DROP_FRAGMENT_TO_SERVICE;
            } else {
                meta.bucket = meta.hash & meta.bucket_mask;
                maglev_bucket.apply();
                if (meta.drop_reason == DROP_NONE) {
                    endpoint.apply();
                }
                if (meta.new_dst == hdr.ipv4.src) {
                    meta.new_src = hdr.ipv4.dst;   // hairpin: the reply must come back here
                }
                if ((meta.tcp_flags & TCP_RST) == 0) {
                    meta.learn = 1;
                }
            }
        } else {
            if (meta.tcp_class == TCP_NOT || meta.tcp_class == TCP_OPENING) {
                meta.learn = 1;
            } else if ((meta.tcp_flags & TCP_ACK) != 0) {
                meta.at_ip = hdr.ipv4.src;
                meta.at_port = meta.sport;
                reply_service.apply();
            }
        }
    }
}

// 7. Route, 8. policy.
if (meta.drop_reason == DROP_NONE) {
    route.apply();
    if (meta.kind == FLOW_FORWARD) {
        if (meta.drop_reason == DROP_NONE && meta.egress_policy != 0) {
            policy_egress.apply();
        }
        if (meta.drop_reason == DROP_NONE && meta.ingress_policy != 0) {
            policy_ingress.apply();
        }
    }
    if (meta.drop_reason == DROP_NONE
        && (hdr.ipv4.ttl == 0 || (hdr.ipv4.ttl == 1 && meta.deliver != DELIVER_HOST))) {
        meta.drop_reason = DROP_TTL_EXPIRED;
    }
}

// 9. Remember the flow, translate.
if (meta.drop_reason == DROP_NONE) {
#ifdef TARGET_PNA
#include "pna/remember_flow.p4"
#else
#include "v1model/remember_flow.p4"
#endif
}
if (meta.drop_reason == DROP_NONE) {
    if (meta.new_src != hdr.ipv4.src || meta.new_dst != hdr.ipv4.dst || meta.new_sport != meta.sport
        || meta.new_dport != meta.dport) {
        if (hdr.tunnel_udp.isValid()) {
            if (hdr.tunnel_udp.checksum != 0) {
                sum_tunnel_udp();
                if (hdr.tunnel_udp.checksum == 0) {
                    hdr.tunnel_udp.checksum = 0xFFFF;
                }
            }
            hdr.tunnel_udp.sport = meta.new_sport;
            hdr.tunnel_udp.dport = meta.new_dport;
        } else if (hdr.tcp.isValid()) {
            translate_tcp();
        } else if (hdr.udp.isValid()) {
            if (hdr.udp.checksum != 0) {
                sum_udp();
                if (hdr.udp.checksum == 0) {
                    hdr.udp.checksum = 0xFFFF;
                }
            }
            hdr.udp.sport = meta.new_sport;
            hdr.udp.dport = meta.new_dport;
        }
        translate_ipv4();
    }

    // The node itself is not a hop.
    if (meta.deliver != DELIVER_HOST) {
        decrement_ttl();
    }

    // 10. Encapsulation.
    if (meta.deliver == DELIVER_TUNNEL) {
        set_leaving_key();
        hash_key();
        encapsulate();
        sum_outer_ipv4();
    }
    if (meta.service_id != 0) {
        COUNT_SERVICE();
    }
}
