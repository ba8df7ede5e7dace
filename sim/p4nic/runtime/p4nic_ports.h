/* Receiving, and the way of a burst through a worker: ring → pipeline → sockets, with no call into Python. */
#ifndef P4NIC_PORTS_H
#define P4NIC_PORTS_H
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include "p4nic_lanes.h"

/* TPACKET_V2: one frame per slot, given over at once. V3 collects frames in blocks, which costs up to a millisecond
 * before the first is seen. */
#define RING_SLOT 2048u
#define RING_SLOTS 4096u
#define RING_BLOCK (1u << 17)
#define IDLE_ROUNDS 64 /* looks at the rings before a worker sleeps */

INLINE struct tpacket2_hdr *ring_slot(const struct lane *l, u32 at)
{
    return (struct tpacket2_hdr *)(void *)(l->ring + (size_t)(at % RING_SLOTS) * RING_SLOT);
}

/* The kernel takes the 802.1Q tag out of the frame; it belongs behind the addresses. There is room in front. */
COLD u8 *tag_restored(const struct tpacket2_hdr *h, u8 *frame, u32 *length)
{
    u16 tpid = htons(h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->tp_vlan_tpid : ETH_P_8021Q);
    u16 tci = htons(h->tp_vlan_tci);
    memmove(frame - 4, frame, 12);
    memcpy(frame + 8, &tpid, 2);
    memcpy(frame + 10, &tci, 2);
    *length += 4;
    return frame - 4;
}

/* A frame longer than a slot waits, whole, in the socket's queue. */
COLD u8 *long_frame(struct lane *l, u32 slot, u32 *length)
{
    u8 *frame = l->room + (size_t)slot * LONG_ROOM + 8;
    ssize_t n = recv(l->fd, frame, MAX_FRAME + 1, MSG_DONTWAIT);
    *length = n > 0 ? (u32)n : 0;
    return frame;
}

UNUSED static u32 packet_receive(struct lane *l, struct input *in, u32 port)
{
    u32 n = 0;
    for (l->taken = 0; l->taken < BURST; l->taken++) {
        struct tpacket2_hdr *h = ring_slot(l, l->next + l->taken);
        u32 status = observe(&h->tp_status);
        if (!(status & TP_STATUS_USER))
            break;
        u8 *frame = (u8 *)h + h->tp_mac;
        u32 length = h->tp_snaplen;
        if (unlikely(h->tp_snaplen < h->tp_len))
            frame = status & TP_STATUS_COPY ? long_frame(l, n, &length) : (length = 0, frame);
        if (unlikely(length == 0)) { /* longer than a slot, and no memory for a copy */
            relaxed_store(&l->rx_lost, l->rx_lost + 1);
            relaxed_store(&l->lost[LOST_OVERSIZE], l->lost[LOST_OVERSIZE] + 1);
            continue;
        }
        if (unlikely(status & TP_STATUS_VLAN_VALID))
            frame = tag_restored(h, frame, &length);
        in[n++] = (struct input){frame, port, length};
    }
    return n;
}

UNUSED static void packet_release(struct lane *l)
{
    for (u32 i = 0; i < l->taken; i++)
        publish(&ring_slot(l, l->next + i)->tp_status, TP_STATUS_KERNEL);
    l->next += l->taken;
}

COLD u32 tap_receive(struct worker *w, struct wire *p, struct lane *l, struct input *in)
{
    u32 n = 0;
    for (; n < BURST; n++) {
        u8 *frame = l->room + (size_t)n * LONG_ROOM;
        ssize_t length = read(l->fd, frame, MAX_FRAME + 1);
        if (length <= 0) {
            if (length < 0 && errno != EAGAIN)
                wire_check(w, p);
            break;
        }
        in[n] = (struct input){frame, p->number, (u32)length};
    }
    return n;
}

COLD u32 pcap_receive(struct wire *p, struct lane *l, struct input *in)
{
    const struct p4_traffic *t = p->source;
    u32 n = 0;
    for (; n < BURST && t && l->next < t->count; n++, l->next++)
        in[n] = (struct input){t->data + t->offsets[l->next], p->number, t->lengths[l->next]};
    return n;
}

COLD u32 memory_receive(struct wire *p, struct lane *l, struct input *in)
{
    u64 put = observe(&p->put), got = p->got;
    u32 n = 0;
    while (n < BURST && got < put) {
        u32 length;
        memcpy(&length, p->queue + got % OUTBOX, 4);
        if (length == UINT32_MAX) { /* the rest of the ring was too small */
            got += OUTBOX - got % OUTBOX;
            continue;
        }
        in[n++] = (struct input){p->queue + got % OUTBOX + 4, p->number, length};
        got += (4 + (u64)length + 3) & ~(u64)3;
    }
    l->taken = (u32)(got - p->got);
    return n;
}

UNUSED static u32 lane_receive(struct worker *w, struct wire *p, struct lane *l, struct input *in)
{
    switch (p->kind) {
    case WIRE_PACKET:
        return packet_receive(l, in, p->number);
    case WIRE_TAP:
        return tap_receive(w, p, l, in);
    case WIRE_PCAP:
        return w->number ? 0 : pcap_receive(p, l, in);
    default:
        return w->number ? 0 : memory_receive(p, l, in);
    }
}

