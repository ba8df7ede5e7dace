/* Changes of tables: making them, adding and removing entries, learning. Called by the control plane's functions
 * (p4nic_api.h) and by Learn and Forget. */
#ifndef P4NIC_CHANGE_H
#define P4NIC_CHANGE_H
#include "p4nic_ageing.h"
#include "p4nic_keeper.h"
#include "p4nic_meter.h"
#include "p4nic_lpm_change.h"
#include "p4nic_split.h"

#ifndef FAR_BYTES
#define FAR_BYTES (256u << 10) /* tables beyond this miss the second-level cache often enough to prefetch */
#endif

#ifndef READY_ENTRIES
#define READY_ENTRIES 262144 /* of a learner: 25 MB with 64-byte entries */
#endif

#ifndef READY_STEP
#define READY_STEP 65536
#endif

/* Memory for the next entries: now, or by the keeper if there is one yet. */
COLD void table_ready(struct table *t, u32 entries, u32 buckets)
{
    struct stretch pieces[] = {
        {entry_at(t, t->ready), (size_t)(entries - t->ready) * t->entry_size},
        {t->sequence + t->ready, (size_t)(entries - t->ready) * sizeof *t->sequence},
        {t->wheel.links + t->ready, (size_t)(entries - t->ready) * sizeof *t->wheel.links},
        {t->index.buckets + t->ready_buckets, (size_t)(buckets - t->ready_buckets) * sizeof *t->index.buckets},
    };
    for (u32 i = 0; i < 4; i++)
        if (t->keeper && pieces[i].bytes)
            keeper_ask(t->keeper, pieces[i].memory, pieces[i].bytes);
        else
            make_ready(pieces[i].memory, pieces[i].bytes);
    t->ready = entries;
    t->ready_buckets = buckets;
}

/* Entries up to one step beyond what is ready, and the buckets of so many more: a doubling of the index takes one
 * bucket for each entry. */
COLD void table_ask(struct table *t)
{
    u64 shape = t->index.shape, homes = (u32)shape + (u64)1, split = shape >> 32, soon = t->count + 3 * (u64)READY_STEP;
    u64 buckets = split ? homes + split + 3 * (u64)READY_STEP : soon * 2 > homes * 9 ? homes + soon - homes * 9 / 2 : 0;
    if (buckets > 2 * homes)
        buckets = 2 * homes;
    if (buckets > t->index.limit)
        buckets = t->index.limit;
    if (buckets < t->ready_buckets)
        buckets = t->ready_buckets;
    table_ready(t, t->capacity - t->ready < READY_STEP ? t->capacity : t->ready + READY_STEP, (u32)buckets);
    t->ask_at = t->ready < t->capacity ? t->ready - READY_STEP : NONE;
}

COLD int table_start(
    struct table *t, u32 number, u32 capacity, u32 key, u32 args, u32 entry_bytes, struct keeper *keeper)
{
    t->number = number;
    t->generation = 1;
    t->ask_at = NONE;
    t->capacity = capacity;
    t->key_size = key;
    t->args_size = args;
    entry_size_is(t, entry_bytes);
    size_t n = capacity;
    t->entries = reserve(n * entry_bytes);
    t->sequence = reserve(n * 8);
    t->timeout = reserve(n * 8);
    t->repeat = reserve(n * 8);
    t->freed = reserve(n * 4);
    t->default_args = calloc(1, args ? args : 1);
    t->wheel.links = reserve(n * sizeof *t->wheel.links);
    if (!t->entries || !t->sequence || !t->timeout || !t->repeat || !t->freed || !t->wheel.links || !t->default_args)
        return 0;
    if (t->masked) {
        t->priority = reserve(n * 8);
        t->next = reserve(n * 4);
        t->place = reserve(n * 4);
        return t->priority && t->next && t->place;
    }
    if (!index_start(&t->index, capacity, 1))
        return 0;
    if (t->learner) { /* packets insert here: they find memory for the first entries ready, and ask for more */
        u32 ready = capacity < READY_ENTRIES ? capacity : READY_ENTRIES;
        table_ready(t, ready, ready / 4);
        t->keeper = keeper;
        t->ask_at = ready < capacity ? ready - READY_STEP : NONE;
    }
    return 1;
}

COLD void group_end(struct group *g)
{
    index_end(&g->index);
    free(g->mask);
    free(g);
}

COLD void table_end(struct table *t)
{
    size_t n = t->capacity;
    release(t->entries, n * t->entry_size);
    release(t->sequence, n * 8);
    release(t->timeout, n * 8);
    release(t->repeat, n * 8);
    release(t->freed, n * 4);
    release(t->priority, n * 8);
    release(t->next, n * 4);
    release(t->place, n * 4);
    for (u32 i = 0; i < t->group_count; i++)
        group_end(t->groups[i]);
    free(t->groups);
    lpm_end(t->lpm);
    bitmaps_end(t);
    index_end(&t->index);
    retired_free(&t->retired);
    release(t->wheel.links, n * sizeof *t->wheel.links);
    free(t->wheel.front.items);
    free(t->default_args);
}

