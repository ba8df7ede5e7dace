/* Entries by the thousand, as packed rows (p4nic_rows.h): written all or none, read by a reader (p4nic_reader.h).
 * Called by Python; the caller keeps packets and other changes out of each call. Built on the functions for single
 * entries in p4nic_api.h, which includes this. Exact tables only. */
#ifndef P4NIC_BULK_H
#define P4NIC_BULK_H
#include "p4nic_ahead.h"
#include "p4nic_reader.h"

API int p4_write_rows(struct engine *e, const u8 *rows, u64 bytes, u64 now_ns, int alone);
API void p4_annotate(struct engine *e, u32 table, int yes);
API struct reader *p4_read_start(struct engine *e, u32 table);
API void p4_read_end(struct engine *e, struct reader *r);
API void p4_read_settle(struct engine *e, u32 table);
API u64 p4_read_rows(struct engine *e, struct reader *r, u32 slots, u64 now_ns, u8 *out);
API int p4_read_done(const struct reader *r);

/* What it takes to make a row undone. */
struct done_row {
    u32 id;
    u16 table;
    u16 operation;
    u64 timeout_ns, counted[2];
    u8 *entry; /* as it was, of a modified or deleted one */
};

struct done_rows {
    struct done_row *rows;
    u8 *entries;
    u64 count, entry_bytes;
};

static int done_rows_start(struct done_rows *d, struct engine *e, const u8 *rows, u64 bytes)
{
    u64 count = 0, entry_bytes = 0;
    for (const u8 *at = rows; at < rows + bytes; at += ((const struct row *)(const void *)at)->size) {
        const struct row *r = (const void *)at;
        count++;
        if (r->operation != ROW_INSERT)
            entry_bytes += e->tables[r->table].entry_size;
    }
    *d = (struct done_rows){malloc((count + 1) * sizeof *d->rows), malloc(entry_bytes + 1), 0, 0};
    return d->rows != NULL && d->entries != NULL;
}

static void done_rows_end(struct done_rows *d)
{
    free(d->rows);
    free(d->entries);
}

static void done_rows_note(struct done_rows *d, const struct engine *e, const struct row *r, u32 id)
{
    const struct table *t = &e->tables[r->table];
    struct done_row *done = &d->rows[d->count++];
    *done = (struct done_row){id, r->table, r->operation, 0, {0, 0}, NULL};
    if (r->operation == ROW_INSERT)
        return;
    done->timeout_ns = t->timeout[id];
    entry_counted(e, r->table, id, done->counted);
    done->entry = d->entries + d->entry_bytes;
    memcpy(done->entry, entry_at(t, id), t->entry_size);
    d->entry_bytes += t->entry_size;
}

/* All that an entry was, but its place in the order of reading. One that has been reported idle counts from its last
 * report, so that the same time is not reported twice. */
COLD void entry_restore(struct engine *e, const struct done_row *done, u32 id, u64 now_ns)
{
    struct table *t = &e->tables[done->table];
    struct entry *x = entry_at(t, id), was;
    memcpy(&was, done->entry, sizeof was);
    u64 since = now_ns - was.last_ns;
    if (was.origin != ORIGIN_LEARNED && done->timeout_ns && now_ns > was.last_ns)
        since %= done->timeout_ns;
    p4_modify(e, done->table, id, was.action, was.kind, done->entry + sizeof was + t->key_size, t->args_size,
        done->timeout_ns, now_ns - since);
    x->origin = was.origin;
    x->profile = was.profile;
    if (done->operation == ROW_DELETE)
        counted_set(x, done->counted[0], done->counted[1]);
    arm(t, x);
}