/* Frames are in the kernel's hands again. */
UNUSED static void lane_release(struct wire *p, struct lane *l)
{
    if (p->kind == WIRE_PACKET)
        packet_release(l);
    else if (p->kind == WIRE_MEMORY)
        publish(&p->got, p->got + l->taken);
}

/* Send what the burst made; what goes to the CPU port, or to a port Python has, becomes a message. */
UNUSED static void deliver(struct worker *w, u32 n)
{
    struct engine *e = w->engine;
    for (u32 i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        struct wire *p = wire_of(e, s->port);
        if (likely(p != NULL && !p->gone))
            lane_send(w, p, s->data, s->length);
        else if (s->port == e->cpu_port || e->tell_others)
            message_put(w, MESSAGE_FRAME, s->port, s->data, s->length);
        else
            relaxed_store(&w->nowhere, w->nowhere + 1);
    }
    for (u32 i = 0; i < e->wire_count; i++)
        if (e->wire_list[i]->kind == WIRE_PACKET && e->wire_list[i]->lanes[w->number].queued)
            packet_flush(w, e->wire_list[i], &e->wire_list[i]->lanes[w->number]);
    for (u32 i = 0; i < n; i++)
        if (!w->results[i].count)
            relaxed_store(&w->drops[w->results[i].reason], w->drops[w->results[i].reason] + 1);
    if (unlikely(w->event_count))
        events_put(w);
}

/* Frames no pipeline may see, as the switch has it. */
COLD u32 refuse(struct lane *l, struct input *in, u32 n, u32 shut)
{
    u32 kept = 0;
    for (u32 i = 0; i < n; i++) {
        if (!shut && in[i].length && in[i].length <= MAX_FRAME) {
            in[kept++] = in[i];
            continue;
        }
        u32 why = shut ? LOST_DOWN : in[i].length ? LOST_OVERSIZE : LOST_EMPTY;
        relaxed_store(&l->rx_lost, l->rx_lost + 1);
        relaxed_store(&l->lost[why], l->lost[why] + 1);
    }
    return kept;
}

static u32 ports_burst(struct worker *w)
{
    struct engine *e = w->engine;
    struct input in[BURST];
    u32 done = 0;
    for (u32 i = 0; i < e->wire_count; i++) {
        struct wire *p = e->wire_list[i];
        struct lane *l = &p->lanes[w->number];
        if (unlikely(relaxed_load(&p->gone)))
            continue;
        u32 n = lane_receive(w, p, l, in);
        if (!n) {
            lane_release(p, l);
            continue;
        }
        u64 bytes = 0;
        u32 odd = 0;
        for (u32 k = 0; k < n; k++) {
            bytes += in[k].length;
            odd |= in[k].length - 1 >= MAX_FRAME;
        }
        relaxed_store(&l->rx_packets, l->rx_packets + n);
        relaxed_store(&l->rx_bytes, l->rx_bytes + bytes);
        done += n;
        if (unlikely(odd || p->shut))
            n = refuse(l, in, n, p->shut);
        burst(w, in, n, engine_now(e));
        deliver(w, n);
        lane_release(p, l);
        worker_between(w);
    }
    return done;
}

/* Nothing came: look a little longer, then sleep until something does. */
static void ports_wait(struct worker *w)
{
    struct engine *e = w->engine;
    if (w->idle++ < IDLE_ROUNDS) {
        pause_briefly(0);
        return;
    }
    struct pollfd fds[MAX_WIRES + 1];
    u32 which[MAX_WIRES], n = 0;
    for (u32 i = 0; i < e->wire_count; i++)
        if (e->wire_list[i]->kind <= WIRE_TAP && !relaxed_load(&e->wire_list[i]->gone)) {
            which[n] = i;
            fds[n++] = (struct pollfd){e->wire_list[i]->lanes[w->number].fd, POLLIN, 0};
        }
    fds[n] = (struct pollfd){w->wake, POLLIN, 0};
    worker_leave(w);
    (void)poll(fds, n + 1, -1);
    eventfd_t told;
    if (fds[n].revents)
        (void)eventfd_read(w->wake, &told);
    worker_enter(w);
    w->idle = 0;
    if (w->generation != e->generation) { /* ports came or went meanwhile */
        w->generation = e->generation;
        return;
    }
    for (u32 i = 0; i < n; i++)
        if (unlikely(fds[i].revents & (POLLERR | POLLHUP | POLLNVAL))) {
            int error = 0;
            socklen_t size = sizeof error;
            (void)getsockopt(fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &size); /* or it would be told for ever */
            wire_check(w, e->wire_list[which[i]]);
        }
}

static void ports_wake(struct engine *e)
{
    for (u32 i = 0; i < e->thread_count; i++)
        if (e->workers[i]->wake >= 0)
            (void)eventfd_write(e->workers[i]->wake, 1);
}

#endif
