// SPDX-License-Identifier: Apache-2.0
// Tables to fill quickly (v1model): a 5-field exact key with two parameters, and one table for each other way to
// match, with widths that fill bytes and widths that do not, up to 128 bits.

#include <core.p4>
#include <v1model.p4>

header data_t {
    bit<32> src;
    bit<32> dst;
    bit<8> protocol;
    bit<16> sport;
    bit<16> dport;
    bit<32> to;
    bit<16> to_port;
    bit<128> wide;
    bit<9> odd;
    bit<7> rest;
}
struct headers_t { data_t d; }
struct meta_t { }

parser Parse(packet_in p, out headers_t h, inout meta_t m, inout standard_metadata_t s) {
    state start { p.extract(h.d); transition accept; }
}

control Main(inout headers_t h, inout meta_t m, inout standard_metadata_t s) {
    direct_counter(CounterType.packets_and_bytes) counted_hits;
    direct_meter<bit<2>>(MeterType.packets) metered_rate;
    bit<2> colour = 0;

    action send(bit<32> to, bit<16> port) { h.d.to = to; h.d.to_port = port; }
    action mark(bit<9> odd, bit<128> wide) { h.d.odd = odd; h.d.wide = wide; }
    action count_it(bit<1> x) { counted_hits.count(); h.d.rest = (bit<7>)x; }
    action meter_it() { metered_rate.read(colour); }
    action nothing() { }
    @defaultonly action fallback() { h.d.rest = 1; }

    table flows {
        key = { h.d.src: exact; h.d.dst: exact; h.d.protocol: exact; h.d.sport: exact; h.d.dport: exact; }
        actions = { send; nothing; @defaultonly fallback; }
        default_action = fallback();
        size = 2097152;
    }
    table wide {
        key = { h.d.wide: exact; h.d.odd: exact; }
        actions = { mark; nothing; }
        default_action = nothing();
        size = 64;
    }
    table routes {
        key = { h.d.dst: lpm; h.d.odd: exact; }
        actions = { send; nothing; }
        default_action = nothing();
        size = 65536;
    }
    table rules {
        key = { h.d.src: ternary; h.d.sport: range; h.d.protocol: optional; h.d.odd: exact; h.d.wide: ternary; }
        actions = { mark; send; nothing; }
        default_action = nothing();
        size = 4096;
    }
    table aged {
        key = { h.d.src: exact; h.d.dport: exact; }
        actions = { count_it; nothing; }
        default_action = nothing();
        support_timeout = true;
        counters = counted_hits;
        size = 65536;
    }
    table metered {
        key = { h.d.src: exact; }
        actions = { meter_it; nothing; }
        default_action = nothing();
        meters = metered_rate;
    }
    table fixed {
        key = { h.d.odd: exact; }
        actions = { send; nothing; }
        const entries = { 1: send(1, 2); 2: nothing(); }
        default_action = nothing();
    }
    table keyless {
        actions = { send; nothing; }
        default_action = nothing();
    }
    apply {
        s.egress_spec = 1;
        flows.apply();
        wide.apply();
        routes.apply();
        rules.apply();
        aged.apply();
        metered.apply();
        fixed.apply();
        keyless.apply();
        h.d.rest = h.d.rest + (bit<7>)colour;
    }
}

control Deparse(packet_out p, in headers_t h) { apply { p.emit(h.d); } }

#include "include/v1_shell.p4"
