/* One pipeline's state, and one packet's way through it as far as every program has it. The emitted unit defines
 * the sizes (N_…) before including this, then `struct ctx` (a pass and its saved fields) and `step`. */
#ifndef P4NIC_ENGINE_H
#define P4NIC_ENGINE_H
#include "p4nic_change.h"
#include "p4nic_hash.h"
#include "p4nic_idmap.h"
#include "p4nic_meter.h"

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

struct cell {
    u64 packets, bytes;
};
struct counter_array {
    struct cell *cells;
    u64 size;
};
struct meter_array {
    struct meter *cells;
    u64 size;
    u32 by_packets;
};
struct register_array {
    u128 *cells; /* xor the initial value, so that untouched memory is right */
    u64 size;
    u128 initial;
};

struct member {
    u64 action; /* as wide as this, so that the arguments are aligned */
    u8 args[];
};
struct member_group {
    u32 count;
    u32 slots[];
};
struct profile {
    struct idmap members, groups;
};

struct replica {
    u32 port, instance;
};
struct replicas {
    u32 count, truncate;
    struct replica to[];
};

/* A member of a parser value set has one of these for each key. */
struct bounds {
    u128 low, high; /* of a range; else value and mask */
    u64 is_range;
};
struct value_set {
    u32 count;
    struct bounds *members;
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

struct engine {
    u64 now_ns;
    u32 cpu_port, drop_port, port_count;
    u32 stale;          /* learners that got an entry in this burst, by bit: packets that missed one run again */
    u32 stale_all;      /* an entry changed or went: everything after runs again */
    struct table tables[N_TABLES + 1];
    struct counter_array counters[N_COUNTERS + 1];
    struct meter_array meters[N_METERS + 1];
    struct register_array registers[N_REGISTERS + 1];
    struct profile profiles[N_PROFILES + 1];
    struct value_set value_sets[N_VALUE_SETS + 1];
    u64 round_robin[N_ROUND_ROBIN + 1];
    struct idmap multicast, clones;
    u64 sequences;
    u64 random;
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

UNUSED static void *arena_take(struct engine *e, size_t bytes)
{
    bytes = (bytes + 63) & ~(size_t)63;
    struct block *b = e->arena;
    if (b == NULL || b->used + bytes > b->room) {
        size_t room = bytes > 1u << 18 ? bytes : 1u << 18;
        b = aligned_alloc(64, (sizeof *b + room + 63) & ~(size_t)63);
        if (b == NULL)
            abort();
        b->next = e->arena;
        b->used = 0;
        b->room = room;
        e->arena = b;
    }
    b->used += bytes;
    return b->bytes + b->used - bytes;
}

UNUSED static void arena_reset(struct engine *e)
{
    while (e->arena && e->arena->next) {
        struct block *b = e->arena;
        e->arena = b->next;
        free(b);
    }
    if (e->arena)
        e->arena->used = 0;
}

/* --- counting paths --- */

COLD void path_flush(struct engine *e, struct path_count *p)
{
    for (int site = 0; site < N_SITES; site++) {
        u32 bit = 2 * (u32)site;
        if (p->words[bit / 64] >> (bit % 64) & 1)
            e->hits[site_table[site]] += p->count;
        if (p->words[bit / 64] >> (bit % 64) & 2)
            e->misses[site_table[site]] += p->count;
    }
    p->count = 0;
}

INLINE void path_commit(struct engine *e, struct pass *p)
{
    u64 mixed = 0;
    for (u32 i = 0; i < PATH_WORDS; i++)
        mixed = (mixed ^ p->path[i]) * 0x9e3779b97f4a7c15u;
    struct path_count *slot = &e->paths[mixed >> 58];
    if (unlikely(memcmp(slot->words, p->path, sizeof p->path))) {
        path_flush(e, slot);
        memcpy(slot->words, p->path, sizeof p->path);
    }
    slot->count++;
}

/* --- effects --- */

INLINE void effects_apply(struct engine *e, struct pass *p)
{
    for (u32 i = 0; i < p->effects; i++) {
        struct effect *f = &p->effect[i];
        if (f->kind == EFFECT_COUNT) {
            struct cell *cell = f->where;
            cell->packets += f->packets;
            cell->bytes += f->bytes;
        } else if (f->kind == EFFECT_REARM) {
            rearm(&e->tables[f->table], f->where, f->profile, e->now_ns);
            e->statistics[STAT_REARMED]++;
        } else {
            touch(&e->tables[f->table], f->where, e->now_ns);
        }
    }
    p->effects = 0;
}

/* In the middle of a packet that runs for real, before something whose order matters. */
COLD void effects_flush(struct engine *e, struct pass *p) { effects_apply(e, p); }

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

UNUSED static u64 *event_make(struct engine *e, u32 kind, u32 number, u32 values)
{
    size_t words = 2 + 2 * (size_t)values;
    if (e->event_count + words > e->event_room) {
        size_t room = (e->event_room + words) * 2;
        u64 *events = realloc(e->events, room * 8);
        if (events == NULL)
            abort();
        e->events = events;
        e->event_room = room;
    }
    u64 *made = e->events + e->event_count;
    e->event_count += words;
    made[0] = (u64)kind << 32 | number;
    made[1] = values;
    return made + 2;
}

UNUSED static u64 *digest_make(struct engine *e, u32 number, u32 values)
{
    if (e->digests >= DIGEST_QUEUE) {
        e->statistics[STAT_DIGEST_DROPPED]++;
        return NULL;
    }
    e->digests++;
    return event_make(e, 0, number, values);
}

/* --- the rest of the state --- */

UNUSED static u64 random_next(struct engine *e)
{
    u64 z = e->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

UNUSED static u64 random_between(struct engine *e, u64 low, u64 high)
{
    if (low > high)
        return low;
    u64 span = high - low + 1;
    u64 drawn = random_next(e);
    return low + (span ? drawn % span : drawn);
}

UNUSED static u32 colour_indexed(struct meter_array *m, u64 index, u64 length, u64 now_ns, u32 before)
{
    return index < m->size ? meter_colour(&m->cells[index], m->by_packets ? 1 : length, now_ns, before) : before;
}

UNUSED static u32 colour_direct(struct table *t, void *entry, u64 amount, u64 now_ns, u32 before)
{
    return entry && t->meters ? meter_colour(&t->meters[id_of(t, entry)], amount, now_ns, before) : before;
}

UNUSED static int value_set_has(const struct value_set *set, const u128 *values, u32 keys)
{
    for (u32 i = 0; i < set->count; i++) {
        u32 k = 0;
        for (; k < keys; k++) {
            const struct bounds *b = &set->members[(size_t)i * keys + k];
            if (b->is_range ? values[k] < b->low || values[k] > b->high : (values[k] & b->high) != b->low)
                break;
        }
        if (k == keys)
            return 1;
    }
    return 0;
}

UNUSED static void send_frame(struct engine *e, u32 port, const u8 *data, u32 length)
{
    if (e->sent_count == e->sent_room) {
        u32 room = e->sent_room ? e->sent_room * 2 : 4 * BURST;
        struct sent *sent = realloc(e->sent, room * sizeof *sent);
        if (sent == NULL)
            abort();
        e->sent = sent;
        e->sent_room = room;
    }
    e->sent[e->sent_count++] = (struct sent){data, port, length};
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

INLINE int port_exists(const struct engine *e, u32 port)
{
    return port < e->port_count || port == e->cpu_port;
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
