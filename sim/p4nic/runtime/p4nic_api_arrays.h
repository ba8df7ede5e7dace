/* What Python calls, continued: profiles, arrays, replication, messages, statistics. Included by p4nic_api.h. */
#ifndef P4NIC_API_ARRAYS_H
#define P4NIC_API_ARRAYS_H

API void p4_set_member(struct engine *e, u32 profile, u32 id, i64 action, const u8 *args, u32 args_bytes);
API void p4_set_group(struct engine *e, u32 profile, u32 id, const u32 *slots, i64 count, u32 drawn);
API void p4_counter(struct engine *e, u32 counter, u64 index, u64 *out);
API void p4_set_counter(struct engine *e, u32 counter, u64 index, u64 packets, u64 bytes);
API void p4_default_counter(struct engine *e, u32 table, u64 *out);
API void p4_set_default_counter(struct engine *e, u32 table, u64 packets, u64 bytes);
API void p4_set_meter(
    struct engine *e, u32 place, u32 number, u64 index, u32 kind, u64 cir, u64 cburst, u64 pir, u64 pburst);
API void p4_marks(struct engine *e, u32 place, u32 number, u64 index, u64 *out);
API void p4_set_marks(struct engine *e, u32 place, u32 number, u64 index, const u64 *marks);
API void p4_register(struct engine *e, u32 reg, u64 index, u64 *out);
API void p4_set_register(struct engine *e, u32 reg, u64 index, u64 low, u64 high);
API void p4_set_value_set(struct engine *e, u32 set, const u64 *words, u32 members, u32 keys);
API void p4_set_replicas(struct engine *e, u32 clones, u32 id, const u32 *pairs, i64 count, u32 truncate, u32 service);
API const u64 *p4_events(struct engine *e, u64 *words);
API void p4_clear_messages(struct engine *e);
API void p4_clear_digests(struct engine *e);
API void p4_statistics(struct engine *e, u64 *statistics, u64 *hits, u64 *misses);
API void p4_burst_statistics(struct engine *e, u64 *out);

void p4_set_member(struct engine *e, u32 profile, u32 id, i64 action, const u8 *args, u32 args_bytes)
{
    struct member *m = NULL;
    if (action >= 0) {
        m = malloc(sizeof *m + args_bytes);
        if (m == NULL)
            abort();
        m->action = (u64)action;
        if (args_bytes)
            memcpy(m->args, args, args_bytes);
    }
    idmap_put(&e->profiles[profile].members, id, m);
}

void p4_set_group(struct engine *e, u32 profile, u32 id, const u32 *slots, i64 count, u32 drawn)
{
    struct member_group *g = NULL;
    if (count >= 0) {
        g = malloc(sizeof *g + (size_t)count * sizeof *slots);
        if (g == NULL)
            abort();
        g->count = (u32)count;
        g->drawn = drawn;
        if (count)
            memcpy(g->slots, slots, (size_t)count * sizeof *slots);
    }
    idmap_put(&e->profiles[profile].groups, id, g);
}

void p4_counter(struct engine *e, u32 counter, u64 index, u64 *out)
{
    out[0] = out[1] = 0;
    for (u32 n = 0; n < e->worker_count && index < e->counters[counter].size; n++)
        cell_add(out, &e->workers[n]->cells[counter][index]);
}

void p4_set_counter(struct engine *e, u32 counter, u64 index, u64 packets, u64 bytes)
{
    for (u32 n = 0; n < e->worker_count && index < e->counters[counter].size; n++)
        e->workers[n]->cells[counter][index] = n ? (struct cell){0, 0} : (struct cell){packets, bytes};
}

void p4_default_counter(struct engine *e, u32 table, u64 *out)
{
    out[0] = out[1] = 0;
    for (u32 n = 0; n < e->worker_count; n++)
        cell_add(out, &e->workers[n]->default_cells[table]);
}

void p4_set_default_counter(struct engine *e, u32 table, u64 packets, u64 bytes)
{
    for (u32 n = 0; n < e->worker_count; n++)
        e->workers[n]->default_cells[table] = n ? (struct cell){0, 0} : (struct cell){packets, bytes};
}

/* Where a meter is: in an array, or a table's (`number`) direct one of an entry or of the default entry. */
enum { METER_INDEXED, METER_OF_ENTRY, METER_OF_DEFAULT };

