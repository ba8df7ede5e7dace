/* What each worker has of its own: the packets under way, counters, messages, memory of a burst. */
#ifndef P4NIC_WORKER_H
#define P4NIC_WORKER_H
#include "p4nic_engine.h"
#include "p4nic_timing.h"

#ifndef BURST
#define BURST 32
#endif
#define MAX_WORKERS 64
#include "p4nic_cache.h"
#include "p4nic_learn.h"
#define EFFECTS 12
#define FUEL 65536 /* backward jumps of one pass: only a loop that does not end uses them up */
#define MAX_PASSES 16
#define MAX_COPIES 1024 /* of one received packet, clones of clones and new beginnings */
#define DIGEST_QUEUE 65536

/* What step() says. */
enum { ST_SUSPENDED, ST_SENT, ST_DROPPED, ST_SLOW, ST_REQUESTS, ST_GONE };
enum { STAT_LEARNED, STAT_LEARN_FAILED, STAT_REARMED, STAT_FORGOTTEN, STAT_EXPIRED, STAT_DIGEST_DROPPED,
       STAT_ASSERT_FAILED, STAT_COPY_DROPPED, N_STATISTICS };
enum { EFFECT_COUNT, EFFECT_REARM, EFFECT_TOUCH, EFFECT_LEARN };

/* A change of state that nothing in its own packet depends on, held back until the packet is known to count. */
struct effect {
    void *where; /* a cell, an entry, or what is to be learned */
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

/* Copies sent and reasons of drops of one received packet. */
struct verdicts {
    u32 first, drops, reason;
    u32 copies; /* clones of clones and new beginnings, so far */
};

/* Frames first to last (one before it) that a worker takes over and over, and what became of them. */
struct replay {
    const struct p4_traffic *traffic;
    u32 first, last;
    struct p4_timing timing;
};

struct outbox;

#define RECLAIM_AT 1024 /* entries that packets took out, after which a worker does not wait for a gate of others */

struct worker {
    struct engine *engine;
    u64 now_ns;
    u32 busy;    /* between two looks at the gate: state may be in use */
    u32 waiting; /* for the lock: nothing of the state is in use until it has it */
    u32 locked;  /* how often this worker has taken the lock */
    u32 removed; /* entries taken out by packets since the last gate */
    struct cell *cells[N_COUNTERS + 1];      /* this worker's share of the counter arrays */
    struct cell *entry_cells[N_TABLES + 1];  /* its share of direct counters; NULL: in the entries themselves */
    struct cell default_cells[N_TABLES + 1]; /* its share of those of default entries */
    u32 number;
    u8 *memory[N_TABLES + 1]; /* remembered lookups; NULL: of a table that needs none */
    u32 stale_all; /* an entry changed or went: everything after runs again */
    struct fresh fresh;
    u64 statistics[N_STATISTICS];
    u64 hits[N_TABLES + 1], misses[N_TABLES + 1];
    struct path_count paths[PATHS];
    /* messages: (kind and number, count of values, low and high halves) */
    u64 *events;
    size_t event_count, event_room;
    u32 digests;
    pthread_t thread;
    int wake; /* a descriptor that ends its sleep */
    u32 idle, generation;
    struct outbox *outbox;
    u64 drops[N_REASONS];
    u64 nowhere; /* frames for ports that do not exist */
    struct replay replay;
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
    u32 port;
    i32 fuel;
    /* zero at the start, with one store: `position` to `path` */
    u32 position, out_length;
    u32 passes;
    u32 effects;
    u32 missed_count, pendings;
    u16 resume;
    u8 parse_only;
    u8 cloned, resubmitted, recirculated, limited, mirrored; /* requests of the program, for the architecture */
    u8 moved; /* the frame goes out otherwise than it came in: only where no program changes a header's bytes */
    u64 path[PATH_WORDS];
    i64 transmit;
    u32 reason;
    u8 speculative; /* what it does must not take effect */
    u8 waits;       /* it may be suspended */
    u16 clone_kept, resubmit_kept, recirculate_kept; /* which fields survive: a number of the unit */
    u32 clone_session, limit;
    u64 missed[MISSES]; /* keys that learners did not have */
    struct effect effect[EFFECTS];
    struct pending pending[PENDING];
    u32 mirror_slot[8], mirror_session[8];
};

#endif
