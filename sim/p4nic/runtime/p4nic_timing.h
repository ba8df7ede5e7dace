/* What measuring loops take and answer: frames in memory; wall clock, CPU time of this thread, ticks of the time
 * stamp counter. Used by p4nic_bench.h, p4nic_loop.h and the benchmarks' own C. */
#ifndef P4NIC_TIMING_H
#define P4NIC_TIMING_H
#include "p4nic_base.h"
#include <time.h>

/* Frames as in p4nic.bench.traffic: frame i is at data + offsets[i]. */
struct p4_traffic {
    const u8 *data;
    const u64 *offsets;
    const u32 *ports, *lengths;
    u32 count;
};

/* What a measuring loop answers. `next` is where the following call goes on in the traffic. `cycles` are those of
 * the CPU time: another thread's turn on this core is not counted. */
struct p4_timing {
    u64 packets, sent, bytes, wall_ns, cpu_ns, cycles;
    u32 next;
};

UNUSED static u64 clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

UNUSED static u64 ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

UNUSED static void timing_start(struct p4_timing *t, u32 first)
{
    *t = (struct p4_timing){0};
    t->next = first;
    t->wall_ns = clock_ns(CLOCK_MONOTONIC);
    t->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    t->cycles = ticks();
}

UNUSED static void timing_stop(struct p4_timing *t)
{
    u64 passed = ticks() - t->cycles;
    t->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - t->cpu_ns;
    t->wall_ns = clock_ns(CLOCK_MONOTONIC) - t->wall_ns;
    t->cycles = (u64)((double)passed * (double)t->cpu_ns / (double)(t->wall_ns ? t->wall_ns : 1));
}

/* Asked after every burst, it looks at the clock after every 64th. */
INLINE int timing_goes_on(const struct p4_timing *t, u64 rounds, u64 nanoseconds)
{
    return rounds % 64 || clock_ns(CLOCK_MONOTONIC) - t->wall_ns < nanoseconds;
}

#endif
