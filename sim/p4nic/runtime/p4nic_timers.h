/* When entries are due: a hierarchical timing wheel, so that ten million timers cost eight bytes each and nothing
 * per packet, and a small heap in front, which puts those of the current tick in exact order.
 *
 * A hit only writes the time into the entry. The wheel holds each armed entry in the list of a slot no later than
 * its deadline; when the slot's time comes, entries whose deadline has moved go to a later slot. Six levels of 256
 * slots; a tick is 2^20 ns. An entry is at the level of the highest digit in which its tick and the wheel's differ. */
#ifndef P4NIC_TIMERS_H
#define P4NIC_TIMERS_H
#include "p4nic_base.h"

#define TICK_BITS 20
#define LEVELS 6
#define LEVEL_SLOTS 256
#define WHEEL_SLOTS (LEVELS * LEVEL_SLOTS)
#define SLOT_FRONT 0xffff /* in the heap */

struct timer {
    u64 deadline, sequence;
    u32 id;
};

struct heap {
    struct timer *items;
    size_t count, room;
};

/* Neighbours in a slot's list, as entry numbers plus one. */
struct link {
    u32 next, before;
};

struct wheel {
    u64 tick; /* what is due in this tick or before it is in the heap, or in the slot `pouring` */
    u32 pouring; /* a slot that has begun, and is emptied in pieces; it comes before all others */
    struct heap front;
    struct link *links; /* by entry */
    u64 occupied[WHEEL_SLOTS / 64];
    u32 first[WHEEL_SLOTS]; /* plus one; 0: empty */
};

INLINE int earlier(const struct timer *a, const struct timer *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->sequence < b->sequence;
}

UNUSED static void heap_push(struct heap *h, u64 deadline, u64 sequence, u32 id)
{
    if (h->count == h->room) {
        size_t room = h->room ? h->room * 2 : 64;
        struct timer *items = realloc(h->items, room * sizeof *items);
        if (items == NULL)
            return; /* out of memory: the entry stays until it is armed again */
        h->items = items;
        h->room = room;
    }
    struct timer added = {deadline, sequence, id};
    size_t at = h->count++;
    while (at && earlier(&added, &h->items[(at - 1) / 2])) {
        h->items[at] = h->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    h->items[at] = added;
}

UNUSED static void heap_pop(struct heap *h)
{
    struct timer last = h->items[--h->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && earlier(&h->items[child + 1], &h->items[child]))
            child++;
        if (!earlier(&h->items[child], &last))
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    h->items[at] = last;
}

/* --- slots: numbered from 1, level by level --- */

INLINE u64 slot_start(const struct wheel *w, u32 slot)
{
    u32 level = (slot - 1) / LEVEL_SLOTS, index = (slot - 1) % LEVEL_SLOTS;
    u64 above = level + 1 < LEVELS ? w->tick >> 8 * (level + 1) << 8 * (level + 1) : 0;
    return above | (u64)index << 8 * level;
}

INLINE u64 slot_end(const struct wheel *w, u32 slot)
{
    return slot_start(w, slot) + ((u64)1 << 8 * ((slot - 1) / LEVEL_SLOTS));
}

/* The slot a later tick belongs to. */
INLINE u32 slot_of(const struct wheel *w, u64 tick)
{
    u32 level = (u32)(63 - __builtin_clzll(tick ^ w->tick)) / 8;
    return 1 + level * LEVEL_SLOTS + (u32)(tick >> 8 * level & (LEVEL_SLOTS - 1));
}

INLINE u32 *slot_head(struct wheel *w, u32 slot) { return &w->first[slot - 1]; }

INLINE void slot_link(struct wheel *w, u32 slot, u32 id)
{
    u32 *head = slot_head(w, slot), next = *head;
    w->links[id] = (struct link){next, 0};
    if (next)
        w->links[next - 1].before = id + 1;
    else
        w->occupied[(slot - 1) / 64] |= (u64)1 << (slot - 1) % 64;
    *head = id + 1;
}

UNUSED static void slot_unlink(struct wheel *w, u32 slot, u32 id)
{
    struct link l = w->links[id];
    if (l.next)
        w->links[l.next - 1].before = l.before;
    if (l.before) {
        w->links[l.before - 1].next = l.next;
        return;
    }
    *slot_head(w, slot) = l.next;
    if (!l.next)
        w->occupied[(slot - 1) / 64] &= ~((u64)1 << (slot - 1) % 64);
}

/* The first slot with entries; 0 if there is none. */
UNUSED static u32 slot_next(const struct wheel *w)
{
    if (w->pouring && w->first[w->pouring - 1])
        return w->pouring;
    for (u32 word = 0; word < WHEEL_SLOTS / 64; word++)
        if (w->occupied[word])
            return 1 + word * 64 + (u32)__builtin_ctzll(w->occupied[word]);
    return 0;
}

#endif
