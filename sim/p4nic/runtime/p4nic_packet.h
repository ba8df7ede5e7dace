/* One packet's way through the pipeline as far as every program has it. The emitted unit defines `struct ctx` (a
 * pass and its saved fields) and `step` after including this. */
#ifndef P4NIC_PACKET_H
#define P4NIC_PACKET_H
#include "p4nic_gate.h"

/* --- memory of one burst --- */

UNUSED static void *arena_take(struct worker *w, size_t bytes)
{
    bytes = (bytes + 63) & ~(size_t)63;
    struct block *b = w->arena;
    if (b == NULL || b->used + bytes > b->room) {
        size_t room = bytes > 1u << 18 ? bytes : 1u << 18;
        b = aligned_alloc(64, (sizeof *b + room + 63) & ~(size_t)63);
        if (b == NULL)
            abort();
        b->next = w->arena;
        b->used = 0;
        b->room = room;
        w->arena = b;
    }
    b->used += bytes;
    return b->bytes + b->used - bytes;
}

UNUSED static void arena_reset(struct worker *w)
{
    while (w->arena && w->arena->next) {
        struct block *b = w->arena;
        w->arena = b->next;
        free(b);
    }
    if (w->arena)
        w->arena->used = 0;
}

/* --- counting paths --- */

COLD void path_flush(struct worker *w, struct path_count *p)
{
    for (int site = 0; site < N_SITES; site++) {
        u32 bit = 2 * (u32)site;
        if (p->words[bit / 64] >> (bit % 64) & 1)
            w->hits[site_table[site]] += p->count;
        if (p->words[bit / 64] >> (bit % 64) & 2)
            w->misses[site_table[site]] += p->count;
    }
    p->count = 0;
}

INLINE void path_commit(struct worker *w, struct pass *p)
{
    u64 mixed = 0;
    for (u32 i = 0; i < PATH_WORDS; i++)
        mixed = (mixed ^ p->path[i]) * 0x9e3779b97f4a7c15u;
    struct path_count *slot = &w->paths[mixed >> 58];
    if (unlikely(memcmp(slot->words, p->path, sizeof p->path))) {
        path_flush(w, slot);
        memcpy(slot->words, p->path, sizeof p->path);
    }
    slot->count++;
}

/* --- what other workers read meanwhile --- */

/* Where this worker counts the hits of an entry: in the entry itself, or in its own array beside. */
INLINE struct cell *entry_cell(struct worker *w, u32 table, struct entry *x, u32 entry_size)
{
    struct cell *own = w->entry_cells[table];
#if ENTRY_COUNTS
    if (likely(own == NULL))
        return (struct cell *)(void *)&x->packets;
#endif
    return &own[(size_t)((u8 *)x - w->engine->tables[table].entries) / entry_size];
}

/* `touch` and `rearm` where others do the same: the timers are under the lock, and are wanted rarely. */
COLD void timers_shared(struct worker *w, struct table *t, struct entry *x, int rearms, i32 profile, u64 now_ns)
{
    engine_lock(w);
    if (rearms)
        rearm(t, x, profile, now_ns);
    else
        touch(t, x, now_ns);
    engine_unlock(w);
}

UNUSED static void touch_shared(struct worker *w, struct table *t, struct entry *x, int rearms, i32 profile)
{
    u64 before = relaxed_load(&x->last_ns), now_ns = w->now_ns > before ? w->now_ns : before;
    int other = profile >= 0 && relaxed_load(&x->origin) == ORIGIN_LEARNED &&
                relaxed_load(&x->profile) != (u8)((u32)profile % t->profiles);
    if (unlikely(!relaxed_load(&x->slot) || (rearms && (other || x->reported))))
        timers_shared(w, t, x, rearms, profile, now_ns);
    else
        relaxed_store(&x->last_ns, now_ns);
}

INLINE int learned_alike(
    const struct table *t, struct entry *x, u16 action, const void *args, u32 args_bytes, u32 profile)
{
    return x->origin == ORIGIN_LEARNED && x->kind == KIND_ACTION && x->action == action &&
           x->profile == profile % t->profiles && memcmp(args_of(t, x), args, args_bytes) == 0;
}

