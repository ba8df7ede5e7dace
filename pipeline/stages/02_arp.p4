// SPDX-License-Identifier: Apache-2.0
// Stage 2, ARP: answer for addresses the control plane knows, or pass to one port unchanged. Requests only are
// answered; a reply that arrives can only be forwarded.

action drop_arp() {
    meta.drop_reason = DROP_ARP_UNKNOWN;
}

// meta.k_dst holds the address asked for: saved by the caller, because p4c-dpdk loses a value that is saved and
// overwritten in one action.
action arp_reply(bit<48> mac) {
    hdr.ethernet.dst = hdr.arp.sha;
    hdr.ethernet.src = mac;
    hdr.arp.oper = ARP_REPLY;
    hdr.arp.tha = hdr.arp.sha;
    hdr.arp.tpa = hdr.arp.spa;
    hdr.arp.sha = mac;
    hdr.arp.spa = meta.k_dst;
    meta.out_port = meta.in_port;
    meta.arp_answered = 1;
}

action arp_forward(bit<16> port) {
    meta.out_port = port;
}

table arp_responder {
    key = {
        meta.k_dst: exact @name("arp_tpa");
    }
    actions = {
        arp_reply;
        arp_forward;
        @defaultonly drop_arp;
    }
    const default_action = drop_arp();
    size = 4096;
}
