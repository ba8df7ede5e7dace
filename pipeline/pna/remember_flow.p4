// SPDX-License-Identifier: Apache-2.0
// Stage 9 on PNA, the steps: learn the pair of a new flow, or keep the other direction of a known one alive.
// Included into Lb.apply, after policy has allowed the packet and before its addresses are rewritten.

meta.found = 0;
meta.clash = 0;
if (meta.learn == 1) {
    if (meta.tcp_class == TCP_CLOSING) {
        meta.learn_profile = PROFILE_CLOSING;
    } else if (hdr.ipv4.protocol == PROTO_UDP) {
        meta.learn_profile = PROFILE_UDP;
    } else {
        meta.learn_profile = PROFILE_SHORT;
    }

    // Reverse first. If its key belongs to another flow, one other source port is tried.
    meta.mode = MODE_LEARN;
    meta.e_kind = FLOW_REVERSE;
    set_partner_entry();
    set_partner_key();
    flow_table.apply();
    if (meta.clash == 1 && (hdr.ipv4.protocol == PROTO_TCP || hdr.ipv4.protocol == PROTO_UDP)) {
        choose_other_port();
        flow_table.apply();
    }

    if (meta.clash == 1) {
        meta.drop_reason = DROP_PORT_CLASH;
    } else {
        // The table may have been full: forward is learned only if reverse is really there, so that no flow is
        // pinned whose replies nobody can translate. Without a pin the next packet comes here again.
        if (meta.found == 0) {
            flow_table.apply();
        }
        if (meta.found == 1) {
            set_own_entry();
            set_flow_key();
            flow_table.apply();
        }
    }
} else if (meta.known == 1) {
    if (meta.tcp_class == TCP_CLOSING) {
        // Both directions are closing: remember it, and shorten the other one as well.
        meta.mark_closing = 1;
        closing.apply();
        set_partner_key();
        closing.apply();
        meta.mode = MODE_EXPIRE;
        flow_table.apply();
    } else if (meta.tcp_class == TCP_NOT) {
        // One-way traffic must not outlive its other half: TCP always answers, nothing else has to.
        meta.mode = MODE_REFRESH;
        meta.learn_profile = PROFILE_SHORT;
        if (hdr.ipv4.protocol == PROTO_UDP) {
            meta.learn_profile = PROFILE_UDP;
        }
        meta.e_kind = (FLOW_FORWARD + FLOW_REVERSE) - meta.kind;
        set_partner_entry();
        set_partner_key();
        flow_table.apply();
    }
}
