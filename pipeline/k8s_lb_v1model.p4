// SPDX-License-Identifier: Apache-2.0
// The load balancer for v1model: p4c-bm2-ss. Flows are learned by the control plane, from a digest.

#include <core.p4>
#include <v1model.p4>

#define TARGET_V1MODEL

#include "include/constants.p4"
#include "include/drop_reasons.p4"
#include "include/headers.p4"
#include "v1model/target.p4"
#include "include/metadata.p4"
#include "include/parser.p4"
#include "lb.p4"
#include "include/deparser.p4"

control LbVerifyChecksum(inout headers_t hdr, inout meta_t meta) {
    apply { }
}

control LbEgress(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t standard_metadata) {
    apply { }
}

control LbComputeChecksum(inout headers_t hdr, inout meta_t meta) {
    apply { }
}

V1Switch(LbParser(), LbVerifyChecksum(), Lb(), LbEgress(), LbComputeChecksum(), LbDeparser()) main;
