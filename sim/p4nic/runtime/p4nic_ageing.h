/* The rules of ageing, on entries and the wheel of their table. Expiry order is the interpreter's: by true deadline,
 * equal ones by insertion. */
#ifndef P4NIC_AGEING_H
#define P4NIC_AGEING_H
#include "p4nic_table.h"

INLINE u64 timeout_of(const struct table *t, u32 id, const struct entry *e)
{
    u32 profile = relaxed_load(&e->profile);
    return profile == OWN_TIMEOUT ? t->timeout[id] : t->timeouts[profile];
}

/* When it is due by what it says now; only if there is a timeout. */
INLINE u64 deadline_of(const struct table *t, u32 id, const struct entry *e, u64 timeout)
{
    u64 deadline = relaxed_load(&e->last_ns) + timeout;
    if (unlikely(deadline < timeout))
        return UINT64_MAX;
    return unlikely(e->reported) && t->repeat[id] > deadline ? t->repeat[id] : deadline;
}

INLINE void timer_place(struct table *t, struct entry *e, u32 id, u64 deadline)
{
    struct wheel *w = &t->wheel;
    if (deadline >> TICK_BITS <= w->tick) {
        heap_push(&w->front, deadline, t->sequence[id], id);
        relaxed_store(&e->slot, SLOT_FRONT);
    } else {
        u32 slot = slot_of(w, deadline >> TICK_BITS);
        slot_link(w, slot, id);
        relaxed_store(&e->slot, (u16)slot);
    }
}

/* See to it that the wheel or the heap has it no later than its deadline. */
UNUSED static void arm(struct table *t, struct entry *e)
{
    u32 id = id_of(t, e);
    u64 timeout = timeout_of(t, id, e);
    if (!timeout)
        return;
    if (unlikely(e->reported) && relaxed_load(&e->last_ns) + timeout < t->repeat[id])
        e->reported = 0;
    u64 deadline = deadline_of(t, id, e, timeout);
    if (e->slot == SLOT_FRONT) {
        if (deadline >> TICK_BITS <= t->wheel.tick) /* what the heap has may be later; twice does no harm */
            heap_push(&t->wheel.front, deadline, t->sequence[id], id);
        return;
    }
    if (e->slot) {
        if (deadline >> TICK_BITS >= slot_start(&t->wheel, e->slot))
            return;
        slot_unlink(&t->wheel, e->slot, id);
    }
    timer_place(t, e, id, deadline);
}

/* Of an entry that has just begun to live, for `timeout` at least. */
INLINE void arm_first(struct table *t, struct entry *e, u32 id, u64 timeout, u64 now_ns)
{
    u64 deadline = now_ns + timeout;
    if (unlikely(e->slot || deadline < timeout)) /* its number is still in the list of its earlier life */
        arm(t, e);
    else if (likely(timeout))
        timer_place(t, e, id, deadline);
}

/* Every entry of a slot goes where its deadline is now; what is gone, or has none any more, nowhere. */
COLD void slot_pour(struct table *t, u32 slot)
{
    struct wheel *w = &t->wheel;
    u32 *head = slot_head(w, slot);
    u32 next = *head;
    *head = 0;
    w->occupied[(slot - 1) / 64] &= ~((u64)1 << (slot - 1) % 64);
    while (next) {
        u32 id = next - 1;
        next = w->links[id].next;
        if (next) /* the list is in no order: fetch what comes after the next */
            __builtin_prefetch(entry_at(t, next - 1), 1);
        struct entry *e = entry_at(t, id);
        relaxed_store(&e->slot, 0);
        u64 timeout = e->live ? timeout_of(t, id, e) : 0;
        if (timeout)
            timer_place(t, e, id, deadline_of(t, id, e, timeout));
    }
}

/* Bring everything due by then into the heap. */
UNUSED static void timer_advance(struct table *t, u64 now_ns)
{
    struct wheel *w = &t->wheel;
    u64 tick = now_ns >> TICK_BITS;
    while (w->tick < tick) {
        u32 slot = slot_next(w);
        u64 start = slot ? slot_start(w, slot) : UINT64_MAX;
        w->tick = start < tick ? start : tick;
        if (start <= tick)
            slot_pour(t, slot);
    }
}

