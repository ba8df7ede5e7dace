// SPDX-License-Identifier: Apache-2.0
// One of every P4Runtime entity, for testing the server (v1model). An L2 switch with an access list in front, packets
// to and from the CPU on port 510, and an ECMP group.

#include <core.p4>
#include <v1model.p4>

const bit<9> CPU_PORT = 510;
const bit<16> ETHERTYPE_IPV4 = 0x0800;

@controller_header("packet_in")
header packet_in_t {
    bit<9> ingress_port;
    bit<7> reason;
}

@controller_header("packet_out")
header packet_out_t {
    bit<9> egress_port;
    bit<7> padding;
}

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ether_type;
}

header ipv4_t {
    bit<4> version;
    bit<4> ihl;
    bit<8> tos;
    bit<16> total_len;
    bit<16> id;
    bit<3> flags;
    bit<13> fragment_offset;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

header ports_t {
    bit<16> sport;
    bit<16> dport;
}

struct headers_t {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
    ipv4_t ipv4;
    ports_t ports;
}

struct meta_t {
    bit<2> color;
    bit<32> seen;
}

struct mac_learn_t {
    bit<48> mac;
    bit<9> port;
}

parser PacketParser(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start {
        transition select(std.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }

    state parse_packet_out {
        pkt.extract(hdr.packet_out);
        transition parse_ethernet;
    }

    state parse_ethernet {
        pkt.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            default: accept;
        }
    }

    state parse_ipv4 {
        pkt.extract(hdr.ipv4);
        transition select(hdr.ipv4.protocol) {
            6: parse_ports;
            17: parse_ports;
            default: accept;
        }
    }

    state parse_ports {
        pkt.extract(hdr.ports);
        transition accept;
    }
}

control NoVerify(inout headers_t hdr, inout meta_t meta) {
    apply { }
}

control Switch(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    direct_counter(CounterType.packets_and_bytes) l2_counter;
    counter(512, CounterType.packets_and_bytes) port_counter;
    meter(512, MeterType.packets) port_meter;
    direct_meter<bit<2>>(MeterType.bytes) acl_meter;
    direct_counter(CounterType.packets) acl_counter;
    register<bit<32>>(512) last_seen;
    action_selector(HashAlgorithm.crc32, 256, 16) ecmp_selector;
    action_profile(64) acl_profile;

    action drop() {
        mark_to_drop(std);
    }

    action to_cpu(bit<7> reason) {
        std.egress_spec = CPU_PORT;
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = std.ingress_port;
        hdr.packet_in.reason = reason;
    }

    action forward(bit<9> port) {
        std.egress_spec = port;
    }

    action flood(bit<16> group) {
        std.mcast_grp = group;
    }

    action copy_to_cpu(bit<32> session) {
        clone(CloneType.I2E, session);
    }

    action route_to(bit<9> port, bit<48> dmac) {
        std.egress_spec = port;
        hdr.ethernet.dst = dmac;
    }

    table l2 {
        key = {
            hdr.ethernet.dst: exact @name("dst");
        }
        actions = {
            forward;
            flood;
            to_cpu;
            drop;
        }
        default_action = drop();
        counters = l2_counter;
        support_timeout = true;
        size = 1024;
    }

    table l2_source {
        key = {
            hdr.ethernet.src: exact @name("src");
        }
        actions = {
            NoAction;
        }
        const default_action = NoAction();
        size = 1024;
    }

    table acl {
        key = {
            hdr.ipv4.src: ternary @name("src");
            hdr.ipv4.dst: lpm @name("dst");
            hdr.ipv4.protocol: optional @name("protocol");
            hdr.ports.dport: range @name("dport");
        }
        actions = {
            drop;
            to_cpu;
            copy_to_cpu;
            NoAction;
        }
        default_action = NoAction();
        meters = acl_meter;
        counters = acl_counter;
        size = 64;
    }

    table mirror_profile {
        key = {
            hdr.ipv4.tos: exact @name("tos");
        }
        actions = {
            copy_to_cpu;
            NoAction;
        }
        implementation = acl_profile;
        size = 64;
    }

    table ecmp {
        key = {
            hdr.ipv4.dst: lpm @name("dst");
            hdr.ipv4.src: selector;
            hdr.ipv4.dst: selector;
            hdr.ipv4.protocol: selector;
            hdr.ports.sport: selector;
            hdr.ports.dport: selector;
        }
        actions = {
            route_to;
            drop;
            NoAction;
        }
        implementation = ecmp_selector;
        size = 128;
    }

    table ether_types {
        key = {
            hdr.ethernet.ether_type: exact @name("ether_type");
        }
        actions = {
            NoAction;
            drop;
        }
        const entries = {
            ETHERTYPE_IPV4: NoAction();
            0x86DD: drop();
        }
        const default_action = NoAction();
    }

    apply {
        if (hdr.packet_out.isValid()) {
            std.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        } else {
            port_counter.count((bit<32>)std.ingress_port);
            port_meter.execute_meter((bit<32>)std.ingress_port, meta.color);
            last_seen.read(meta.seen, (bit<32>)std.ingress_port);
            last_seen.write((bit<32>)std.ingress_port, meta.seen + 1);
            ether_types.apply();
            if (!l2_source.apply().hit) {
                digest<mac_learn_t>(1, { hdr.ethernet.src, std.ingress_port });
            }
            l2.apply();
            if (hdr.ipv4.isValid()) {
                ecmp.apply();
                mirror_profile.apply();
                acl.apply();
                acl_meter.read(meta.color);
            }
            if (meta.color == 2) {
                drop();
            }
        }
    }
}

control SwitchEgress(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        if (std.mcast_grp != 0 && std.egress_port == std.ingress_port) {
            mark_to_drop(std);   // a flooded frame does not go back where it came from
        }
        if (std.instance_type == 1) {
            hdr.packet_in.setValid();
            hdr.packet_in.ingress_port = std.ingress_port;
            hdr.packet_in.reason = 127;
        }
    }
}

control NoCompute(inout headers_t hdr, inout meta_t meta) {
    apply { }
}

control SwitchDeparser(packet_out pkt, in headers_t hdr) {
    apply {
        pkt.emit(hdr.packet_in);
        pkt.emit(hdr.ethernet);
        pkt.emit(hdr.ipv4);
        pkt.emit(hdr.ports);
    }
}

V1Switch(PacketParser(), NoVerify(), Switch(), SwitchEgress(), NoCompute(), SwitchDeparser()) main;
