/* Hash index from keys to entry numbers. A bucket is one cache line: eight 16-bit tags, compared at once, and
 * eight entry numbers; a full bucket spills into the next and counts how many went past it. Keys stay in the
 * entries. Growing rebuilds the index only. */
#ifndef P4NIC_INDEX_H
#define P4NIC_INDEX_H
#include "p4nic_base.h"

#define SLOTS 8

struct bucket {
    u16 tag[SLOTS]; /* 0: free */
    u32 id[SLOTS];
    u32 passed; /* entries whose home is here or before, and that sit behind */
    u32 unused[3];
} __attribute__((aligned(64)));

struct index {
    struct bucket *buckets;
    u32 size; /* buckets */
    u32 count;
};

INLINE u64 fold_multiply(u64 a, u64 b)
{
    u128 product = (u128)a * b;
    return (u64)product ^ (u64)(product >> 64);
}

/* words is a constant wherever speed counts. */
INLINE u64 hash_words(const u64 *w, unsigned words)
{
    u64 h = 0x9e3779b97f4a7c15u;
    unsigned i = 0;
    for (; i + 2 <= words; i += 2)
        h = fold_multiply(w[i] ^ h, w[i + 1] ^ 0xe7037ed1a0b428dbu);
    if (i < words)
        h = fold_multiply(w[i] ^ h, 0xa0761d6478bd642fu);
    return fold_multiply(h, 0x8ebc6af09c88c6e3u);
}

INLINE u16 tag_of(u64 hash)
{
    u16 tag = (u16)hash;
    return tag ? tag : 1;
}

INLINE u32 home_of(const struct index *x, u64 hash)
{
    return (u32)((hash >> 32) * x->size >> 32);
}

/* One bit per slot whose tag is equal. */
INLINE u32 slots_with(const struct bucket *b, u16 tag)
{
#if defined(__SSE4_2__)
    __m128i equal = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)(const void *)b->tag), _mm_set1_epi16((short)tag));
    return (u32)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())) & 0xff;
#else
    u32 found = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        found |= (u32)(b->tag[i] == tag) << i;
    return found;
#endif
}

INLINE u32 next_bucket(const struct index *x, u32 at)
{
    return at + 1 == x->size ? 0 : at + 1;
}

UNUSED static void index_place(struct index *x, u64 hash, u32 id)
{
    u32 at = home_of(x, hash);
    for (;; at = next_bucket(x, at)) {
        struct bucket *b = &x->buckets[at];
        u32 free_slots = slots_with(b, 0);
        if (free_slots) {
            u32 slot = (u32)__builtin_ctz(free_slots);
            b->tag[slot] = tag_of(hash);
            b->id[slot] = id;
            return;
        }
        b->passed++;
    }
}

/* Take out `id`, whose key has this hash; or, with `other` >= 0, let its place point to another entry. */
UNUSED static void index_replace(struct index *x, u64 hash, u32 id, i64 other)
{
    u32 at = home_of(x, hash);
    for (;; at = next_bucket(x, at)) {
        struct bucket *b = &x->buckets[at];
        for (u32 found = slots_with(b, tag_of(hash)); found; found &= found - 1) {
            u32 slot = (u32)__builtin_ctz(found);
            if (b->id[slot] == id) {
                if (other >= 0) {
                    b->id[slot] = (u32)other;
                    return;
                }
                b->tag[slot] = 0;
                x->count--;
                for (u32 p = home_of(x, hash); p != at; p = next_bucket(x, p))
                    x->buckets[p].passed--;
                return;
            }
        }
    }
}

UNUSED static int index_start(struct index *x)
{
    x->size = 2;
    x->count = 0;
    x->buckets = reserve(x->size * sizeof *x->buckets);
    return x->buckets != NULL;
}

UNUSED static void index_end(struct index *x)
{
    release(x->buckets, x->size * sizeof *x->buckets);
    x->buckets = NULL;
}

#endif
