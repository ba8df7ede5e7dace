// SPDX-License-Identifier: Apache-2.0
// v1model (simple_switch): how the shared stages say "input port", "send", "drop".

#define PARSER_INTRINSIC inout standard_metadata_t standard_metadata
#define CONTROL_INTRINSIC inout standard_metadata_t standard_metadata
#define DEPARSER_INTRINSIC

#define INPUT_PORT (bit<16>)standard_metadata.ingress_port
#define SEND_TO(port) standard_metadata.egress_spec = (bit<9>)(port)
#define DROP_PACKET() mark_to_drop(standard_metadata)

#define PARSER_FAILED (standard_metadata.parser_error != error.NoError)
#define FRAME_TOO_SHORT ((bit<32>)hdr.ipv4.total_len + meta.ipv4_offset > standard_metadata.packet_length)

#define ARCH_METADATA \
    bit<32> ipv4_offset;   /* bytes in front of the IPv4 header in the frame that came */ \
    bit<8> event;          /* what the digest tells: EVENT_* */

const bit<8> EVENT_NEW_FLOW = 1;
const bit<8> EVENT_CLOSING = 2;

struct flow_digest_t {
    bit<32> src;
    bit<32> dst;
    bit<8> proto;
    bit<16> sport;
    bit<16> dport;
    bit<32> new_src;
    bit<32> new_dst;
    bit<16> new_sport;
    bit<16> new_dport;
    bit<16> service_id;
    bit<8> tcp_flags;
    bit<8> event;
}

#define FIND_IPV4_OFFSET() \
    meta.ipv4_offset = 14; \
    if (hdr.vlan.isValid()) { \
        meta.ipv4_offset = 18; \
    }
