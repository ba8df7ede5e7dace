// SPDX-License-Identifier: Apache-2.0
// What every fixture needs besides its Parse, Main and Deparse. Included last.

control Pre(in headers_t hdr, inout meta_t meta, in pna_pre_input_metadata_t istd,
            inout pna_pre_output_metadata_t ostd) {
    apply { }
}

PNA_NIC(Parse(), Pre(), Main(), Deparse()) main;
