/* What Python calls, continued: ports in C, messages from the workers. Included by p4nic_api.h. Ports are added and
 * removed at a gate, or while no worker runs. */
#ifndef P4NIC_API_WIRES_H
#define P4NIC_API_WIRES_H

API int p4_notify_fd(struct engine *e);
API int p4_wire_add(
    struct engine *e, u32 number, u32 kind, const char *name, const i32 *fds, u32 lanes,
    const struct p4_traffic *source);
API void p4_wire_shut(struct engine *e, u32 number, u32 shut);
API i64 p4_wire_first(struct engine *e);
API void *p4_wire_give(struct engine *e, u32 number);
API void p4_wire_adopt(struct engine *e, void *wire);
API int p4_quiet(struct engine *e);
API void p4_tell_others(struct engine *e, u32 told);
API int p4_wires_start(struct engine *e, u32 workers, u64 clock_start);
API int p4_wire_send(struct engine *e, u32 number, const u8 *data, u32 length);
API void p4_wire_counters(struct engine *e, u32 number, u64 *out);
API void p4_drops(struct engine *e, u64 *reasons, u64 *messages);
API const u8 *p4_messages(struct engine *e, u64 *size);
API int p4_wire_put(struct engine *e, u32 number, const u8 *data, u32 length);
API u64 p4_wire_take(struct engine *e, u32 number, u8 *out);

/* What becomes readable when a worker has something to tell; -1: none could be made. */
int p4_notify_fd(struct engine *e)
{
    if (e->notify < 0)
        e->notify = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return e->notify;
}

