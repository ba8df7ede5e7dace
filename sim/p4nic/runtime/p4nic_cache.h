/* Lookups a worker remembers: in front of tables whose search takes several steps (LPM, ternary, range), and of exact
 * tables with a handful of entries. Direct-mapped by the whole key; a line is good while its table has not changed
 * (`generation`). Packets never change such a table, so nothing here is shared. */
#ifndef P4NIC_CACHE_H
#define P4NIC_CACHE_H
#include "p4nic_lpm.h"

#define CACHE_BITS 13 /* lines in front of a search */
#define TINY_BITS 6   /* lines in front of a small exact table */
#define TINY 64       /* entries: what fits there */

struct remembered {
    u64 generation;
    struct entry *entry; /* NULL: the table has none */
    u64 key[];
};

/* Bytes of a line: no more cache lines than needed. */
#define LINE_BYTES(key_size) ((key_size) <= 16 ? 32u : (key_size) <= 48 ? 64u : (16u + (key_size) + 63) & ~63u)

INLINE struct remembered *remembered_at(u8 *lines, const u64 *key, u32 key_size, u32 bits)
{
    u64 h = key[0];
    for (u32 i = 1; i < key_size / 8; i++)
        h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u ^ key[i];
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u >> (64 - bits);
    return (struct remembered *)(void *)(lines + h * LINE_BYTES(key_size));
}

INLINE int is_remembered(const struct remembered *r, const struct table *t, const u64 *key, u32 key_size)
{
    return r->generation == t->generation && same_words(r->key, key, key_size);
}

INLINE struct entry *remember(
    struct remembered *r, const struct table *t, const u64 *key, u32 key_size, struct entry *found)
{
    r->generation = t->generation;
    r->entry = found;
    memcpy(r->key, key, key_size);
    return found;
}

#endif
