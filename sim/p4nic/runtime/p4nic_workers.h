/* Making workers and giving them back. */
#ifndef P4NIC_WORKERS_H
#define P4NIC_WORKERS_H
#include <unistd.h>

static void outbox_end(struct outbox *o);

/* Of the memory for remembered lookups in a table. */
COLD size_t memory_bytes(const struct table_shape *s)
{
    if (!s->key || s->learner)
        return 0;
    return (size_t)LINE_BYTES(s->key) << (s->masked ? CACHE_BITS : TINY_BITS);
}

COLD void worker_end(struct worker *w)
{
    if (w == NULL)
        return;
    const struct engine *e = w->engine;
    for (int i = 0; i < N_COUNTERS; i++)
        release(w->cells[i], e->counters[i].size * sizeof(struct cell));
    for (int i = 0; i < N_TABLES; i++)
        release(w->entry_cells[i], (size_t)e->tables[i].capacity * sizeof(struct cell));
    for (int i = 0; i < N_TABLES; i++)
        release(w->memory[i], memory_bytes(&table_shapes[i]));
    arena_reset(w);
    free(w->arena);
    free(w->events);
    free(w->contexts);
    free(w->sent);
    free(w->reply);
    if (w->wake >= 0)
        (void)close(w->wake);
    outbox_end(w->outbox);
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
    w->wake = -1;
    size_t contexts = BURST * CONTEXT_ROOM + (size_t)BURST * SLOT_ROOM;
    w->contexts = aligned_alloc(64, (contexts + 63) & ~(size_t)63);
    if (w->contexts == NULL) {
        free(w);
        return NULL;
    }
    memset(w->contexts, 0, contexts);
    for (int i = 0; i < N_TABLES; i++) {
        size_t bytes = memory_bytes(&table_shapes[i]);
        w->memory[i] = bytes ? reserve(bytes) : NULL;
        if (bytes && w->memory[i] == NULL) {
            worker_end(w);
            return NULL;
        }
    }
    return w;
}

/* Counters of its own, so that no cache line goes to and fro; all but the first worker have them. */
COLD int worker_cells(struct worker *w)
{
    struct engine *e = w->engine;
    for (int i = 0; i < N_COUNTERS; i++) {
        w->cells[i] = reserve(e->counters[i].size * sizeof(struct cell));
        if (w->cells[i] == NULL)
            return 0;
    }
    for (int i = 0; i < N_TABLES; i++) {
        w->entry_cells[i] = reserve((size_t)e->tables[i].capacity * sizeof(struct cell));
        if (w->entry_cells[i] == NULL)
            return 0;
    }
    return 1;
}

COLD void workers_end(struct engine *e)
{
    for (u32 i = 0; i < e->worker_count; i++)
        worker_end(e->workers[i]);
    free(e->workers);
}

/* See to it that there are so many; they stay. 0: no memory. While none runs. */
COLD int workers_make(struct engine *e, u32 count)
{
    while (e->worker_count < count) {
        struct worker *w = worker_make(e, e->worker_count);
        if (w == NULL)
            return 0;
        if (w->number && !worker_cells(w)) {
            worker_end(w);
            return 0;
        }
        e->workers[e->worker_count++] = w;
    }
    return 1;
}

/* Add what one worker counted; it may be counting. */
UNUSED static void cell_add(u64 *sum, const struct cell *cell)
{
    sum[0] += relaxed_load(&cell->packets);
    sum[1] += relaxed_load(&cell->bytes);
}

/* Before an entry's number is used again: what the workers counted for it. */
COLD void entry_cells_clear(struct engine *e, u32 table, u32 id)
{
    for (u32 n = 1; n < e->worker_count; n++)
        if (e->workers[n]->entry_cells[table][id].packets)
            e->workers[n]->entry_cells[table][id] = (struct cell){0, 0};
}

