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
#define OWN_TIMEOUT 0xff /* profile of an entry whose timeout is its own */
#define MAX_PROFILES 255 /* of a learner; unit.py refuses more */
#define NONE 0xffffffffu
#define REPEAT_NS 10000000u /* backend.api.REPEAT_NS: an idle entry is reported again no sooner than this */
#define MAX_KEY_WORDS 32

struct entry {
    u16 action;
    u16 slot; /* where its timer is: 0 unarmed, a slot of the wheel, or the heap in front */
    u8 profile; /* learners: index of the timeout */
    u8 origin;
    u8 live;
    u8 kind : 4;
    u8 reported : 4; /* told to be idle: not again before `repeat` */
    u64 last_ns;
#if ENTRY_COUNTS
    u64 packets, bytes; /* of a direct counter: only where the program has one */
#endif
    /* then the key (masked), the arguments (or the member or group number), the bounds of ranges */
};

struct group {
    u8 *mask;
    struct index index;
    i64 best;
    u32 count;
};

struct lpm;
struct bitmaps;
struct meter;
struct reader;
typedef int range_test(const void *key, const void *entry);

struct table {
    u32 number;
    u32 key_size, args_size, entry_size; /* bytes, multiples of 8 */
    u32 entry_shift, entry_inverse; /* of the entry's size: its power of two; its odd part's inverse modulo 2^32 */
    u32 capacity, count;
    u32 ask_at; /* fresh entries at which it asks for more memory; NONE: never */
    u32 ready, ready_buckets; /* entries and buckets whose memory is there, or asked for */
    struct keeper *keeper;
    u8 exact, learner, masked, longest_prefix;
    u8 big; /* worth a prefetch: more than the near caches hold */
    u8 shared; /* more than one worker: what is taken out is retired, not freed or used again before a gate */
    struct retired *retired;
    u32 *removed; /* entries that packets took out while it was shared: their numbers are free at the next gate */
    u32 removed_count;
    u64 generation; /* grows with each change of which entries there are */
    range_test *in_ranges;
    u8 *entries;
    u64 *sequence, *timeout, *repeat; /* cold, by entry; timeout: of those with OWN_TIMEOUT */
    i64 *priority;
    u32 *next, *place; /* masked tables: in the chain, in the bitmaps */
    u32 *freed;
    struct group **groups; /* best first */
    u32 group_count;
    struct lpm *lpm; /* with a longest prefix */
    struct bitmaps *bitmaps; /* with many groups, and no longest prefix */
    struct index index; /* its end, and */
    u32 fresh, freed_count; /* are the writer's while packets go on: apart from what those read */
    u64 apart[8];
    struct meter *meters; /* direct meter, by entry */
    u8 annotated; /* entries have metadata, kept by the caller: no rows */
    struct reader *readers; /* reads under way: they are told of changes */
    u32 profiles;
    u16 default_action;
    u8 *default_args;
    u64 timeouts[MAX_PROFILES];
    struct wheel wheel;
};

INLINE struct entry *entry_at(const struct table *t, u32 id)
{
    return (struct entry *)(void *)(t->entries + (size_t)id * t->entry_size);
}

/* A division that is known to be exact: one multiplication. */
INLINE u32 id_of(const struct table *t, const void *entry)
{
    return (u32)((size_t)((const u8 *)entry - t->entries) >> t->entry_shift) * t->entry_inverse;
}

UNUSED static void entry_size_is(struct table *t, u32 bytes)
{
    u32 odd = bytes >> __builtin_ctz(bytes), inverse = odd; /* right to three bits; each step doubles them */
    for (int i = 0; i < 4; i++)
        inverse *= 2 - odd * inverse;
    t->entry_size = bytes;
    t->entry_shift = (u32)__builtin_ctz(bytes);
    t->entry_inverse = inverse;
}

/* What its direct counter has. */
INLINE void counted_get(const struct entry *e, u64 *counted)
{
#if ENTRY_COUNTS
    counted[0] = relaxed_load(&e->packets);
    counted[1] = relaxed_load(&e->bytes);
#else
    (void)e;
    counted[0] = counted[1] = 0;
#endif
}

INLINE void counted_set(struct entry *e, u64 packets, u64 bytes)
{
#if ENTRY_COUNTS
    e->packets = packets;
    e->bytes = bytes;
#else
    (void)e, (void)packets, (void)bytes;
#endif
}

INLINE u8 *key_of(struct entry *e) { return (u8 *)e + sizeof(struct entry); }
INLINE u8 *args_of(const struct table *t, struct entry *e) { return (u8 *)e + sizeof(struct entry) + t->key_size; }

/* `bytes`: a multiple of 8, few; a call would cost more. */
INLINE void copy_words(void *to, const void *from, u32 bytes)
{
    u64 x;
    for (u32 i = 0; i < bytes; i += 8) {
        memcpy(&x, (const u8 *)from + i, 8);
        __asm__("" : "+r"(x)); /* or the compiler makes it a call again */
        memcpy((u8 *)to + i, &x, 8);
    }
}

/* Which of a learner's timeouts: the program's number modulo how many there are, mostly without dividing. */
INLINE u8 profile_index(const struct table *t, u32 profile)
{
    return (u8)(likely(profile < t->profiles) ? profile : profile % t->profiles);
}

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
    for (;;) {
        u64 shape = shape_of(x);
        for (const struct bucket *b = &x->buckets[home_of(shape, hash)];; b++) {
            for (u32 found = slots_with(b, tag); found; found &= found - 1) {
                u8 *e = t->entries + (size_t)observe(&b->id[__builtin_ctz(found)]) * entry_size;
                if (likely(same_words(e + sizeof(struct entry), key, key_size)))
                    return (struct entry *)(void *)e;
            }
            if (likely(!relaxed_load(&b->passed)))
                break;
        }
        if (likely(shape == shape_of(x)))
            return NULL;
    }
}

INLINE void prefetch_bucket(const struct table *t, u64 hash)
{
    __builtin_prefetch(&t->index.buckets[home_of(shape_of(&t->index), hash)]);
}

#define NOT_THERE ((struct entry *)(uintptr_t)1)

/* The entry that is probably the one looked up, fetched; NOT_THERE if there is none, NULL if that is not sure. */
INLINE struct entry *prefetch_entry(const struct table *t, u64 hash, u32 entry_size)
{
    u64 shape = shape_of(&t->index);
    const struct bucket *b = &t->index.buckets[home_of(shape, hash)];
    u16 tag = tag_of(hash);
    u32 found;
    while (!(found = slots_with(b, tag)) && relaxed_load(&b->passed))
        b++;
    if (!found)
        return likely(shape == shape_of(&t->index)) ? NOT_THERE : NULL;
    u8 *e = t->entries + (size_t)observe(&b->id[__builtin_ctz(found)]) * entry_size;
    __builtin_prefetch(e);
    if (entry_size > 64) /* others lie in one line: unit.py */
        __builtin_prefetch(e + 63);
    return (struct entry *)(void *)e;
}

/* Whether that is it. */
INLINE int is_near(struct entry *near, const void *key, u32 key_size)
{
    return (uintptr_t)near > (uintptr_t)NOT_THERE && same_words(key_of(near), key, key_size);
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

#endif
