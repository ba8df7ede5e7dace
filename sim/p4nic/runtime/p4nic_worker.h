/* What each worker has of its own, and one packet's way through the pipeline as far as every program has it. The
 * emitted unit defines `struct ctx` (a pass and its saved fields) and `step` after including this. */
#ifndef P4NIC_WORKER_H
#define P4NIC_WORKER_H
#include "p4nic_engine.h"

#ifndef BURST
#define BURST 32
#endif
#define EFFECTS 12
#define FUEL 65536 /* backward jumps of one pass: only a loop that does not end uses them up */
#define MAX_PASSES 16
#define DIGEST_QUEUE 65536

/* What step() says. */
enum { ST_SUSPENDED, ST_SENT, ST_DROPPED, ST_SLOW, ST_REQUESTS, ST_GONE };
enum { STAT_LEARNED, STAT_LEARN_FAILED, STAT_REARMED, STAT_FORGOTTEN, STAT_EXPIRED, STAT_DIGEST_DROPPED,
       STAT_ASSERT_FAILED, STAT_COPY_DROPPED, N_STATISTICS };
enum { EFFECT_COUNT, EFFECT_REARM, EFFECT_TOUCH };

/* A change of state whose order among packets does not matter, held back until the packet is known to count. */
struct effect {
    void *where; /* a cell, or an entry */
    u64 packets, bytes;
    i32 profile;
    u16 table;
    u16 kind;
};

struct sent {
    const u8 *data;
    u32 port, length;
};
struct result {
    u32 first, count, reason;
};

/* How often packets took one way through the tables, each Apply's hit or miss being a bit. */
struct path_count {
    u64 words[PATH_WORDS];
    u64 count;
};
#define PATHS 64

struct block {
    struct block *next;
    size_t used, room;
    _Alignas(64) u8 bytes[];
};

struct ctx;
struct verdicts;

struct worker {
    struct engine *engine;
    u64 now_ns;
    u32 number;
    u32 stale;     /* learners that got an entry in this burst, by bit: packets that missed one run again */
    u32 stale_all; /* an entry changed or went: everything after runs again */
    u64 statistics[N_STATISTICS];
    u64 hits[N_TABLES + 1], misses[N_TABLES + 1];
    struct path_count paths[PATHS];
    /* messages: (kind and number, count of values, low and high halves) */
    u64 *events;
    size_t event_count, event_room;
    u32 digests;
    /* the burst */
    struct ctx *contexts;
    struct result results[BURST];
    struct sent *sent;
    u32 sent_count, sent_room;
    struct block *arena;
    u64 slow_packets, rerun_packets;
    /* what process() gives back */
    u8 *reply;
    size_t reply_size, reply_room;
    /* v1model: copies of the packet under way, for ingress and for egress */
    struct verdicts *verdicts;
    struct queue {
        struct ctx **items;
        u32 head, tail, room;
    } ingress, egress;
};

/* One run of one packet. */
struct pass {
    const u8 *data;
    u8 *out;
    u32 length, out_room;
    u32 port, position, out_length;
    u16 resume;
    u8 speculative, parse_only;
    u32 passes;
    u32 missed; /* learners in which a lookup found nothing, by bit */
    i32 fuel;
    u32 effects;
    u32 reason;
    i64 transmit;
    /* requests of the program, acted on by the architecture */
    u8 cloned, resubmitted, recirculated, limited, mirrored;
    u16 clone_kept, resubmit_kept, recirculate_kept; /* which fields survive: a number of the unit */
    u32 clone_session, limit;
    u32 mirror_slot[8], mirror_session[8];
    u64 path[PATH_WORDS];
    struct effect effect[EFFECTS];
};

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

/* --- effects --- */

INLINE void effects_apply(struct worker *w, struct pass *p)
{
    for (u32 i = 0; i < p->effects; i++) {
        struct effect *f = &p->effect[i];
        if (f->kind == EFFECT_COUNT) {
            struct cell *cell = f->where;
            cell->packets += f->packets;
            cell->bytes += f->bytes;
        } else if (f->kind == EFFECT_REARM) {
            rearm(&w->engine->tables[f->table], f->where, f->profile, w->now_ns);
            w->statistics[STAT_REARMED]++;
        } else {
            touch(&w->engine->tables[f->table], f->where, w->now_ns);
        }
    }
    p->effects = 0;
}

/* In the middle of a packet that runs for real, before something whose order matters. */
COLD void effects_flush(struct worker *w, struct pass *p) { effects_apply(w, p); }

INLINE void effect_count(struct pass *p, void *cell, u64 packets, u64 bytes)
{
    struct effect *f = &p->effect[p->effects++];
    f->where = cell;
    f->packets = packets;
    f->bytes = bytes;
    f->kind = EFFECT_COUNT;
}

INLINE void effect_timer(struct pass *p, u16 kind, u16 table, void *entry, i32 profile)
{
    struct effect *f = &p->effect[p->effects++];
    f->where = entry;
    f->profile = profile;
    f->table = table;
    f->kind = kind;
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

UNUSED static void send_frame(struct worker *w, u32 port, const u8 *data, u32 length)
{
    if (w->sent_count == w->sent_room) {
        u32 room = w->sent_room ? w->sent_room * 2 : 4 * BURST;
        struct sent *sent = realloc(w->sent, room * sizeof *sent);
        if (sent == NULL)
            abort();
        w->sent = sent;
        w->sent_room = room;
    }
    w->sent[w->sent_count++] = (struct sent){data, port, length};
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

/* The emitted headers are in `out`: the payload goes behind them. */
INLINE void finish_frame(struct pass *p, u32 out_length, u32 position)
{
    memcpy(p->out + out_length, p->data + position, p->length - position);
    p->out_length = out_length + p->length - position;
    if (p->limited && p->out_length > p->limit)
        p->out_length = p->limit;
}

#endif
