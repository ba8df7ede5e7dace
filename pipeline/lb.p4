// SPDX-License-Identifier: Apache-2.0
// The load balancer: its stages in order. Tables and actions are in stages/ (shared) and in pna/ or v1model/ (what
// the architectures do differently); the decisions between them are here.
//
// A stage that refuses a packet sets meta.drop_reason and nothing else; the end of apply counts and drops. Nothing
// is written into the packet before policy has allowed it, except by decapsulation and the route's MAC addresses.

control Lb(inout headers_t hdr, inout meta_t meta, CONTROL_INTRINSIC) {
#include "stages/01_port_role.p4"
#include "stages/02_arp.p4"
#include "stages/03_tunnel.p4"
#include "stages/04_validity.p4"
#ifdef TARGET_PNA
#include "pna/flow_table.p4"
#include "pna/checksum.p4"
#include "pna/counters.p4"
#else
#include "v1model/flow_table.p4"
#include "v1model/checksum.p4"
#include "v1model/counters.p4"
#endif
#include "stages/06_service.p4"
#include "stages/07_route.p4"
#include "stages/08_policy.p4"
#include "stages/10_encapsulate.p4"

    apply {
        start_packet();

        // 1. Port role and source check.
        port_role.apply();
        if (meta.role == ROLE_POD) {
            if (hdr.ipv4.isValid() && hdr.ipv4.src != meta.pod_ip) {
                meta.drop_reason = DROP_SPOOFED_SOURCE;
            }
            if (hdr.arp.isValid() && hdr.arp.spa != meta.pod_ip && hdr.arp.spa != 0) {
                meta.drop_reason = DROP_SPOOFED_SOURCE;
            }
        }

        if (meta.drop_reason == DROP_NONE) {
            if (hdr.arp.isValid()) {
                // 2. ARP. An announcement (asking for one's own address) is nobody's to answer.
                if (PARSER_FAILED) {
                    meta.drop_reason = DROP_TRUNCATED;
                } else if (hdr.arp.htype != 1 || hdr.arp.ptype != ETHERTYPE_IPV4 || hdr.arp.hlen_plen != 0x0604
                           || hdr.arp.spa == hdr.arp.tpa) {
                    meta.drop_reason = DROP_ARP_UNKNOWN;
                } else {
                    if (hdr.arp.oper == ARP_REQUEST) {
                        meta.is_arp_request = 1;
                    }
                    meta.k_dst = hdr.arp.tpa;
                    arp_responder.apply();
                    if (meta.arp_answered == 1 && meta.is_arp_request == 0) {
                        meta.drop_reason = DROP_ARP_UNKNOWN;
                    }
                }
            } else {
#include "ipv4.p4"
            }
        }

        // 11. Out, or counted and gone.
        if (meta.drop_reason != DROP_NONE) {
            COUNT_DROP();
            DROP_PACKET();
        } else {
            SEND_TO(meta.out_port);
        }
    }
}