/* entry_learn; with other workers reading, an entry that becomes another one does so while they stand still. */
UNUSED static int learn(
    struct worker *w, struct table *t, const void *key, u64 hash, u16 action, const void *args, u32 args_bytes,
    u32 profile)
{
    struct engine *e = w->engine;
    if (likely(!e->shared))
        return entry_learn(t, key, hash, action, args, args_bytes, profile, w->now_ns, &e->sequences);
    struct entry *x = find_any(t, &t->index, key, hash);
    if (x && learned_alike(t, x, action, args, args_bytes, profile)) {
        rearm(t, x, -1, w->now_ns);
        return LEARN_REPLACED;
    }
    if (x)
        freeze(w);
    int how = entry_learn(t, key, hash, action, args, args_bytes, profile, w->now_ns, &e->sequences);
    if (x)
        thaw(w);
    return how;
}

/* Forget: an entry others may still be reading is out of the index at once, and its number free at the next gate. */
UNUSED static void forget(struct worker *w, struct table *t, struct entry *x)
{
    if (likely(!w->engine->shared)) {
        entry_remove(t, x, NULL);
    } else {
        index_replace(&t->index, key_hash(t, key_of(x)), id_of(t, x), -1);
        relaxed_store(&x->live, 0);
        t->removed[t->removed_count++] = id_of(t, x);
        w->removed++;
    }
    w->statistics[STAT_FORGOTTEN]++;
    w->stale_all = 1;
}

/* --- learning --- */

/* How a learned key makes later packets of the burst untrue. */
UNUSED static void note_learned(struct worker *w, u32 table, u64 hash, int how)
{
    w->statistics[how == LEARN_FULL ? STAT_LEARN_FAILED : STAT_LEARNED]++;
    if (unlikely(how == LEARN_FULL) && w->engine->tables[table].removed_count)
        w->removed = RECLAIM_AT; /* there is room after this burst */
    if (how == LEARN_REPLACED || (how == LEARN_ADDED && !fresh_add(&w->fresh, key_name(table, hash))))
        w->stale_all = 1;
}

/* A key that is not in the table, for real: the entry at `at` has it, and the arguments. `what`: the action, and the
 * timeout's number << 16. NULL: there was no room. */
__attribute__((noinline, unused)) static struct entry *learn_missed(
    struct worker *w, struct table *t, void *at, u64 hash, u64 what)
{
    struct entry *x = at;
    int how = entry_learned(t, x, hash, (u16)what, (u32)(what >> 16), w->now_ns, &w->engine->sequences);
    if (unlikely(how != LEARN_ADDED)) {
        note_learned(w, t->number, hash, how);
        return NULL;
    }
    w->statistics[STAT_LEARNED]++;
    if (unlikely(!fresh_add(&w->fresh, key_name(t->number, hash))))
        w->stale_all = 1;
    return x;
}

/* Of a packet that is not untrue: it has missed the key, nothing has learned it since, and so it is not there. */
UNUSED static void learn_pending(struct worker *w, struct pending *l)
{
    struct table *t = &w->engine->tables[l->table];
    u8 *x = entry_fresh(t, (const u64 *)(const void *)(&l->entry + 1), t->key_size, t->entry_size);
    if (unlikely(x == NULL)) {
        note_learned(w, l->table, l->hash, LEARN_FULL);
        return;
    }
    copy_words(x + sizeof(struct entry) + t->key_size, key_of(&l->entry) + t->key_size, (l->args_bytes + 7) & ~7u);
    (void)learn_missed(w, t, x, l->hash, (u64)l->profile << 16 | l->entry.action);
}

/* The entry this packet is itself about to learn under that key. */
INLINE struct entry *pending_find(struct pass *p, u32 table, u64 hash, const u64 *key, u32 key_size)
{
    for (u32 i = 0; i < p->pendings; i++) {
        struct pending *l = &p->pending[i];
        if (l->hash == hash && l->table == table && same_words(key_of(&l->entry), key, key_size))
            return &l->entry;
    }
    return NULL;
}

/* Log an entry to be learned, whose arguments are still to come; NULL if that is not sure to succeed. */
INLINE struct pending *effect_learn(
    const struct worker *w, struct pass *p, u32 table, u64 hash, const u64 *key, u32 key_size, u32 action)
{
    const struct table *t = &w->engine->tables[table];
    u32 used = relaxed_load(&t->count);
    if (unlikely(p->pendings) && pending_find(p, table, hash, key, key_size)) /* the second replaces the first */
        return NULL;
    if (p->pendings == PENDING || p->effects == EFFECTS || t->capacity - used < FRESH_KEYS * w->engine->worker_count)
        return NULL;
    struct pending *l = &p->pending[p->pendings++];
    struct effect *f = &p->effect[p->effects++];
    f->where = l;
    f->kind = EFFECT_LEARN;
    l->table = table;
    l->hash = hash;
    l->entry.action = (u16)action;
    l->entry.kind = KIND_ACTION;
    memcpy(key_of(&l->entry), key, key_size);
    return l;
}

