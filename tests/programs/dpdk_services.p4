// SPDX-License-Identifier: Apache-2.0
// Service load balancing as offload programs for PNA do it: a service's endpoints are an action selector, flows are
// pinned by add-on-miss, TCP flows refresh their timer and UDP flows do not, checksums are recomputed. Its metadata
// are larger than the 256 bytes that instructions of DPDK can address.

#include <core.p4>
#define send_to_port(parameter) send_to_port(in parameter)
#include <dpdk/pna.p4>
#undef send_to_port

header ethernet_t { bit<48> dst; bit<48> src; bit<16> ether_type; }
header ipv4_t {
    bit<8> version_ihl; bit<8> tos; bit<16> total_len; bit<16> id; bit<16> flags_fragment;
    bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst;
}
header tcp_t {
    bit<16> sport; bit<16> dport; bit<32> seq; bit<32> ack; bit<8> offset; bit<8> flags; bit<16> window;
    bit<16> checksum; bit<16> urgent;
}
header udp_t { bit<16> sport; bit<16> dport; bit<16> length; bit<16> checksum; }
struct headers_t { ethernet_t ethernet; ipv4_t ipv4; tcp_t tcp; udp_t udp; }

#define NOTES(X) \
    X(00) X(01) X(02) X(03) X(04) X(05) X(06) X(07) X(08) X(09) X(10) X(11) \
    X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)
#define DECLARE(n) bit<64> note_##n;
#define CLEAR(n) m.note_##n = 0;
#define FILL(n) m.note_##n = (bit<64>) h.ipv4.src;
#define KEEP(n) notes.write(32w##n, m.note_##n);

struct meta_t {
    // What a larger program would have here. Each is written and read, or p4c leaves it out.
    NOTES(DECLARE)
    bit<32> src; bit<32> dst; bit<16> sport; bit<16> dport; bit<16> protocol;
    bit<32> new_dst; bit<16> new_dport; bit<16> learning; bit<32> port;
}
struct pinned_t { bit<32> ip; bit<16> dport; bit<32> port; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, in pna_main_parser_input_metadata_t i) {
    state start {
        p.extract(h.ethernet);
        transition select(h.ethernet.ether_type) { 0x0800: ipv4; default: accept; }
    }
    state ipv4 {
        p.extract(h.ipv4);
        transition select(h.ipv4.protocol) { 6: tcp; 17: udp; default: accept; }
    }
    state tcp { p.extract(h.tcp); transition accept; }
    state udp { p.extract(h.udp); transition accept; }
}

control Pre(in headers_t h, inout meta_t m, in pna_pre_input_metadata_t i, inout pna_pre_output_metadata_t o) { apply { } }

control Main(inout headers_t h, inout meta_t m, in pna_main_input_metadata_t i, inout pna_main_output_metadata_t o) {
    ActionSelector(PNA_HashAlgorithm_t.CRC32, 32w64, 32w4) endpoints;
    InternetChecksum() sum;
    Register<bit<64>, bit<32>>(32) notes;

    action pinned(bit<32> ip, bit<16> dport, bit<32> port) {
        m.new_dst = ip;
        m.new_dport = dport;
        m.port = port;
        m.learning = 2;
        if (m.protocol == 6) { restart_expire_timer(); }
    }
    action unknown() {
        if (m.learning == 1) {
            add_entry(action_name = "pinned",
                      action_params = (pinned_t){ ip = m.new_dst, dport = m.new_dport, port = m.port },
                      expire_time_profile_id = (ExpireTimeProfileId_t) 1);
        }
    }
    table flows {
        key = {
            m.src: exact @name("src");
            m.dst: exact @name("dst");
            m.sport: exact @name("sport");
            m.dport: exact @name("dport");
            m.protocol: exact @name("protocol");
        }
        actions = { @tableonly pinned; @defaultonly unknown; }
        add_on_miss = true;
        idle_timeout_with_auto_delete = true;
        const default_action = unknown();
        size = 4096;
    }

    action endpoint(bit<32> ip, bit<16> dport, bit<32> port) {
        m.new_dst = ip;
        m.new_dport = dport;
        m.port = port;
        m.learning = 1;
    }
    action away() { drop_packet(); }
    table services {
        key = {
            m.dst: exact @name("dst");
            m.dport: exact @name("dport");
            m.protocol: exact @name("protocol");
            m.src: selector;
            m.sport: selector;
        }
        actions = { endpoint; away; }
        pna_implementation = endpoints;
        size = 256;
    }

    apply {
        m.src = 0; m.dst = 0; m.sport = 0; m.dport = 0; m.protocol = 0;
        m.new_dst = 0; m.new_dport = 0; m.learning = 0; m.port = 0;
        NOTES(CLEAR)
        if (!h.ipv4.isValid()) {
            drop_packet();
        } else {
            NOTES(FILL)
            // Two definitions of everything an action writes: p4c-dpdk forgets the action's otherwise.
            m.port = (bit<32>) (PortIdUint_t) i.input_port;
            m.src = h.ipv4.src;
            m.dst = h.ipv4.dst;
            m.protocol = (bit<16>) h.ipv4.protocol;
            if (h.tcp.isValid()) { m.sport = h.tcp.sport; m.dport = h.tcp.dport; }
            if (h.udp.isValid()) { m.sport = h.udp.sport; m.dport = h.udp.dport; }
            flows.apply();
            if (m.learning == 0) {
                services.apply();
                if (m.learning == 1) { flows.apply(); }
            }
            if (m.learning == 0) {
                drop_packet();
            } else {
                if (h.tcp.isValid()) {
                    sum.clear();
                    sum.subtract({ h.tcp.checksum, h.ipv4.dst, h.tcp.dport });
                    sum.add({ m.new_dst, m.new_dport });
                    h.tcp.checksum = sum.get();
                    h.tcp.dport = m.new_dport;
                }
                if (h.udp.isValid()) {
                    sum.clear();
                    sum.subtract({ h.udp.checksum, h.ipv4.dst, h.udp.dport });
                    sum.add({ m.new_dst, m.new_dport });
                    h.udp.checksum = sum.get();
                    h.udp.dport = m.new_dport;
                }
                sum.clear();
                sum.subtract({ h.ipv4.checksum, h.ipv4.dst });
                sum.add({ m.new_dst });
                h.ipv4.checksum = sum.get();
                h.ipv4.dst = m.new_dst;
                NOTES(KEEP)
                send_to_port((PortId_t) (PortIdUint_t) m.port);
            }
        }
    }
}

control Deparse(packet_out p, in headers_t h, in meta_t m, in pna_main_output_metadata_t o) {
    apply { p.emit(h.ethernet); p.emit(h.ipv4); p.emit(h.tcp); p.emit(h.udp); }
}

PNA_NIC(Parse(), Pre(), Main(), Deparse()) main;
