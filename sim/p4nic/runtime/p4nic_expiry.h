/* Entries whose time is up: told about, in order, or taken out untold; any number in one call.
 *
 * Untold ones leave no trace but a number, so their order among each other matters to nobody: they go as the wheel
 * has them, without passing through the heap, a piece at a time, and packets go on between two pieces. An entry that
 * is hit meanwhile has a later deadline and stays. */
#ifndef P4NIC_EXPIRY_H
#define P4NIC_EXPIRY_H

#define UNTOLD_PIECE 512 /* timers looked at while packets wait: some 50 to 100 us */
#define UNTOLD_PIECES 64 /* in one call */
#define UNTOLD_AHEAD 16  /* whose memory is fetched together */

API int p4_next_expiry(struct engine *e, u64 *deadline);
API u64 p4_expire(struct engine *e, u64 now_ns, u32 most, u8 *out);
API int p4_expire_untold(struct engine *e, u64 now_ns, const u8 *told, int alone, u64 *gone);

int p4_next_expiry(struct engine *e, u64 *deadline)
{
    int found = 0;
    control_lock(e);
    for (int i = 0; i < N_TABLES; i++) {
        u64 due = 0;
        if (!timer_next(&e->tables[i], &due) || (found && due >= *deadline))
            continue;
        found = 1;
        *deadline = due;
    }
    control_unlock(e);
    return found;
}

/* The table whose heap has the earliest; equal deadlines in order of insertion. */
UNUSED static i64 due_table(struct engine *e, u64 now_ns)
{
    i64 best = -1;
    for (int i = 0; i < N_TABLES; i++) {
        struct table *t = &e->tables[i];
        u64 due = 0;
        timer_advance(t, now_ns);
        if (!timer_front(t, &due) || due > now_ns)
            continue;
        if (best < 0 || earlier(&t->wheel.front.items[0], &e->tables[best].wheel.front.items[0]))
            best = i;
    }
    return best;
}

/* An entry as it was when its time was up; its key and arguments follow. */
struct expired {
    u64 last_ns, timeout_ns, packets, bytes, sequence;
    i64 priority;
    u32 table, id;
    u16 action;
    u8 origin, kind;
    u32 size; /* with what follows */
};

static u32 expired_put(struct engine *e, u32 table, u32 id, u8 *out)
{
    const struct table *t = &e->tables[table];
    struct p4_entry x;
    p4_entry(e, table, id, &x);
    u32 follow = t->key_size + t->args_size, size = (u32)sizeof(struct expired) + follow;
    struct expired made = {x.last_ns, x.timeout_ns, x.packets, x.bytes, x.sequence, x.priority, table, id, x.action,
        x.origin, x.kind, size};
    memcpy(out, &made, sizeof made);
    memcpy(out + sizeof made, x.key, follow);
    return size;
}

/* Up to `most` entries whose time is up, the earliest first, into `out`: learned ones are gone then, others count
 * anew. Bytes written; 0: none is due. The caller has shut packets out. */
u64 p4_expire(struct engine *e, u64 now_ns, u32 most, u8 *out)
{
    u64 used = 0;
    u32 n = 0;
    for (i64 at; n < most && (at = due_table(e, now_ns)) >= 0; n++) {
        struct table *t = &e->tables[at];
        u32 id = t->wheel.front.items[0].id;
        struct entry *x = entry_at(t, id);
        used += expired_put(e, (u32)at, id, out + used);
        heap_pop(&t->wheel.front);
        x->slot = 0;
        if (x->origin == ORIGIN_LEARNED)
            p4_remove(e, (u32)at, id, NULL); /* learners are exact */
        else
            timer_repeat(t, x, now_ns);
    }
    e->workers[0]->statistics[STAT_EXPIRED] += n;
    return used;
}

/* --- untold --- */

/* Its timer has come out of the wheel; 1: it is gone. */
INLINE int untold_goes(struct engine *e, struct table *t, u32 id, u64 now_ns)
{
    struct entry *x = entry_at(t, id);
    u64 timeout = x->live ? timeout_of(t, id, x) : 0;
    if (!timeout)
        return 0;
    u64 deadline = deadline_of(t, id, x, timeout);
    if (deadline > now_ns || x->origin != ORIGIN_LEARNED) {
        timer_place(t, x, id, deadline);
        return 0;
    }
    p4_remove(e, t->number, id, NULL);
    return 1;
}

