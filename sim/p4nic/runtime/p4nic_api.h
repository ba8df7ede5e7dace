/* What Python calls. Tables, actions and the rest by number; keys and arguments as the unit's structs lie in memory.
 * One thread at a time. */
#ifndef P4NIC_API_H
#define P4NIC_API_H
#include "p4nic_loop.h"
#include "p4nic_ports.h"
#include "p4nic_reader.h"

struct p4_entry {
    u64 last_ns, timeout_ns, packets, bytes, sequence;
    i64 priority;
    const u8 *key, *args;
    u32 id;
    u16 action;
    u8 origin, kind;
};

API struct engine *p4_create(u32 cpu_port, u32 drop_port, u32 port_count, u64 seed);
API void p4_destroy(struct engine *e);
API u64 p4_code(void);
API void p4_take_over(struct engine *e, u64 code);
API int p4_start_table(struct engine *e, u32 table, u32 capacity, const u64 *timeouts, u32 count);
API int p4_start_counter(struct engine *e, u32 counter, u64 size);
API int p4_start_meter(struct engine *e, u32 meter, u64 size, u32 by_packets);
API int p4_start_register(struct engine *e, u32 reg, u64 size, u64 low, u64 high);
API int p4_start_direct_meter(struct engine *e, u32 table);

API void p4_wire_remove(struct engine *e, u32 number);

COLD void release_arrays(struct engine *e)
{
    for (int i = 0; i < N_METERS; i++)
        release(e->meters[i].cells, e->meters[i].size * sizeof(struct meter));
    for (int i = 0; i < N_REGISTERS; i++)
        release(e->registers[i].cells, e->registers[i].size * sizeof(u128));
    for (int i = 0; i < N_VALUE_SETS; i++)
        free(e->value_sets[i].members);
}

void p4_destroy(struct engine *e)
{
    if (e == NULL)
        return;
    keeper_end(&e->keeper);
    for (int i = 0; i < N_TABLES; i++) {
        release(e->tables[i].meters, (size_t)e->tables[i].capacity * sizeof(struct meter));
        release(e->tables[i].removed, (size_t)e->tables[i].capacity * 4);
        while (e->tables[i].readers)
            reader_end(e->tables[i].readers);
        table_end(&e->tables[i]);
    }
    for (int i = 0; i < N_PROFILES; i++) {
        idmap_end(&e->profiles[i].members);
        idmap_end(&e->profiles[i].groups);
    }
    while (e->wire_count)
        p4_wire_remove(e, e->wire_list[0]->number);
    idmap_end(&e->wires);
    if (e->notify >= 0)
        (void)close(e->notify);
    idmap_end(&e->multicast);
    idmap_end(&e->clones);
    workers_end(e);
    release_arrays(e);
    free(e->shown);
    free(e);
}

struct engine *p4_create(u32 cpu_port, u32 drop_port, u32 port_count, u64 seed)
{
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    if (!engine_start(e)) {
        workers_end(e);
        free(e);
        return NULL;
    }
    e->cpu_port = cpu_port;
    e->drop_port = drop_port;
    e->port_count = port_count;
    e->random = seed;
    e->run_burst = run_burst;
    return e;
}

/* From the next burst on, `code` of another compilation of this very unit runs packets: what p4_code says there. */
void p4_take_over(struct engine *e, u64 code)
{
    __atomic_store_n(&e->run_burst, (burst_runner *)code, __ATOMIC_RELEASE);
}

u64 p4_code(void) { return (u64)run_burst; }

int p4_start_table(struct engine *e, u32 table, u32 capacity, const u64 *timeouts, u32 count)
{
    struct table *t = &e->tables[table];
    const struct table_shape *s = &table_shapes[table];
    t->learner = s->learner;
    t->masked = s->masked;
    t->exact = !s->masked;
    t->longest_prefix = s->longest_prefix;
    if (s->longest_prefix) {
        t->lpm = lpm_start(capacity, s->key, s->prefix_at, s->prefix_bytes, s->prefix_width, s->prefix_alone);
        if (t->lpm == NULL)
            return 0;
    }
    t->in_ranges = s->in_ranges;
    t->profiles = count ? count : 1;
    for (u32 i = 0; i < count && i < MAX_PROFILES; i++)
        t->timeouts[i] = timeouts[i];
    u8 *shown = realloc(e->shown, e->shown_size < s->entry ? s->entry : e->shown_size);
    if (shown == NULL)
        return 0;
    e->shown = shown;
    e->shown_size = e->shown_size < s->entry ? s->entry : e->shown_size;
    return table_start(t, table, capacity, s->key, s->args, s->entry, &e->keeper);
}

int p4_start_counter(struct engine *e, u32 counter, u64 size)
{
    struct cell *cells = reserve(size * sizeof(struct cell));
    e->workers[0]->cells[counter] = cells;
    e->counters[counter].size = cells ? size : 0;
    return cells != NULL;
}