COLD void done_rows_undo(struct engine *e, struct done_rows *d, u64 now_ns)
{
    while (d->count) {
        const struct done_row *done = &d->rows[--d->count];
        struct table *t = &e->tables[done->table];
        if (done->operation == ROW_INSERT) {
            p4_remove(e, done->table, done->id, NULL);
        } else if (done->operation == ROW_MODIFY) {
            entry_restore(e, done, done->id, now_ns);
        } else {
            const u8 *key = done->entry + sizeof(struct entry);
            i64 id = p4_insert(e, done->table, key, NULL, NULL, 0, 0, KIND_ACTION, key + t->key_size, t->args_size,
                ORIGIN_CONTROL, 0, 0);
            if (id < 0)
                abort(); /* it had a place a moment ago */
            entry_restore(e, done, (u32)id, now_ns);
        }
    }
}

/* The entry's number; negative if the row cannot be applied. */
static i64 row_apply(struct engine *e, struct done_rows *d, const struct row *r, u64 now_ns)
{
    const struct table *t = &e->tables[r->table];
    const u8 *key = (const u8 *)(r + 1), *args = key + t->key_size;
    if (t->annotated)
        return -1;
    if (r->operation == ROW_INSERT) {
        i64 id = p4_insert(e, r->table, key, NULL, NULL, 0, r->action, KIND_ACTION, args, t->args_size, ORIGIN_CONTROL,
            r->timeout_ns, now_ns);
        if (id >= 0)
            done_rows_note(d, e, r, (u32)id);
        return id;
    }
    i64 id = p4_find(e, r->table, key);
    if (id < 0)
        return id;
    done_rows_note(d, e, r, (u32)id);
    if (r->operation == ROW_MODIFY)
        p4_modify(e, r->table, (u32)id, r->action, KIND_ACTION, args, t->args_size, r->timeout_ns, now_ns);
    else
        p4_remove(e, r->table, (u32)id, NULL);
    return id;
}

/* One after the other: any rows. */
static int rows_apply(struct engine *e, const u8 *rows, u64 bytes, u64 now_ns)
{
    struct done_rows d;
    int good = done_rows_start(&d, e, rows, bytes);
    for (const u8 *at = rows; good && at < rows + bytes; at += ((const struct row *)(const void *)at)->size)
        good = row_apply(e, &d, (const void *)at, now_ns) >= 0;
    if (!good)
        done_rows_undo(e, &d, now_ns);
    done_rows_end(&d);
    return good;
}

/* Rows in their order. 1: all are applied; 0: one could not be, and nothing has changed. `alone`: the caller has shut
 * packets out; else they go on for as long as may be, and see all rows or none. */
int p4_write_rows(struct engine *e, const u8 *rows, u64 bytes, u64 now_ns, int alone)
{
    struct ahead a;
    int ahead = ahead_start(&a, e, rows, bytes), good = 1;
    if (ahead)
        good = ahead_make(e, &a, rows, now_ns);
    if (good) {
        if (!alone)
            gate_close(e);
        good = ahead ? ahead_publish(e, &a) : rows_apply(e, rows, bytes, now_ns);
        if (!alone)
            gate_open(e);
    }
    if (ahead)
        ahead_end(&a);
    return good;
}

/* Entries of this table have something that C does not know of. */
void p4_annotate(struct engine *e, u32 table, int yes) { e->tables[table].annotated = yes != 0; }

struct reader *p4_read_start(struct engine *e, u32 table)
{
    control_lock(e);
    struct reader *r = reader_start(&e->tables[table], e->sequences);
    control_unlock(e);
    return r;
}

void p4_read_end(struct engine *e, struct reader *r)
{
    control_lock(e);
    reader_end(r);
    control_unlock(e);
}

/* Before the table's entries go to another engine; the gate is closed. */
void p4_read_settle(struct engine *e, u32 table) { reader_settle(e, &e->tables[table]); }

u64 p4_read_rows(struct engine *e, struct reader *r, u32 slots, u64 now_ns, u8 *out)
{
    control_lock(e);
    u64 size = reader_rows(e, r, slots, now_ns, out);
    control_unlock(e);
    return size;
}

int p4_read_done(const struct reader *r) { return r->next >= r->end; }

#endif
