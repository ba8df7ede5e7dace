// SPDX-License-Identifier: Apache-2.0
// Counters on PNA. Bytes are Ethernet + IPv4 length, because the architecture gives no frame length.

Counter<bit<64>, bit<16>>(65536, PNA_CounterType_t.PACKETS_AND_BYTES) service_counter;
Counter<bit<64>, bit<8>>(256, PNA_CounterType_t.PACKETS) drop_counter;

#define COUNT_SERVICE() service_counter.count(meta.service_id, meta.frame_len)
#define COUNT_DROP() drop_counter.count(meta.drop_reason)
