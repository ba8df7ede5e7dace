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

/* A received packet, and nothing else, is waiting for ingress. */
UNUSED static void queues_start(struct worker *w, struct ctx *c, const struct input *in, struct verdicts *v)
{
    w->verdicts = v;
    w->ingress.head = w->ingress.tail = w->egress.head = w->egress.tail = 0;
    pass_start(w, c, in->data, in->length, in->port, 0);
    queue_add(&w->ingress, c);
}

/* Egress comes first: a packet that starts over waits until all copies are done. NULL: none is left. */
UNUSED static struct ctx *queues_next(struct worker *w)
{
    struct queue *q = w->egress.head < w->egress.tail ? &w->egress : &w->ingress;
    return q->head == q->tail ? NULL : q->items[q->head++];
}

#endif
