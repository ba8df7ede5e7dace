// SPDX-License-Identifier: Apache-2.0
// The load balancer for PNA: p4c-dpdk --arch pna. Flows are learned in the data plane (add-on-miss).

#include <core.p4>
#include <dpdk/pna.p4>

#define TARGET_PNA

#include "include/constants.p4"
#include "include/drop_reasons.p4"
#include "include/headers.p4"
#include "pna/target.p4"
#include "include/metadata.p4"
#include "include/parser.p4"
#include "lb.p4"
#include "include/deparser.p4"

control LbPre(in headers_t hdr, inout meta_t meta, in pna_pre_input_metadata_t istd,
              inout pna_pre_output_metadata_t ostd) {
    apply { }
}

PNA_NIC(LbParser(), LbPre(), Lb(), LbDeparser()) main;
