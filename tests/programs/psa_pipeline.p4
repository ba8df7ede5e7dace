// SPDX-License-Identifier: Apache-2.0
// PSA as p4c-bm2-psa writes it: counter, meter, register, hash, InternetChecksum, random, unicast, drop, multicast, clone
// in ingress and egress, resubmit, recirculate. The first byte chooses.

#include <core.p4>
#include <bmv2/psa.p4>

header data_t { bit<8> op; bit<8> path; bit<16> a; bit<16> sum; }
struct headers_t { data_t d; }
struct meta_t { bit<16> index; }
struct none_t { }

parser InParse(packet_in p, out headers_t h, inout meta_t m, in psa_ingress_parser_input_metadata_t i, in none_t r, in none_t c) {
    state start { p.extract(h.d); transition accept; }
}

control In(inout headers_t h, inout meta_t m, in psa_ingress_input_metadata_t i, inout psa_ingress_output_metadata_t o) {
    Counter<bit<32>, bit<16>>(8, PSA_CounterType_t.PACKETS_AND_BYTES) seen;
    Register<bit<16>, bit<16>>(8) last;
    Meter<bit<16>>(8, PSA_MeterType_t.PACKETS) rate;
    Hash<bit<16>>(PSA_HashAlgorithm_t.CRC16) crc;
    apply {
        send_to_port(o, (PortId_t) (PortIdUint_t) 1);
        m.index = h.d.a;
        if (i.packet_path == PSA_PacketPath_t.RESUBMIT) {
            h.d.path = 0x0e;
            send_to_port(o, (PortId_t) (PortIdUint_t) 3);
        } else if (i.packet_path == PSA_PacketPath_t.RECIRCULATE) {
            h.d.path = h.d.path | 0x80;
            send_to_port(o, (PortId_t) (PortIdUint_t) 3);
        } else if (h.d.op == 1) {
            seen.count(m.index);
        } else if (h.d.op == 2) {
            bit<16> old = last.read(m.index);
            last.write(m.index, h.d.sum);
            h.d.sum = old;
        } else if (h.d.op == 3) {
            PSA_MeterColor_t color = rate.execute(m.index);
            if (color == PSA_MeterColor_t.GREEN) { h.d.path = 0x10; }
            if (color == PSA_MeterColor_t.YELLOW) { h.d.path = 0x20; }
            if (color == PSA_MeterColor_t.RED) { h.d.path = 0x30; }
        } else if (h.d.op == 4) {
            h.d.sum = crc.get_hash({ h.d.a });
        } else if (h.d.op == 5) {
            ingress_drop(o);
        } else if (h.d.op == 6) {
            multicast(o, (MulticastGroup_t) (MulticastGroupUint_t) 9);
        } else if (h.d.op == 7) {
            o.clone = true;
            o.clone_session_id = (CloneSessionId_t) (CloneSessionIdUint_t) 7;
            h.d.path = 0x77;
        } else if (h.d.op == 8) {
            o.resubmit = true;
        } else if (h.d.op == 9) {
            send_to_port(o, PSA_PORT_RECIRCULATE);
        }
    }
}

control InDeparse(packet_out p, out none_t c, out none_t r, out none_t n, inout headers_t h, in meta_t m, in psa_ingress_output_metadata_t o) {
    apply { p.emit(h.d); }
}

parser OutParse(packet_in p, out headers_t h, inout meta_t m, in psa_egress_parser_input_metadata_t i, in none_t n, in none_t a, in none_t b) {
    state start { p.extract(h.d); transition accept; }
}

control Out(inout headers_t h, inout meta_t m, in psa_egress_input_metadata_t i, inout psa_egress_output_metadata_t o) {
    apply {
        if (i.packet_path == PSA_PacketPath_t.CLONE_I2E) { h.d.path = 0xc1; }
        else if (i.packet_path == PSA_PacketPath_t.CLONE_E2E) { h.d.path = 0xc2; }
        else if (i.packet_path == PSA_PacketPath_t.NORMAL_MULTICAST) { h.d.a = (bit<16>) (EgressInstanceUint_t) i.instance; }
        else if (h.d.op == 10) { o.clone = true; o.clone_session_id = (CloneSessionId_t) (CloneSessionIdUint_t) 7; }
        else if (h.d.op == 11) { egress_drop(o); }
    }
}

control OutDeparse(packet_out p, out none_t c, out none_t r, inout headers_t h, in meta_t m, in psa_egress_output_metadata_t o, in psa_egress_deparser_input_metadata_t i) {
    InternetChecksum() ck;
    apply {
        ck.clear();
        ck.add({ h.d.op, h.d.path, h.d.a });
        h.d.sum = ck.get();
        p.emit(h.d);
    }
}

IngressPipeline(InParse(), In(), InDeparse()) ip;
EgressPipeline(OutParse(), Out(), OutDeparse()) ep;
PSA_Switch(ip, PacketReplicationEngine(), ep, BufferingQueueingEngine()) main;
