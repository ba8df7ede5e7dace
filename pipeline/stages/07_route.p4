// SPDX-License-Identifier: Apache-2.0
// Stage 7, route: by the destination after translation. A local pod also brings its ingress policy.

action drop_no_route() {
    meta.drop_reason = DROP_NO_ROUTE;
}

action to_pod(bit<16> port, bit<48> smac, bit<48> dmac, bit<16> ingress_policy) {
    meta.deliver = DELIVER_POD;
    meta.out_port = port;
    meta.ingress_policy = ingress_policy;
    hdr.ethernet.src = smac;
    hdr.ethernet.dst = dmac;
}

action to_host(bit<16> port, bit<48> smac, bit<48> dmac) {
    meta.deliver = DELIVER_HOST;
    meta.out_port = port;
    hdr.ethernet.src = smac;
    hdr.ethernet.dst = dmac;
}

action to_next_hop(bit<16> port, bit<48> smac, bit<48> dmac) {
    meta.deliver = DELIVER_NEXT_HOP;
    meta.out_port = port;
    hdr.ethernet.src = smac;
    hdr.ethernet.dst = dmac;
}

action to_tunnel(bit<16> port, bit<48> smac, bit<48> dmac, bit<32> local_vtep, bit<32> remote_vtep, bit<32> vni,
                 bit<48> inner_dmac) {
    meta.deliver = DELIVER_TUNNEL;
    meta.out_port = port;
    hdr.outer_ethernet.setValid();
    hdr.outer_ethernet.src = smac;
    hdr.outer_ethernet.dst = dmac;
    hdr.outer_ipv4.setValid();
    hdr.outer_ipv4.src = local_vtep;
    hdr.outer_ipv4.dst = remote_vtep;
    hdr.ethernet.src = smac;
    hdr.ethernet.dst = inner_dmac;
    meta.vni = vni;
}

table route {
    key = {
        meta.new_dst: lpm @name("ip_dst");
    }
    actions = {
        to_pod;
        to_host;
        to_next_hop;
        to_tunnel;
        @defaultonly drop_no_route;
    }
    const default_action = drop_no_route();
    size = 16384;
}
