// SPDX-License-Identifier: Apache-2.0
// Stage 5 on v1model, the step. Included into Lb.apply.

flow_table.apply();