/* Whether an entry is one of those: it has no number, timer or counter yet. */
INLINE int is_pending(const struct pass *p, const void *entry)
{
    return unlikely(p->pendings) && (size_t)((const u8 *)entry - (const u8 *)p) < sizeof *p;
}

/* A learner's lookup found nothing. */
INLINE void key_missed(struct pass *p, u32 table, u64 hash)
{
    if (!p->speculative)
        return;
    if (p->missed_count < MISSES)
        p->missed[p->missed_count] = key_name(table, hash);
    p->missed_count++;
}

/* Whether another worker has learned what this packet is about to; with the lock held. */
COLD int is_known(const struct worker *w, const struct pass *p)
{
    for (u32 i = 0; i < p->pendings; i++) {
        const struct table *t = &w->engine->tables[p->pending[i].table];
        if (find_any(t, &t->index, (const u8 *)p->pending[i].words + sizeof(struct entry), p->pending[i].hash))
            return 1;
    }
    return 0;
}

/* Whether what it looked up is not so any more. */
INLINE int is_untrue(const struct worker *w, const struct pass *p)
{
    if (unlikely(w->stale_all))
        return 1;
    if (!w->fresh.count)
        return 0;
    if (p->missed_count > MISSES)
        return 1;
    for (u32 i = 0; i < p->missed_count; i++)
        if (unlikely(fresh_has(&w->fresh, p->missed[i])))
            return 1;
    return 0;
}

/* --- effects ---
 * At once where the packet is for real; else they wait in it, if there is room (0: there is none). */

/* The cell is this worker's: nobody else writes it. */
INLINE void count_now(struct cell *cell, u64 packets, u64 bytes)
{
    relaxed_store(&cell->packets, relaxed_load(&cell->packets) + packets);
    relaxed_store(&cell->bytes, relaxed_load(&cell->bytes) + bytes);
}

INLINE void timer_now(struct worker *w, u16 kind, u16 table, struct entry *x, i32 profile)
{
    struct table *t = &w->engine->tables[table];
    if (unlikely(w->engine->shared))
        touch_shared(w, t, x, kind == EFFECT_REARM, profile);
    else if (kind == EFFECT_REARM)
        rearm(t, x, profile, w->now_ns);
    else
        touch(t, x, w->now_ns);
    w->statistics[STAT_REARMED] += kind == EFFECT_REARM;
}

INLINE int effect_count(struct pass *p, struct cell *cell, u64 packets, u64 bytes)
{
    if (likely(!p->speculative)) {
        count_now(cell, packets, bytes);
        return 1;
    }
    if (unlikely(p->effects == EFFECTS))
        return 0;
    struct effect *f = &p->effect[p->effects++];
    f->where = cell;
    f->packets = packets;
    f->bytes = bytes;
    f->kind = EFFECT_COUNT;
    return 1;
}

INLINE int effect_timer(struct worker *w, struct pass *p, u16 kind, u16 table, struct entry *x, i32 profile)
{
    if (likely(!p->speculative)) {
        timer_now(w, kind, table, x, profile);
        return 1;
    }
    if (unlikely(p->effects == EFFECTS))
        return 0;
    struct effect *f = &p->effect[p->effects++];
    f->where = x;
    f->profile = profile;
    f->table = table;
    f->kind = kind;
    return 1;
}

/* What waited. */
INLINE void effects_apply(struct worker *w, struct pass *p)
{
    for (u32 i = 0; i < p->effects; i++) {
        struct effect *f = &p->effect[i];
        switch (f->kind) {
        case EFFECT_COUNT:
            count_now(f->where, f->packets, f->bytes);
            break;
        case EFFECT_LEARN:
            learn_pending(w, f->where);
            break;
        default:
            timer_now(w, f->kind, f->table, f->where, f->profile);
        }
    }
    p->effects = 0;
}

/* --- messages to the control plane --- */

UNUSED static u64 *event_make(struct worker *w, u32 kind, u32 number, u32 values)
{
    size_t words = 2 + 2 * (size_t)values;
    if (w->event_count + words > w->event_room) {
        size_t room = (w->event_room + words) * 2;
        u64 *events = realloc(w->events, room * 8);
        if (events == NULL)
            abort();
        w->events = events;
        w->event_room = room;
    }
    u64 *made = w->events + w->event_count;
    w->event_count += words;
    made[0] = (u64)kind << 32 | number;
    made[1] = values;
    return made + 2;
}

