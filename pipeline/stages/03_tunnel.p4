// SPDX-License-Identifier: Apache-2.0
// Stage 3, tunnel termination: a VXLAN packet from the wire, to our own VTEP, from a VTEP we know, with a VNI we
// know. Anything else that looks like VXLAN is an ordinary UDP packet to us.

action terminate_tunnel() {
    meta.terminate = 1;
}

table local_vtep {
    key = {
        hdr.ipv4.dst: exact @name("ip_dst");
    }
    actions = {
        terminate_tunnel;
        @defaultonly NoAction;
    }
    const default_action = NoAction();
    size = 64;
}

action drop_unknown_peer() {
    meta.drop_reason = DROP_UNKNOWN_PEER;
}

action accept_peer() { }

table tunnel_peer {
    key = {
        hdr.ipv4.src: exact @name("ip_src");
    }
    actions = {
        accept_peer;
        @defaultonly drop_unknown_peer;
    }
    const default_action = drop_unknown_peer();
    size = 4096;
}

action drop_wrong_vni() {
    meta.drop_reason = DROP_WRONG_VNI;
}

action accept_vni() { }

table known_vni {
    key = {
        meta.vni: exact @name("vni");
    }
    actions = {
        accept_vni;
        @defaultonly drop_wrong_vni;
    }
    const default_action = drop_wrong_vni();
    size = 1024;
}

// The inner packet becomes the packet. Its options and transport stay where they are: see deparser.p4.
action decapsulate() {
    hdr.ethernet.dst = hdr.inner_ethernet.dst;
    hdr.ethernet.src = hdr.inner_ethernet.src;
    hdr.ethernet.ether_type = hdr.inner_ethernet.ether_type;
    hdr.ipv4.version_ihl = hdr.inner_ipv4.version_ihl;
    hdr.ipv4.tos = hdr.inner_ipv4.tos;
    hdr.ipv4.total_len = hdr.inner_ipv4.total_len;
    hdr.ipv4.id = hdr.inner_ipv4.id;
    hdr.ipv4.flags_fragment = hdr.inner_ipv4.flags_fragment;
    hdr.ipv4.ttl = hdr.inner_ipv4.ttl;
    hdr.ipv4.protocol = hdr.inner_ipv4.protocol;
    hdr.ipv4.checksum = hdr.inner_ipv4.checksum;
    hdr.ipv4.src = hdr.inner_ipv4.src;
    hdr.ipv4.dst = hdr.inner_ipv4.dst;
    hdr.vlan.setInvalid();
    hdr.ipv4_options.setInvalid();
    hdr.tunnel_udp.setInvalid();
    hdr.vxlan.setInvalid();
    hdr.inner_ethernet.setInvalid();
    hdr.inner_ipv4.setInvalid();
}
