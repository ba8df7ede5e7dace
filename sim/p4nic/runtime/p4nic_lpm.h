/* Longest prefix match: a tree bitmap (Eatherton, Varghese, Dittia 2004), six bits of the field a step.
 *
 * A node says in one word which prefixes end in it (of 0 to 5 further bits) and in another which of its 64
 * children there are; popcount finds their places in two arrays without holes. So a change touches one node and its
 * arrays, memory follows the number of prefixes, and nothing is pushed down to leaves. Of many prefixes the first
 * 13 or 19 bits index an array instead, in which the best shorter prefix is pushed down.
 *
 * A table with exact fields beside has one such trie for each combination of their values, found by hash. Changes
 * (p4nic_lpm_change.h) happen at a gate, so that readers need nothing. */
#ifndef P4NIC_LPM_H
#define P4NIC_LPM_H
#include "p4nic_bitmaps.h"

#define LPM_STRIDE 6
#define LPM_CLASSES 7 /* arrays of 1, 2, 4 to 64 units */
#define LPM_DEPTH 23  /* nodes on the way to a prefix of 128 bits */

struct lpm_node {
    u64 inner, outer;     /* prefixes that end here; children */
    u32 results, children; /* where their arrays are */
};

/* Of the array: the best prefix shorter than its index, and the node of the longer ones (0: none). */
struct lpm_slot {
    u32 best, node;
};

struct trie {
    u32 top;   /* node of the whole field, while there is no array */
    u32 count;
    u32 bits;  /* that index the array */
    struct lpm_slot *slots;
};

/* Arrays of units in reserved memory, sizes powers of two; unit 0 is nobody's. */
struct lpm_pool {
    u8 *memory;
    u32 unit, used, limit;
    u32 freed[LPM_CLASSES]; /* the first free array of each size; its first word names the next */
};

struct lpm {
    struct lpm_pool nodes, results;
    struct trie *tries; /* alone: one; else a hash table, open addressing, of keys with the prefix cut out */
    u64 *parts;
    u32 part_mask, part_count;
    u8 alone;
    u8 at, bytes, width; /* where the field lies in the key */
};

/* Prefix of n bits and value v: bit (1 << n) - 1 + v, so that the longest is the highest. */
#define LPM_PATH(s) \
    ((u64)1 | (u64)2 << ((s) >> 5) | (u64)8 << ((s) >> 4) | (u64)128 << ((s) >> 3) | (u64)32768 << ((s) >> 2) | \
        (u64)0x80000000 << ((s) >> 1))
#define LPM_PATH4(s) LPM_PATH(s), LPM_PATH((s) + 1), LPM_PATH((s) + 2), LPM_PATH((s) + 3)
#define LPM_PATH16(s) LPM_PATH4(s), LPM_PATH4((s) + 4), LPM_PATH4((s) + 8), LPM_PATH4((s) + 12)
static const u64 lpm_path[64] = {LPM_PATH16(0), LPM_PATH16(16), LPM_PATH16(32), LPM_PATH16(48)};

INLINE struct lpm_node *lpm_node(const struct lpm *l, u32 at)
{
    return (struct lpm_node *)(void *)l->nodes.memory + at;
}

INLINE u32 *lpm_result(const struct lpm *l, u32 at) { return (u32 *)(void *)l->results.memory + at; }

/* How many of the bits below this one are set. */
INLINE u32 rank_of(u64 bits, u32 at) { return (u32)__builtin_popcountll(bits & (((u64)1 << at) - 1)); }

/* A field, its first bit the highest. */
struct lpm_field {
    u64 high, low;
};

/* `bytes` and `width` are constants in generated code: of a field of one word, `low` costs nothing. */
INLINE struct lpm_field lpm_field(const void *key, u32 at, u32 bytes, u32 width)
{
    u64 low = 0, high = 0;
    memcpy(&low, (const u8 *)key + at, bytes < 8 ? bytes : 8);
    if (bytes <= 8)
        return (struct lpm_field){low << (64 - width), 0};
    memcpy(&high, (const u8 *)key + at + 8, 8);
    u128 value = ((u128)high << 64 | low) << (128 - width);
    return (struct lpm_field){(u64)(value >> 64), (u64)value};
}

INLINE struct lpm_field lpm_shift(struct lpm_field f, u32 bits)
{
    return (struct lpm_field){f.high << bits | f.low >> (64 - bits), f.low << bits};
}

