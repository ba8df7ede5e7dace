"""IR code to Python source: one function per stretch of instructions that only starts at its top.

    Label start          →   def parser_start(f, pkt, args):
    Extract ethernet     →       x = take(pkt, 112)
                                 f[41:45] = (1, x >> 64, (x >> 16) & 0xffffffffffff, x & 0xffff)
    Switch etherType     →       return select_3.get(f[44], parser_accept)

`f` holds the packet's field slots, `pkt` is the runtime.Packet, `args` the action's arguments. Python
has no goto: a function returns the function to go on with, None at the end. Decisions that depend on the
program alone (slots, masks, which wraps are needed) are made here, once; decisions that depend on the
packet are in the text.
"""
