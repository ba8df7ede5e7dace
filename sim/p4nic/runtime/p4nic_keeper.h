/* A thread that has memory ready before packets need it. The kernel clears two megabytes at the first touch, which
 * takes as long as hundreds of packets; a table that packets fill asks for its next memory while it still has some.
 *
 * The thread knows pieces of memory only, no tables. It starts with the first piece, which most engines never ask
 * for. A piece it has not come to when a packet does is the packet's to clear, as if there were no thread. */
#ifndef P4NIC_KEEPER_H
#define P4NIC_KEEPER_H
#include <pthread.h>
#include <signal.h>
#include "p4nic_base.h"

#define KEEPER_PIECES 64

struct keeper {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t thread;
    u32 running, stopping, count;
    struct stretch {
        void *memory;
        size_t bytes;
    } pieces[KEEPER_PIECES];
};

COLD void keeper_start(struct keeper *k)
{
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->wanted, NULL);
}

COLD void *keeper_main(void *argument)
{
    struct keeper *k = argument;
    pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        if (!k->count) {
            pthread_cond_wait(&k->wanted, &k->lock);
            continue;
        }
        struct stretch next = k->pieces[0];
        memmove(k->pieces, k->pieces + 1, --k->count * sizeof *k->pieces);
        pthread_mutex_unlock(&k->lock);
        make_ready(next.memory, next.bytes);
        pthread_mutex_lock(&k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

/* Before the memory it was asked for goes. */
COLD void keeper_end(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->stopping = 1;
    k->count = 0;
    pthread_cond_signal(&k->wanted);
    pthread_mutex_unlock(&k->lock);
    if (k->running)
        (void)pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->wanted);
    pthread_mutex_destroy(&k->lock);
}

/* Signals stay the caller's. */
COLD void keeper_run(struct keeper *k)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    k->running = !pthread_create(&k->thread, NULL, keeper_main, k);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

COLD void keeper_ask(struct keeper *k, void *memory, size_t bytes)
{
    pthread_mutex_lock(&k->lock);
    if (!k->running)
        keeper_run(k);
    if (k->running && k->count < KEEPER_PIECES)
        k->pieces[k->count++] = (struct stretch){memory, bytes};
    pthread_cond_signal(&k->wanted);
    pthread_mutex_unlock(&k->lock);
}

#endif
