/* Tries of a table with a longest-prefix field: making them, adding and removing prefixes, at a gate. The table's
 * groups (one hash index for each length) remain: they say which shorter prefix covers one that goes. */
#ifndef P4NIC_LPM_CHANGE_H
#define P4NIC_LPM_CHANGE_H
#include "p4nic_lpm.h"

/* Prefixes of a trie that get an array in front, and a larger one. The bits that index it are one more than a
 * multiple of LPM_STRIDE, so that a /24 ends in the second or the first node behind it. */
#ifndef LPM_MANY
#define LPM_MANY 1024
#endif
#ifndef LPM_MORE
#define LPM_MORE 32768
#endif
#ifndef LPM_BITS
#define LPM_BITS 13
#endif
#ifndef LPM_MORE_BITS
#define LPM_MORE_BITS 19
#endif

INLINE size_t slot_bytes(u32 bits) { return sizeof(struct lpm_slot) << bits; }

/* --- arrays of units --- */

COLD int pool_start(struct lpm_pool *p, u32 unit, u64 limit)
{
    memset(p, 0, sizeof *p);
    p->limit = limit > UINT32_MAX ? UINT32_MAX : (u32)limit;
    p->unit = unit;
    p->used = 64; /* so that an array never crosses what its own size divides */
    p->memory = reserve((size_t)p->limit * unit);
    return p->memory != NULL;
}

COLD void pool_end(struct lpm_pool *p) { release(p->memory, (size_t)p->limit * p->unit); }

INLINE u32 class_of(u32 units) { return units <= 1 ? 0 : 32 - (u32)__builtin_clz(units - 1); }

INLINE u8 *pool_at(const struct lpm_pool *p, u32 at) { return p->memory + (size_t)at * p->unit; }

UNUSED static void pool_give(struct lpm_pool *p, u32 at, u32 class)
{
    memcpy(pool_at(p, at), &p->freed[class], 4);
    p->freed[class] = at;
}

/* An array of 1 << class units, 0 if there is no memory. A larger free one is divided. */
UNUSED static u32 pool_take(struct lpm_pool *p, u32 class)
{
    u32 from = class;
    while (from < LPM_CLASSES && !p->freed[from])
        from++;
    u32 at;
    if (from < LPM_CLASSES) {
        at = p->freed[from];
        memcpy(&p->freed[from], pool_at(p, at), 4);
    } else {
        from = class;
        if (p->limit - p->used < 1u << class)
            return 0;
        at = p->used;
        p->used += 1u << class;
    }
    for (; from > class; from--)
        pool_give(p, at + (1u << (from - 1)), from - 1);
    return at;
}

/* Make room for one unit at place `at` of an array of `count`; 0 if there is no memory. */
UNUSED static int array_insert(struct lpm_pool *p, u32 *array, u32 count, u32 at)
{
    size_t unit = p->unit;
    u32 to = *array;
    if (!count || class_of(count) != class_of(count + 1)) {
        to = pool_take(p, class_of(count + 1));
        if (!to)
            return 0;
        memcpy(pool_at(p, to), pool_at(p, *array), at * unit);
    }
    memmove(pool_at(p, to + at + 1), pool_at(p, *array + at), (count - at) * unit);
    if (count && to != *array)
        pool_give(p, *array, class_of(count));
    *array = to;
    return 1;
}

/* Close the place. */
UNUSED static void array_delete(struct lpm_pool *p, u32 *array, u32 count, u32 at)
{
    size_t unit = p->unit;
    memmove(pool_at(p, *array + at), pool_at(p, *array + at + 1), (count - at - 1) * unit);
    if (count == 1) {
        pool_give(p, *array, 0);
        *array = 0;
        return;
    }
    u32 class = class_of(count - 1);
    if (class != class_of(count)) /* the second half is free again */
        pool_give(p, *array + (1u << class), class);
}

/* --- one trie --- */

/* The node's bit of a prefix that ends in it, `left` bits further on. */
INLINE u32 inner_bit(u128 field, u32 left) { return (1u << left) - 1 + (left ? (u32)(field >> (128 - left)) : 0); }

/* Put `id` at the prefix below a node; 0 if there is no memory. Nodes made on the way in vain stay: they are
 * empty. */
