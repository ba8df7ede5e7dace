// SPDX-License-Identifier: Apache-2.0
// Counters on v1model. Bytes are the length of the frame that came in.

counter(65536, CounterType.packets_and_bytes) service_counter;
counter(256, CounterType.packets) drop_counter;

#define COUNT_SERVICE() service_counter.count((bit<32>)meta.service_id)
#define COUNT_DROP() drop_counter.count((bit<32>)meta.drop_reason)
