// SPDX-License-Identifier: Apache-2.0
// Stage 5 on PNA, the steps: which expiry a hit gives, then the lookup. Included into Lb.apply.

meta.frame_len = (bit<32>)hdr.ipv4.total_len + 14;
meta.mode = MODE_LOOKUP;
meta.set_profile = 0;
meta.profile = PROFILE_ESTABLISHED;
meta.mark_closing = 0;
meta.is_closing = 0;
if (meta.tcp_class == TCP_CLOSING) {
    meta.set_profile = 1;
    meta.profile = PROFILE_CLOSING;
} else if (meta.tcp_class == TCP_RUNNING) {
    meta.set_profile = 1;
    closing.apply();
    if (meta.is_closing == 1) {
        meta.profile = PROFILE_CLOSING;
    }
}
flow_table.apply();