UNUSED static struct entry *find_any(const struct table *t, const struct index *x, const void *key, u64 hash)
{
    return index_find(t, x, key, hash, t->key_size, t->entry_size);
}

/* --- tuple-space search --- */

COLD void order_groups(struct table *t)
{
    for (u32 i = 1; i < t->group_count; i++) /* nearly sorted: insertion sort */
        for (u32 j = i; j > 0 && t->groups[j]->best > t->groups[j - 1]->best; j--) {
            struct group *g = t->groups[j];
            t->groups[j] = t->groups[j - 1];
            t->groups[j - 1] = g;
        }
}

COLD struct group *group_for(struct table *t, const u8 *mask)
{
    for (u32 i = 0; i < t->group_count; i++)
        if (same_words(t->groups[i]->mask, mask, t->key_size))
            return t->groups[i];
    struct group **groups = realloc(t->groups, (t->group_count + 1) * sizeof *groups);
    if (groups == NULL)
        return NULL;
    t->groups = groups;
    struct group *g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->mask = malloc(t->key_size);
    if (g->mask == NULL || !index_start(&g->index, t->capacity, 0)) {
        free(g->mask);
        free(g);
        return NULL;
    }
    memcpy(g->mask, mask, t->key_size);
    g->best = INT64_MIN;
    groups[t->group_count++] = g;
    return g;
}

COLD int group_add(struct table *t, u32 id, const u8 *mask)
{
    struct group *g = group_for(t, mask);
    if (g == NULL)
        return 0;
    const u8 *key = key_of(entry_at(t, id));
    u64 hash = key_hash(t, key);
    struct entry *head = find_any(t, &g->index, key, hash);
    t->next[id] = NONE;
    if (head == NULL) {
        if (!index_add(t, &g->index, hash, id))
            return 0;
    } else if (better(t, id, id_of(t, head))) {
        t->next[id] = id_of(t, head);
        index_replace(&g->index, hash, id_of(t, head), id);
    } else {
        u32 at = id_of(t, head);
        while (t->next[at] != NONE && better(t, t->next[at], id))
            at = t->next[at];
        t->next[id] = t->next[at];
        t->next[at] = id;
    }
    g->count++;
    if (t->priority[id] > g->best)
        g->best = t->priority[id];
    order_groups(t);
    if (t->lpm == NULL)
        bitmaps_added(t, g, id);
    return 1;
}

COLD void drop_group(struct table *t, u32 at)
{
    group_end(t->groups[at]);
    memmove(&t->groups[at], &t->groups[at + 1], (t->group_count - at - 1) * sizeof *t->groups);
    t->group_count--;
}

COLD void refresh_best(struct table *t, struct group *g)
{
    g->best = INT64_MIN;
    for (u32 at = 0; at < g->index.used; at++)
        for (u32 slot = 0; slot < SLOTS; slot++)
            if (g->index.buckets[at].tag[slot] && t->priority[g->index.buckets[at].id[slot]] > g->best)
                g->best = t->priority[g->index.buckets[at].id[slot]];
}

COLD void group_remove(struct table *t, u32 id, const u8 *mask)
{
    u32 at = 0;
    while (!same_words(t->groups[at]->mask, mask, t->key_size))
        at++;
    struct group *g = t->groups[at];
    bitmaps_removed(t, g, id);
    const u8 *key = key_of(entry_at(t, id));
    u64 hash = key_hash(t, key);
    u32 head = id_of(t, find_any(t, &g->index, key, hash));
    if (head == id) {
        index_replace(&g->index, hash, id, t->next[id] == NONE ? -1 : (i64)t->next[id]);
    } else {
        u32 before = head;
        while (t->next[before] != id)
            before = t->next[before];
        t->next[before] = t->next[id];
    }
    if (--g->count == 0) {
        drop_group(t, at);
    } else if (t->priority[id] == g->best && !t->longest_prefix) {
        refresh_best(t, g);
        order_groups(t);
    }
}

COLD void masked_remove(struct table *t, u32 id, const u8 *mask)
{
    group_remove(t, id, mask);
    if (t->lpm)
        lpm_remove(t, id);
}

COLD int masked_add(struct table *t, u32 id, const u8 *mask)
{
    if (!group_add(t, id, mask))
        return 0;
    if (t->lpm == NULL || lpm_add(t, id))
        return 1;
    group_remove(t, id, mask);
    return 0;
}

/* --- entries --- */

#define FRESH_AHEAD 4 /* entries: fresh memory is fetched before it is written */

/* The number of an entry that nothing knows of yet; NONE if the table is full. Freed ones are used again, the last
 * one first. */
