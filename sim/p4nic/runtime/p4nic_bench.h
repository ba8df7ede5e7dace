/* The loops of benchmarks: frames in memory taken in turn, the time standing still; burst after burst, or as they
 * would arrive at a given rate. In the part that runs packets, so as to be compiled as they are. */
#ifndef P4NIC_BENCH_H
#define P4NIC_BENCH_H
#include "p4nic_slots.h"
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
        burst(w, in, BURST, now_ns);
        out->sent += w->sent_count;
        for (u32 i = 0; i < w->sent_count; i++)
            out->bytes += w->sent[i].length;
        round++;
    }
    timing_stop(out);
    out->packets = round * BURST;
    out->next = next;
}

/* A histogram over ticks: sixteen steps for each power of two. */
#define LATENCY_STEPS (64 * 16)

INLINE u32 latency_step(u64 ticks_)
{
    if (ticks_ < 16)
        return (u32)ticks_;
    u32 top = 63 - (u32)__builtin_clzll(ticks_);
    return (top - 3) * 16 + (u32)(ticks_ >> (top - 4) & 15);
}

API void p4_latency(
    struct engine *e, const struct p4_traffic *t, u32 first, u64 interval, u64 nanoseconds, u64 now_ns, u64 *steps,
    struct p4_timing *out);

/* A frame arrives every `interval` / 65536 ticks, whether the one before is done or not; up to BURST that wait are
 * taken together. `steps` counts frames by the ticks from arrival until the burst they were in had left. */
void p4_latency(
    struct engine *e, const struct p4_traffic *t, u32 first, u64 interval, u64 nanoseconds, u64 now_ns, u64 *steps,
    struct p4_timing *out)
{
    struct worker *w = e->workers[0];
    struct input in[BURST];
    u64 round = 0, taken = 0;
    u32 next = first;
    timing_start(out, first);
    u64 start = ticks();
    while (timing_goes_on(out, round, nanoseconds)) {
        u64 now = ticks() - start;
        u32 n = 0;
        for (; n < BURST && (u64)((u128)(taken + n) * interval >> 16) <= now; n++) {
            in[n] = (struct input){t->data + t->offsets[next], t->ports[next], t->lengths[next]};
            next = next + 1 == t->count ? 0 : next + 1;
        }
        round++;
        if (n == 0)
            continue;
        burst(w, in, n, now_ns);
        out->sent += w->sent_count;
        u64 done = ticks() - start;
        for (u32 i = 0; i < n; i++)
            steps[latency_step(done - (u64)((u128)(taken + i) * interval >> 16))]++;
        taken += n;
    }
    timing_stop(out);
    out->packets = taken;
    out->next = next;
}

#endif
