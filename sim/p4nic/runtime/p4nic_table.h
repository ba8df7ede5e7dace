/* Match-action tables: entries at fixed places, found through indexes.
 *
 * An exact table has one index. Others have one per tuple of masks ("tuple-space search"), ordered by the best
 * priority inside; LPM is the same with the prefix length as priority. Entries with one masked key form a chain,
 * best first. Hot data (what a hit reads and writes) is in the entry, one cache line where it fits; cold data in
 * arrays beside. */
#ifndef P4NIC_TABLE_H
#define P4NIC_TABLE_H
#include "p4nic_index.h"
#include "p4nic_timers.h"

enum { KIND_ACTION, KIND_MEMBER, KIND_GROUP };
enum { ORIGIN_CONTROL, ORIGIN_LEARNED, ORIGIN_CONST };
#define OWN_TIMEOUT 0xffff /* profile of an entry whose timeout is its own */
#define MAX_PROFILES 256
#define NONE 0xffffffffu
#define REPEAT_NS 10000000u /* backend.api.REPEAT_NS: an idle entry is reported again no sooner than this */
#define MAX_KEY_WORDS 32

struct entry {
    u16 action;
    u16 profile; /* learners: index of the timeout */
    u8 origin;
    u8 kind;
    u8 queued; /* the heap holds a deadline for it */
    u8 live;
    u64 last_ns;
    u64 packets;
    u64 bytes;
    /* then the key (masked), the arguments (or the member or group number), the bounds of ranges */
};

struct group {
    u8 *mask;
    struct index index;
    i64 best;
    u32 count;
};

struct meter;
typedef int range_test(const void *key, const void *entry);

struct table {
    u32 number;
    u32 key_size, args_size, entry_size; /* bytes, multiples of 8 */
    u32 capacity, count, fresh;
    u8 exact, learner, masked, longest_prefix;
    u8 big; /* worth a prefetch: more than the near caches hold */
    u8 shared; /* more than one worker: what is taken out is retired, not freed or used again before a gate */
    struct retired *retired;
    u32 *removed; /* entries that packets took out while it was shared: their numbers are free at the next gate */
    u32 removed_count;
    range_test *in_ranges;
    u8 *entries;
    u64 *sequence, *deadline, *timeout; /* cold, by entry */
    i64 *priority;
    u32 *next, *group_of; /* masked tables */
    u32 *freed;
    u32 freed_count;
    struct group **groups; /* best first */
    u32 group_count;
    struct index index;
    struct heap heap;
    struct meter *meters; /* direct meter, by entry */
    u64 timeouts[MAX_PROFILES];
    u32 profiles;
    u16 default_action;
    u8 *default_args;
};

INLINE struct entry *entry_at(const struct table *t, u32 id)
{
    return (struct entry *)(void *)(t->entries + (size_t)id * t->entry_size);
}

INLINE u32 id_of(const struct table *t, const void *entry)
{
    return (u32)((size_t)((const u8 *)entry - t->entries) / t->entry_size);
}

INLINE u8 *key_of(struct entry *e) { return (u8 *)e + sizeof(struct entry); }
INLINE u8 *args_of(const struct table *t, struct entry *e) { return (u8 *)e + sizeof(struct entry) + t->key_size; }

INLINE int same_words(const void *a, const void *b, u32 bytes)
{
    u64 x, y, difference = 0;
    for (u32 i = 0; i < bytes; i += 8) {
        memcpy(&x, (const u8 *)a + i, 8);
        memcpy(&y, (const u8 *)b + i, 8);
        difference |= x ^ y;
    }
    return !difference;
}

/* key_size and entry_size are constants in generated code. */
INLINE struct entry *index_find(
    const struct table *t, const struct index *x, const void *key, u64 hash, u32 key_size, u32 entry_size)
{
    u16 tag = tag_of(hash);
    for (u32 at = home_of(x, hash);; at = next_bucket(x, at)) {
        const struct bucket *b = &x->buckets[at];
        for (u32 found = slots_with(b, tag); found; found &= found - 1) {
            u8 *e = t->entries + (size_t)b->id[__builtin_ctz(found)] * entry_size;
            if (likely(same_words(e + sizeof(struct entry), key, key_size)))
                return (struct entry *)(void *)e;
        }
        if (likely(!b->passed))
            return NULL;
    }
}

INLINE void prefetch_bucket(const struct table *t, u64 hash)
{
    __builtin_prefetch(&t->index.buckets[home_of(&t->index, hash)]);
}