UNUSED static int node_insert(struct lpm *l, u32 at, u128 field, u32 left, u32 id)
{
    for (; left >= LPM_STRIDE; left -= LPM_STRIDE, field <<= LPM_STRIDE) {
        struct lpm_node *n = lpm_node(l, at);
        u32 step = (u32)(field >> (128 - LPM_STRIDE)), place = rank_of(n->outer, step);
        if (!(n->outer >> step & 1)) {
            if (!array_insert(&l->nodes, &n->children, (u32)__builtin_popcountll(n->outer), place))
                return 0;
            n->outer |= (u64)1 << step;
            memset(lpm_node(l, n->children + place), 0, sizeof *n);
        }
        at = n->children + place;
    }
    struct lpm_node *n = lpm_node(l, at);
    u32 bit = inner_bit(field, left), place = rank_of(n->inner, bit);
    if (!array_insert(&l->results, &n->results, (u32)__builtin_popcountll(n->inner), place))
        return 0;
    n->inner |= (u64)1 << bit;
    *lpm_result(l, n->results + place) = id;
    return 1;
}

INLINE int node_is_empty(const struct lpm_node *n) { return !(n->inner | n->outer); }

/* Take the prefix out, and the nodes that are of no use any more but the first. */
UNUSED static void node_remove(struct lpm *l, u32 at, u128 field, u32 left)
{
    struct lpm_node *way[LPM_DEPTH];
    u32 steps[LPM_DEPTH], depth = 0;
    for (; left >= LPM_STRIDE; left -= LPM_STRIDE, field <<= LPM_STRIDE, depth++) {
        struct lpm_node *n = way[depth] = lpm_node(l, at);
        steps[depth] = (u32)(field >> (128 - LPM_STRIDE));
        at = n->children + rank_of(n->outer, steps[depth]);
    }
    struct lpm_node *n = lpm_node(l, at);
    u32 bit = inner_bit(field, left);
    array_delete(&l->results, &n->results, (u32)__builtin_popcountll(n->inner), rank_of(n->inner, bit));
    n->inner &= ~((u64)1 << bit);
    while (depth-- && node_is_empty(n)) {
        n = way[depth];
        array_delete(
            &l->nodes, &n->children, (u32)__builtin_popcountll(n->outer), rank_of(n->outer, steps[depth]));
        n->outer &= ~((u64)1 << steps[depth]);
    }
}

/* Give back everything below a node; the numbers found go to `ids`, if there are any to be kept. */
COLD u32 node_end(struct lpm *l, u32 at, u32 *ids)
{
    struct lpm_node n = *lpm_node(l, at);
    u32 results = (u32)__builtin_popcountll(n.inner), children = (u32)__builtin_popcountll(n.outer), found = results;
    memcpy(ids, lpm_result(l, n.results), results * sizeof *ids);
    for (u32 i = 0; i < children; i++)
        found += node_end(l, n.children + i, ids + found);
    if (results)
        pool_give(&l->results, n.results, class_of(results));
    if (children)
        pool_give(&l->nodes, n.children, class_of(children));
    return found;
}

COLD u32 node_make(struct lpm *l)
{
    u32 at = pool_take(&l->nodes, 0);
    if (at)
        memset(lpm_node(l, at), 0, sizeof(struct lpm_node));
    return at;
}

/* --- a trie --- */

/* A prefix as it is changed: its first bit the highest of 128. */
struct prefix {
    u128 field;
    u32 length, id;
};

INLINE struct lpm_slot *slot_at(const struct trie *trie, u128 field)
{
    return &trie->slots[(u64)(field >> (128 - trie->bits))];
}

INLINE u64 slots_under(const struct trie *trie, const struct prefix *p) { return (u64)1 << (trie->bits - p->length); }

COLD int trie_insert(const struct table *t, struct lpm *l, struct trie *trie, const struct prefix *p)
{
    if (trie->slots == NULL)
        return node_insert(l, trie->top, p->field, p->length, p->id);
    struct lpm_slot *s = slot_at(trie, p->field);
    if (p->length >= trie->bits) {
        if (!s->node && !(s->node = node_make(l)))
            return 0;
        return node_insert(l, s->node, p->field << trie->bits, p->length - trie->bits, p->id);
    }
    for (u64 i = 0; i < slots_under(trie, p); i++)
        if (s[i].best == NONE || t->priority[s[i].best] <= (i64)p->length)
            s[i].best = p->id;
    return 1;
}

/* `cover`: the longest shorter prefix of it, or NONE. */
COLD void trie_remove(struct lpm *l, struct trie *trie, const struct prefix *p, u32 cover)
{
    if (trie->slots == NULL) {
        node_remove(l, trie->top, p->field, p->length);
        return;
    }
    struct lpm_slot *s = slot_at(trie, p->field);
    if (p->length >= trie->bits) {
        node_remove(l, s->node, p->field << trie->bits, p->length - trie->bits);
        if (node_is_empty(lpm_node(l, s->node))) {
            pool_give(&l->nodes, s->node, 0);
            s->node = 0;
        }
        return;
    }
    for (u64 i = 0; i < slots_under(trie, p); i++)
        if (s[i].best == p->id)
            s[i].best = cover;
}

