/* Hash index from keys to entry numbers. A bucket is one cache line: eight 16-bit tags, compared at once, and
 * eight entry numbers; a full bucket spills into the next ones and counts how many went past it. Keys stay in the
 * entries.
 *
 * It grows in place, one bucket for each insertion ("linear hashing"), so that no packet waits for a rebuild:
 * buckets below `split` have been divided between themselves and their twin `mask + 1` further on. A reader that
 * found nothing looks again if the shape changed meanwhile. */
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
    struct bucket *buckets; /* address space for `limit`; memory only for those in use */
    u64 shape;              /* split << 32 | mask, in one word, because readers take both at once */
    u32 count;
    u32 limit;
    u32 used; /* buckets behind were never filled */
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

INLINE u64 shape_of(const struct index *x) { return observe(&x->shape); }

INLINE u32 home_of(u64 shape, u64 hash)
{
    u32 mask = (u32)shape, split = (u32)(shape >> 32), bits = (u32)(hash >> 32);
    u32 at = bits & mask;
    return at | (bits & (mask + 1) & -(u32)(at < split)); /* a branch here would be wrong as often as right */
}

/* One bit per slot whose tag is equal. */
INLINE u32 slots_with(const struct bucket *b, u16 tag)
{
#if defined(__SSE4_2__) && !defined(__SANITIZE_THREAD__)
    __m128i equal = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)(const void *)b->tag), _mm_set1_epi16((short)tag));
    return (u32)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())) & 0xff;
#else
    u32 found = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        found |= (u32)(observe(&b->tag[i]) == tag) << i;
    return found;
#endif
}

/* Into the first free slot from `home` on: the number first, then the tag that makes it seen. 0 if the chain
 * reaches the end of what is reserved, which takes thousands of keys with one hash. */
UNUSED static int index_place(struct index *x, u32 home, u64 hash, u32 id)
{
    u32 at = home;
    while (!slots_with(&x->buckets[at], 0))
        if (++at == x->limit)
            return 0;
    for (u32 p = home; p < at; p++)
        relaxed_store(&x->buckets[p].passed, x->buckets[p].passed + 1);
    if (at >= x->used)
        x->used = at + 1;
    struct bucket *b = &x->buckets[at];
    u32 slot = (u32)__builtin_ctz(slots_with(b, 0));
    relaxed_store(&b->id[slot], id);
    publish(&b->tag[slot], tag_of(hash));
    return 1;
}

INLINE void index_clear_slot(struct index *x, u32 home, u32 at, u32 slot)
{
    publish(&x->buckets[at].tag[slot], 0);
    for (u32 p = home; p < at; p++)
        relaxed_store(&x->buckets[p].passed, x->buckets[p].passed - 1);
}

/* Take out `id`, whose key has this hash; or, with `other` >= 0, let its place point to another entry. */
UNUSED static void index_replace(struct index *x, u64 hash, u32 id, i64 other)
{
    u32 home = home_of(x->shape, hash);
    for (u32 at = home;; at++) {
        struct bucket *b = &x->buckets[at];
        for (u32 found = slots_with(b, tag_of(hash)); found; found &= found - 1) {
            u32 slot = (u32)__builtin_ctz(found);
            if (b->id[slot] != id)
                continue;
            if (other >= 0) {
                publish(&b->id[slot], (u32)other);
                return;
            }
            index_clear_slot(x, home, at, slot);
            x->count--;
            return;
        }
    }
}

/* Growth starts at 4.5 entries a bucket and has doubled the buckets after as many insertions as there were. At 5.5 so
 * many spill that established flows are 9 % slower, at 3.5 memory is 5 bytes an entry more. */
INLINE int index_wants_split(const struct index *x)
{
    u64 shape = x->shape;
    return shape >> 32 || x->count * (u64)2 >= ((u32)shape + (u64)1) * 9;
}

#define INDEX_SLACK 4096 /* buckets behind the last home, for what spills */

/* `large`: worth huge pages. */
UNUSED static int index_start(struct index *x, u32 capacity, int large)
{
    u64 homes = 2;
    while (homes * 9 < capacity * (u64)2 && homes < (u64)1 << 30)
        homes *= 2;
    x->limit = (u32)(2 * homes + INDEX_SLACK);
    x->shape = 1;
    x->count = x->used = 0;
    x->buckets = reserve_pages(x->limit * sizeof *x->buckets, large);
    return x->buckets != NULL;
}

UNUSED static void index_end(struct index *x)
{
    release(x->buckets, x->limit * sizeof *x->buckets);
    x->buckets = NULL;
}

#endif
