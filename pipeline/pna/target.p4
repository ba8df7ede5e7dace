// SPDX-License-Identifier: Apache-2.0
// PNA as p4c-dpdk has it: how the shared stages say "input port", "send", "drop", "count".

#define PARSER_INTRINSIC in pna_main_parser_input_metadata_t istd
#define CONTROL_INTRINSIC in pna_main_input_metadata_t istd, inout pna_main_output_metadata_t ostd
#define DEPARSER_INTRINSIC , in meta_t meta, in pna_main_output_metadata_t ostd

#define INPUT_PORT (bit<16>)(PortIdUint_t)istd.input_port
#define SEND_TO(port) send_to_port((PortId_t)(PortIdUint_t)(port))
#define DROP_PACKET() drop_packet()

// DPDK checks no length while parsing and offers no frame length: both are left to the target.
#define PARSER_FAILED (false)
#define FRAME_TOO_SHORT (false)

// The arguments of flow_hit, as add_entry takes them.
struct flow_hit_args_t {
    bit<8> kind;
    bit<32> new_src;
    bit<32> new_dst;
    bit<16> new_sport;
    bit<16> new_dport;
    bit<16> service_id;
}

#define ARCH_METADATA \
    bit<32> frame_len;     /* what counters add: headers and IPv4 length, without padding */ \
    bit<8> mode;           /* what the next look into flow_table is for: MODE_* */ \
    bit<8> set_profile;    /* 1: a hit sets `profile`, 0: a hit restarts the entry's own */ \
    bit<8> profile; \
    bit<8> learn_profile;  /* of the entries this packet creates */ \
    bit<8> mark_closing;   /* 1: a miss in `closing` adds the key */ \
    bit<8> is_closing; \
    bit<8> found;          /* 1: the entry asked for exists and is this flow's */ \
    bit<8> clash;          /* 1: it exists and is another flow's */ \
    bit<8> e_kind;         /* arguments of the entry to add */ \
    bit<32> e_src; \
    bit<32> e_dst; \
    bit<16> e_sport; \
    bit<16> e_dport; \
    bit<16> e_service;

const bit<8> MODE_LOOKUP = 1;   // this packet's own entry: take the tuple, count, refresh; a miss adds nothing
const bit<8> MODE_LEARN = 2;    // a miss adds e_*; a hit says whether the entry is e_*
const bit<8> MODE_REFRESH = 3;  // the other direction's entry: a hit refreshes it, a miss adds e_*
const bit<8> MODE_EXPIRE = 4;   // the other direction's entry: a hit refreshes it, a miss adds nothing
const bit<8> MODE_NEVER = 255;  // no packet has it

// Indices into the fixed list of p4c-dpdk: 10, 30, 60, 120, 300, 43200, 120, 120 seconds.
const bit<8> PROFILE_CLOSING = 0;
const bit<8> PROFILE_SHORT = 1;
const bit<8> PROFILE_UDP = 3;
const bit<8> PROFILE_ESTABLISHED = 5;

struct no_args_t { }

#define FIND_IPV4_OFFSET()