/* Whether the heap's first has a true deadline; those that have not are corrected here. */
UNUSED static int timer_front(struct table *t, u64 *deadline)
{
    struct heap *h = &t->wheel.front;
    while (h->count) {
        struct timer top = h->items[0];
        struct entry *e = entry_at(t, top.id);
        if (!e->live || e->slot != SLOT_FRONT || t->sequence[top.id] != top.sequence) {
            heap_pop(h);
            continue;
        }
        u64 timeout = timeout_of(t, top.id, e);
        u64 due = timeout ? deadline_of(t, top.id, e, timeout) : 0;
        if (timeout && due == top.deadline) {
            *deadline = due;
            return 1;
        }
        heap_pop(h);
        relaxed_store(&e->slot, 0);
        if (timeout)
            timer_place(t, e, top.id, due);
    }
    return 0;
}

#define SCAN 1024 /* entries looked at for an exact answer */

/* The earliest true deadline, 0 if there is none; where a slot has more entries than are worth looking at, a time
 * before which nothing is due. */
UNUSED static int timer_next(struct table *t, u64 *deadline)
{
    struct wheel *w = &t->wheel;
    u32 slot;
    if (timer_front(t, deadline))
        return 1;
    if (w->pouring && *slot_head(w, w->pouring)) { /* not worth looking at twice */
        *deadline = slot_start(w, w->pouring) << TICK_BITS;
        return 1;
    }
    while ((slot = slot_next(w)) != 0) {
        u64 best = UINT64_MAX, end = slot_end(w, slot);
        u32 seen = 0;
        for (u32 next = *slot_head(w, slot); next;) {
            u32 id = next - 1;
            struct entry *e = entry_at(t, id);
            next = w->links[id].next;
            if (seen++ == SCAN) {
                *deadline = slot_start(w, slot) << TICK_BITS;
                return 1;
            }
            u64 timeout = e->live ? timeout_of(t, id, e) : 0;
            u64 due = timeout ? deadline_of(t, id, e, timeout) : UINT64_MAX;
            if (timeout && due >> TICK_BITS < end) {
                best = due < best ? due : best;
                continue;
            }
            slot_unlink(w, slot, id);
            relaxed_store(&e->slot, 0);
            if (timeout)
                timer_place(t, e, id, due);
        }
        if (*slot_head(w, slot)) {
            *deadline = best;
            return 1;
        }
    }
    return 0;
}

/* It was told to be idle and stays: its timer starts anew. */
COLD void timer_repeat(struct table *t, struct entry *e, u64 now_ns)
{
    u32 id = id_of(t, e);
    u64 timeout = timeout_of(t, id, e);
    t->repeat[id] = now_ns + (timeout > REPEAT_NS ? timeout : REPEAT_NS);
    e->reported = 1;
    timer_place(t, e, id, deadline_of(t, id, e, timeout));
}

INLINE void touch(struct table *t, struct entry *e, u64 now_ns)
{
    relaxed_store(&e->last_ns, now_ns);
    if (unlikely(!e->slot))
        arm(t, e);
}

/* A later deadline needs nothing. Only one that may be earlier does. */
INLINE void rearm(struct table *t, struct entry *e, i32 profile, u64 now_ns)
{
    u64 before = relaxed_load(&e->last_ns);
    relaxed_store(&e->last_ns, now_ns);
    int sooner = now_ns < before || !e->slot || e->reported;
    if (profile >= 0 && e->origin == ORIGIN_LEARNED) {
        u8 index = profile_index(t, (u32)profile);
        if (index != e->profile) {
            sooner |= e->profile == OWN_TIMEOUT || t->timeouts[index] < t->timeouts[e->profile];
            relaxed_store(&e->profile, index);
        }
    }
    if (unlikely(sooner))
        arm(t, e);
}

#endif
