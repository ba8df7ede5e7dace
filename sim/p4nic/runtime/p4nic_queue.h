/* Copies of the packet under way that have yet to pass ingress or egress, first come, first served. */
#ifndef P4NIC_QUEUE_H
#define P4NIC_QUEUE_H

COLD void queue_add(struct queue *q, struct ctx *c)
{
    if (q->tail == q->room) {
        u32 room = q->room ? q->room * 2 : 16;
        struct ctx **items = realloc(q->items, room * sizeof *items);
        if (items == NULL)
            abort();
        q->items = items;
        q->room = room;
    }
    q->items[q->tail++] = c;
}

/* Whether a packet may start over, or be cloned into so many; else that ends here. */
COLD int goes_on(struct worker *w, const struct ctx *c, u32 copies)
{
    if (c->p.passes >= MAX_PASSES || w->verdicts->copies + copies > MAX_COPIES) {
        verdict_drop(w->verdicts, REASON_TOO_MANY_PASSES);
        return 0;
    }
    w->verdicts->copies += copies;
    return 1;
}

/* A received packet, and no copy of it so far. */
INLINE void turn_begins(struct worker *w, struct verdicts *v)
{
    *v = no_verdicts(w);
    w->verdicts = v;
    w->ingress.head = w->ingress.tail = w->egress.head = w->egress.tail = 0;
}

INLINE int any_left(const struct worker *w)
{
    return w->egress.head < w->egress.tail || w->ingress.head < w->ingress.tail;
}

/* Egress comes first: a packet that starts over waits until all copies are done. NULL: none is left. */
UNUSED static struct ctx *queues_next(struct worker *w)
{
    struct queue *q = w->egress.head < w->egress.tail ? &w->egress : &w->ingress;
    return q->head == q->tail ? NULL : q->items[q->head++];
}

#endif
