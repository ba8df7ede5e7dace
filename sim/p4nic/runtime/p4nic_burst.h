/* Running packets: alone, and in bursts.
 *
 * A packet runs until it would look into a table too large for the near caches; there its bucket is prefetched and the
 * next packet goes on. The first packet of the burst that is not through runs for real: what it does takes effect at
 * once. Those behind it run speculatively until all before them are through: nothing is written meanwhile; effects
 * that the packet itself does not see wait in it, anything else ends its speculation ("slow"). When its turn has come,
 * a packet goes on for real from where it waits, or is committed if it is through; a slow one, and one whose lookups an
 * earlier one has made untrue (it missed a key that has been learned since, or an entry went) runs again from the
 * start. So the outcome is that of one packet after the other.
 *
 * With more workers than one, all packets run speculatively to their end and are committed in order then, because what
 * happens for real may need the lock. */
#ifndef P4NIC_BURST_H
#define P4NIC_BURST_H
#include "p4nic_lpm_burst.h"
#include "p4nic_slots.h"

INLINE struct ctx *context_at(const struct worker *w, u32 i)
{
    return (struct ctx *)(void *)((u8 *)w->contexts + (size_t)i * CONTEXT_ROOM);
}

/* How a packet runs: with nobody else in between, at its turn in a burst, or before its turn. */
enum { ALONE, AT_TURN, SPECULATIVE };

UNUSED static void pass_start(struct worker *w, struct ctx *c, const u8 *data, u32 length, u32 port, int how)
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
    p->speculative = how == SPECULATIVE;
    p->waits = how != ALONE;
}

/* A packet's slot in the burst has its buffer beside it. */
INLINE void slot_buffer(struct worker *w, u32 i)
{
    context_at(w, i)->p.out = (u8 *)w->contexts + BURST * CONTEXT_ROOM + (size_t)i * SLOT_ROOM;
    context_at(w, i)->p.out_room = SLOT_ROOM;
}

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

static void turn_begins(struct worker *w, struct verdicts *v);
static int turn_goes_on(const struct worker *w, int status);
static void turn_ends(struct worker *w, struct ctx *c, const struct input *in, int status, struct verdicts *v);

/* From the start to the end, whatever it asks for. */
UNUSED static void run_alone(struct worker *w, struct ctx *c, const struct input *in, struct verdicts *v)
{
    pass_start(w, c, in->data, in->length, in->port, ALONE);
    turn_begins(w, v);
    turn_ends(w, c, in, step_apart(w, c), v);
}

/* What a packet with more than one copy, or none, has come to. */
COLD void result_of(struct worker *w, u32 i, const struct verdicts *v)
{
    u32 count = w->sent_count - v->first;
    if (count)
        w->statistics[STAT_COPY_DROPPED] += v->drops;
    w->results[i] = (struct result){v->first, count, count ? 0 : v->reason};
    send_room(w, BURST);
}

INLINE struct verdicts no_verdicts(const struct worker *w)
{
    return (struct verdicts){w->sent_count, 0, REASON_DROP_ACTION, 0};
}

COLD void run_for_real(struct worker *w, u32 i, const struct input *in)
{
    struct verdicts v;
    slot_buffer(w, i);
    engine_lock(w);
    run_alone(w, context_at(w, i), in, &v);
    engine_unlock(w);
    result_of(w, i, &v);
}

/* The packet is through: its frame goes out. There is room for it. */
INLINE void send_result(struct worker *w, u32 i, struct pass *p, int status)
{
    path_commit(w, p);
    w->results[i] = (struct result){w->sent_count, status == ST_SENT, p->reason};
    if (status == ST_SENT)
        send_now(w, (u32)p->transmit, p->out, p->out_length);
}

/* Effects that were held back become real first. */
INLINE void commit(struct worker *w, u32 i, int status)
{
    struct pass *p = &context_at(w, i)->p;
    effects_apply(w, p);
    send_result(w, i, p, status);
}

/* After packets that learned or ran for real. */
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
        commit(w, i, status);
    }
    if (learns)
        engine_unlock(w);
}

/* Packets that are through, from `done` on up to one that is not; that one. */
__attribute__((noinline)) static u32 commit_through(
    struct worker *w, const struct input *in, const u8 *status, u32 done, u32 started, struct verdicts *v)
{
    for (; done < started && status[done] != ST_SUSPENDED; done++) {
        struct ctx *c = context_at(w, done);
        if (c->p.speculative) {
            commit_in_order(w, done, status[done], &in[done]);
        } else if (!turn_goes_on(w, status[done])) {
            send_result(w, done, &c->p, status[done]);
        } else {
            turn_ends(w, c, &in[done], status[done], v);
            result_of(w, done, v);
        }
    }
    return done;
}

/* What it held back happens; unless it has been speculating about what is not so any more, or is about to learn. What
 * was seen of the entry it waits for was seen before earlier packets learned. */
