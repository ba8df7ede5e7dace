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

#endif
