// SPDX-License-Identifier: Apache-2.0
// Stage 6, service: virtual address and port -> service -> bucket of the consistent hash -> endpoint. Looked up
// only for a packet no flow entry knows.

action set_service(bit<16> service_id, bit<16> bucket_mask, bit<8> affinity) {
    meta.is_service = 1;
    meta.service_id = service_id;
    meta.bucket_mask = bucket_mask;
    meta.affinity = affinity;
}

action drop_no_endpoints() {
    meta.drop_reason = DROP_NO_ENDPOINTS;
}

// The row (VIP, protocol, port 0): later fragments have no port, so this is how they are known to be for a service.
action drop_fragment() {
    meta.drop_reason = DROP_FRAGMENT_TO_SERVICE;
}

table service_vip {
    key = {
        meta.at_ip: exact @name("ip_dst");
        meta.at_proto: exact @name("proto");
        meta.at_port: exact @name("dport");
    }
    actions = {
        set_service;
        drop_no_endpoints;
        drop_fragment;
        @defaultonly NoAction;
    }
    const default_action = NoAction();
    size = 65536;
}

action drop_no_bucket() {
    meta.drop_reason = DROP_NO_BUCKET;
}

action set_endpoint(bit<32> endpoint_id) {
    meta.endpoint_id = endpoint_id;
}

table maglev_bucket {
    key = {
        meta.service_id: exact @name("service_id");
        meta.bucket: exact @name("bucket");
    }
    actions = {
        set_endpoint;
        @defaultonly drop_no_bucket;
    }
    const default_action = drop_no_bucket();
    size = 1048576;
}

action drop_no_endpoint() {
    meta.drop_reason = DROP_NO_ENDPOINT;
}

action set_destination(bit<32> ip, bit<16> port) {
    meta.new_dst = ip;
    meta.new_dport = port;
}

table endpoint {
    key = {
        meta.endpoint_id: exact @name("endpoint_id");
    }
    actions = {
        set_destination;
        @defaultonly drop_no_endpoint;
    }
    const default_action = drop_no_endpoint();
    size = 65536;
}

// The way back when no flow entry exists (its learn failed, or it was forgotten): right only for an endpoint that
// serves exactly one service port, and the control plane lists only those.
action restore_vip(bit<32> vip, bit<16> vport) {
    meta.kind = FLOW_REVERSE;
    meta.new_src = vip;
    meta.new_sport = vport;
}

table reply_service {
    key = {
        meta.at_ip: exact @name("ip_src");
        meta.at_proto: exact @name("proto");
        meta.at_port: exact @name("sport");
    }
    actions = {
        restore_vip;
        @defaultonly NoAction;
    }
    const default_action = NoAction();
    size = 65536;
}
