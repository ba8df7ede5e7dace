/* Growth of an index: the next bucket is divided between itself and its twin, one for each insertion. Called by
 * whatever adds entries (p4nic_change.h, p4nic_ahead.h). */
#ifndef P4NIC_SPLIT_H
#define P4NIC_SPLIT_H
#include "p4nic_table.h"

#define CHAIN 32 /* buckets of one chain that a split looks through */

/* Slots of one bucket of the chain that begins at `from` whose entries go to `to`, 2^level further on. Guests, and
 * all while there are few buckets, are asked for their key. */
INLINE u32 slots_moving(const struct table *t, const struct bucket *b, u32 from, u32 to, u32 level, int first)
{
    u32 used = ~slots_with(b, 0) & 0xff, guests = used & b->guests, moving = 0;
    if (unlikely(level < 8))
        guests = used;
    else if (first)
        moving = used & ~guests & slots_above(b, level);
    for (u32 slots = guests; slots; slots &= slots - 1) {
        u32 slot = (u32)__builtin_ctz(slots), size = to - from;
        u64 hash = key_hash(t, key_of(entry_at(t, b->id[slot])));
        if (((u32)(hash >> 32) & (2 * size - 1)) == to)
            moving |= 1u << slot;
    }
    return moving;
}

#if defined(__SSE4_2__) && !defined(__SANITIZE_THREAD__)
/* The common case of what follows: a bucket with nothing of others, and nothing behind it, whose twin is empty. The
 * twin becomes a copy, and each keeps its own tags. */
INLINE int split_alone(struct index *x, u32 from, u32 to, u32 level, u64 shape)
{
    struct bucket *b = &x->buckets[from], *twin = &x->buckets[to];
    u32 used = ~slots_with(b, 0) & 0xff;
    if (unlikely(level < 8 || b->passed || (b->guests & used) || slots_with(twin, 0) != 0xff))
        return 0;
    __m128i *own = (__m128i *)(void *)b->tag, tags = _mm_load_si128(own);
    __m128i middle = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)b->middle));
    __m128i bits = level < 16 ? _mm_sll_epi16(middle, _mm_cvtsi32_si128((int)(23 - level)))
                              : _mm_sll_epi16(tags, _mm_cvtsi32_si128((int)(31 - level)));
    __m128i moving = _mm_srai_epi16(bits, 15);
    memcpy(twin->id, b->id, sizeof b->id);
    memcpy(twin->middle, b->middle, sizeof b->middle);
    twin->guests = 0;
    if (to >= x->used)
        x->used = to + 1;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    _mm_store_si128((__m128i *)(void *)twin->tag, _mm_and_si128(moving, tags));
    publish(&x->shape, shape);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    _mm_store_si128(own, _mm_andnot_si128(moving, tags));
    return 1;
}
#else
#define split_alone(x, from, to, level, shape) 0
#endif

/* What the next split will look at. */
INLINE void prefetch_split(const struct table *t, const struct index *x, u32 from, u32 to)
{
    const struct bucket *next = &x->buckets[from + 1];
    __builtin_prefetch(next + 1, 1);
    __builtin_prefetch(&x->buckets[to + 2], 1);
    for (u32 slots = next->guests; unlikely(slots); slots &= slots - 1)
        if (next->tag[__builtin_ctz(slots)])
            __builtin_prefetch(key_of(entry_at(t, next->id[__builtin_ctz(slots)])));
}

/* Divide the next bucket between itself and its twin. Readers see each entry at the old or at the new place: the
 * new ones are filled first, then the shape says so, then the old ones are cleared. A chain that is too long stays. */
UNUSED static void index_split(const struct table *t, struct index *x)
{
    u32 mask = (u32)x->shape, from = (u32)(x->shape >> 32), to = from + mask + 1, buckets = 0;
    u32 level = (u32)__builtin_ctz(mask + 1);
    u64 shape = from == mask ? 2 * (u64)mask + 1 : (u64)(from + 1) << 32 | mask;
    u8 moving[CHAIN];
    if (2 * (u64)mask + 2 + INDEX_SLACK > x->limit)
        return;
    prefetch_split(t, x, from, to);
    if (likely(split_alone(x, from, to, level, shape)))
        return;
    for (u32 more = 1; more; buckets++) {
        if (buckets == CHAIN)
            return;
        const struct bucket *b = &x->buckets[from + buckets];
        moving[buckets] = (u8)slots_moving(t, b, from, to, level, !buckets);
        more = b->passed;
    }
    for (u32 i = 0; i < buckets; i++) {
        const struct bucket *b = &x->buckets[from + i];
        for (u32 slots = moving[i]; slots; slots &= slots - 1) {
            u32 slot = (u32)__builtin_ctz(slots);
            (void)index_put(x, to, b->tag[slot], b->middle[slot], b->id[slot]); /* the slack is far behind any twin */
        }
    }
    publish(&x->shape, shape);
    for (u32 i = 0; i < buckets; i++)
        for (u32 slots = moving[i]; slots; slots &= slots - 1)
            index_clear_slot(x, from, from + i, (u32)__builtin_ctz(slots));
}

INLINE int index_add(const struct table *t, struct index *x, u64 hash, u32 id)
{
    if (unlikely(index_wants_split(x)))
        index_split(t, x);
    if (!index_place(x, home_of(x->shape, hash), hash, id))
        return 0;
    x->count++;
    return 1;
}

#endif
