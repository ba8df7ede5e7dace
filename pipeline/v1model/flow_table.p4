// SPDX-License-Identifier: Apache-2.0
// Stage 5 on v1model: the control plane fills the flow table, from flow_digest_t, and gives each entry its idle
// timeout.

direct_counter(CounterType.packets_and_bytes) flow_counter;

action flow_hit(bit<8> kind, bit<32> new_src, bit<32> new_dst, bit<16> new_sport, bit<16> new_dport,
                bit<16> service_id) {
    meta.kind = kind;
    meta.new_src = new_src;
    meta.new_dst = new_dst;
    meta.new_sport = new_sport;
    meta.new_dport = new_dport;
    meta.service_id = service_id;
}

action flow_miss() { }

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
    const default_action = flow_miss();
    counters = flow_counter;
    support_timeout = true;
    size = 262144;
}

// IEEE 802.3 CRC-32 over k_*, big-endian.
action hash_key() {
    hash(meta.hash, HashAlgorithm.crc32, 16w0,
         { meta.k_src, meta.k_dst, meta.k_proto, meta.k_sport, meta.k_dport }, 32w0x10000);
}
