// SPDX-License-Identifier: Apache-2.0
// Add-on-miss and its timers, for p4c-dpdk and p4c-bm2-pna alike. `op` chooses among three tables that learn `key`
// with the packet's port and mark, under the expiry profile the packet names; they differ in what a hit does to the
// timer: nothing, restart it, or set the packet's profile. A hit answers with what was learned and op + 0x80.

#include <core.p4>
#include "nic.p4"

header request_t {
    bit<8> op;
    bit<8> profile;
    bit<32> key;
    bit<32> port;
    bit<32> mark;
}

struct headers_t {
    request_t request;
}

struct meta_t {
    bit<32> key;
    bit<32> port;
    bit<32> mark;
    bit<8> profile;
    bit<8> found;
}

struct learned_t {
    bit<32> port;
    bit<32> mark;
}

parser Parse(packet_in pkt, out headers_t hdr, inout meta_t meta, in pna_main_parser_input_metadata_t istd) {
    state start {
        // p4c-dpdk takes a field that the parser and the apply block set once for a copy of what it was set to, and
        // forgets that actions set it too; set twice, it is left alone.
        meta.found = 0;
        pkt.extract(hdr.request);
        transition accept;
    }
}

control Main(inout headers_t hdr, inout meta_t meta, in pna_main_input_metadata_t istd,
             inout pna_main_output_metadata_t ostd) {
    action kept_hit(bit<32> port, bit<32> mark) {
        meta.found = 0x80;
        meta.port = port;
        meta.mark = mark;
    }

    action restarted_hit(bit<32> port, bit<32> mark) {
        meta.found = 0x80;
        meta.port = port;
        meta.mark = mark;
        restart_expire_timer();
    }

    action retimed_hit(bit<32> port, bit<32> mark) {
        meta.found = 0x80;
        meta.port = port;
        meta.mark = mark;
        set_entry_expire_time((ExpireTimeProfileId_t)meta.profile);
    }

    action kept_miss() {
        add_entry("kept_hit", (learned_t){ port = meta.port, mark = meta.mark },
                  (ExpireTimeProfileId_t)meta.profile);
    }

    action restarted_miss() {
        add_entry("restarted_hit", (learned_t){ port = meta.port, mark = meta.mark },
                  (ExpireTimeProfileId_t)meta.profile);
    }

    action retimed_miss() {
        add_entry("retimed_hit", (learned_t){ port = meta.port, mark = meta.mark },
                  (ExpireTimeProfileId_t)meta.profile);
    }

    table kept {
        key = { meta.key: exact @name("key"); }
        actions = { @tableonly kept_hit; @defaultonly kept_miss; }
        add_on_miss = true;
        idle_timeout_with_auto_delete = true;
        const default_action = kept_miss();
        size = 4;
    }

    table restarted {
        key = { meta.key: exact @name("key"); }
        actions = { @tableonly restarted_hit; @defaultonly restarted_miss; }
        add_on_miss = true;
        idle_timeout_with_auto_delete = true;
        const default_action = restarted_miss();
        size = 4;
    }

    table retimed {
        key = { meta.key: exact @name("key"); }
        actions = { @tableonly retimed_hit; @defaultonly retimed_miss; }
        add_on_miss = true;
        idle_timeout_with_auto_delete = true;
        const default_action = retimed_miss();
        size = 4;
    }

    apply {
        meta.found = 0;
        meta.key = 0;
        meta.port = 0;
        meta.mark = 0;
        meta.profile = 0;
        if (hdr.request.isValid()) {
            meta.key = hdr.request.key;
            meta.port = hdr.request.port;
            meta.mark = hdr.request.mark;
            meta.profile = hdr.request.profile;
            if (hdr.request.op == 0) {
                kept.apply();
            } else if (hdr.request.op == 1) {
                restarted.apply();
            } else {
                retimed.apply();
            }
            hdr.request.op = hdr.request.op + meta.found;
            hdr.request.mark = meta.mark;
        }
        send_to_port((PortId_t)(PortIdUint_t)meta.port);
    }
}

control Deparse(packet_out pkt, in headers_t hdr, in meta_t meta, in pna_main_output_metadata_t ostd) {
    apply { pkt.emit(hdr.request); }
}

#include "shell.p4"
