// SPDX-License-Identifier: Apache-2.0
// Stage 1, port role: what is behind the port the packet came from. A pod port has one pod's address: any other
// source there is spoofed, in IPv4 and in ARP.

action drop_unknown_port() {
    meta.drop_reason = DROP_UNKNOWN_PORT;
}

action uplink() {
    meta.role = ROLE_UPLINK;
}

action pod_port(bit<32> pod_ip, bit<16> egress_policy) {
    meta.role = ROLE_POD;
    meta.pod_ip = pod_ip;
    meta.egress_policy = egress_policy;
}

action host_port() {
    meta.role = ROLE_HOST;
}

table port_role {
    key = {
        meta.in_port: exact @name("in_port");
    }
    actions = {
        uplink;
        pod_port;
        host_port;
        @defaultonly drop_unknown_port;
    }
    const default_action = drop_unknown_port();
    size = 1024;
}
