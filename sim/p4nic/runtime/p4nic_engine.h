/* One pipeline's state as all its workers share it: tables, arrays, groups. What each worker has of its own is in
 * p4nic_worker.h. The emitted unit defines the sizes (N_…) before including this. */
#ifndef P4NIC_ENGINE_H
#define P4NIC_ENGINE_H
#include <pthread.h>
#include "p4nic_change.h"
#include "p4nic_hash.h"
#include "p4nic_idmap.h"
#include "p4nic_meter.h"


struct cell {
    u64 packets, bytes;
};
struct counter_array {
    u64 size; /* the cells are the workers' */
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
    u32 drawn; /* each packet draws its slot; else the hash chooses */
    u32 slots[];
};
struct profile {
    struct idmap members, groups;
};

struct replica {
    u32 port, instance;
};
struct replicas {
    u32 count, truncate, service; /* class of service of a clone */
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

#define MAX_WIRES 64

struct worker;
struct wire;
struct input;
typedef void burst_runner(struct worker *w, const struct input *in, u32 n, u64 now_ns);

#define GATE_LASTED 40

struct gate {
    pthread_mutex_t lock;   /* packets that change state, if there is more than one worker */
    pthread_mutex_t raised; /* who wants the gate closed: one at a time */
    pthread_mutex_t sleep;  /* of workers that wait for `opened` */
    pthread_cond_t opened;
    u32 closed;
    u32 brief;                 /* for one call of the control plane's */
    u64 since;                 /* CLOCK_MONOTONIC: when the control plane closed it */
    u64 lasted[GATE_LASTED];   /* how often it was closed for 2^i to 2^(i+1) ns */
};

/* Shared by all workers. */
struct engine {
    u32 cpu_port, drop_port, port_count;
    u32 worker_count;
    u32 shared; /* more than one worker runs */
    burst_runner *run_burst;
    u8 *shown;  /* key and arguments of the entry last read */
    u32 shown_size;
    struct gate gate;
    struct keeper keeper;
    struct worker **workers;
    u32 thread_count; /* workers that run by themselves */
    u32 stopping;
    u64 clock_start;  /* CLOCK_MONOTONIC at the switch's time 0 */
    /* ports: changed at a gate */
    struct idmap wires;
    struct wire *wire_list[MAX_WIRES];
    u32 wire_count, generation;
    u32 tell_others; /* frames for other ports go to Python */
    int notify;   /* a descriptor Python waits for */
    u32 notified; /* it has been told and has not looked yet */
    struct table tables[N_TABLES + 1];
    struct counter_array counters[N_COUNTERS + 1];
    struct meter_array meters[N_METERS + 1];
    struct meter default_meters[N_TABLES + 1]; /* direct meters of default entries */
    struct register_array registers[N_REGISTERS + 1];
    struct profile profiles[N_PROFILES + 1];
    struct value_set value_sets[N_VALUE_SETS + 1];
    u64 round_robin[N_ROUND_ROBIN + 1];
    struct idmap multicast, clones;
    u64 sequences;
    u64 random;
};

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
    if (index >= m->size)
        return before;
    return meter_mark(&m->cells[index], m->by_packets ? 1 : length, length, now_ns, before);
}

/* By the entry that was hit, or on a miss by the default entry; an entry that the packet has forgotten keeps the
 * colour. */
UNUSED static u32 colour_direct(
    struct engine *e, u32 table, void *entry, u32 hit, u64 amount, u64 length, u64 now_ns, u32 before)
{
    struct table *t = &e->tables[table];
    if (!entry && hit)
        return before;
    return meter_mark(entry ? &t->meters[id_of(t, entry)] : &e->default_meters[table], amount, length, now_ns, before);
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

INLINE int port_exists(const struct engine *e, u32 port)
{
    return port < e->port_count || port == e->cpu_port;
}

#endif