COLD void turn_comes_late(struct worker *w, struct verdicts *v, struct ctx *c, u32 table)
{
    struct pass *p = &c->p;
    if (w->stale_all || fresh_has(&w->fresh, key_name(table, c->hash)))
        c->near = NULL;
    if (!p->speculative || p->pendings || is_untrue(w, p))
        return;
    effects_apply(w, p);
    p->speculative = 0;
    turn_begins(w, v);
}

/* The same behind packets that have learned, in short where nothing else is to be seen to. */
__attribute__((noinline)) static void turn_comes_behind(struct worker *w, struct verdicts *v, struct ctx *c, u32 table)
{
    struct pass *p = &c->p;
    if (unlikely(!p->speculative || p->pendings | p->effects | w->stale_all)) {
        turn_comes_late(w, v, c, table);
        return;
    }
    if (unlikely(fresh_has(&w->fresh, key_name(table, c->hash))))
        c->near = NULL;
    if (unlikely(is_untrue(w, p)))
        return;
    p->speculative = 0;
    turn_begins(w, v);
}

/* All packets before it are through, and nobody else changes anything: from here on it is real. */
INLINE void turn_comes(struct worker *w, struct verdicts *v, struct ctx *c, u32 table)
{
    if (unlikely(!c->p.speculative || c->p.pendings | c->p.effects | w->stale_all | w->fresh.count)) {
        turn_comes_behind(w, v, c, table);
    } else {
        c->p.speculative = 0;
        turn_begins(w, v);
    }
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

/* Of a burst in which all packets ran speculatively to their end. */
__attribute__((noinline)) static void commit_all(struct worker *w, const struct input *in, const u8 *status, u32 n)
{
    u32 order = 0; /* whether something depends on the order of packets */
    for (u32 i = 0; i < n; i++)
        order |= (status[i] == ST_SLOW) | context_at(w, i)->p.pendings;
    for (u32 i = 0; i < n; i++) {
        if (i + 2 < n && context_at(w, i + 2)->p.effects)
            __builtin_prefetch(context_at(w, i + 2)->p.effect[0].where, 1);
        if (likely(!order))
            commit(w, i, status[i]);
        else
            commit_in_order(w, i, status[i], &in[i]);
    }
}

/* `in_turn`: no other worker. */
INLINE void run_packets(struct worker *w, const struct input *in, u32 n, const int in_turn)
{
    u8 status[BURST], waiting[RESUME_POINTS][BURST];
    u32 count[RESUME_POINTS] = {0};
    struct verdicts v;
    u32 done = 0;  /* so many packets are through */
    u32 ahead = 0; /* some behind them are, too */
    for (u32 i = 0; i < n; i++) {
        struct ctx *c = context_at(w, i);
        if (i + 4 < n)
            __builtin_prefetch(in[i + 4].data);
        slot_buffer(w, i);
        int real = in_turn && done == i;
        pass_start(w, c, in[i].data, in[i].length, in[i].port, real ? AT_TURN : SPECULATIVE);
        if (real)
            turn_begins(w, &v);
        int s = step(w, c);
        status[i] = (u8)s;
        if (s == ST_SUSPENDED) {
            u32 r = c->p.resume;
            waiting[r][count[r]++] = (u8)i;
        } else if (!real) {
            ahead = 1;
        } else if (likely(!turn_goes_on(w, s))) {
            send_result(w, i, &c->p, s);
            done++;
        } else {
            done = commit_through(w, in, status, done, i + 1, &v);
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
            struct ctx *c = context_at(w, i);
            int turn = in_turn && done == i;
            if (turn)
                turn_comes(w, &v, c, waits_at[r]);
            int s = step(w, c);
            status[i] = (u8)s;
            if (unlikely(s == ST_SUSPENDED)) {
                u32 later = c->p.resume; /* code runs forward: always a later one */
                waiting[later][count[later]++] = (u8)i;
            } else if (!turn) {
                ahead = 1;
            } else if (likely(!(ahead | c->p.speculative) && !turn_goes_on(w, s))) {
                send_result(w, i, &c->p, s);
                done++;
            } else {
                done = commit_through(w, in, status, done, n, &v);
            }
        }
    }
    if (!in_turn) /* else the last one that was waited for has taken all behind it along */
        commit_all(w, in, status, n);
}

__attribute__((noinline)) static void run_shared(struct worker *w, const struct input *in, u32 n)
{
    run_packets(w, in, n, 0);
}

PART void run_burst(struct worker *w, const struct input *in, u32 n, u64 now_ns)
{
    w->now_ns = now_ns;
    w->sent_count = 0;
    w->stale_all = 0;
    fresh_reset(&w->fresh);
    arena_reset(w);
    send_room(w, n);
    if (unlikely(w->engine->shared))
        run_shared(w, in, n);
    else
        run_packets(w, in, n, 1);
}

#endif
