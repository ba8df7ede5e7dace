// SPDX-License-Identifier: Apache-2.0
// Add-on-miss alone (PNA, p4c-dpdk): a source address is learned with the port it came from; a packet to a learned
// address goes to that port, to an unknown one to the port a static table names. The UDP destination port chooses
// what happens to the timer: 1000 + n sets profile n, 2000 restarts, anything else leaves it alone.

#include <core.p4>
// pna.p4 declares send_to_port's parameter without a direction, which admits only constants and action parameters;
// a reply to the port a packet came from is neither. Declared `in`, any value will do, and the output is the same.
#define send_to_port(parameter) send_to_port(in parameter)
#include <dpdk/pna.p4>
#undef send_to_port

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ether_type;
}

header ipv4_t {
    bit<8> version_ihl;
    bit<8> tos;
    bit<16> total_len;
    bit<16> id;
    bit<16> flags_fragment;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

header udp_t {
    bit<16> sport;
    bit<16> dport;
    bit<16> length;
    bit<16> checksum;
}

struct headers_t {
    ethernet_t ethernet;
    ipv4_t ipv4;
    udp_t udp;
}

struct meta_t {
    bit<32> address;
    bit<8> learning;
    bit<8> known;
    bit<8> timer;
    bit<8> profile;
    bit<32> port;
    bit<32> mark;
}

const bit<8> TIMER_KEEP = 0;
const bit<8> TIMER_RESTART = 1;
const bit<8> TIMER_SET = 2;

struct learned_args_t {
    bit<32> port;
    bit<32> mark;
}

parser LearnParser(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        pkt.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            0x0800: parse_ipv4;
            default: accept;
        }
    }

    state parse_ipv4 {
        pkt.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol) {
            17: parse_udp;
            default: accept;
        }
    }

    state parse_udp {
        pkt.extract(hdr.udp);
        transition accept;
    }
}

control LearnPre(in headers_t hdr, inout meta_t meta, in pna_pre_input_metadata_t istd,
                 inout pna_pre_output_metadata_t ostd) {
    apply { }
}

control Learn(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
              inout pna_main_output_metadata_t ostd) {
    Counter<bit<64>, bit<8>>(4, PNA_CounterType_t.PACKETS) outcome_counter;
    Register<bit<32>, bit<32>>(16) learned_register;

    action learned(bit<32> port, bit<32> mark) {
        meta.known = 1;
        meta.port = port;
        meta.mark = mark;
        if (meta.timer == TIMER_SET) {
            set_entry_expire_time((ExpireTimeProfileId_t)meta.profile);
        } else if (meta.timer == TIMER_RESTART) {
            restart_expire_timer();
        }
    }

    action unknown() {
        if (meta.learning == 1) {
            add_entry(action_name = "learned",
                      action_params = (learned_args_t){ port = meta.port, mark = meta.mark },
                      expire_time_profile_id = (ExpireTimeProfileId_t)meta.profile);
        }
    }

    table addresses {
        key = {
            meta.address: exact @name("address");
        }
        actions = {
            @tableonly learned;
            @defaultonly unknown;
        }
        add_on_miss = true;
        idle_timeout_with_auto_delete = true;
        const default_action = unknown();
        size = 1024;
    }

    action send(bit<32> port) {
        meta.port = port;
    }

    action drop() {
        drop_packet();
    }

    table static_route {
        key = {
            hdr.ipv4.dst: lpm @name("dst");
        }
        actions = {
            send;
            drop;
        }
        default_action = drop();
        size = 64;
    }

    apply {
        meta.address = 0;
        meta.learning = 0;
        meta.known = 0;
        meta.timer = TIMER_KEEP;
        meta.profile = 1;
        meta.port = 0;
        meta.mark = 0;
        if (!hdr.ipv4.isValid()) {
            outcome_counter.count(0);
            drop_packet();
        } else {
            if (hdr.udp.isValid()) {
                if (hdr.udp.dport == 2000) {
                    meta.timer = TIMER_RESTART;
                } else if (hdr.udp.dport >= 1000 && hdr.udp.dport <= 1007) {
                    meta.timer = TIMER_SET;
                    meta.profile = (bit<8>)(hdr.udp.dport - 1000);
                }
            }
            meta.learning = 1;
            meta.address = hdr.ipv4.src;
            meta.port = (bit<32>)(PortIdUint_t)istd.input_port;
            meta.mark = hdr.ipv4.dst;
            addresses.apply();
            meta.learning = 0;
            meta.known = 0;
            meta.timer = TIMER_KEEP;
            meta.address = hdr.ipv4.dst;
            addresses.apply();
            if (meta.known == 1) {
                outcome_counter.count(1);
            } else {
                outcome_counter.count(2);
                static_route.apply();
            }
            learned_register.write(0, meta.mark);
            send_to_port((PortId_t)(PortIdUint_t)meta.port);
        }
    }
}

control LearnDeparser(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply {
        pkt.emit(hdr.ethernet);
        pkt.emit(hdr.ipv4);
        pkt.emit(hdr.udp);
    }
}

PNA_NIC(LearnParser(), LearnPre(), Learn(), LearnDeparser()) main;