COLD struct meter *meter_at(struct engine *e, u32 place, u32 number, u64 index)
{
    if (place == METER_INDEXED)
        return index < e->meters[number].size ? &e->meters[number].cells[index] : NULL;
    return place == METER_OF_ENTRY ? &e->tables[number].meters[index] : &e->default_meters[number];
}

void p4_set_meter(
    struct engine *e, u32 place, u32 number, u64 index, u32 kind, u64 cir, u64 cburst, u64 pir, u64 pburst)
{
    struct meter *m = meter_at(e, place, number, index);
    if (m)
        meter_set(m, kind, cir, cburst, pir, pburst);
}

void p4_marks(struct engine *e, u32 place, u32 number, u64 index, u64 *out)
{
    const struct meter *m = meter_at(e, place, number, index);
    memset(out, 0, sizeof m->marked);
    control_lock(e);
    if (m)
        memcpy(out, m->marked, sizeof m->marked);
    control_unlock(e);
}

void p4_set_marks(struct engine *e, u32 place, u32 number, u64 index, const u64 *marks)
{
    struct meter *m = meter_at(e, place, number, index);
    if (m)
        memcpy(m->marked, marks, sizeof m->marked);
}

void p4_register(struct engine *e, u32 reg, u64 index, u64 *out)
{
    const struct register_array *r = &e->registers[reg];
    control_lock(e);
    u128 value = index < r->size ? r->cells[index] ^ r->initial : 0;
    control_unlock(e);
    out[0] = (u64)value;
    out[1] = (u64)(value >> 64);
}

void p4_set_register(struct engine *e, u32 reg, u64 index, u64 low, u64 high)
{
    struct register_array *r = &e->registers[reg];
    if (index < r->size)
        r->cells[index] = U128(high, low) ^ r->initial;
}

/* For each key of each member: low, high (two words each), whether it is a range. */
void p4_set_value_set(struct engine *e, u32 set, const u64 *words, u32 members, u32 keys)
{
    struct value_set *s = &e->value_sets[set];
    free(s->members);
    s->count = 0;
    s->members = aligned_alloc(16, ((size_t)members * keys + 1) * sizeof *s->members);
    if (s->members == NULL)
        abort();
    for (size_t i = 0; i < (size_t)members * keys; i++, words += 5)
        s->members[i] = (struct bounds){U128(words[1], words[0]), U128(words[3], words[2]), words[4]};
    s->count = members;
}

void p4_set_replicas(struct engine *e, u32 clones, u32 id, const u32 *pairs, i64 count, u32 truncate, u32 service)
{
    struct replicas *r = NULL;
    if (count >= 0) {
        r = malloc(sizeof *r + (size_t)count * sizeof r->to[0]);
        if (r == NULL)
            abort();
        r->count = (u32)count;
        r->truncate = truncate;
        r->service = service;
        for (u32 i = 0; i < r->count; i++)
            r->to[i] = (struct replica){pairs[2 * i], pairs[2 * i + 1]};
    }
    idmap_put(clones ? &e->clones : &e->multicast, id, r);
}

const u64 *p4_events(struct engine *e, u64 *words)
{
    *words = e->workers[0]->event_count;
    return e->workers[0]->events;
}

void p4_clear_messages(struct engine *e) { e->workers[0]->event_count = 0; }

void p4_clear_digests(struct engine *e) { e->workers[0]->digests = 0; }

void p4_statistics(struct engine *e, u64 *statistics, u64 *hits, u64 *misses)
{
    memset(statistics, 0, N_STATISTICS * sizeof *statistics);
    memset(hits, 0, N_TABLES * sizeof *hits);
    memset(misses, 0, N_TABLES * sizeof *misses);
    for (u32 n = 0; n < e->worker_count; n++) {
        struct worker *w = e->workers[n];
        for (u32 i = 0; i < PATHS; i++)
            path_flush(w, &w->paths[i]);
        for (u32 i = 0; i < N_STATISTICS; i++)
            statistics[i] += w->statistics[i];
        for (u32 i = 0; i < N_TABLES; i++) {
            hits[i] += w->hits[i];
            misses[i] += w->misses[i];
        }
    }
}

/* Packets that ran twice: because they changed state, because another did. */
void p4_burst_statistics(struct engine *e, u64 *out)
{
    out[0] = out[1] = 0;
    for (u32 n = 0; n < e->worker_count; n++) {
        out[0] += e->workers[n]->slow_packets;
        out[1] += e->workers[n]->rerun_packets;
    }
}

#endif
