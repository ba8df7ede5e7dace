/* Threads of workers: each takes bursts from its source until it is stopped, and parks at the gate in between.
 * Sources: ports (p4nic_ports.h), or frames in memory over and over, for measurements. */
#ifndef P4NIC_LOOP_H
#define P4NIC_LOOP_H
#include <signal.h>
#include "p4nic_workers.h"

/* Time as the switch counts it. */
INLINE u64 engine_now(const struct engine *e) { return clock_ns(CLOCK_MONOTONIC) - e->clock_start; }

/* One burst of prepared frames. */
UNUSED static u32 replay_burst(struct worker *w)
{
    struct replay *r = &w->replay;
    const struct p4_traffic *t = r->traffic;
    struct input in[BURST];
    for (u32 n = 0, at = r->timing.next; n < BURST; n++) {
        in[n] = (struct input){t->data + t->offsets[at], t->ports[at], t->lengths[at]};
        at = at + 1 == r->last ? r->first : at + 1;
        r->timing.next = at;
    }
    burst(w, in, BURST, engine_now(w->engine));
    relaxed_store(&r->timing.packets, r->timing.packets + BURST);
    relaxed_store(&r->timing.sent, r->timing.sent + w->sent_count);
    for (u32 i = 0; i < w->sent_count; i++)
        r->timing.bytes += w->sent[i].length;
    w->event_count = 0; /* nobody listens */
    return BURST;
}

COLD void worker_reclaim(struct worker *w)
{
    worker_leave(w);
    gate_close(w->engine);
    gate_open(w->engine);
    worker_enter(w);
}

static u32 ports_burst(struct worker *w);
static void ports_wait(struct worker *w);

COLD void *worker_main(void *argument)
{
    struct worker *w = argument;
    struct engine *e = w->engine;
    worker_enter(w); /* the gate opens when all are there */
    timing_start(&w->replay.timing, w->replay.first);
    for (;;) {
        worker_between(w);
        if (unlikely(observe(&e->stopping)))
            break;
        if (unlikely(w->removed >= RECLAIM_AT))
            worker_reclaim(w);
        if (w->replay.traffic)
            (void)replay_burst(w);
        else if (ports_burst(w))
            w->idle = 0;
        else
            ports_wait(w);
    }
    timing_stop(&w->replay.timing);
    worker_leave(w);
    return NULL;
}

/* Start the first `count` workers' threads; 0: no memory, or no thread. Signals stay the caller's. */
COLD int threads_start(struct engine *e, u32 count)
{
    if (!workers_make(e, count) || !share(e, count > 1))
        return 0;
    e->stopping = 0;
    gate_close(e);
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    for (e->thread_count = 0; e->thread_count < count; e->thread_count++) {
        struct worker *w = e->workers[e->thread_count];
        if (pthread_create(&w->thread, NULL, worker_main, w))
            break;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    gate_open(e);
    return e->thread_count == count;
}

static void ports_wake(struct engine *e);

COLD void threads_stop(struct engine *e)
{
    publish(&e->stopping, 1);
    ports_wake(e);
    for (u32 i = 0; i < e->thread_count; i++)
        (void)pthread_join(e->workers[i]->thread, NULL);
    e->thread_count = 0;
    (void)share(e, 0);
    cells_fold(e);
}

#endif