/* Memory shared with the kernel, for frames received; 0 if it gives none. */
COLD int ring_start(struct lane *l)
{
    int version = TPACKET_V2, copies = 1;
    struct tpacket_req wanted = {
        .tp_block_size = RING_BLOCK, .tp_block_nr = RING_SLOTS * RING_SLOT / RING_BLOCK, .tp_frame_size = RING_SLOT,
        .tp_frame_nr = RING_SLOTS};
    if (setsockopt(l->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
        setsockopt(l->fd, SOL_PACKET, PACKET_COPY_THRESH, &copies, sizeof copies) ||
        setsockopt(l->fd, SOL_PACKET, PACKET_RX_RING, &wanted, sizeof wanted))
        return 0;
    u8 *ring = mmap(NULL, RING_SLOTS * RING_SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
    if (ring == MAP_FAILED)
        return 0;
    l->ring = ring;
    u8 byte;
    while (recv(l->fd, &byte, 1, MSG_DONTWAIT) >= 0) /* came before the ring was there: nobody knows their tags */
        ;
    return 1;
}

COLD void wire_end(struct wire *p)
{
    for (u32 i = 0; p->lanes && i < p->lane_count; i++) {
        if (p->lanes[i].ring)
            (void)munmap(p->lanes[i].ring, RING_SLOTS * RING_SLOT);
        release(p->lanes[i].room, (size_t)BURST * LONG_ROOM);
    }
    free(p->lanes);
    free(p->queue);
    free(p->sent);
    pthread_mutex_destroy(&p->lock);
}

/* A port with one descriptor for each worker (the caller's to close after p4_wire_remove). 0: no memory; -1: the
 * kernel refused a ring. */
int p4_wire_add(
    struct engine *e, u32 number, u32 kind, const char *name, const i32 *fds, u32 lanes,
    const struct p4_traffic *source)
{
    struct wire *p = calloc(1, sizeof *p);
    if (p == NULL || e->wire_count == MAX_WIRES) {
        free(p);
        return 0;
    }
    *p = (struct wire){.number = number, .kind = kind, .lane_count = lanes, .source = source};
    pthread_mutex_init(&p->lock, NULL);
    strncpy(p->name, name, sizeof p->name - 1);
    p->index = if_nametoindex(p->name);
    p->lanes = aligned_alloc(64, lanes * sizeof *p->lanes);
    p->queue = kind == WIRE_MEMORY ? malloc(OUTBOX) : NULL;
    p->sent = kind == WIRE_MEMORY ? malloc(OUTBOX) : NULL;
    int made = p->lanes && (kind != WIRE_MEMORY || (p->queue && p->sent));
    for (u32 i = 0; made == 1 && i < lanes; i++) {
        struct lane *l = &p->lanes[i];
        memset(l, 0, sizeof *l);
        l->fd = fds[i];
        l->room = reserve((size_t)BURST * LONG_ROOM);
        if (l->room == NULL)
            made = 0;
        else if (kind == WIRE_PACKET && !ring_start(l))
            made = -1;
        if (made != 1)
            p->lane_count = i + 1;
    }
    if (made != 1) {
        wire_end(p);
        free(p);
        return made;
    }
    p4_wire_adopt(e, p);
    return 1;
}

/* Frames from and to it are dropped. At a gate. */
void p4_wire_shut(struct engine *e, u32 number, u32 shut)
{
    struct wire *p = wire_of(e, number);
    if (p != NULL)
        p->shut = shut;
}

/* The number of any port; -1 if there is none. */
i64 p4_wire_first(struct engine *e) { return e->wire_count ? (i64)e->wire_list[0]->number : -1; }

/* Out of this engine, to be adopted by another, even one of another unit: struct wire knows no program. */
void *p4_wire_give(struct engine *e, u32 number)
{
    struct wire *p = wire_of(e, number);
    u32 at = 0;
    while (e->wire_list[at] != p)
        at++;
    memmove(&e->wire_list[at], &e->wire_list[at + 1], (e->wire_count - at - 1) * sizeof p);
    e->wire_count--;
    idmap_put(&e->wires, number, NULL);
    e->generation++;
    ports_wake(e);
    return p;
}

void p4_wire_adopt(struct engine *e, void *wire)
{
    struct wire *p = wire;
    struct wire **place = malloc(sizeof *place); /* the map's own, which it frees */
    if (place == NULL)
        abort();
    *place = p;
    idmap_put(&e->wires, p->number, place);
    e->wire_list[e->wire_count++] = p;
    e->generation++;
    ports_wake(e);
}

void p4_wire_remove(struct engine *e, u32 number)
{
    if (wire_of(e, number) == NULL)
        return;
    struct wire *p = p4_wire_give(e, number);
    wire_end(p);
    free(p);
}

/* Whether frames for ports that are none of ours go to Python. At a gate. */
void p4_tell_others(struct engine *e, u32 told) { e->tell_others = told; }

/* Whether every worker found nothing to do and sleeps. */
int p4_quiet(struct engine *e)
{
    for (u32 i = 0; i < e->thread_count; i++)
        if (__atomic_load_n(&e->workers[i]->busy, __ATOMIC_SEQ_CST))
            return 0;
    for (u32 i = 0; i < e->wire_count; i++)
        if (e->wire_list[i]->kind == WIRE_MEMORY && observe(&e->wire_list[i]->got) != e->wire_list[i]->put)
            return 0;
    return 1;
}

/* 0: no memory, descriptors or threads. */
int p4_wires_start(struct engine *e, u32 workers, u64 clock_start)
{
    e->clock_start = clock_start;
    int made = p4_notify_fd(e) >= 0 && workers_make(e, workers);
    for (u32 i = 0; made && i < workers; i++) {
        struct worker *w = e->workers[i];
        if (w->wake < 0)
            w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (w->outbox == NULL) {
            w->outbox = calloc(1, sizeof *w->outbox);
            if (w->outbox != NULL)
                w->outbox->data = malloc(OUTBOX);
        }
        made = w->wake >= 0 && w->outbox && w->outbox->data;
    }
    if (made && threads_start(e, workers))
        return 1;
    p4_stop(e);
    return 0;
}

/* One frame from Python, at a gate. It is counted like any other. 0: there is no such port. */
int p4_wire_send(struct engine *e, u32 number, const u8 *data, u32 length)
{
    struct wire *p = wire_of(e, number);
    if (p == NULL || p->gone)
        return 0;
    lane_send(e->workers[0], p, data, length);
    if (p->kind == WIRE_PACKET)
        packet_flush(e->workers[0], p, &p->lanes[0]);
    return 1;
}

/* rx packets, rx bytes, tx packets, tx bytes, rx lost, tx lost, then N_LOST reasons. */
void p4_wire_counters(struct engine *e, u32 number, u64 *out)
{
    memset(out, 0, (6 + N_LOST) * sizeof *out);
    struct wire *p = wire_of(e, number);
    for (u32 i = 0; p && i < p->lane_count; i++) {
        struct lane *l = &p->lanes[i];
        struct tpacket_stats told = {0, 0};
        socklen_t size = sizeof told;
        if (p->kind == WIRE_PACKET && getsockopt(l->fd, SOL_PACKET, PACKET_STATISTICS, &told, &size) == 0)
            l->lost[LOST_RING_FULL] += told.tp_drops; /* reading it sets it to 0 */
        const u64 *each[6] = {&l->rx_packets, &l->rx_bytes, &l->tx_packets, &l->tx_bytes, &l->rx_lost, &l->tx_lost};
        for (u32 k = 0; k < 6; k++)
            out[k] += relaxed_load(each[k]);
        out[4] += l->lost[LOST_RING_FULL];
        for (u32 k = 0; k < N_LOST; k++)
            out[6 + k] += relaxed_load(&l->lost[k]);
    }
}

/* Received frames that were not sent on, by the number of the reason; messages that did not fit, and frames for
 * ports that do not exist. */
void p4_drops(struct engine *e, u64 *reasons, u64 *messages)
{
    memset(reasons, 0, N_REASONS * sizeof *reasons);
    messages[0] = messages[1] = 0;
    for (u32 i = 0; i < e->worker_count; i++) {
        for (u32 k = 0; k < N_REASONS; k++)
            reasons[k] += relaxed_load(&e->workers[i]->drops[k]);
        messages[1] += relaxed_load(&e->workers[i]->nowhere);
        if (e->workers[i]->outbox)
            messages[0] += relaxed_load(&e->workers[i]->outbox->dropped);
    }
}

/* All messages so far, copied one behind the other (struct message, bytes padded to 8); worker by worker, each in
 * its order. Good until the next call. */
const u8 *p4_messages(struct engine *e, u64 *size)
{
    eventfd_t told;
    if (e->notify >= 0)
        (void)eventfd_read(e->notify, &told);
    __atomic_store_n(&e->notified, 0, __ATOMIC_SEQ_CST);
    struct worker *first = e->workers[0];
    first->reply_size = 0;
    for (u32 i = 0; i < e->worker_count; i++) {
        struct outbox *o = e->workers[i]->outbox;
        if (o == NULL)
            continue;
        u64 end = observe(&o->written);
        while (o->taken < end) {
            u64 at = o->taken % OUTBOX, left = OUTBOX - at;
            struct message m = {UINT32_MAX, 0, 0, 0};
            if (left < sizeof m) {
                publish(&o->taken, o->taken + left);
                continue;
            }
            memcpy(&m, o->data + at, sizeof m);
            if (m.kind != UINT32_MAX)
                reply_bytes(first, o->data + at, sizeof m + m.padded);
            publish(&o->taken, o->taken + sizeof m + m.padded);
        }
    }
    *size = first->reply_size;
    return first->reply;
}

/* A frame arrives at a memory port. 0: its queue is full, or there is no such port. */
int p4_wire_put(struct engine *e, u32 number, const u8 *data, u32 length)
{
    struct wire *p = wire_of(e, number);
    if (p == NULL || p->kind != WIRE_MEMORY)
        return 0;
    u64 size = (4 + (u64)length + 3) & ~(u64)3, at = p->put % OUTBOX, skip = at + size > OUTBOX ? OUTBOX - at : 0;
    if (p->put + skip + size - observe(&p->got) > OUTBOX)
        return 0;
    u32 rest = UINT32_MAX;
    if (skip)
        memcpy(p->queue + at, &rest, sizeof rest); /* places are multiples of 4 */
    at = (at + skip) % OUTBOX;
    memcpy(p->queue + at, &length, sizeof length);
    memcpy(p->queue + at + 4, data, length);
    publish(&p->put, p->put + skip + size);
    if (e->thread_count)
        (void)eventfd_write(e->workers[0]->wake, 1);
    return 1;
}

/* What a memory port sent: lengths (u32) and bytes; `out` has room for 4 MiB. */
u64 p4_wire_take(struct engine *e, u32 number, u8 *out)
{
    struct wire *p = wire_of(e, number);
    if (p == NULL || p->kind != WIRE_MEMORY)
        return 0;
    pthread_mutex_lock(&p->lock);
    u64 size = p->sent_size;
    memcpy(out, p->sent, size);
    p->sent_size = 0;
    pthread_mutex_unlock(&p->lock);
    return size;
}

#endif