/* Where a search is. */
struct lpm_walk {
    const struct lpm_node *node; /* NULL: at its end */
    struct lpm_field field;
    u32 best, result; /* what the array has; the place of the longest prefix in a node */
};

INLINE const struct lpm_slot *lpm_slot_of(const struct trie *t, struct lpm_field field)
{
    return &t->slots[field.high >> (64 - t->bits)];
}

INLINE void walk_start(struct lpm_walk *w, const struct lpm *l, const struct trie *t, struct lpm_field field)
{
    w->field = field;
    w->best = NONE;
    w->result = 0;
    w->node = lpm_node(l, t->top);
    if (likely(t->slots != NULL)) {
        const struct lpm_slot *s = lpm_slot_of(t, field);
        w->best = s->best;
        w->node = s->node ? lpm_node(l, s->node) : NULL;
        w->field = lpm_shift(field, t->bits);
    }
}

INLINE void walk_on(struct lpm_walk *w, const struct lpm *l)
{
    const struct lpm_node *n = w->node;
    u32 step = (u32)(w->field.high >> (64 - LPM_STRIDE));
    u64 found = n->inner & lpm_path[step];
    if (found)
        w->result = n->results + rank_of(n->inner, 63 - (u32)__builtin_clzll(found));
    w->node = n->outer >> step & 1 ? lpm_node(l, n->children + rank_of(n->outer, step)) : NULL;
    w->field = lpm_shift(w->field, LPM_STRIDE);
}

/* The number of the entry, NONE if there is none. */
INLINE u32 walk_end(const struct lpm_walk *w, const struct lpm *l)
{
    return w->result ? *lpm_result(l, w->result) : w->best;
}

/* The key's exact part: what is left without the prefix. */
INLINE void lpm_part(const void *key, u32 key_size, u32 at, u32 bytes, u64 *part)
{
    memcpy(part, key, key_size);
    memset((u8 *)part + at, 0, bytes);
}

/* Where the trie of this exact part is, or the free place where it would be. */
INLINE u32 lpm_place(const struct lpm *l, const u64 *part, u32 key_size)
{
    u32 at = (u32)(hash_words(part, key_size / 8) >> 32) & l->part_mask;
    while (l->tries[at].top && !same_words(l->parts + (size_t)at * (key_size / 8), part, key_size))
        at = (at + 1) & l->part_mask;
    return at;
}

/* With few lengths of prefix a hash lookup for each is faster, and finds the longest at once. */
#ifndef LPM_GROUPS
#define LPM_GROUPS 2
#endif

/* Whole values of wide fields are not in the trie: each would have a dozen nodes of its own. */
INLINE int lpm_is_hashed(u32 width, i64 length) { return width > 64 && length == width; }

INLINE struct entry *longest_find(
    const struct table *t, const void *key, u32 key_size, u32 entry_size, u32 at, u32 bytes, u32 width, int alone)
{
    if (t->group_count <= LPM_GROUPS)
        return masked_find(t, key, key_size, entry_size);
    u64 part[MAX_KEY_WORDS];
    const struct lpm *l = t->lpm;
    u32 trie = 0;
    if (lpm_is_hashed(width, t->groups[0]->best)) {
        memcpy(part, key, key_size);
        u64 hash = hash_words(part, key_size / 8);
        struct entry *e = index_find(t, &t->groups[0]->index, part, hash, key_size, entry_size);
        if (e)
            return e;
    }
    if (!alone) {
        lpm_part(key, key_size, at, bytes, part);
        trie = lpm_place(l, part, key_size);
        if (!l->tries[trie].top)
            return NULL;
    }
    struct lpm_walk w;
    walk_start(&w, l, &l->tries[trie], lpm_field(key, at, bytes, width));
    while (w.node)
        walk_on(&w, l);
    u32 id = walk_end(&w, l);
    return id == NONE ? NULL : (struct entry *)(void *)(t->entries + (size_t)id * entry_size);
}

/* --- packets that wait --- */

/* What a search for a waiting packet found, in place of the hash it would have of an exact key. 0: none was made. */
#define LPM_MISS 1u

INLINE struct entry *lpm_told(u64 found) { return found == LPM_MISS ? NULL : (struct entry *)(uintptr_t)found; }

/* Beyond so many entries a packet's own memory of lookups is larger than what it saves. */
#ifndef LPM_REMEMBERED
#define LPM_REMEMBERED 1024
#endif

#endif
