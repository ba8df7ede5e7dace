// SPDX-License-Identifier: Apache-2.0
// PNA as p4c-dpdk writes it: wide fields, registers, counters, a meter, hash, one's complement checksum, action selector
// and profile, lpm and ternary tables, varbit, mirror, recirculate, drop. The first byte after the addresses chooses.

#include <core.p4>
#define send_to_port(parameter) send_to_port(in parameter)
#include <dpdk/pna.p4>
#undef send_to_port

header data_t { bit<8> op; bit<8> pass; bit<16> a; bit<32> b; bit<16> sum; bit<16> result; }
header wide_t { bit<128> x; bit<128> y; }
header options_t { bit<8> units; varbit<64> data; }
struct headers_t { data_t d; wide_t w; options_t o; }
struct meta_t { bit<32> port; bit<32> index; bit<16> key; bit<32> address; bit<16> flow; bit<8> chosen; bit<32> length; }

parser Parse(packet_in p, out headers_t h, inout meta_t m, in pna_main_parser_input_metadata_t i) {
    state start {
        p.extract(h.d);
        transition select(h.d.op) { 0x80 &&& 0x80: wide; 0x40: options; default: accept; }
    }
    state wide { p.extract(h.w); transition accept; }
    state options {
        m.length = (bit<32>) p.lookahead<bit<8>>();
        p.extract(h.o, m.length << 3);
        transition accept;
    }
}

control Pre(in headers_t h, inout meta_t m, in pna_pre_input_metadata_t i, inout pna_pre_output_metadata_t o) { apply { } }

control Main(inout headers_t h, inout meta_t m, in pna_main_input_metadata_t i, inout pna_main_output_metadata_t o) {
    Register<bit<32>, bit<32>>(16, 7) cells;
    Counter<bit<64>, bit<32>>(8, PNA_CounterType_t.PACKETS_AND_BYTES) seen;
    Hash<bit<32>>(PNA_HashAlgorithm_t.CRC32) crc;
    InternetChecksum() ck;
    ActionSelector(PNA_HashAlgorithm_t.CRC32, 32w64, 32w4) chosen;
    ActionProfile(16) plain;

    action set(bit<16> v) { h.d.result = v; }
    action away() { drop_packet(); }
    table by_exact { key = { m.key: exact @name("key"); } actions = { set; away; NoAction; } default_action = NoAction(); }
    table by_lpm { key = { m.address: lpm @name("address"); } actions = { set; NoAction; } default_action = NoAction(); }
    table by_ternary {
        key = { m.address: ternary @name("address"); m.key: ternary @name("key"); }
        actions = { set; NoAction; }
        default_action = set(0xeeee);
    }
    table selected {
        key = { m.key: exact @name("key"); m.flow: selector @name("flow"); }
        actions = { set; NoAction; }
        pna_implementation = chosen;
    }
    table profiled { key = { m.key: exact @name("key"); } actions = { set; NoAction; } pna_implementation = plain; }

    apply {
        m.port = 1;
        m.index = (bit<32>) h.d.a;
        m.key = h.d.a;
        m.flow = h.d.a;
        // Two definitions: p4c-dpdk drops the only store to a field that is used as a key.
        if (h.d.op == 7) { m.address = h.d.b; } else { m.address = h.d.b; }
        if (h.d.op == 1) { m.index = cells.read(m.index); cells.write((bit<32>) h.d.a, h.d.b); h.d.b = m.index; }
        if (h.d.op == 2) { seen.count(m.index, 32w10); }
        if (h.d.op == 3) { m.index = crc.get_hash({ m.address }); h.d.b = m.index; }
        if (h.d.op == 4) { ck.clear(); ck.add({ h.d.a, h.d.b }); h.d.sum = ck.get(); }
        if (h.d.op == 5) { by_exact.apply(); }
        if (h.d.op == 6) { by_lpm.apply(); }
        if (h.d.op == 7) { by_ternary.apply(); }
        if (h.d.op == 8) { selected.apply(); }
        if (h.d.op == 9) { profiled.apply(); }
        if (h.d.op == 10) { mirror_packet((MirrorSlotId_t) 3, (MirrorSessionId_t) 7); }
        if (h.d.op == 11) { h.d.pass = h.d.pass + 1; if (h.d.pass < 3) { recirculate(); } }
        if (h.d.op == 12) { drop_packet(); }
        if (h.d.op == 0x81) { h.w.x = h.w.y; }
        send_to_port((PortId_t) (PortIdUint_t) m.port);
    }
}

control Deparse(packet_out p, in headers_t h, in meta_t m, in pna_main_output_metadata_t o) {
    apply { p.emit(h.d); p.emit(h.w); p.emit(h.o); }
}

PNA_NIC(Parse(), Pre(), Main(), Deparse()) main;
