/* Ternary tables with many masks: bitmaps of entries by the key's bytes (bit vectors, Lakshman and Stiliadis 1998, with
 * a summary, Baboescu and Varghese 2001).
 *
 * Every entry has a bit. For each byte of the key and each of its 256 values a bitmap says which entries allow it; the
 * intersection for a packet's bytes are the entries that match, but for ranges. A summary of each bitmap has one bit
 * for 64, so that little of the bitmaps is looked at; words whose best entry is no better than what is found are
 * passed over. Entries lie by value, which makes summaries sparse. Beside the groups, which remain. Changed at a gate. */
#ifndef P4NIC_BITMAPS_H
#define P4NIC_BITMAPS_H
#include "p4nic_table.h"

#ifndef BITMAP_GROUPS
#define BITMAP_GROUPS 12 /* groups up to which searching them all is as fast */
#endif
#define BITMAP_ENTRIES 65536 /* beyond, the bitmaps are larger than what they save */
#define BITMAP_BYTES 48      /* of the key, that some entry looks at */

struct bitmaps {
    u32 words, sums; /* of a bitmap, of its summary: multiples of 8, and of 4 */
    u32 bytes, used, sorted, freed_count;
    u8 at[BITMAP_BYTES];
    u32 *ids;   /* by bit; NONE */
    u32 *freed; /* bits below `used` that are nobody's */
    i64 *best;  /* by word: no entry there has a higher priority */
    u64 *bits;  /* [byte][value][word] */
    u64 *sum;   /* [byte][value][word] */
};

INLINE u64 *bitmap_row(const struct bitmaps *b, u32 byte, u32 value)
{
    return b->bits + ((size_t)byte * 256 + value) * b->words;
}

INLINE u64 *bitmap_sum(const struct bitmaps *b, u32 byte, u32 value)
{
    return b->sum + ((size_t)byte * 256 + value) * b->sums;
}

INLINE u32 bitmap_word(
    const struct table *t, const struct bitmaps *b, const u64 *const *rows, u32 word, u32 best, const void *key)
{
    if (best != NONE && t->priority[best] > b->best[word])
        return best;
    u64 match = rows[0][word];
    for (u32 i = 1; i < b->bytes; i++)
        match &= rows[i][word];
    for (; match; match &= match - 1) {
        u32 id = b->ids[word * 64 + (u32)__builtin_ctzll(match)];
        if ((best == NONE || better(t, id, best)) && (!t->in_ranges || t->in_ranges(key, entry_at(t, id))))
            best = id;
    }
    return best;
}

INLINE struct entry *bitmap_find(const struct table *t, const void *key)
{
    const struct bitmaps *b = t->bitmaps;
    const u64 *rows[BITMAP_BYTES], *sums[BITMAP_BYTES];
    u32 best = NONE;
    for (u32 i = 0; i < b->bytes; i++) {
        u32 value = ((const u8 *)key)[b->at[i]];
        rows[i] = bitmap_row(b, i, value);
        sums[i] = bitmap_sum(b, i, value);
    }
    for (u32 from = 0; from < b->sums; from += 4) {
        u64 left[4];
        memcpy(left, sums[0] + from, sizeof left);
        for (u32 i = 1; i < b->bytes; i++)
            for (u32 k = 0; k < 4; k++)
                left[k] &= sums[i][from + k];
        for (u32 k = 0; k < 4; k++)
            for (; left[k]; left[k] &= left[k] - 1)
                best = bitmap_word(t, b, rows, (from + k) * 64 + (u32)__builtin_ctzll(left[k]), best, key);
    }
    return best == NONE ? NULL : entry_at(t, best);
}

/* In a ternary table. */
INLINE struct entry *ternary_find(const struct table *t, const void *key, u32 key_size, u32 entry_size)
{
    return t->bitmaps ? bitmap_find(t, key) : masked_find(t, key, key_size, entry_size);
}

/* --- changes --- */

INLINE size_t bitmap_bytes(const struct bitmaps *b) { return (size_t)b->bytes * 256 * b->words * sizeof(u64); }
INLINE size_t sum_bytes(const struct bitmaps *b) { return (size_t)b->bytes * 256 * b->sums * sizeof(u64); }

COLD void bitmaps_end(struct table *t)
{
    struct bitmaps *b = t->bitmaps;
    t->bitmaps = NULL;
    if (b == NULL)
        return;
    release(b->bits, bitmap_bytes(b));
    release(b->sum, sum_bytes(b));
    free(b->ids);
    free(b->freed);
    free(b->best);
    free(b);
}

/* Set or clear a bit for every value that a byte with this mask allows. */
COLD void bitmap_allow(struct bitmaps *b, u32 byte, u32 value, u32 mask, u32 bit, int yes)
{
    u32 open = ~mask & 0xff, other = open, word = bit / 64;
    for (;; other = (other - 1) & open) {
        u64 *w = bitmap_row(b, byte, (value & mask) | other) + word;
        u64 *s = bitmap_sum(b, byte, (value & mask) | other) + word / 64;
        *w = yes ? *w | (u64)1 << bit % 64 : *w & ~((u64)1 << bit % 64);
        *s = *w ? *s | (u64)1 << word % 64 : *s & ~((u64)1 << word % 64);
        if (!other)
            return;
    }
}

/* An entry's bit in all bitmaps. */
COLD void bitmap_set(struct table *t, const u8 *mask, u32 id, u32 bit, int yes)
{
    struct bitmaps *b = t->bitmaps;
    const u8 *key = key_of(entry_at(t, id));
    for (u32 i = 0; i < b->bytes; i++)
        bitmap_allow(b, i, key[b->at[i]], mask[b->at[i]], bit, yes);
}

