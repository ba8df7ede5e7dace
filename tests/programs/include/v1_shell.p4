// SPDX-License-Identifier: Apache-2.0
// What every v1model fixture needs besides its parser Parse, its control Main and its deparser Deparse. Included last.
// A program with a Check, Out or Fill of its own says so with HAS_CHECK, HAS_OUT, HAS_FILL.

#ifndef HAS_CHECK
control Check(inout headers_t h, inout meta_t m) { apply { } }
#endif
#ifndef HAS_OUT
control Out(inout headers_t h, inout meta_t m, inout standard_metadata_t s) { apply { } }
#endif
#ifndef HAS_FILL
control Fill(inout headers_t h, inout meta_t m) { apply { } }
#endif

V1Switch(Parse(), Check(), Main(), Out(), Fill(), Deparse()) main;