INLINE void prefetch_entry(const struct table *t, u64 hash, u32 entry_size)
{
    const struct bucket *b = &t->index.buckets[home_of(&t->index, hash)];
    u32 found = slots_with(b, tag_of(hash));
    if (found)
        __builtin_prefetch(t->entries + (size_t)b->id[__builtin_ctz(found)] * entry_size, 1);
}

INLINE int better(const struct table *t, u32 a, u32 b)
{
    return t->priority[a] != t->priority[b] ? t->priority[a] > t->priority[b] : t->sequence[a] < t->sequence[b];
}

INLINE u32 chain_find(const struct table *t, u32 head, const void *key)
{
    if (t->in_ranges == NULL)
        return head;
    while (head != NONE && !t->in_ranges(key, entry_at(t, head)))
        head = t->next[head];
    return head;
}

INLINE struct entry *masked_find(const struct table *t, const void *key, u32 key_size, u32 entry_size)
{
    u32 best = NONE;
    for (u32 i = 0; i < t->group_count; i++) {
        const struct group *g = t->groups[i];
        if (best != NONE && t->priority[best] > g->best)
            break;
        u64 words[MAX_KEY_WORDS];
        for (u32 w = 0; w < key_size / 8; w++) {
            u64 a, m;
            memcpy(&a, (const u8 *)key + 8 * w, 8);
            memcpy(&m, g->mask + 8 * w, 8);
            words[w] = a & m;
        }
        struct entry *e = index_find(t, &g->index, words, hash_words(words, key_size / 8), key_size, entry_size);
        if (e == NULL)
            continue;
        if (t->longest_prefix) /* one entry for each prefix, longest first */
            return e;
        u32 id = chain_find(t, (u32)((size_t)((const u8 *)e - t->entries) / entry_size), key);
        if (id != NONE && (best == NONE || better(t, id, best)))
            best = id;
    }
    return best == NONE ? NULL : entry_at(t, best);
}

INLINE u64 key_hash(const struct table *t, const void *key)
{
    u64 words[MAX_KEY_WORDS];
    memcpy(words, key, t->key_size);
    return hash_words(words, t->key_size / 8);
}

/* --- timers: the rules of ageing, on entries --- */

INLINE u64 timeout_of(const struct table *t, u32 id, const struct entry *e)
{
    return e->profile == OWN_TIMEOUT ? t->timeout[id] : t->timeouts[e->profile];
}

COLD void start_timer(struct table *t, struct entry *e, u64 deadline)
{
    u32 id = id_of(t, e);
    e->queued = 1;
    t->deadline[id] = deadline;
    heap_push(&t->heap, deadline, (u32)t->sequence[id], id);
}

/* See to it that the heap holds a deadline no later than the entry's own. */
COLD void arm(struct table *t, struct entry *e)
{
    u32 id = id_of(t, e);
    u64 timeout = timeout_of(t, id, e);
    if (!timeout)
        return;
    u64 deadline = e->last_ns + timeout;
    if (!e->queued || deadline < t->deadline[id])
        start_timer(t, e, deadline);
}

/* The earliest true deadline; 0 if there is none. Deadlines that moved are corrected here, when they come up. */
UNUSED static int timer_next(struct table *t, u64 *deadline)
{
    while (t->heap.count) {
        struct timer top = t->heap.items[0];
        struct entry *e = entry_at(t, top.id);
        int stale = !e->live || !e->queued || t->deadline[top.id] != top.deadline ||
                    (u32)t->sequence[top.id] != top.sequence;
        if (stale) {
            heap_pop(&t->heap);
            continue;
        }
        u64 timeout = timeout_of(t, top.id, e);
        if (timeout && e->last_ns + timeout <= top.deadline) {
            *deadline = top.deadline;
            return 1;
        }
        heap_pop(&t->heap);
        e->queued = 0;
        arm(t, e);
    }
    return 0;
}

INLINE void touch(struct table *t, struct entry *e, u64 now_ns)
{
    e->last_ns = now_ns;
    if (unlikely(!e->queued))
        arm(t, e);
}

/* A later deadline needs nothing: the heap's is corrected when it comes up. Only one that may be earlier does. */
INLINE void rearm(struct table *t, struct entry *e, i32 profile, u64 now_ns)
{
    u64 before = e->last_ns;
    e->last_ns = now_ns;
    int earlier = now_ns < before || !e->queued;
    if (profile >= 0 && e->origin == ORIGIN_LEARNED) {
        u16 index = (u16)((u32)profile % t->profiles);
        if (index != e->profile) {
            earlier |= e->profile == OWN_TIMEOUT || t->timeouts[index] < t->timeouts[e->profile];
            e->profile = index;
        }
    }
    if (unlikely(earlier))
        arm(t, e);
}

#endif
