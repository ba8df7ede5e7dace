"""The `.spec` front end: text of DPDK's SWX pipeline, as p4c-dpdk writes it, to a Program.

In the order of the data: `lines` (tokens) → `parse` (into `syntax`) → `profiles` (action profiles put
together again) → `bind` (P4 names from the P4Info) → `build` (the Program; `code` and the `instr_*` files
translate instructions).
"""