/* What nobody can be reading any more is free for use again. At a gate, or while no worker runs. */
COLD void reclaim(struct engine *e)
{
    for (u32 n = 0; n < e->worker_count; n++)
        e->workers[n]->removed = 0;
    for (u32 i = 0; i < N_TABLES; i++) {
        struct table *t = &e->tables[i];
        while (t->removed_count) {
            u32 id = t->removed[--t->removed_count];
            entry_cells_clear(e, i, id);
            entry_unmake(t, entry_at(t, id));
        }
        retired_free(&t->retired);
    }
}

/* What other workers counted becomes the first one's, which is all that an engine at rest has. */
COLD void cells_fold(struct engine *e)
{
    for (u32 n = 1; n < e->worker_count; n++) {
        struct worker *w = e->workers[n];
        for (u32 i = 0; i < N_COUNTERS; i++)
            for (u64 k = 0; k < e->counters[i].size; k++)
                if (w->cells[i][k].packets | w->cells[i][k].bytes) {
                    cell_add(&e->workers[0]->cells[i][k].packets, &w->cells[i][k]);
                    w->cells[i][k] = (struct cell){0, 0};
                }
        for (u32 i = 0; i < N_TABLES; i++) {
            cell_add(&e->workers[0]->default_cells[i].packets, &w->default_cells[i]);
            w->default_cells[i] = (struct cell){0, 0};
            for (u32 id = 0; id < e->tables[i].fresh; id++)
                if (w->entry_cells[i][id].packets) {
                    u64 sum[2];
                    counted_get(entry_at(&e->tables[i], id), sum);
                    cell_add(sum, &w->entry_cells[i][id]);
                    counted_set(entry_at(&e->tables[i], id), sum[0], sum[1]);
                    w->entry_cells[i][id] = (struct cell){0, 0};
                }
        }
    }
}

/* Whether more than one worker runs; 0: no memory. While none runs. */
COLD int share(struct engine *e, u32 shared)
{
    for (u32 i = 0; i < N_TABLES; i++) {
        struct table *t = &e->tables[i];
        t->shared = (u8)shared;
        if (shared && t->learner && t->removed == NULL) {
            t->removed = reserve((size_t)t->capacity * 4);
            if (t->removed == NULL)
                return 0;
        }
    }
    reclaim(e);
    e->shared = shared;
    return 1;
}

COLD void gate_close(struct engine *e)
{
    pthread_mutex_lock(&e->gate.raised);
    e->gate.since = clock_ns(CLOCK_MONOTONIC);
    gate_raise(e, GATE_CONTROL);
    gate_wait(e, NULL, 0);
    reclaim(e);
}

COLD void gate_open(struct engine *e)
{
    gate_lower(e, GATE_CONTROL);
    u64 lasted = (clock_ns(CLOCK_MONOTONIC) - e->gate.since) | 1;
    u32 power = (u32)(63 - __builtin_clzll(lasted));
    e->gate.lasted[power < GATE_LASTED ? power : GATE_LASTED - 1]++;
    pthread_mutex_unlock(&e->gate.raised);
}

/* Against packets that change state; others go on. A worker alone takes no lock: it is stopped. */
COLD void control_lock(struct engine *e)
{
    if (e->shared) {
        pthread_mutex_lock(&e->gate.lock);
    } else if (e->thread_count && !(observe(&e->gate.closed) & GATE_CONTROL)) {
        gate_close(e);
        e->gate.brief = 1;
    }
}

COLD void control_unlock(struct engine *e)
{
    if (e->shared) {
        pthread_mutex_unlock(&e->gate.lock);
    } else if (e->gate.brief) {
        e->gate.brief = 0;
        gate_open(e);
    }
}

COLD int engine_start(struct engine *e)
{
    pthread_mutex_init(&e->gate.lock, NULL);
    pthread_mutex_init(&e->gate.raised, NULL);
    pthread_mutex_init(&e->gate.sleep, NULL);
    pthread_cond_init(&e->gate.opened, NULL);
    keeper_start(&e->keeper);
    e->notify = -1;
    e->workers = calloc(MAX_WORKERS, sizeof(struct worker *));
    return e->workers != NULL && workers_make(e, 1);
}

#endif
