/* Small maps from 32-bit numbers (members, groups, sessions) to heap objects; changed by the control plane only. */
#ifndef P4NIC_IDMAP_H
#define P4NIC_IDMAP_H
#include "p4nic_base.h"

struct idmap_item {
    u32 id;
    void *value; /* NULL: free */
};
struct idmap {
    struct idmap_item *items;
    u32 size, count; /* size is a power of two */
};

INLINE u32 idmap_home(const struct idmap *m, u32 id) { return (id * 0x9e3779b1u >> 7) & (m->size - 1); }

INLINE void *idmap_get(const struct idmap *m, u32 id)
{
    if (!m->count)
        return NULL;
    for (u32 at = idmap_home(m, id); m->items[at].value; at = (at + 1) & (m->size - 1))
        if (m->items[at].id == id)
            return m->items[at].value;
    return NULL;
}

COLD void idmap_put(struct idmap *m, u32 id, void *value);

COLD void idmap_resize(struct idmap *m, u32 size)
{
    struct idmap old = *m;
    m->items = calloc(size, sizeof *m->items);
    if (m->items == NULL)
        abort();
    m->size = size;
    m->count = 0;
    for (u32 at = 0; at < old.size; at++)
        if (old.items[at].value)
            idmap_put(m, old.items[at].id, old.items[at].value);
    free(old.items);
}

/* Replace (the old object is freed), add, or with NULL remove. */
COLD void idmap_put(struct idmap *m, u32 id, void *value)
{
    if (m->size == 0 || m->count * 2 >= m->size)
        idmap_resize(m, m->size ? m->size * 2 : 16);
    u32 at = idmap_home(m, id);
    while (m->items[at].value && m->items[at].id != id)
        at = (at + 1) & (m->size - 1);
    if (value) {
        m->count += m->items[at].value == NULL;
        free(m->items[at].value);
        m->items[at] = (struct idmap_item){id, value};
    } else if (m->items[at].value) {
        free(m->items[at].value);
        m->items[at].value = NULL;
        m->count--;
        for (u32 p = (at + 1) & (m->size - 1); m->items[p].value; p = (p + 1) & (m->size - 1)) {
            struct idmap_item moved = m->items[p]; /* close the gap: re-place what follows */
            m->items[p].value = NULL;
            m->count--;
            idmap_put(m, moved.id, moved.value);
        }
    }
}

COLD void idmap_end(struct idmap *m)
{
    for (u32 at = 0; at < m->size; at++)
        free(m->items[at].value);
    free(m->items);
}

#endif
