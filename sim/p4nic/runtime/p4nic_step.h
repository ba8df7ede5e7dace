/* How `step` is called. A small program is part of the burst's loops, where it is known whether a packet starts or goes
 * on; a large one is a function. Where nothing is hot, and where nothing is optimised, it is a function always. The
 * unit says how many lines it has and defines it. */
#ifndef P4NIC_STEP_H
#define P4NIC_STEP_H

#if STEP_LINES <= 700 && defined(__OPTIMIZE__)
INLINE int step(struct worker *w, struct ctx *c);
__attribute__((noinline, unused)) static int step_apart(struct worker *w, struct ctx *c) { return step(w, c); }
#else
static int step(struct worker *w, struct ctx *c);
#define step_apart step
#endif

#endif