/* The bit is this entry's. */
COLD void bitmap_name(struct table *t, u32 id, u32 bit)
{
    struct bitmaps *b = t->bitmaps;
    b->ids[bit] = id;
    t->place[id] = bit;
    if (t->priority[id] > b->best[bit / 64])
        b->best[bit / 64] = t->priority[id];
}

/* Which bytes of the key any group looks at; 0: more than there is room for. */
COLD int bitmap_choose(const struct table *t, struct bitmaps *b)
{
    for (u32 at = 0; at < t->key_size; at++) {
        u32 used = 0;
        for (u32 i = 0; i < t->group_count; i++)
            used |= t->groups[i]->mask[at];
        if (!used)
            continue;
        if (b->bytes == BITMAP_BYTES)
            return 0;
        b->at[b->bytes++] = (u8)at;
    }
    return b->bytes != 0;
}

COLD int bitmaps_start(struct table *t, u32 room)
{
    struct bitmaps *b = t->bitmaps = calloc(1, sizeof *b);
    if (b == NULL)
        return 0;
    b->words = (room + 511) / 512 * 8;
    b->sums = (b->words + 255) / 256 * 4;
    if (!bitmap_choose(t, b))
        return 0;
    b->ids = malloc(b->words * (size_t)64 * sizeof *b->ids);
    b->freed = malloc(b->words * (size_t)64 * sizeof *b->freed);
    b->best = malloc(b->words * sizeof *b->best);
    b->bits = reserve(bitmap_bytes(b));
    b->sum = reserve(sum_bytes(b));
    if (!b->ids || !b->freed || !b->best || !b->bits || !b->sum)
        return 0;
    for (u32 i = 0; i < b->words; i++)
        b->best[i] = INT64_MIN;
    return 1;
}

struct placed {
    u64 value;
    u32 id;
};

COLD int by_value(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* All entries by value, of the word that masks say most about. */
COLD void entries_sorted(const struct table *t, struct placed *out)
{
    u32 count = 0, word = 0;
    u64 most = 0;
    for (u32 i = 0; i < t->key_size / 8; i++) {
        u64 bits = 0, mask;
        for (u32 k = 0; k < t->group_count; k++) {
            memcpy(&mask, t->groups[k]->mask + 8 * i, 8);
            bits += (u64)__builtin_popcountll(mask) * t->groups[k]->count;
        }
        word = bits > most ? i : word;
        most = bits > most ? bits : most;
    }
    for (u32 id = 0; id < t->fresh; id++)
        if (entry_at(t, id)->live) {
            memcpy(&out[count].value, key_of(entry_at(t, id)) + 8 * word, 8);
            out[count++].id = id;
        }
    qsort(out, count, sizeof *out, by_value);
}

/* Every entry of a group gets its number as its place. */
COLD void group_places(struct table *t, const struct group *g, u32 number)
{
    for (u32 at = 0; at < g->index.used; at++)
        for (u32 slot = 0; slot < SLOTS; slot++)
            for (u32 id = g->index.buckets[at].tag[slot] ? g->index.buckets[at].id[slot] : NONE; id != NONE;
                 id = t->next[id])
                t->place[id] = number;
}

/* Anew from all entries, or none: where there are few groups, too many entries, or no memory. */
COLD void bitmaps_make(struct table *t)
{
    bitmaps_end(t);
    if (t->group_count <= BITMAP_GROUPS || t->count > BITMAP_ENTRIES)
        return;
    struct placed *all = malloc((t->count + (size_t)1) * sizeof *all);
    if (all == NULL || !bitmaps_start(t, t->count + t->count / 2 + 64)) {
        bitmaps_end(t);
        free(all);
        return;
    }
    entries_sorted(t, all);
    for (u32 i = 0; i < t->group_count; i++)
        group_places(t, t->groups[i], i);
    struct bitmaps *b = t->bitmaps;
    for (u32 i = 0; i < t->count; i++) {
        u32 id = all[i].id;
        bitmap_set(t, t->groups[t->place[id]]->mask, id, b->used, 1);
        bitmap_name(t, id, b->used++);
    }
    b->sorted = b->used;
    free(all);
}

COLD int bitmap_covers(const struct table *t, const struct bitmaps *b, const u8 *mask)
{
    u32 covered = 0;
    for (u32 i = 0; i < b->bytes; i++)
        covered += mask[b->at[i]] != 0;
    for (u32 at = 0; at < t->key_size; at++)
        covered -= mask[at] != 0;
    return covered == 0;
}

/* An entry has been added to this group. */
COLD void bitmaps_added(struct table *t, const struct group *g, u32 id)
{
    struct bitmaps *b = t->bitmaps;
    if (b == NULL) {
        if (t->group_count > BITMAP_GROUPS && t->count <= BITMAP_ENTRIES)
            bitmaps_make(t);
        return;
    }
    if ((!b->freed_count && b->used == b->words * 64) || b->used > b->sorted + b->sorted / 8 + 64 ||
        !bitmap_covers(t, b, g->mask)) {
        bitmaps_make(t);
        return;
    }
    u32 bit = b->freed_count ? b->freed[--b->freed_count] : b->used++;
    bitmap_set(t, g->mask, id, bit, 1);
    bitmap_name(t, id, bit);
}

/* An entry is about to go from this group. */
COLD void bitmaps_removed(struct table *t, const struct group *g, u32 id)
{
    struct bitmaps *b = t->bitmaps;
    if (b == NULL)
        return;
    u32 bit = t->place[id];
    bitmap_set(t, g->mask, id, bit, 0);
    b->freed[b->freed_count++] = bit;
}

#endif