UNUSED static u64 *digest_make(struct worker *w, u32 number, u32 values)
{
    if (w->digests >= DIGEST_QUEUE) {
        w->statistics[STAT_DIGEST_DROPPED]++;
        return NULL;
    }
    w->digests++;
    return event_make(w, 0, number, values);
}

/* Room for that many frames more. */
COLD void send_more(struct worker *w, u32 frames)
{
    u32 room = (w->sent_count + frames) * 2;
    struct sent *sent = realloc(w->sent, room * sizeof *sent);
    if (sent == NULL)
        abort();
    w->sent = sent;
    w->sent_room = room;
}

INLINE void send_room(struct worker *w, u32 frames)
{
    if (unlikely(w->sent_room - w->sent_count < frames))
        send_more(w, frames);
}

/* There is room. */
INLINE void send_now(struct worker *w, u32 port, const u8 *data, u32 length)
{
    w->sent[w->sent_count++] = (struct sent){data, port, length};
}

UNUSED static void send_frame(struct worker *w, u32 port, const u8 *data, u32 length)
{
    send_room(w, 1);
    send_now(w, port, data, length);
}

/* A slot of mirroring holds one session; p4c uses at most eight. */
UNUSED static void mirror_add(struct pass *p, u32 slot, u32 session)
{
    u32 i = 0;
    while (i < p->mirrored && p->mirror_slot[i] != slot)
        i++;
    if (i == 8)
        return;
    p->mirrored += i == p->mirrored;
    p->mirror_slot[i] = slot;
    p->mirror_session[i] = session;
}

/* The rest of a frame: of a small one a few bytes, for which a call costs more than the copy. */
INLINE void copy_rest(u8 *to, const u8 *from, u32 n)
{
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    if (n <= 32) { /* assembly, because the compiler takes half a second for the header that has names for this */
        typedef char bytes __attribute__((vector_size(32), aligned(1), may_alias));
        u32 those = (u32)(((u64)1 << n) - 1);
        bytes x;
        __asm__("vmovdqu8 %1, %0%{%2%}%{z%}" : "=v"(x) : "m"(*(const bytes *)(const void *)from), "Yk"(those));
        __asm__("vmovdqu8 %1, %0%{%2%}" : "+m"(*(bytes *)(void *)to) : "v"(x), "Yk"(those));
        return;
    }
#endif
    if (n >= 128) {
        memcpy(to, from, n);
    } else if (n >= 16) {
        for (u32 i = 0; i < n - 16; i += 16)
            memcpy(to + i, from + i, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 4) {
        u32 half = n >= 8 ? n - 8 : 0, quarter = n >= 8 ? 4 : 0;
        memcpy(to, from, 4);
        memcpy(to + quarter, from + quarter, 4);
        memcpy(to + half, from + half, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else {
        for (u32 i = 0; i < n; i++)
            to[i] = from[i];
    }
}

/* The emitted headers are in `out`: the payload goes behind them. */
INLINE void finish_frame(struct pass *p, u32 out_length, u32 position)
{
    copy_rest(p->out + out_length, p->data + position, p->length - position);
    p->out_length = out_length + p->length - position;
    if (p->limited && p->out_length > p->limit)
        p->out_length = p->limit;
}

/* --- where headers go out as they came in ---
 * A frame of which nothing has moved goes out from where it is: its memory is the caller's until what the burst sent
 * has been taken. Not before a header goes elsewhere is anything copied. */

/* The next header does not follow where it did: those before it lie as they came in. */
COLD void moves_apart(struct pass *p, u32 out_length)
{
    if (!p->moved)
        memcpy(p->out, p->data, out_length);
    p->moved = 1;
}

/* The frame in the packet's own buffer. */
UNUSED static void finish_apart(struct pass *p, u32 out_length, u32 position)
{
    moves_apart(p, out_length);
    finish_frame(p, out_length, position);
}

INLINE void finish_verbatim(struct pass *p, u32 out_length, u32 position)
{
    if (likely(!p->moved && out_length == position && !p->limited)) {
        p->out = (u8 *)(uintptr_t)p->data;
        p->out_length = p->length;
    } else {
        finish_apart(p, out_length, position);
    }
}

#endif
