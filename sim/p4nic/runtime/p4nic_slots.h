/* A burst as both parts of a unit see it: what goes in, how much memory it takes, who runs it. After struct ctx. */
#ifndef P4NIC_SLOTS_H
#define P4NIC_SLOTS_H
#include "p4nic_worker.h"

struct input {
    const u8 *data;
    u32 port, length;
};

/* Odd numbers of cache lines: else what is read together falls into a few of the nearest cache's sets. */
#define SLOT_ROOM (37 * 64)
#define CONTEXT_ROOM ((sizeof(struct ctx) / 64 | 1) * 64)

PART void run_burst(struct worker *w, const struct input *in, u32 n, u64 now_ns);

/* Who runs packets: run_burst of this unit, until that of another compilation of the same unit takes over
 * (p4_take_over). Results are the worker's until the next burst. */
INLINE void burst(struct worker *w, const struct input *in, u32 n, u64 now_ns)
{
    __atomic_load_n(&w->engine->run_burst, __ATOMIC_ACQUIRE)(w, in, n, now_ns);
}

#endif
