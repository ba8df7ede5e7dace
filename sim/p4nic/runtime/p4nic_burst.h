/* Running packets: alone, and in bursts.
 *
 * A burst runs speculatively first: each packet until it would look into a table too large for the near caches;
 * there its bucket is prefetched and the next packet goes on. Nothing is written meanwhile: effects that the packet
 * itself does not see wait in it, anything else ends its speculation ("slow"). Then packets are committed in order:
 * a slow one runs for real at its turn, and one whose lookups an earlier one has made untrue (it missed a key that
 * has been learned since, or an entry went) runs again. So the outcome is that of one packet after the other. */
#ifndef P4NIC_BURST_H
#define P4NIC_BURST_H
#include "p4nic_lpm_burst.h"
#include "p4nic_slots.h"

INLINE struct ctx *context_at(const struct worker *w, u32 i)
{
    return (struct ctx *)(void *)((u8 *)w->contexts + (size_t)i * CONTEXT_ROOM);
}

UNUSED static void pass_start(struct worker *w, struct ctx *c, const u8 *data, u32 length, u32 port, int speculative)
{
    struct pass *p = &c->p;
    u32 needed = length + EMIT_ROOM;
    if (unlikely(p->out_room < needed)) { /* a jumbo frame: memory of this burst only */
        p->out = arena_take(w, needed);
        p->out_room = 0;
    }
    p->data = data;
    p->length = length;
    p->port = port;
    p->fuel = FUEL;
    memset(&p->position, 0, offsetof(struct pass, path) + sizeof p->path - offsetof(struct pass, position));
    p->speculative = (u8)speculative;
}

/* A packet's slot in the burst has its buffer beside it. */
INLINE void slot_buffer(struct worker *w, u32 i)
{
    context_at(w, i)->p.out = (u8 *)w->contexts + BURST * CONTEXT_ROOM + (size_t)i * SLOT_ROOM;
    context_at(w, i)->p.out_room = SLOT_ROOM;
}

INLINE void pass_commit(struct worker *w, struct pass *p)
{
    effects_apply(w, p);
    path_commit(w, p);
}

/* Copies sent and reasons of drops of one received packet. */
struct verdicts {
    u32 first, drops, reason;
    u32 copies; /* clones of clones and new beginnings, so far */
};

INLINE void verdict_drop(struct verdicts *v, u32 reason)
{
    if (!v->drops++)
        v->reason = reason;
}

INLINE void verdict_send(struct worker *w, struct verdicts *v, u32 port, const u8 *data, u32 length)
{
    if (port_exists(w->engine, port))
        send_frame(w, port, data, length);
    else
        verdict_drop(v, REASON_NO_PORT);
}

static void run_alone(struct worker *w, struct ctx *c, const struct input *in, struct verdicts *v);

COLD void run_for_real(struct worker *w, u32 i, const struct input *in)
{
    struct verdicts v = {w->sent_count, 0, REASON_DROP_ACTION, 0};
    slot_buffer(w, i);
    engine_lock(w);
    run_alone(w, context_at(w, i), in, &v);
    engine_unlock(w);
    u32 count = w->sent_count - v.first;
    if (count)
        w->statistics[STAT_COPY_DROPPED] += v.drops;
    w->results[i] = (struct result){v.first, count, count ? 0 : v.reason};
}

/* The packet's effects become real, its frame goes out. */
INLINE void commit(struct worker *w, u32 i, int status)
{
    struct pass *p = &context_at(w, i)->p;
    pass_commit(w, p);
    w->results[i] = (struct result){w->sent_count, status == ST_SENT, p->reason};
    if (status == ST_SENT)
        send_now(w, (u32)p->transmit, p->out, p->out_length);
}

/* In a burst in which a packet learns or runs for real. */
UNUSED static void commit_in_order(struct worker *w, u32 i, int status, const struct input *in)
{
    struct pass *p = &context_at(w, i)->p;
    int learns = p->pendings != 0; /* under the lock, if others may */
    if (learns)
        engine_lock(w);
    int untrue = is_untrue(w, p) || (unlikely(w->engine->shared) && is_known(w, p));
    if (unlikely(status == ST_SLOW || untrue)) {
        w->slow_packets += status == ST_SLOW;
        w->rerun_packets += untrue != 0;
        run_for_real(w, i, in);
    } else {
        send_room(w, 1);
        commit(w, i, status);
    }
    if (learns)
        engine_unlock(w);
}

/* Of all packets that wait at a table with a longest prefix. `waiting` is not const, because gcc warns where it knows
 * that nothing is in it. */
__attribute__((noinline, unused)) static void find_prefixes(
    struct worker *w, const struct table *t, u8 *waiting, u32 count)
{
    const u64 *keys[BURST];
    u64 *found[BURST];
    for (u32 k = 0; k < count; k++) {
        keys[k] = context_at(w, waiting[k])->key;
        found[k] = &context_at(w, waiting[k])->hash;
    }
    lpm_burst(t, keys, found, count);
}

PART void run_burst(struct worker *w, const struct input *in, u32 n, u64 now_ns)
{
    u8 status[BURST], waiting[RESUME_POINTS][BURST];
    u32 count[RESUME_POINTS] = {0};
    w->now_ns = now_ns;
    w->sent_count = 0;
    w->stale_all = 0;
    fresh_reset(&w->fresh);
    arena_reset(w);
    send_room(w, n);
    u32 order = 0; /* whether something depends on the order of packets */
    for (u32 i = 0; i < n; i++) {
        if (i + 4 < n)
            __builtin_prefetch(in[i + 4].data);
        slot_buffer(w, i);
        pass_start(w, context_at(w, i), in[i].data, in[i].length, in[i].port, 1);
        int s = step(w, context_at(w, i));
        status[i] = (u8)s;
        order |= (s == ST_SLOW) | context_at(w, i)->p.pendings;
        if (s == ST_SUSPENDED) {
            u32 r = context_at(w, i)->p.resume;
            waiting[r][count[r]++] = (u8)i;
        }
    }
    for (u32 r = FIRST_RESUME; r < RESUME_POINTS; r++) {
        const struct table *t = &w->engine->tables[waits_at[r]];
        if (!count[r])
            continue;
        if (t->lpm)
            find_prefixes(w, t, waiting[r], count[r]);
        for (u32 k = 0; k < count[r] && !t->lpm; k++) {
            struct ctx *c = context_at(w, waiting[r][k]);
            c->near = prefetch_entry(t, c->hash, t->entry_size);
        }
        for (u32 k = 0; k < count[r]; k++) {
            u32 i = waiting[r][k];
            int s = step(w, context_at(w, i));
            status[i] = (u8)s;
            order |= (s == ST_SLOW) | context_at(w, i)->p.pendings;
            if (s == ST_SUSPENDED) {
                u32 later = context_at(w, i)->p.resume; /* code runs forward: always a later one */
                waiting[later][count[later]++] = (u8)i;
            }
        }
    }
    if (likely(!order))
        for (u32 i = 0; i < n; i++) {
            if (i + 2 < n && context_at(w, i + 2)->p.effects)
                __builtin_prefetch(context_at(w, i + 2)->p.effect[0].where, 1);
            commit(w, i, status[i]);
        }
    else
        for (u32 i = 0; i < n; i++)
            commit_in_order(w, i, status[i], &in[i]);
}

#endif