INLINE u32 entry_number(struct table *t)
{
    u32 id = t->fresh;
    if (unlikely(t->freed_count))
        id = t->freed[--t->freed_count];
    else if (unlikely(id == t->capacity))
        return NONE;
    else
        t->fresh++;
    if (unlikely(id == t->ask_at))
        table_ask(t);
    __builtin_prefetch((const u8 *)entry_at(t, id) + FRESH_AHEAD * (size_t)t->entry_size, 1);
    if (unlikely(t->meters != NULL))
        memset(&t->meters[id], 0, sizeof t->meters[id]);
    return id;
}

/* An entry with this key that nothing knows of yet; NULL if the table is full. */
UNUSED static struct entry *entry_take(struct table *t, const void *key)
{
    u32 id = entry_number(t);
    if (id == NONE)
        return NULL;
    struct entry *e = entry_at(t, id);
    e->profile = OWN_TIMEOUT;
    e->reported = 0;
    e->live = 1; /* the slot stays: its list may still have the number from an earlier life */
    counted_set(e, 0, 0);
    memcpy(key_of(e), key, t->key_size);
    return e;
}

INLINE void entry_give_back(struct table *t, struct entry *e)
{
    e->live = 0;
    if (e->slot == SLOT_FRONT)
        e->slot = 0;
    t->freed[t->freed_count++] = id_of(t, e);
}

/* There are so many more entries, or fewer. */
INLINE void entry_counted_in(struct table *t, u32 more)
{
    t->generation++;
    relaxed_store(&t->count, t->count + more);
    if (more != 1 || unlikely(!t->big)) /* one that is big does not become small by growing */
        relaxed_store(&t->big, (u64)t->count * t->entry_size > FAR_BYTES);
}

UNUSED static struct entry *entry_make(struct table *t, const void *key, u64 sequence)
{
    struct entry *e = t->count < t->capacity ? entry_take(t, key) : NULL;
    if (e == NULL)
        return NULL;
    t->sequence[id_of(t, e)] = sequence;
    entry_counted_in(t, 1);
    return e;
}

UNUSED static void entry_unmake(struct table *t, struct entry *e)
{
    entry_give_back(t, e);
    entry_counted_in(t, 0u - 1);
}

/* `mask`: of a masked table's entry. */
UNUSED static void entry_remove(struct table *t, struct entry *e, const u8 *mask)
{
    if (t->masked)
        masked_remove(t, id_of(t, e), mask);
    else
        index_replace(&t->index, key_hash(t, key_of(e)), id_of(t, e), -1);
    entry_unmake(t, e);
}

enum { LEARN_FULL, LEARN_ADDED, LEARN_REPLACED };

__attribute__((noinline, unused)) static int entry_learn(
    struct table *t, const void *key, u64 hash, u16 action, const void *args, u32 args_bytes, u32 profile, u64 now_ns,
    u64 *sequences)
{
    struct entry *e = find_any(t, &t->index, key, hash);
    int replaced = e != NULL;
    if (!replaced) {
        e = entry_make(t, key, *sequences);
        if (e == NULL)
            return LEARN_FULL;
    }
    e->origin = ORIGIN_LEARNED;
    e->action = action;
    e->kind = KIND_ACTION;
    memcpy(args_of(t, e), args, args_bytes);
    relaxed_store(&e->profile, profile_index(t, profile));
    relaxed_store(&e->last_ns, now_ns);
    if (!replaced) { /* whole before it is seen */
        if (!index_add(t, &t->index, hash, id_of(t, e))) {
            entry_unmake(t, e);
            return LEARN_FULL;
        }
        ++*sequences;
    }
    arm(t, e);
    return replaced ? LEARN_REPLACED : LEARN_ADDED;
}

/* The same of a key that is known not to be there, in two steps. First the place for its entry, with the key; NULL:
 * the table is full. */
INLINE u8 *entry_fresh(struct table *t, const u64 *key, u32 key_size, u32 entry_size)
{
    u32 id = entry_number(t);
    if (unlikely(id == NONE))
        return NULL;
    u8 *e = t->entries + (size_t)id * entry_size;
    copy_words(e + sizeof(struct entry), key, key_size);
    return e;
}

/* Then, the arguments being there, it is seen. */
INLINE int entry_learned(
    struct table *t, struct entry *e, u64 hash, u16 action, u32 profile, u64 now_ns, u64 *sequences)
{
    u32 id = id_of(t, e);
    u8 index = profile_index(t, profile);
    e->action = action;
    e->profile = index;
    e->origin = ORIGIN_LEARNED;
    e->live = 1;
    e->kind = KIND_ACTION;
    e->reported = 0;
    e->last_ns = now_ns;
    counted_set(e, 0, 0);
    t->sequence[id] = *sequences;
    if (unlikely(!index_add(t, &t->index, hash, id))) { /* whole before it is seen */
        entry_give_back(t, e);
        return LEARN_FULL;
    }
    ++*sequences;
    entry_counted_in(t, 1);
    arm_first(t, e, id, t->timeouts[index], now_ns);
    return LEARN_ADDED;
}

#endif