COLD void trie_end(struct lpm *l, struct trie *trie)
{
    if (trie->top)
        pool_give(&l->nodes, trie->top, 0);
    release(trie->slots, trie->slots ? slot_bytes(trie->bits) : 0);
    memset(trie, 0, sizeof *trie);
}

/* --- a table --- */

INLINE struct prefix prefix_of(const struct table *t, u32 id)
{
    const struct lpm *l = t->lpm;
    u128 value = 0;
    memcpy(&value, key_of(entry_at(t, id)) + l->at, l->bytes);
    return (struct prefix){value << (128 - l->width), (u32)t->priority[id], id};
}

/* The numbers of all its prefixes, which it has no more: those of the array in no order, some more than once. NULL:
 * no memory, and nothing has changed. */
COLD u32 *trie_empty(struct lpm *l, struct trie *trie, u32 *count)
{
    u32 found = 0;
    size_t slots = trie->slots ? (size_t)1 << trie->bits : 0;
    u32 *ids = malloc((trie->count + slots) * sizeof *ids);
    if (ids == NULL)
        return NULL;
    if (!slots) {
        found = node_end(l, trie->top, ids);
        memset(lpm_node(l, trie->top), 0, sizeof(struct lpm_node));
    }
    for (size_t i = 0; i < slots; i++) {
        const struct lpm_slot *s = &trie->slots[i];
        if (s->best != NONE && (!i || s->best != s[-1].best))
            ids[found++] = s->best;
        if (s->node) {
            found += node_end(l, s->node, ids + found);
            pool_give(&l->nodes, s->node, 0);
        }
    }
    *count = found;
    return ids;
}

/* An array in front of so many bits; all stays as it is if there is no memory for one. */
COLD void trie_divide(struct table *t, struct lpm *l, struct trie *trie, u32 bits)
{
    struct lpm_slot *slots = reserve(slot_bytes(bits));
    u32 count, *ids = slots ? trie_empty(l, trie, &count) : NULL;
    if (ids == NULL) {
        release(slots, slots ? slot_bytes(bits) : 0);
        return;
    }
    release(trie->slots, trie->slots ? slot_bytes(trie->bits) : 0);
    for (size_t i = 0; i < (size_t)1 << bits; i++)
        slots[i].best = NONE;
    trie->slots = slots;
    trie->bits = bits;
    for (u32 i = 0; i < count; i++) {
        struct prefix p = prefix_of(t, ids[i]);
        if (!trie_insert(t, l, trie, &p))
            abort(); /* what was given back a moment ago is enough */
    }
    free(ids);
}

COLD int parts_grow(struct lpm *l, u32 key_size)
{
    u32 mask = l->part_mask ? 2 * l->part_mask + 1 : 15;
    struct lpm more = *l;
    more.part_mask = mask;
    more.tries = calloc(mask + (size_t)1, sizeof *more.tries);
    more.parts = calloc(mask + (size_t)1, key_size);
    if (more.tries == NULL || more.parts == NULL) {
        free(more.tries);
        free(more.parts);
        return 0;
    }
    for (u32 i = 0; l->part_mask && i <= l->part_mask; i++)
        if (l->tries[i].top) {
            const u64 *part = l->parts + (size_t)i * (key_size / 8);
            u32 to = lpm_place(&more, part, key_size);
            more.tries[to] = l->tries[i];
            memcpy(more.parts + (size_t)to * (key_size / 8), part, key_size);
        }
    free(l->tries);
    free(l->parts);
    *l = more;
    return 1;
}

/* The number of the trie an entry belongs to, made if there is none; -1: no memory. */
COLD i64 trie_for(struct table *t, u32 id)
{
    struct lpm *l = t->lpm;
    if (l->alone)
        return 0;
    u64 part[MAX_KEY_WORDS];
    lpm_part(key_of(entry_at(t, id)), t->key_size, l->at, l->bytes, part);
    if (l->part_count * 2 > l->part_mask && !parts_grow(l, t->key_size))
        return -1;
    u32 at = lpm_place(l, part, t->key_size);
    if (l->tries[at].top)
        return at;
    u32 top = node_make(l);
    if (!top)
        return -1;
    l->tries[at] = (struct trie){top, 0, 0, NULL};
    memcpy(l->parts + (size_t)at * (t->key_size / 8), part, t->key_size);
    l->part_count++;
    return at;
}