int p4_start_meter(struct engine *e, u32 meter, u64 size, u32 by_packets)
{
    e->meters[meter] = (struct meter_array){reserve(size * sizeof(struct meter)), size, by_packets};
    return e->meters[meter].cells != NULL;
}

int p4_start_register(struct engine *e, u32 reg, u64 size, u64 low, u64 high)
{
    e->registers[reg] = (struct register_array){reserve(size * sizeof(u128)), size, U128(high, low)};
    return e->registers[reg].cells != NULL;
}

int p4_start_direct_meter(struct engine *e, u32 table)
{
    e->tables[table].meters = reserve((size_t)e->tables[table].capacity * sizeof(struct meter));
    return e->tables[table].meters != NULL;
}

/* --- packets --- */

API void p4_run(struct engine *e, const u8 *frames, const u32 *ports, const u32 *lengths, u32 count, u64 now_ns);
API const u8 *p4_reply(struct engine *e, u64 *size);

COLD void reply_more(struct worker *w, size_t bytes)
{
    size_t room = (w->reply_room + bytes) * 2;
    u8 *reply = realloc(w->reply, room);
    if (reply == NULL)
        abort();
    w->reply = reply;
    w->reply_room = room;
}

UNUSED static void reply_bytes(struct worker *w, const void *p, size_t bytes)
{
    if (w->reply_size + bytes > w->reply_room)
        reply_more(w, bytes);
    memcpy(w->reply + w->reply_size, p, bytes);
    w->reply_size += bytes;
}

/* For each packet: copies, reason; for each copy: port, length, bytes. */
UNUSED static void reply_burst(struct worker *w, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        const struct result *r = &w->results[i];
        u32 head[2] = {r->count, r->reason};
        reply_bytes(w, head, sizeof head);
        for (u32 k = r->first; k < r->first + r->count; k++) {
            u32 copy[2] = {w->sent[k].port, w->sent[k].length};
            reply_bytes(w, copy, sizeof copy);
            reply_bytes(w, w->sent[k].data, w->sent[k].length);
        }
    }
}

void p4_run(struct engine *e, const u8 *frames, const u32 *ports, const u32 *lengths, u32 count, u64 now_ns)
{
    struct worker *w = e->workers[0];
    struct input in[BURST];
    w->reply_size = 0;
    for (u32 done = 0; done < count;) {
        u32 n = 0;
#ifdef AS_ONE_OF_SEVERAL /* for tests: the way of several workers, in an order that can be told */
        (void)share(e, 1);
#endif
        for (; n < BURST && done < count; n++, done++) {
            in[n] = (struct input){frames, ports[done], lengths[done]};
            frames += lengths[done];
        }
        burst(w, in, n, now_ns);
        reply_burst(w, n);
    }
}

const u8 *p4_reply(struct engine *e, u64 *size)
{
    *size = e->workers[0]->reply_size;
    return e->workers[0]->reply;
}

/* --- tables: entries by number --- */

API i64 p4_find(struct engine *e, u32 table, const u8 *key);
API i64 p4_insert(
    struct engine *e, u32 table, const u8 *key, const u8 *mask, const u8 *bounds, i64 priority, u32 action, u32 kind,
    const u8 *args, u32 args_bytes, u32 origin, u64 timeout_ns, u64 now_ns);
API void p4_modify(
    struct engine *e, u32 table, u32 id, u32 action, u32 kind, const u8 *args, u32 args_bytes, u64 timeout_ns,
    u64 now_ns);
API void p4_remove(struct engine *e, u32 table, u32 id, const u8 *mask);
API void p4_entry(struct engine *e, u32 table, u32 id, struct p4_entry *out);
API u32 p4_ids(struct engine *e, u32 table, u32 *ids, u64 *sequences, u32 room);
API int p4_is_live(struct engine *e, u32 table, u32 id);
API u32 p4_count(struct engine *e, u32 table);
API void p4_set_default(struct engine *e, u32 table, u32 action, const u8 *args, u32 args_bytes);
API void p4_set_entry_counter(struct engine *e, u32 table, u32 id, u64 packets, u64 bytes);

i64 p4_find(struct engine *e, u32 table, const u8 *key)
{
    struct table *t = &e->tables[table];
    control_lock(e);
    struct entry *x = t->key_size ? find_any(t, &t->index, key, key_hash(t, key)) : NULL;
    i64 found = x ? (i64)id_of(t, x) : -1;
    control_unlock(e);
    return found;
}

UNUSED static void entry_action(struct table *t, struct entry *x, u32 action, u32 kind, const u8 *args, u32 bytes)
{
    x->action = (u16)action;
    x->kind = (u8)kind;
    if (bytes)
        memcpy(args_of(t, x), args, bytes);
}

