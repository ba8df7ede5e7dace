/* Add-on-miss in a burst: what a speculative packet wants to learn waits in the packet, and which keys the burst has
 * learned so far is remembered, because a later packet that did not find one of them must run again. The emitted unit
 * defines LEARN_WORDS, the size of the largest entry of its learners. */
#ifndef P4NIC_LEARN_H
#define P4NIC_LEARN_H
#include "p4nic_table.h"

#if LEARN_WORDS
#define PENDING 4
#define MISSES 8
#else
#define PENDING 1
#define MISSES 1
#endif

/* An entry to be learned, laid out as in its table: the packet itself may look it up. */
struct pending {
    u64 hash;
    u32 table, profile, args_bytes;
    union {
        struct entry entry;
        u64 words[LEARN_WORDS + 1];
    };
};

#define FRESH_KEYS (BURST * PENDING)
#define FRESH_FILTER 64 /* words: with two keys a packet one lookup in 64 looks on */

/* Keys learned in this burst. */
struct fresh {
    u32 count;
    u64 filter[FRESH_FILTER]; /* most lookups end here */
    u64 key[FRESH_KEYS];
};

/* One number for a key of a table. */
INLINE u64 key_name(u32 table, u64 hash) { return hash ^ (table + 1) * 0x9e3779b97f4a7c15u; }

INLINE void fresh_reset(struct fresh *f)
{
    if (f->count)
        memset(f->filter, 0, sizeof f->filter);
    f->count = 0;
}

/* 0: there is no room. */
INLINE int fresh_add(struct fresh *f, u64 name)
{
    if (f->count == FRESH_KEYS)
        return 0;
    f->key[f->count++] = name;
    f->filter[name >> 58] |= (u64)1 << (name >> 52 & 63);
    return 1;
}

INLINE int fresh_has(const struct fresh *f, u64 name)
{
    if (likely(!(f->filter[name >> 58] >> (name >> 52 & 63) & 1)))
        return 0;
    for (u32 i = 0; i < f->count; i++)
        if (f->key[i] == name)
            return 1;
    return 0;
}

#endif