/* Empty the place, and move up what would not be found behind it. */
COLD void part_drop(struct lpm *l, u32 at, u32 key_size)
{
    u32 words = key_size / 8;
    trie_end(l, &l->tries[at]);
    l->part_count--;
    for (u32 next = (at + 1) & l->part_mask; l->tries[next].top; next = (next + 1) & l->part_mask) {
        const u64 *part = l->parts + (size_t)next * words;
        u32 home = (u32)(hash_words(part, words) >> 32) & l->part_mask;
        if (((next - home) & l->part_mask) < ((next - at) & l->part_mask))
            continue;
        l->tries[at] = l->tries[next];
        memcpy(l->parts + (size_t)at * words, part, key_size);
        memset(&l->tries[next], 0, sizeof(struct trie));
        at = next;
    }
}

/* The entry, already in its group, becomes a prefix of its trie. 0: no memory. */
COLD int lpm_add(struct table *t, u32 id)
{
    struct lpm *l = t->lpm;
    struct prefix p = prefix_of(t, id);
    if (lpm_is_hashed(l->width, p.length))
        return 1;
    i64 at = trie_for(t, id);
    if (at < 0)
        return 0;
    struct trie *trie = &l->tries[at];
    if (!trie_insert(t, l, trie, &p)) {
        if (!trie->count && !l->alone)
            part_drop(l, (u32)at, t->key_size);
        return 0;
    }
    trie->count++;
    if (trie->count >= LPM_MORE && trie->bits < LPM_MORE_BITS && l->width > LPM_MORE_BITS)
        trie_divide(t, l, trie, LPM_MORE_BITS);
    else if (trie->count >= LPM_MANY && trie->slots == NULL && l->width > LPM_BITS)
        trie_divide(t, l, trie, LPM_BITS);
    return 1;
}

COLD u32 lpm_cover(const struct table *t, u32 id)
{
    const u8 *key = key_of(entry_at(t, id));
    for (u32 i = 0; i < t->group_count; i++) {
        const struct group *g = t->groups[i];
        u64 words[MAX_KEY_WORDS];
        if (g->best >= t->priority[id])
            continue;
        for (u32 w = 0; w < t->key_size / 8; w++) {
            u64 a, m;
            memcpy(&a, key + 8 * w, 8);
            memcpy(&m, g->mask + 8 * w, 8);
            words[w] = a & m;
        }
        struct entry *e = index_find(
            t, &g->index, words, hash_words(words, t->key_size / 8), t->key_size, t->entry_size);
        if (e)
            return id_of(t, e);
    }
    return NONE;
}

COLD void lpm_remove(struct table *t, u32 id)
{
    struct lpm *l = t->lpm;
    struct prefix p = prefix_of(t, id);
    if (lpm_is_hashed(l->width, p.length))
        return;
    u64 part[MAX_KEY_WORDS];
    lpm_part(key_of(entry_at(t, id)), t->key_size, l->at, l->bytes, part);
    u32 at = l->alone ? 0 : lpm_place(l, part, t->key_size);
    struct trie *trie = &l->tries[at];
    trie_remove(l, trie, &p, trie->slots && p.length < trie->bits ? lpm_cover(t, id) : NONE);
    if (!--trie->count && !l->alone)
        part_drop(l, at, t->key_size);
}

COLD void lpm_end(struct lpm *l)
{
    if (l == NULL)
        return;
    for (u32 i = 0; l->tries && i <= l->part_mask; i++)
        trie_end(l, &l->tries[i]);
    free(l->tries);
    free(l->parts);
    pool_end(&l->nodes);
    pool_end(&l->results);
    free(l);
}

/* `alone`: the key has no other field. */
COLD struct lpm *lpm_start(u32 capacity, u32 key_size, u32 at, u32 bytes, u32 width, int alone)
{
    struct lpm *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->at = (u8)at;
    l->bytes = (u8)bytes;
    l->width = (u8)width;
    l->alone = (u8)alone;
    u64 depth = width / LPM_STRIDE + 2;
    int good = pool_start(&l->nodes, sizeof(struct lpm_node), 4 * depth * capacity + 4096) &&
               pool_start(&l->results, 4, 4 * (u64)capacity + 4096);
    if (good && alone) {
        l->tries = calloc(1, sizeof *l->tries);
        good = l->tries && (l->tries[0].top = node_make(l)) != 0;
    } else if (good) {
        good = parts_grow(l, key_size);
    }
    if (good)
        return l;
    lpm_end(l);
    return NULL;
}

#endif
