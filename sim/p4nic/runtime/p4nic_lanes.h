/* Ports as workers have them, and messages for the control plane.
 *
 * Each worker has its own lane of a port (socket, ring, counters), so that sending and receiving need no lock. What
 * is shared by nature (a capture file, a queue in memory) has a lock of its own. */
#ifndef P4NIC_LANES_H
#define P4NIC_LANES_H
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "p4nic_loop.h"

enum { WIRE_PACKET, WIRE_TAP, WIRE_PCAP, WIRE_MEMORY };
/* Why a frame was not sent, or not received. */
enum { LOST_QUEUE_FULL, LOST_DOWN, LOST_TOO_LONG, LOST_SHORT, LOST_RING_FULL, LOST_OVERSIZE, LOST_EMPTY, N_LOST };
#define MAX_FRAME 65535
#define LONG_ROOM 65600 /* a frame and a tag to be put back */
#define OUTBOX (4u << 20) /* bytes of one worker's messages */

enum { MESSAGE_EVENT, MESSAGE_FRAME, MESSAGE_GONE };

/* Messages of one worker, taken by Python; a message that does not fit is dropped and counted. */
struct outbox {
    u8 *data;
    u64 written, taken; /* bytes since the start; the place is modulo OUTBOX */
    u64 dropped;
};
struct message {
    u32 kind, number, length, padded; /* then the bytes, padded to 8 */
};

struct lane {
    int fd;
    u8 *ring; /* of a packet socket */
    u32 next, taken;
    u8 *room; /* BURST frames of LONG_ROOM bytes, where the kernel copies to us */
    u32 queued;
    struct mmsghdr heads[BURST];
    struct iovec parts[BURST];
    u64 rx_packets, rx_bytes, tx_packets, tx_bytes, rx_lost, tx_lost;
    u64 lost[N_LOST];
} __attribute__((aligned(64)));

struct wire {
    u32 number, kind, gone, shut, index; /* index: of the interface */
    char name[IF_NAMESIZE];
    u32 lane_count;
    struct lane *lanes;
    pthread_mutex_t lock; /* of a capture file or a queue */
    const struct p4_traffic *source; /* frames of a capture file; the first worker takes them once */
    u64 written;
    u8 *queue; /* memory: u32 length and bytes, both ways */
    u64 put, got;
    u8 *sent;
    u64 sent_size;
};

/* --- messages --- */

static void outbox_end(struct outbox *o)
{
    if (o != NULL)
        free(o->data);
    free(o);
}

COLD void message_put(struct worker *w, u32 kind, u32 number, const void *bytes, u32 length)
{
    struct outbox *o = w->outbox;
    struct message m = {kind, number, length, (length + 7) & ~7u};
    u64 size = sizeof m + m.padded, at = o->written % OUTBOX;
    u64 skip = at + size > OUTBOX ? OUTBOX - at : 0; /* no message goes over the end */
    if (o->written + skip + size - observe(&o->taken) > OUTBOX) {
        relaxed_store(&o->dropped, o->dropped + 1);
        if (kind == MESSAGE_EVENT)
            w->statistics[STAT_DIGEST_DROPPED]++;
        return;
    }
    if (skip >= sizeof m) {
        struct message filler = {UINT32_MAX, 0, 0, (u32)(skip - sizeof m)};
        memcpy(o->data + at, &filler, sizeof filler);
    }
    at = (at + skip) % OUTBOX;
    memcpy(o->data + at, &m, sizeof m);
    if (length)
        memcpy(o->data + at + sizeof m, bytes, length);
    publish(&o->written, o->written + skip + size);
    if (!__atomic_exchange_n(&w->engine->notified, 1, __ATOMIC_SEQ_CST))
        (void)eventfd_write(w->engine->notify, 1);
}

/* Digests and the like of one burst. */
COLD void events_put(struct worker *w)
{
    for (size_t at = 0; at < w->event_count;) {
        u64 words = 2 + 2 * w->events[at + 1];
        message_put(w, MESSAGE_EVENT, 0, w->events + at, (u32)words * 8);
        at += words;
    }
    w->event_count = 0;
    w->digests = 0;
}

/* --- lanes --- */

INLINE struct wire *wire_of(const struct engine *e, u32 number)
{
    struct wire **place = idmap_get(&e->wires, number);
    return place ? *place : NULL;
}

UNUSED static void count_lost(struct lane *l, u32 why, u64 frames)
{
    relaxed_store(&l->lost[why], l->lost[why] + frames);
    relaxed_store(&l->tx_lost, l->tx_lost + frames);
}

