// SPDX-License-Identifier: Apache-2.0
// Stage 8, policy, on every forward packet: what the sending pod may reach, then what the receiving pod accepts.
// Addresses and ports are the real ones: the endpoint, not the VIP. Policy 0 is never looked up: everything allowed.

action allow() { }

action drop_policy_egress() {
    meta.drop_reason = DROP_POLICY_EGRESS;
}

action drop_policy_ingress() {
    meta.drop_reason = DROP_POLICY_INGRESS;
}

table policy_egress {
    key = {
        meta.egress_policy: exact @name("egress_policy");
        meta.new_dst: ternary @name("remote_ip");
        meta.k_proto: ternary @name("proto");
        meta.new_dport: ternary @name("dport");
    }
    actions = {
        allow;
        drop_policy_egress;
    }
    const default_action = drop_policy_egress();
    size = 16384;
}

table policy_ingress {
    key = {
        meta.ingress_policy: exact @name("ingress_policy");
        meta.k_src: ternary @name("remote_ip");
        meta.k_proto: ternary @name("proto");
        meta.new_dport: ternary @name("dport");
    }
    actions = {
        allow;
        drop_policy_ingress;
    }
    const default_action = drop_policy_ingress();
    size = 16384;
}
