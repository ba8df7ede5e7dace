// SPDX-License-Identifier: Apache-2.0
// Stage 9 on v1model, the steps: tell the control plane about a new flow, and about FIN or RST on a known one.
// Included into Lb.apply, after policy has allowed the packet and before its addresses are rewritten.

if (meta.learn == 1) {
    meta.event = EVENT_NEW_FLOW;
} else if (meta.known == 1 && meta.tcp_class == TCP_CLOSING) {
    meta.event = EVENT_CLOSING;
}
if (meta.event != 0) {
    digest<flow_digest_t>(1, { meta.k_src, meta.k_dst, meta.k_proto, meta.k_sport, meta.k_dport,
                               meta.new_src, meta.new_dst, meta.new_sport, meta.new_dport, meta.service_id,
                               meta.tcp_flags, meta.event });
}
