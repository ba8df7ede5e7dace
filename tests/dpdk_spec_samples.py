"""A small `.spec` and its P4Info, written for the tests: a NAT with a learner, in the shapes p4c-dpdk gives
things."""

from __future__ import annotations

from p4nic.load.p4info import P4Info, decode_p4info, parse_p4info

NAT_SPEC = """\
struct ethernet_t {
	bit<48> dst
	bit<48> src
	bit<16> type
}

struct ipv4_t {
	bit<64> head
	bit<8> ttl
	bit<8> protocol
	bit<16> checksum
	bit<32> src
	bit<32> dst
}

struct nat_hit_arg_t {
	bit<32> ip
	bit<16> port
}

struct to_port_arg_t {
	bit<32> port
}

struct to_port_1_arg_t {
	bit<32> port
}

struct meta_t {
	bit<32> in_port
	bit<32> out_port
	bit<32> table_entry_index
	bit<8> profile
	bit<8> vlan
	bit<32> k_src
	bit<32> k_dst
	bit<32> Main_tmp
	bit<16> Main_tmp_0
	bit<32> Main_tmp_1
	bit<32> Main_tmp_2
	bit<32> hash
}
metadata instanceof meta_t

header ethernet instanceof ethernet_t
header ipv4 instanceof ipv4_t

regarray flow_counter_0_packets size 0x10001 initval 0x0
regarray flow_counter_0_bytes size 0x10001 initval 0x0
regarray drops_0 size 0x100 initval 0x0
regarray direction size 0x100 initval 0

action NoAction args none {
	return
}

action nat_hit args instanceof nat_hit_arg_t {
	entryid m.table_entry_index
	regadd flow_counter_0_packets m.table_entry_index 1
	regadd flow_counter_0_bytes m.table_entry_index 0x64
	mov h.ipv4.dst t.ip
	rearm
	return
}

action nat_miss args none {
	mov m.Main_tmp h.ipv4.dst
	mov m.Main_tmp_0 0x50
	mov m.profile 0x2
	learn nat_hit m.Main_tmp m.profile
	return
}

action to_port args instanceof to_port_arg_t {
	mov m.Main_tmp_1 t.port
	mov m.out_port m.Main_tmp_1
	return
}

action to_port_1 args instanceof to_port_1_arg_t {
	mov m.Main_tmp_2 t.port
	mov m.out_port m.Main_tmp_2
	return
}

learner nat {
	key {
		m.k_src
		m.k_dst
	}
	actions {
		nat_hit @tableonly
		nat_miss @defaultonly
	}
	default_action nat_miss args none const
	size 0x1000
	timeout {
		10
		30
		60
		120
		300
		43200
		120
		120
		}
}

table route {
	key {
		h.ipv4.dst lpm
	}
	actions {
		to_port
		NoAction
	}
	default_action NoAction args none
	size 0x10000
}

table acl {
	key {
		m.vlan exact
		m.k_src wildcard
	}
	actions {
		to_port_1
		NoAction
	}
	default_action to_port_1 args port 0x7
	size 0x40
}

apply {
	rx m.in_port
	extract h.ethernet
	jmpeq MAINPARSERIMPL_PARSE_IPV4 h.ethernet.type 0x800
	jmp MAINPARSERIMPL_ACCEPT
	MAINPARSERIMPL_PARSE_IPV4 :	extract h.ipv4
	MAINPARSERIMPL_ACCEPT :	jmpnv LABEL_DROP h.ipv4
	mov m.k_src h.ipv4.src
	mov m.k_dst h.ipv4.dst
	table nat
	jmpnh LABEL_END
	table route
	LABEL_END :	table acl
	emit h.ethernet
	emit h.ipv4
	tx m.out_port
	LABEL_DROP :	regadd drops_0 0x1 1
	drop
}
"""

NAT_P4INFO = """\
pkg_info { arch: "pna" }
tables {
  preamble { id: 33554433 name: "Main.nat" alias: "nat" }
  match_fields { id: 1 name: "src" bitwidth: 32 match_type: EXACT }
  match_fields { id: 2 name: "dst" bitwidth: 32 match_type: EXACT }
  action_refs { id: 16777217 scope: TABLE_ONLY }
  action_refs { id: 16777218 scope: DEFAULT_ONLY }
  const_default_action_id: 16777218
  direct_resource_ids: 318767105
  size: 4096
}
tables {
  preamble { id: 33554434 name: "Main.route" alias: "route" }
  match_fields { id: 1 name: "hdr.ipv4.dst" bitwidth: 32 match_type: LPM }
  action_refs { id: 16777219 }
  action_refs { id: 16777220 }
  size: 1024
}
tables {
  preamble { id: 33554435 name: "Main.acl" alias: "acl" }
  match_fields { id: 1 name: "vlan" bitwidth: 5 match_type: EXACT }
  match_fields { id: 2 name: "remote" bitwidth: 32 match_type: TERNARY }
  action_refs { id: 16777219 }
  action_refs { id: 16777220 }
  size: 64
}
actions {
  preamble { id: 16777217 name: "Main.nat_hit" alias: "nat_hit" }
  params { id: 1 name: "new_ip" bitwidth: 32 }
  params { id: 2 name: "new_port" bitwidth: 16 }
}
actions { preamble { id: 16777218 name: "Main.nat_miss" alias: "nat_miss" } }
actions {
  preamble { id: 16777219 name: "Main.to_port" alias: "to_port" }
  params { id: 1 name: "port" bitwidth: 9 }
}
actions { preamble { id: 16777220 name: "NoAction" alias: "NoAction" } }
counters {
  preamble { id: 301989889 name: "Main.drops" alias: "drops" }
  spec { unit: PACKETS }
  size: 256
}
direct_counters {
  preamble { id: 318767105 name: "Main.flow_counter" alias: "flow_counter" }
  spec { unit: BOTH }
  direct_table_id: 33554433
}
"""


def nat_p4info(text: str = NAT_P4INFO) -> P4Info:
    """The P4Info of NAT_SPEC, or of a changed text."""
    return decode_p4info(parse_p4info(text.encode(), "nat.p4info.txtpb"), "nat.p4info.txtpb")