/* -1: there is such an entry (exact tables only: others are told apart by the caller); -2: full; -3: no memory. */
i64 p4_insert(
    struct engine *e, u32 table, const u8 *key, const u8 *mask, const u8 *bounds, i64 priority, u32 action, u32 kind,
    const u8 *args, u32 args_bytes, u32 origin, u64 timeout_ns, u64 now_ns)
{
    struct table *t = &e->tables[table];
    u64 hash = key_hash(t, key);
    if (t->exact && find_any(t, &t->index, key, hash))
        return -1;
    struct entry *x = entry_make(t, key, e->sequences);
    if (x == NULL)
        return -2;
    u32 id = id_of(t, x);
    x->origin = (u8)origin;
    x->last_ns = now_ns;
    if (t->timeout[id] != timeout_ns) /* untouched memory stays untouched */
        t->timeout[id] = timeout_ns;
    entry_action(t, x, action, kind, args, args_bytes);
    if (t->in_ranges)
        memcpy(args_of(t, x) + t->args_size, bounds, 2 * t->key_size);
    if (t->masked)
        t->priority[id] = priority;
    if (t->masked ? !masked_add(t, id, mask) : !index_add(t, &t->index, hash, id)) {
        entry_unmake(t, x);
        return -3;
    }
    e->sequences++;
    arm(t, x);
    return id;
}

/* A learned entry keeps the timeout of its profile unless one is given. */
void p4_modify(
    struct engine *e, u32 table, u32 id, u32 action, u32 kind, const u8 *args, u32 args_bytes, u64 timeout_ns,
    u64 now_ns)
{
    struct table *t = &e->tables[table];
    struct entry *x = entry_at(t, id);
    if (unlikely(t->readers))
        reader_save(e, t, id);
    entry_action(t, x, action, kind, args, args_bytes);
    if (x->origin != ORIGIN_LEARNED || timeout_ns) {
        x->profile = OWN_TIMEOUT;
        t->timeout[id] = timeout_ns;
    }
    x->last_ns = now_ns;
    x->reported = 0;
    arm(t, x);
}

void p4_remove(struct engine *e, u32 table, u32 id, const u8 *mask)
{
    struct table *t = &e->tables[table];
    if (unlikely(t->readers))
        reader_save(e, t, id);
    entry_remove(t, entry_at(t, id), mask);
    entry_cells_clear(e, table, id);
}

void p4_entry(struct engine *e, u32 table, u32 id, struct p4_entry *out)
{
    struct table *t = &e->tables[table];
    struct entry *x = entry_at(t, id);
    control_lock(e);
    u64 counted[2];
    counted_get(x, counted);
    for (u32 n = 1; n < e->worker_count; n++)
        cell_add(counted, &e->workers[n]->entry_cells[table][id]);
    memcpy(e->shown, key_of(x), t->key_size + t->args_size);
    *out = (struct p4_entry){
        relaxed_load(&x->last_ns), timeout_of(t, id, x), counted[0], counted[1], t->sequence[id],
        t->priority ? t->priority[id] : 0, e->shown, e->shown + t->key_size, id, x->action, x->origin, x->kind};
    control_unlock(e);
}

#define IDS_PIECE 4096

/* Numbers of all entries (at most `room`), and when they were inserted; the caller sorts. */
u32 p4_ids(struct engine *e, u32 table, u32 *ids, u64 *sequences, u32 room)
{
    struct table *t = &e->tables[table];
    u32 found = 0;
    for (u32 id = 0, more = 1; more;) { /* packets that change state wait for a piece of it only */
        control_lock(e);
        for (u32 end = id + IDS_PIECE < t->fresh ? id + IDS_PIECE : t->fresh; id < end && found < room; id++)
            if (entry_at(t, id)->live) {
                ids[found] = id;
                sequences[found++] = t->sequence[id];
            }
        more = id < t->fresh && found < room;
        control_unlock(e);
    }
    return found;
}

int p4_is_live(struct engine *e, u32 table, u32 id) { return entry_at(&e->tables[table], id)->live; }

u32 p4_count(struct engine *e, u32 table)
{
    const struct table *t = &e->tables[table];
    return relaxed_load(&t->count) - relaxed_load(&t->removed_count);
}

void p4_set_default(struct engine *e, u32 table, u32 action, const u8 *args, u32 args_bytes)
{
    e->tables[table].default_action = (u16)action;
    if (args_bytes)
        memcpy(e->tables[table].default_args, args, args_bytes);
}

void p4_set_entry_counter(struct engine *e, u32 table, u32 id, u64 packets, u64 bytes)
{
    struct table *t = &e->tables[table];
    struct entry *x = entry_at(t, id);
    if (unlikely(t->readers))
        reader_save(e, t, id);
    entry_cells_clear(e, table, id);
    counted_set(x, packets, bytes);
}

#include "p4nic_expiry.h"
#include "p4nic_api_arrays.h"
#include "p4nic_adopt.h"
#include "p4nic_api_workers.h"
#include "p4nic_api_wires.h"
#include "p4nic_bulk.h"

#endif
