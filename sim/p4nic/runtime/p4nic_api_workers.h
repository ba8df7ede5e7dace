/* What Python calls, continued: workers in threads of their own. Included by p4nic_api.h. */
#ifndef P4NIC_API_WORKERS_H
#define P4NIC_API_WORKERS_H

API void p4_gate_close(struct engine *e);
API void p4_gate_open(struct engine *e);
API void p4_gate_lasted(struct engine *e, u64 *lasted);
API int p4_replay_start(
    struct engine *e, u32 workers, const struct p4_traffic *traffic, const u32 *firsts, u64 clock_start);
API void p4_replayed(struct engine *e, u32 worker, struct p4_timing *out);
API void p4_stop_soon(struct engine *e);
API void p4_stop(struct engine *e);

/* Until p4_gate_open, by the same thread, no packet is under way. */
void p4_gate_close(struct engine *e) { gate_close(e); }

void p4_gate_open(struct engine *e) { gate_open(e); }

/* How often packets have been shut out for 2^i to 2^(i+1) ns, by i below GATE_LASTED. The gate is closed. */
void p4_gate_lasted(struct engine *e, u64 *lasted) { memcpy(lasted, e->gate.lasted, sizeof e->gate.lasted); }

/* Worker i takes frames firsts[i] to firsts[i + 1] - 1, over and over, until p4_stop. All begin at once. The caller
 * keeps the traffic. 0: no memory or no thread. */
int p4_replay_start(
    struct engine *e, u32 workers, const struct p4_traffic *traffic, const u32 *firsts, u64 clock_start)
{
    e->clock_start = clock_start;
    if (!workers_make(e, workers))
        return 0;
    for (u32 i = 0; i < workers; i++) {
        struct replay *r = &e->workers[i]->replay;
        *r = (struct replay){.traffic = traffic, .first = firsts[i], .last = firsts[i + 1]};
    }
    if (threads_start(e, workers))
        return 1;
    p4_stop(e);
    return 0;
}

/* What a worker did since it was started: packets and frames sent at any time, the rest after p4_stop. */
void p4_replayed(struct engine *e, u32 worker, struct p4_timing *out)
{
    const struct p4_timing *t = &e->workers[worker]->replay.timing;
    if (e->thread_count)
        *out = (struct p4_timing){.packets = relaxed_load(&t->packets), .sent = relaxed_load(&t->sent)};
    else
        *out = *t;
}

/* Workers that wait at the gate process nothing more when it opens; p4_stop follows. */
void p4_stop_soon(struct engine *e) { publish(&e->stopping, 1); }

void p4_stop(struct engine *e)
{
    threads_stop(e);
    for (u32 i = 0; i < e->worker_count; i++)
        e->workers[i]->replay.traffic = NULL;
}

#endif
