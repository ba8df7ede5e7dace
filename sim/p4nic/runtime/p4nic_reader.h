/* Reading a whole table in stretches, as it was when the reader began.
 *
 * A reader goes from slot to slot. What is inserted later has a later sequence number and is passed over; what the
 * control plane changes or takes out before the reader has come to it is put aside as it was (reader_save). So a long
 * read sees one state and costs memory only for what changes meanwhile, and packets wait for one stretch at most.
 * Entries of the data plane's own (learned, forgotten, expired) come and go as they do; none is seen twice. */
#ifndef P4NIC_READER_H
#define P4NIC_READER_H
#include "p4nic_idmap.h"
#include "p4nic_rows.h"
#include "p4nic_engine.h"

struct reader {
    struct reader *other; /* of the same table */
    struct table *table;
    u32 next, end; /* slots to be read yet */
    u64 before;    /* entries with this sequence number or a later one are too new */
    struct idmap saved;
};

struct saved_entry {
    u64 timeout_ns, counted[2];
    i64 priority;
    _Alignas(16) u8 entry[];
};

/* Packets and bytes, of all workers. The caller holds the control lock, or the gate is closed. */
INLINE void entry_counted(const struct engine *e, u32 table, u32 id, u64 *counted)
{
    const struct entry *x = entry_at(&e->tables[table], id);
    counted_get(x, counted);
    for (u32 n = 1; n < e->worker_count; n++)
        cell_add(counted, &e->workers[n]->entry_cells[table][id]);
}

/* Before an entry is changed or taken out: the gate is closed. */
COLD void reader_save(struct engine *e, struct table *t, u32 id)
{
    for (struct reader *r = t->readers; r; r = r->other) {
        if (id < r->next || id >= r->end || t->sequence[id] >= r->before || idmap_get(&r->saved, id))
            continue;
        struct saved_entry *copy = malloc(sizeof *copy + t->entry_size);
        if (copy == NULL)
            abort();
        copy->timeout_ns = timeout_of(t, id, entry_at(t, id));
        entry_counted(e, (u32)(t - e->tables), id, copy->counted);
        copy->priority = t->priority ? t->priority[id] : 0;
        memcpy(copy->entry, entry_at(t, id), t->entry_size);
        idmap_put(&r->saved, id, copy);
    }
}

/* The table's entries are about to go elsewhere: readers get what they have yet to read. */
COLD void reader_settle(struct engine *e, struct table *t)
{
    for (u32 id = 0; t->readers && id < t->fresh; id++)
        if (entry_at(t, id)->live)
            reader_save(e, t, id);
    for (struct reader *r = t->readers; r; r = r->other)
        r->before = 0;
}

UNUSED static struct reader *reader_start(struct table *t, u64 sequences)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    *r = (struct reader){t->readers, t, 0, t->fresh, sequences, {NULL, 0, 0}};
    t->readers = r;
    return r;
}

UNUSED static void reader_end(struct reader *r)
{
    struct reader **at = &r->table->readers;
    while (*at != r)
        at = &(*at)->other;
    *at = r->other;
    idmap_end(&r->saved);
    free(r);
}

INLINE u32 row_bytes(const struct table *t)
{
    return (u32)sizeof(struct row) + t->key_size + t->args_size;
}

UNUSED static void row_make(
    const struct table *t, const struct entry *x, u64 timeout_ns, i64 priority, const u64 *counted, u64 now_ns, u8 *out)
{
    struct row *r = (struct row *)(void *)out;
    u64 last_ns = relaxed_load(&x->last_ns), idle = now_ns > last_ns ? now_ns - last_ns : 0;
    *r = (struct row){row_bytes(t), (u16)t->number, 0, x->origin, x->action, (u32)priority, timeout_ns, idle, counted[0],
        counted[1]};
    memcpy(out + sizeof *r, (const u8 *)x + sizeof *x, t->key_size + t->args_size);
}

/* Rows of the next `slots` slots; the bytes written. `out` has room for all of them. The caller holds the control
 * lock: no packet of any worker changes an entry in the middle. */
UNUSED static u64 reader_rows(const struct engine *e, struct reader *r, u32 slots, u64 now_ns, u8 *out)
{
    const struct table *t = r->table;
    u64 counted[2];
    u8 *at = out;
    u32 end = r->end - r->next > slots ? r->next + slots : r->end;
    for (; r->next < end; r->next++) {
        const struct entry *x = entry_at(t, r->next);
        const struct saved_entry *saved = idmap_get(&r->saved, r->next);
        if (saved) {
            row_make(t, (const struct entry *)(const void *)saved->entry, saved->timeout_ns, saved->priority, saved->counted,
                now_ns, at);
            idmap_put(&r->saved, r->next, NULL);
        } else if (r->before && x->live && t->sequence[r->next] < r->before) {
            entry_counted(e, (u32)(t - e->tables), r->next, counted);
            row_make(t, x, timeout_of(t, r->next, x), t->priority ? t->priority[r->next] : 0, counted, now_ns, at);
        } else {
            continue;
        }
        at += row_bytes(t);
    }
    return (u64)(at - out);
}

#endif
