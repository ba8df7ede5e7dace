/* Longest prefix match for the packets of a burst that wait at one table, side by side: each step of all of them
 * fetches what the next needs, so that the memory's latency is paid once for all. Called by p4nic_burst.h. */
#ifndef P4NIC_LPM_BURST_H
#define P4NIC_LPM_BURST_H
#include "p4nic_lpm.h"

/* Exact tables in front of the trie (few lengths of prefix, whole values, exact fields) are searched alone. */
INLINE const struct trie *lpm_burst_trie(const struct table *t, const u64 *key, u64 *found)
{
    const struct lpm *l = t->lpm;
    u64 part[MAX_KEY_WORDS];
    const struct entry *e = NULL;
    if (t->group_count <= LPM_GROUPS) {
        e = masked_find(t, key, t->key_size, t->entry_size);
        *found = e ? (u64)(uintptr_t)e : LPM_MISS;
        return NULL;
    }
    if (lpm_is_hashed(l->width, t->groups[0]->best))
        e = index_find(t, &t->groups[0]->index, key, key_hash(t, key), t->key_size, t->entry_size);
    if (e) {
        *found = (u64)(uintptr_t)e;
        return NULL;
    }
    if (l->alone)
        return &l->tries[0];
    lpm_part(key, t->key_size, l->at, l->bytes, part);
    const struct trie *trie = &l->tries[lpm_place(l, part, t->key_size)];
    *found = LPM_MISS;
    return trie->top ? trie : NULL;
}

/* `keys[i]`, and where to write what was found: `found[i]`. */
UNUSED static void lpm_burst(const struct table *t, const u64 *const *keys, u64 *const *found, u32 count)
{
    const struct lpm *l = t->lpm;
    const struct trie *tries[BURST];
    struct lpm_walk walks[BURST];
    u32 active[BURST], going = 0;
    for (u32 i = 0; i < count; i++) {
        tries[i] = lpm_burst_trie(t, keys[i], found[i]);
        if (tries[i] == NULL)
            continue;
        walks[i].field = lpm_field(keys[i], l->at, l->bytes, l->width);
        if (tries[i]->slots)
            __builtin_prefetch(lpm_slot_of(tries[i], walks[i].field));
    }
    for (u32 i = 0; i < count; i++) {
        if (tries[i] == NULL)
            continue;
        walk_start(&walks[i], l, tries[i], walks[i].field);
        __builtin_prefetch(walks[i].node);
        active[going] = i;
        going += walks[i].node != NULL;
    }
    while (going) {
        u32 before = going;
        going = 0;
        for (u32 k = 0; k < before; k++) {
            struct lpm_walk *w = &walks[active[k]];
            walk_on(w, l);
            if (w->node)
                __builtin_prefetch(w->node);
            else
                __builtin_prefetch(lpm_result(l, w->result));
            active[going] = active[k];
            going += w->node != NULL;
        }
    }
    for (u32 i = 0; i < count; i++) {
        if (tries[i] == NULL)
            continue;
        u32 id = walk_end(&walks[i], l);
        if (id == NONE) {
            *found[i] = LPM_MISS;
            continue;
        }
        __builtin_prefetch(entry_at(t, id), 1);
        *found[i] = (u64)(uintptr_t)entry_at(t, id);
    }
}

#endif