/* Due ones in the heap, up to `room` looked at. Others than learned entries stay for p4_expire, on top: then what is
 * behind waits for it, too. */
static u32 untold_in_heap(struct engine *e, struct table *t, u64 now_ns, u32 room, u64 *gone)
{
    u32 seen = 0;
    u64 due;
    for (; seen < room && timer_front(t, &due) && due <= now_ns; seen++) {
        u32 id = t->wheel.front.items[0].id;
        struct entry *x = entry_at(t, id);
        if (x->origin != ORIGIN_LEARNED)
            break;
        heap_pop(&t->wheel.front);
        x->slot = 0;
        p4_remove(e, t->number, id, NULL);
        ++*gone;
    }
    return seen;
}

/* The first timers of the slot the wheel is at; how many. */
static u32 untold_in_slot(struct engine *e, struct table *t, u32 slot, u64 now_ns, u64 *gone)
{
    u32 ids[UNTOLD_AHEAD], n = 0;
    const u32 *head = slot_head(&t->wheel, slot);
    for (u32 next = *head; next && n < UNTOLD_AHEAD; next = t->wheel.links[next - 1].next) {
        ids[n++] = next - 1;
        __builtin_prefetch(entry_at(t, next - 1), 1);
    }
    for (u32 i = 0; i < n; i++) {
        slot_unlink(&t->wheel, slot, ids[i]);
        relaxed_store(&entry_at(t, ids[i])->slot, 0);
        prefetch_bucket(t, key_hash(t, key_of(entry_at(t, ids[i]))));
    }
    for (u32 i = 0; i < n; i++)
        *gone += (u64)untold_goes(e, t, ids[i], now_ns);
    return n;
}

/* One piece of a table's; 1: there may be more. */
static int untold_piece(struct engine *e, struct table *t, u64 now_ns, u64 *gone)
{
    struct wheel *w = &t->wheel;
    u32 seen = untold_in_heap(e, t, now_ns, UNTOLD_PIECE, gone);
    while (seen < UNTOLD_PIECE) {
        u32 slot = slot_next(w);
        if (!slot || slot_start(w, slot) > now_ns >> TICK_BITS)
            return 0;
        w->tick = slot_start(w, slot);
        w->pouring = slot;
        seen += untold_in_slot(e, t, slot, now_ns, gone);
    }
    return 1;
}

/* Packets have the processors for nine parts of the time, so that ten million entries that expire at once cost them a
 * tenth for some seconds, and not everything for one. */
static void untold_pause(u64 since)
{
    u64 ns = 9 * (clock_ns(CLOCK_MONOTONIC) - since);
    struct timespec t = {0, (long)(ns < 1000000 ? ns : 1000000)};
    (void)nanosleep(&t, NULL);
}

/* Take out learned entries whose time is up, but for tables with `told`. `gone`: how many. 0: some are left, after
 * UNTOLD_PIECES pieces. The gate is closed for each piece; if the caller has shut packets out (`alone`), all go. */
int p4_expire_untold(struct engine *e, u64 now_ns, const u8 *told, int alone, u64 *gone)
{
    u32 pieces = 0;
    int more = 0;
    *gone = 0;
    for (u32 i = 0; i < N_TABLES && !more; i++) {
        struct table *t = &e->tables[i];
        if (!t->learner || told[i] || t->annotated)
            continue;
        do {
            if (!alone)
                gate_close(e);
            u64 since = alone ? 0 : clock_ns(CLOCK_MONOTONIC);
            more = untold_piece(e, t, now_ns, gone);
            if (!alone) {
                gate_open(e);
                untold_pause(since);
            }
        } while (more && (alone || ++pieces < UNTOLD_PIECES));
    }
    e->workers[0]->statistics[STAT_EXPIRED] += *gone;
    return !more;
}

#endif
