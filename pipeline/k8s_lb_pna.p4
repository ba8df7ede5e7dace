// SPDX-License-Identifier: Apache-2.0
// The load balancer for PNA: p4c-dpdk --arch pna. Flows are learned in the data plane (add-on-miss).

#include <core.p4>
// pna.p4 declares send_to_port's parameter without a direction, which admits only constants and action parameters;
// a reply to the port a packet came from is neither. Declared `in`, any value will do, and the output is the same.
#define send_to_port(parameter) send_to_port(in parameter)
#include <dpdk/pna.p4>
#undef send_to_port

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
