// SPDX-License-Identifier: Apache-2.0
// Protocol numbers and the small enumerations of the pipeline. Plain constants, not enums: p4c-dpdk widens an
// enum to 32 bits of metadata.

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP = 0x0806;
const bit<16> ETHERTYPE_VLAN = 0x8100;

const bit<8> PROTO_ICMP = 1;
const bit<8> PROTO_TCP = 6;
const bit<8> PROTO_UDP = 17;

const bit<16> UDP_PORT_VXLAN = 4789;
const bit<8> VXLAN_FLAG_I = 0x08;

const bit<16> IPV4_DONT_FRAGMENT = 0x4000;
const bit<16> IPV4_OFFSET_MASK = 0x1FFF;
const bit<16> IPV4_FRAGMENT_MASK = 0x3FFF;   // MF and the offset: non-zero means "is a fragment"

const bit<16> ARP_REQUEST = 1;
const bit<16> ARP_REPLY = 2;

const bit<8> ICMP_ECHO_REPLY = 0;
const bit<8> ICMP_ECHO_REQUEST = 8;

const bit<8> TCP_FIN_OR_RST = 0x05;
const bit<8> TCP_RST = 0x04;
const bit<8> TCP_ACK = 0x10;
const bit<8> TCP_SYN_OR_ACK = 0x12;
const bit<8> TCP_SYN = 0x02;

// meta.role
const bit<8> ROLE_UPLINK = 1;
const bit<8> ROLE_POD = 2;
const bit<8> ROLE_HOST = 3;

// meta.kind: what the flow table says, or what a miss decided
const bit<8> FLOW_UNKNOWN = 0;
const bit<8> FLOW_FORWARD = 1;
const bit<8> FLOW_REVERSE = 2;

// meta.tcp_class
const bit<8> TCP_NOT = 0;
const bit<8> TCP_OPENING = 1;   // SYN without ACK, FIN, RST; ECN bits do not matter
const bit<8> TCP_RUNNING = 2;
const bit<8> TCP_CLOSING = 3;   // FIN or RST

// meta.deliver
const bit<8> DELIVER_POD = 1;
const bit<8> DELIVER_HOST = 2;
const bit<8> DELIVER_NEXT_HOP = 3;
const bit<8> DELIVER_TUNNEL = 4;

// Outer IPv4 20 + UDP 8 + VXLAN 8 + inner Ethernet 14: what encapsulation adds to the inner IPv4 length.
const bit<16> TUNNEL_IPV4_OVERHEAD = 50;
const bit<16> TUNNEL_UDP_OVERHEAD = 30;
