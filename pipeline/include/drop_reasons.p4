// SPDX-License-Identifier: Apache-2.0
// Why a packet was dropped: the index into drop_counter. `drop_reasons.json` holds the same names and numbers.

const bit<8> DROP_NONE = 0;
const bit<8> DROP_UNKNOWN_PORT = 1;
const bit<8> DROP_SPOOFED_SOURCE = 2;
const bit<8> DROP_ARP_UNKNOWN = 3;
const bit<8> DROP_NOT_IPV4 = 4;
const bit<8> DROP_BAD_IP_HEADER = 5;
const bit<8> DROP_TRUNCATED = 6;
const bit<8> DROP_MARTIAN = 7;
const bit<8> DROP_FRAGMENT_TO_SERVICE = 8;
const bit<8> DROP_WRONG_VNI = 9;
const bit<8> DROP_UNKNOWN_PEER = 10;
const bit<8> DROP_TTL_EXPIRED = 11;
const bit<8> DROP_NO_ENDPOINTS = 12;
const bit<8> DROP_NO_BUCKET = 13;
const bit<8> DROP_NO_ENDPOINT = 14;
const bit<8> DROP_POLICY_EGRESS = 15;
const bit<8> DROP_POLICY_INGRESS = 16;
const bit<8> DROP_NO_ROUTE = 17;
const bit<8> DROP_PORT_CLASH = 18;
const bit<8> DROP_MULTICAST = 19;
const bit<8> DROP_BAD_CHECKSUM = 20;
const bit<8> DROP_TUNNEL_MALFORMED = 21;
