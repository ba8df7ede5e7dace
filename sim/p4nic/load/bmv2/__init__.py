"""The parts of the BMv2 JSON loader, in the order they work; `load.bmv2_json` is the driver and the only
caller.

tree (checked access to the document) -> layout (headers) -> scope (all names) -> emit, places, bounds, values
(expressions to three-address code) -> primitives, parser, checksum, deparser, tables, control (blocks).
"""
