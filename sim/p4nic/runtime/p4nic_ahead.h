/* Insertions made ready while packets go on, so that the gate is closed for one store into the index per entry and
 * no more. In: packed rows (p4nic_rows.h). Called by p4nic_bulk.h.
 *
 * Only for tables that packets do not change: there the control plane is the one writer, so an entry that no index
 * names yet is its own, and the index may grow beside lookups. What packets share with it (the engine's sequence
 * numbers, timers, counts, the generation) waits for the gate. */
#ifndef P4NIC_AHEAD_H
#define P4NIC_AHEAD_H
#include "p4nic_rows.h"
#include "p4nic_workers.h"

#define AHEAD 8 /* rows between a prefetch and its use */
#define SPLIT_TOGETHER 32 /* so that packets on other processors fetch the index's shape anew less often */

struct ahead_row {
    u64 hash;
    struct entry *entry;
    const struct row *row;
};

struct ahead {
    struct ahead_row *rows;
    u32 *homes; /* by hash: rows of this batch, plus one */
    u64 count, mask;
};

static void ahead_end(struct ahead *a)
{
    free(a->rows);
    free(a->homes);
}

/* 0: some row is no insertion into a table of that kind, or there is no memory. */
static int ahead_start(struct ahead *a, const struct engine *e, const u8 *rows, u64 bytes)
{
    *a = (struct ahead){NULL, NULL, 0, 63};
    for (const u8 *at = rows; at < rows + bytes; at += ((const struct row *)(const void *)at)->size) {
        const struct row *r = (const void *)at;
        const struct table *t = &e->tables[r->table];
        if (r->operation != ROW_INSERT || !t->exact || t->learner || t->annotated || t->meters)
            return 0;
        a->count++;
    }
    if (a->count > UINT32_MAX / 4)
        return 0;
    while (a->mask < 2 * a->count)
        a->mask = 2 * a->mask + 1;
    a->rows = malloc((a->count + 1) * sizeof *a->rows);
    a->homes = calloc(a->mask + 1, sizeof *a->homes);
    if (a->rows && a->homes)
        return 1;
    ahead_end(a);
    return 0;
}

/* Whether an earlier row of the batch has this key: by its hash, which is unusual enough. */
static int ahead_twice(struct ahead *a, u64 i)
{
    const struct ahead_row *own = &a->rows[i];
    u64 at = own->hash & a->mask;
    for (; a->homes[at]; at = (at + 1) & a->mask) {
        const struct ahead_row *other = &a->rows[a->homes[at] - 1];
        if (other->hash == own->hash && other->row->table == own->row->table)
            return 1;
    }
    a->homes[at] = (u32)i + 1;
    return 0;
}

/* Rows from `count` on are nobody's again, the last one first; the index stays as large as it has become. */
static void ahead_undo(struct engine *e, const struct ahead *a, u64 made)
{
    while (made--) {
        struct table *t = &e->tables[a->rows[made].row->table];
        t->index.count--;
        entry_give_back(t, a->rows[made].entry);
    }
}

/* The entry, whole but for what packets share. NULL: its key is there, or the table is full. */
static struct entry *ahead_entry(struct engine *e, const struct ahead_row *a, u64 now_ns)
{
    const struct row *r = a->row;
    struct table *t = &e->tables[r->table];
    const u8 *key = (const u8 *)(r + 1);
    if (find_any(t, &t->index, key, a->hash))
        return NULL;
    u32 fresh = t->fresh;
    struct entry *x = entry_take(t, key);
    if (x == NULL)
        return NULL;
    u32 id = id_of(t, x);
    x->origin = ORIGIN_CONTROL;
    x->last_ns = now_ns;
    if (t->timeout[id] != r->timeout_ns)
        t->timeout[id] = r->timeout_ns;
    if (t->fresh != fresh)
        t->sequence[id] = 0; /* the kernel gives the page now, not behind the gate */
    entry_action(t, x, r->action, KIND_ACTION, key + t->key_size, t->args_size);
    t->index.count++; /* the place is spoken for */
    return x;
}

/* While packets go on. 0: a row cannot be applied; nothing has changed. */
static int ahead_make(struct engine *e, struct ahead *a, const u8 *rows, u64 now_ns)
{
    u64 i = 0;
    for (const u8 *at = rows; i < a->count; at += a->rows[i++].row->size) {
        const struct row *r = (const void *)at;
        struct table *t = &e->tables[r->table];
        a->rows[i] = (struct ahead_row){key_hash(t, r + 1), NULL, r};
        prefetch_bucket(t, a->rows[i].hash);
    }
    for (i = 0; i < a->count; i++) {
        struct ahead_row *own = &a->rows[i];
        struct table *t = &e->tables[own->row->table];
        own->entry = ahead_twice(a, i) ? NULL : ahead_entry(e, own, now_ns);
        if (own->entry == NULL) {
            ahead_undo(e, a, i);
            return 0;
        }
        if (i % SPLIT_TOGETHER == SPLIT_TOGETHER - 1)
            for (u32 k = 0; k < SPLIT_TOGETHER && index_wants_split(&t->index); k++)
                index_split(t, &t->index);
    }
    return 1;
}

/* Rows that are in the index go out again. The gate is closed. */
COLD void ahead_withdraw(struct engine *e, const struct ahead *a, u64 placed)
{
    while (placed--) {
        const struct ahead_row *r = &a->rows[placed];
        struct table *t = &e->tables[r->row->table];
        index_replace(&t->index, r->hash, id_of(t, r->entry), -1);
        t->index.count++; /* given back with all others */
    }
    ahead_undo(e, a, a->count);
}

/* Behind the gate: everything is visible. 0: the index has no place for one of them, and nothing is. */
static int ahead_publish(struct engine *e, const struct ahead *a)
{
    for (u64 i = 0; i < a->count; i++) {
        const struct ahead_row *r = &a->rows[i];
        struct table *t = &e->tables[r->row->table];
        if (i + AHEAD < a->count)
            prefetch_bucket(&e->tables[a->rows[i + AHEAD].row->table], a->rows[i + AHEAD].hash);
        if (!index_place(&t->index, home_of(t->index.shape, r->hash), r->hash, id_of(t, r->entry))) {
            ahead_withdraw(e, a, i);
            return 0;
        }
    }
    for (u64 i = 0; i < a->count; i++) {
        struct entry *x = a->rows[i].entry;
        struct table *t = &e->tables[a->rows[i].row->table];
        t->sequence[id_of(t, x)] = e->sequences++;
        entry_counted_in(t, 1);
        if (a->rows[i].row->timeout_ns)
            arm(t, x);
    }
    return 1;
}

#endif
