/* Making workers and giving them back. */
#ifndef P4NIC_WORKERS_H
#define P4NIC_WORKERS_H

COLD void worker_end(struct worker *w)
{
    if (w == NULL)
        return;
    arena_reset(w);
    free(w->arena);
    free(w->events);
    free(w->contexts);
    free(w->sent);
    free(w->reply);
    free(w->ingress.items);
    free(w->egress.items);
    free(w);
}

COLD struct worker *worker_make(struct engine *e, u32 number)
{
    size_t size = (sizeof(struct worker) + 63) & ~(size_t)63;
    struct worker *w = aligned_alloc(64, size); /* cache lines of its own */
    if (w == NULL)
        return NULL;
    memset(w, 0, size);
    w->engine = e;
    w->number = number;
    size_t contexts = BURST * sizeof(struct ctx) + (size_t)BURST * SLOT_ROOM;
    w->contexts = aligned_alloc(64, (contexts + 63) & ~(size_t)63);
    if (w->contexts == NULL) {
        free(w);
        return NULL;
    }
    memset(w->contexts, 0, contexts);
    return w;
}

COLD void workers_end(struct engine *e)
{
    for (u32 i = 0; i < e->worker_count; i++)
        worker_end(e->workers[i]);
    free(e->workers);
}

/* 0: no memory. */
COLD int workers_start(struct engine *e, u32 count)
{
    e->workers = calloc(count, sizeof(struct worker *));
    if (e->workers == NULL)
        return 0;
    for (; e->worker_count < count; e->worker_count++) {
        e->workers[e->worker_count] = worker_make(e, e->worker_count);
        if (e->workers[e->worker_count] == NULL)
            return 0;
    }
    return 1;
}

#endif
