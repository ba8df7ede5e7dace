// SPDX-License-Identifier: Apache-2.0
// Stage 5 on PNA: one flow table for both directions, filled by the data plane (add-on-miss). It is applied several
// times per packet, for reasons meta.mode names; DPDK adds an entry for the key looked up last.

DirectCounter<bit<64>>(PNA_CounterType_t.PACKETS_AND_BYTES) flow_counter;

action flow_hit(bit<8> kind, bit<32> new_src, bit<32> new_dst, bit<16> new_sport, bit<16> new_dport,
                bit<16> service_id) {
    if (meta.mode == MODE_LEARN) {
        if (kind == meta.e_kind && new_src == meta.e_src && new_dst == meta.e_dst && new_sport == meta.e_sport
            && new_dport == meta.e_dport) {
            meta.found = 1;
        } else {
            meta.clash = 1;
        }
    } else {
        if (meta.set_profile == 1) {
            set_entry_expire_time((ExpireTimeProfileId_t)meta.profile);
        } else {
            restart_expire_timer();
        }
        if (meta.mode == MODE_LOOKUP) {
            flow_counter.count(meta.frame_len);
            meta.kind = kind;
            meta.new_src = new_src;
            meta.new_dst = new_dst;
            meta.new_sport = new_sport;
            meta.new_dport = new_dport;
            meta.service_id = service_id;
        }
    }
}

action flow_miss() {
    if (meta.mode == MODE_LEARN || meta.mode == MODE_REFRESH) {
        add_entry(action_name = "flow_hit",
                  action_params = (flow_hit_args_t){ kind = meta.e_kind, new_src = meta.e_src, new_dst = meta.e_dst,
                                                     new_sport = meta.e_sport, new_dport = meta.e_dport,
                                                     service_id = meta.e_service },
                  expire_time_profile_id = (ExpireTimeProfileId_t)meta.learn_profile);
    }
    if (meta.mode == MODE_NEVER) {
        flow_counter.count(meta.frame_len);   // never: p4c-dpdk wants a count in the default action, too
    }
}

table flow_table {
    key = {
        meta.k_src: exact @name("k_src");
        meta.k_dst: exact @name("k_dst");
        meta.k_proto: exact @name("k_proto");
        meta.k_sport: exact @name("k_sport");
        meta.k_dport: exact @name("k_dport");
    }
    actions = {
        @tableonly flow_hit;
        @defaultonly flow_miss;
    }
    add_on_miss = true;
    idle_timeout_with_auto_delete = true;
    const default_action = flow_miss();
    pna_direct_counter = flow_counter;
    size = 65536;
}

// Keys of TCP flows that have seen FIN or RST, for 30 seconds: without it the last ACK of a connection would give
// its entry twelve hours again. Not refreshed, so that a port used again is an ordinary flow soon.
action closing_hit() {
    meta.is_closing = 1;
}

action closing_miss() {
    if (meta.mark_closing == 1) {
        add_entry(action_name = "closing_hit", action_params = (no_args_t){},
                  expire_time_profile_id = (ExpireTimeProfileId_t)PROFILE_SHORT);
    }
}

table closing {
    key = {
        meta.k_src: exact @name("k_src");
        meta.k_dst: exact @name("k_dst");
        meta.k_proto: exact @name("k_proto");
        meta.k_sport: exact @name("k_sport");
        meta.k_dport: exact @name("k_dport");
    }
    actions = {
        @tableonly closing_hit;
        @defaultonly closing_miss;
    }
    add_on_miss = true;
    const default_action = closing_miss();
    size = 16384;
}

Hash<bit<16>>(PNA_HashAlgorithm_t.CRC32) key_hash;

// CRC32C over k_* as they lie in metadata, little-endian.
action hash_key() {
    meta.hash = key_hash.get_hash({ meta.k_src, meta.k_dst, meta.k_proto, meta.k_sport, meta.k_dport });
}

// The other direction's key: the new tuple, turned round.
action set_partner_key() {
    meta.k_src = meta.new_dst;
    meta.k_dst = meta.new_src;
    meta.k_sport = meta.new_dport;
    meta.k_dport = meta.new_sport;
}

// The other direction's entry gives a packet what this packet had, turned round.
action set_partner_entry() {
    meta.e_src = hdr.ipv4.dst;
    meta.e_dst = hdr.ipv4.src;
    meta.e_sport = meta.dport;
    meta.e_dport = meta.sport;
    meta.e_service = meta.service_id;
}

action set_own_entry() {
    meta.e_kind = FLOW_FORWARD;
    meta.e_src = meta.new_src;
    meta.e_dst = meta.new_dst;
    meta.e_sport = meta.new_sport;
    meta.e_dport = meta.new_dport;
    meta.e_service = meta.service_id;
}

// cport': another source port when the reverse key is taken.
action choose_other_port() {
    meta.new_sport = meta.hash ^ meta.sport;
    meta.new_sport = meta.new_sport | 0x8000;
    meta.k_dport = meta.new_sport;
    meta.clash = 0;
}