/* An interface that is only down comes back to this socket; one that was deleted does not. */
COLD void wire_check(struct worker *w, struct wire *p)
{
    if (p->kind > WIRE_TAP || if_nametoindex(p->name) == p->index)
        return;
    if (!__atomic_exchange_n(&p->gone, 1, __ATOMIC_SEQ_CST))
        message_put(w, MESSAGE_GONE, p->number, NULL, 0);
}

COLD u32 why_lost(struct worker *w, struct wire *p, int error)
{
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
        return LOST_QUEUE_FULL;
    case EMSGSIZE:
        return LOST_TOO_LONG;
    case EINVAL:
        return LOST_SHORT;
    default:
        wire_check(w, p);
        return LOST_DOWN;
    }
}

UNUSED static void count_sent(struct lane *l, u64 frames, u64 bytes)
{
    relaxed_store(&l->tx_packets, l->tx_packets + frames);
    relaxed_store(&l->tx_bytes, l->tx_bytes + bytes);
}

/* Frames queued on a packet socket, all at once. */
UNUSED static void packet_flush(struct worker *w, struct wire *p, struct lane *l)
{
    u32 done = 0;
    while (done < l->queued) {
        int n = sendmmsg(l->fd, l->heads + done, l->queued - done, MSG_DONTWAIT);
        if (n > 0) {
            u64 bytes = 0;
            for (u32 i = done; i < done + (u32)n; i++)
                bytes += l->parts[i].iov_len;
            count_sent(l, (u64)n, bytes);
            done += (u32)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        u32 why = why_lost(w, p, errno);
        int all = why == LOST_QUEUE_FULL || why == LOST_DOWN; /* the next one would fare no better */
        u32 frames = all ? l->queued - done : 1;
        count_lost(l, why, frames);
        done += frames;
    }
    l->queued = 0;
}

UNUSED static void packet_queue(struct worker *w, struct wire *p, struct lane *l, const u8 *data, u32 length)
{
    if (l->queued == BURST)
        packet_flush(w, p, l);
    l->parts[l->queued] = (struct iovec){(void *)(uintptr_t)data, length};
    l->heads[l->queued].msg_hdr = (struct msghdr){.msg_iov = &l->parts[l->queued], .msg_iovlen = 1};
    l->queued++;
}

COLD void tap_send(struct worker *w, struct wire *p, struct lane *l, const u8 *data, u32 length)
{
    if (write(l->fd, data, length) >= 0)
        count_sent(l, 1, length);
    else
        count_lost(l, why_lost(w, p, errno), 1);
}

/* One frame per microsecond, as the Python port writes them. */
COLD void pcap_send(struct wire *p, struct lane *l, const u8 *data, u32 length)
{
    if (l->fd < 0)
        return;
    pthread_mutex_lock(&p->lock);
    u64 ns = p->written++ * 1000;
    u32 head[4] = {(u32)(ns / 1000000000u), (u32)(ns % 1000000000u), length, length};
    struct iovec parts[2] = {{head, sizeof head}, {(void *)(uintptr_t)data, length}};
    int whole = writev(l->fd, parts, 2) == (ssize_t)(sizeof head + length);
    pthread_mutex_unlock(&p->lock);
    if (whole)
        count_sent(l, 1, length);
    else
        count_lost(l, LOST_DOWN, 1);
}

COLD void memory_send(struct wire *p, struct lane *l, const u8 *data, u32 length)
{
    pthread_mutex_lock(&p->lock);
    int fits = p->sent_size + 4 + length <= OUTBOX;
    if (fits) {
        memcpy(p->sent + p->sent_size, &length, 4);
        memcpy(p->sent + p->sent_size + 4, data, length);
        p->sent_size += 4 + (u64)length;
    }
    pthread_mutex_unlock(&p->lock);
    if (fits)
        count_sent(l, 1, length);
    else
        count_lost(l, LOST_QUEUE_FULL, 1);
}

UNUSED static void lane_send(struct worker *w, struct wire *p, const u8 *data, u32 length)
{
    struct lane *l = &p->lanes[w->number];
    if (unlikely(length > MAX_FRAME)) {
        count_lost(l, LOST_OVERSIZE, 1);
        return;
    }
    if (unlikely(p->shut)) {
        count_lost(l, LOST_DOWN, 1);
        return;
    }
    switch (p->kind) {
    case WIRE_PACKET:
        packet_queue(w, p, l, data, length);
        return;
    case WIRE_TAP:
        tap_send(w, p, l, data, length);
        return;
    case WIRE_PCAP:
        pcap_send(p, l, data, length);
        return;
    default:
        memory_send(p, l, data, length);
    }
}

#endif
