/* The loop of a benchmark: frames in memory taken in turn, burst after burst, the time standing still. */
#ifndef P4NIC_BENCH_H
#define P4NIC_BENCH_H
#include "p4nic_timing.h"

API void p4_bench(
    struct engine *e, const struct p4_traffic *t, u32 first, u64 rounds, u64 nanoseconds, u64 now_ns,
    struct p4_timing *out);

/* Bursts of BURST frames from `first` on, until `rounds` are done or the time is up. */
void p4_bench(
    struct engine *e, const struct p4_traffic *t, u32 first, u64 rounds, u64 nanoseconds, u64 now_ns,
    struct p4_timing *out)
{
    struct worker *w = e->workers[0];
    struct input in[BURST];
    u64 round = 0;
    u32 next = first;
    timing_start(out, first);
    while (round < rounds && timing_goes_on(out, round, nanoseconds)) {
        for (u32 n = 0; n < BURST; n++) {
            in[n] = (struct input){t->data + t->offsets[next], t->ports[next], t->lengths[next]};
            next = next + 1 == t->count ? 0 : next + 1;
        }
        run_burst(w, in, BURST, now_ns);
        out->sent += w->sent_count;
        for (u32 i = 0; i < w->sent_count; i++)
            out->bytes += w->sent[i].length;
        round++;
    }
    timing_stop(out);
    out->packets = round * BURST;
    out->next = next;
}

#endif
