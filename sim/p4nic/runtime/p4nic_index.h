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
    u16 tag[SLOTS]; /* 0: free; bits 16 to 31 of the home */
    u32 id[SLOTS];
    u32 passed; /* entries whose home is here or before, and that sit behind */
    u8 guests; /* slots whose home is before: only the writer looks at this, and at: */
    u8 unused[3];
    u8 middle[SLOTS]; /* bits 8 to 15 of the home */
} __attribute__((aligned(64)));

struct index {
    struct bucket *buckets; /* address space for `limit`; memory only for those in use */
    u64 shape;              /* split << 32 | mask, in one word, because readers take both at once */
    u32 limit;
    u64 apart[8]; /* what each insertion changes is in no cache line of the readers' */
    u32 count;
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

/* Homes are the upper half of the hash, from its lowest bit on, and tags the upper quarter: so a bucket knows the bits
 * that divide it, once there are 256. Of 2^22 buckets' tags ten bits are still anybody's guess. No index has a home of
 * 32 bits, so that bit may say that a tag is no free place. */
INLINE u16 tag_of(u64 hash)
{
    u16 tag = (u16)(hash >> 48);
    return tag ? tag : 0x8000;
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

/* The number first, then the tag that makes it seen. */
INLINE void slot_fill(struct bucket *b, u32 slot, u16 tag, u8 middle, u32 id)
{
    b->middle[slot] = middle;
    relaxed_store(&b->id[slot], id);
    publish(&b->tag[slot], tag);
}

/* The home is full: into the first free slot behind. */
COLD int index_place_behind(struct index *x, u32 home, u16 tag, u8 middle, u32 id)
{
    u32 at = home, free = 0;
    while (!free) {
        if (++at == x->limit)
            return 0;
        free = slots_with(&x->buckets[at], 0);
    }
    for (u32 p = home; p < at; p++)
        relaxed_store(&x->buckets[p].passed, x->buckets[p].passed + 1);
    if (at >= x->used)
        x->used = at + 1;
    x->buckets[at].guests |= (u8)(free & -free);
    slot_fill(&x->buckets[at], (u32)__builtin_ctz(free), tag, middle, id);
    return 1;
}

INLINE int index_put(struct index *x, u32 home, u16 tag, u8 middle, u32 id)
{
    struct bucket *b = &x->buckets[home];
    u32 free = slots_with(b, 0);
    if (unlikely(!free))
        return index_place_behind(x, home, tag, middle, id);
    if (home >= x->used)
        x->used = home + 1;
    b->guests &= (u8)~(free & -free);
    slot_fill(b, (u32)__builtin_ctz(free), tag, middle, id);
    return 1;
}

/* 0 if the chain reaches the end of what is reserved, which takes thousands of keys with one hash. */
INLINE int index_place(struct index *x, u32 home, u64 hash, u32 id)
{
    return index_put(x, home, tag_of(hash), (u8)(hash >> 40), id);
}

/* Slots of which bit `level` of the home is set; from 8 on. A bit that is not stored makes no sense here. */
INLINE u32 slots_above(const struct bucket *b, u32 level)
{
    if (level < 16) {
        u64 middle;
        memcpy(&middle, b->middle, 8);
        return (u32)((middle >> (level - 8) & 0x0101010101010101u) * 0x0102040810204080u >> 56);
    }
#if defined(__SSE4_2__) && !defined(__SANITIZE_THREAD__)
    __m128i tags = _mm_load_si128((const __m128i *)(const void *)b->tag);
    __m128i sign = _mm_sll_epi16(tags, _mm_cvtsi32_si128((int)(31 - level)));
    return (u32)_mm_movemask_epi8(_mm_packs_epi16(sign, _mm_setzero_si128())) & 0xff;
#else
    u32 found = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        found |= (u32)(b->tag[i] >> (level - 16) & 1) << i;
    return found;
#endif
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
