/* How several workers share one state.
 *
 * Lookups take no lock. A packet that changes state in an order-sensitive way runs under the engine's lock, if there
 * is more than one worker. The control plane changes state at a gate: it closes it, waits until every worker has come
 * to the end of its burst, makes all its changes, and opens it again. */
#ifndef P4NIC_GATE_H
#define P4NIC_GATE_H
#include <sched.h>
#include "p4nic_worker.h"

enum { GATE_CONTROL = 1, GATE_FREEZE = 2 };
#define SPINS 2000

INLINE void pause_briefly(u32 spins)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
    if (spins % 64 == 63)
        (void)sched_yield(); /* whoever is waited for may have no processor */
}

/* Nobody but the caller uses the state after this; a worker that waits for the lock counts as away if `freeze`. */
COLD void gate_wait(struct engine *e, const struct worker *self, int freeze)
{
    for (u32 i = 0; i < e->worker_count; i++) {
        const struct worker *w = e->workers[i];
        u32 spins = 0;
        while (w != self && __atomic_load_n(&w->busy, __ATOMIC_SEQ_CST) &&
               !(freeze && __atomic_load_n(&w->waiting, __ATOMIC_SEQ_CST)))
            pause_briefly(spins++);
    }
}

COLD void gate_raise(struct engine *e, u32 bit)
{
    (void)__atomic_fetch_or(&e->gate.closed, bit, __ATOMIC_SEQ_CST);
}

COLD void gate_lower(struct engine *e, u32 bit)
{
    pthread_mutex_lock(&e->gate.sleep);
    (void)__atomic_fetch_and(&e->gate.closed, ~bit, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&e->gate.opened);
    pthread_mutex_unlock(&e->gate.sleep);
}

/* The worker begins to use the state, once the gate is open. */
COLD void worker_enter(struct worker *w)
{
    struct gate *g = &w->engine->gate;
    for (;;) {
        __atomic_store_n(&w->busy, 1, __ATOMIC_SEQ_CST);
        if (!__atomic_load_n(&g->closed, __ATOMIC_SEQ_CST))
            return;
        publish(&w->busy, 0);
        for (u32 spins = 0; spins < SPINS && observe(&g->closed); spins++)
            pause_briefly(spins);
        if (!observe(&g->closed))
            continue;
        pthread_mutex_lock(&g->sleep);
        while (observe(&g->closed))
            pthread_cond_wait(&g->opened, &g->sleep);
        pthread_mutex_unlock(&g->sleep);
    }
}

/* It may sleep now: no gate waits for it. */
INLINE void worker_leave(struct worker *w) { publish(&w->busy, 0); }

/* Between two bursts. */
INLINE void worker_between(struct worker *w)
{
    if (unlikely(observe(&w->engine->gate.closed))) {
        worker_leave(w);
        worker_enter(w);
    }
}

/* --- the lock of order-sensitive packets --- */

COLD void lock_taken(struct worker *w)
{
    struct engine *e = w->engine;
    if (pthread_mutex_trylock(&e->gate.lock) == 0)
        return;
    __atomic_store_n(&w->waiting, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&e->gate.lock);
    __atomic_store_n(&w->waiting, 0, __ATOMIC_SEQ_CST);
}

INLINE void engine_lock(struct worker *w)
{
    if (unlikely(w->engine->shared) && !w->locked++)
        lock_taken(w);
}

INLINE void engine_unlock(struct worker *w)
{
    if (unlikely(w->engine->shared) && !--w->locked)
        pthread_mutex_unlock(&w->engine->gate.lock);
}

/* With the lock held: no other worker reads anything until `thaw`. For changes in place that readers could see half
 * done; rare by nature (a connection learned anew with another verdict). */
COLD void freeze(struct worker *w)
{
    gate_raise(w->engine, GATE_FREEZE);
    gate_wait(w->engine, w, 1);
}

COLD void thaw(struct worker *w) { gate_lower(w->engine, GATE_FREEZE); }

#endif
