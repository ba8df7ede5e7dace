/* A binary heap of deadlines. Equal deadlines come out in order of insertion of their entries. */
#ifndef P4NIC_TIMERS_H
#define P4NIC_TIMERS_H
#include "p4nic_base.h"

struct timer {
    u64 deadline;
    u32 sequence; /* low half of the entry's number: compared modulo 2^32 */
    u32 id;
};

struct heap {
    struct timer *items;
    size_t count, room;
};

INLINE int earlier(struct timer a, struct timer b)
{
    return a.deadline != b.deadline ? a.deadline < b.deadline : (i32)(a.sequence - b.sequence) < 0;
}

UNUSED static void heap_push(struct heap *h, u64 deadline, u32 sequence, u32 id)
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
    while (at && earlier(added, h->items[(at - 1) / 2])) {
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
        if (child + 1 < h->count && earlier(h->items[child + 1], h->items[child]))
            child++;
        if (!earlier(h->items[child], last))
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    h->items[at] = last;
}

#endif
