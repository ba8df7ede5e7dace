/* BMv2's simple_switch around step(): clones, multicast, resubmission, recirculation. Copies go through egress in
 * the order they were made; a packet that starts over does so when they are done. */
#ifndef P4NIC_V1MODEL_H
#define P4NIC_V1MODEL_H

enum { NORMAL, INGRESS_CLONE, EGRESS_CLONE, COALESCED, RECIRCULATED, REPLICATION, RESUBMITTED };

COLD void queue_add(struct queue *q, struct ctx *c)
{
    if (q->tail == q->room) {
        u32 room = q->room ? q->room * 2 : 16;
        struct ctx **items = realloc(q->items, room * sizeof *items);
        if (items == NULL)
            abort();
        q->items = items;
        q->room = room;
    }
    q->items[q->tail++] = c;
}

/* A second packet with the same frame and fields, that asked for nothing yet. */
COLD struct ctx *copy_of(struct engine *e, const struct ctx *c)
{
    struct ctx *n = arena_take(e, sizeof *n);
    memcpy(n, c, sizeof *n);
    n->p.out = arena_take(e, n->p.length + EMIT_ROOM);
    n->p.out_room = n->p.length + EMIT_ROOM;
    n->p.out_length = n->p.effects = 0;
    n->p.cloned = n->p.resubmitted = n->p.recirculated = n->p.limited = 0;
    n->p.fuel = FUEL;
    memset(n->p.path, 0, sizeof n->p.path);
    return n;
}

COLD void replicate(struct engine *e, const struct ctx *c, const struct replicas *to, u32 truncate, u32 passes)
{
    for (u32 i = 0; i < to->count; i++) {
        struct ctx *n = copy_of(e, c);
        set_replication(n, to->to[i].instance);
        set_enqueued(n, to->to[i].port, e->now_ns / 1000);
        n->p.limited = truncate != 0;
        n->p.limit = truncate;
        n->p.passes = passes;
        n->p.resume = RESUME_EGRESS;
        queue_add(&e->egress, n);
    }
}

/* The packet as received, parsed again; of its metadata only the kept fields remain. */
COLD void ingress_clones(struct engine *e, struct ctx *c)
{
    const struct replicas *session = idmap_get(&e->clones, c->p.clone_session);
    c->p.cloned = 0;
    if (session == NULL)
        return;
    struct ctx *n = copy_of(e, c);
    memset(&n->s, 0, sizeof n->s);
    n->p.position = 0;
    n->p.parse_only = 1;
    n->p.resume = RESUME_PARSE;
    (void)step(e, n);
    n->p.parse_only = 0;
    keep_metadata(n, c, c->p.clone_kept);
    set_instance_type(n, INGRESS_CLONE);
    replicate(e, n, session, session->truncate, n->p.passes);
}

/* The packet with its headers as egress leaves them, through egress once more. */
COLD void egress_clones(struct engine *e, struct ctx *c)
{
    const struct replicas *session = idmap_get(&e->clones, c->p.clone_session);
    c->p.cloned = 0;
    if (session == NULL)
        return;
    if (c->p.passes >= MAX_PASSES) {
        verdict_drop(e->verdicts, REASON_TOO_MANY_PASSES);
        return;
    }
    struct ctx *n = copy_of(e, c);
    keep_metadata(n, c, c->p.clone_kept);
    set_instance_type(n, EGRESS_CLONE);
    replicate(e, n, session, session->truncate, n->p.passes + 1);
}

COLD void again(struct engine *e, struct ctx *c, const u8 *data, u32 length, u32 kept, u32 instance)
{
    if (c->p.passes >= MAX_PASSES) {
        verdict_drop(e->verdicts, REASON_TOO_MANY_PASSES);
        return;
    }
    struct ctx *n = arena_take(e, sizeof *n);
    memset(n, 0, sizeof *n);
    pass_start(e, n, data, length, c->p.port, 0);
    n->p.passes = c->p.passes + 1;
    n->p.resume = RESUME_AGAIN;
    keep_metadata(n, c, kept);
    set_instance_type(n, instance);
    set_packet_length(n, length);
    queue_add(&e->ingress, n);
}

/* The end of ingress for a packet that is more than one, or starts over. */
COLD void ingress_requests(struct engine *e, struct ctx *c, u64 group, u64 egress_spec)
{
    if (c->p.cloned)
        ingress_clones(e, c);
    if (c->p.resubmitted) {
        again(e, c, c->p.data, c->p.length, c->p.resubmit_kept, RESUBMITTED);
        return;
    }
    if (group) {
        const struct replicas *members = idmap_get(&e->multicast, (u32)group);
        set_instance_type(c, REPLICATION);
        if (members == NULL || members->count == 0)
            verdict_drop(e->verdicts, REASON_NO_MEMBER);
        else
            replicate(e, c, members, 0, c->p.passes);
        return;
    }
    if (egress_spec == e->drop_port) {
        verdict_drop(e->verdicts, REASON_DROP_ACTION);
        return;
    }
    set_instance_type(c, NORMAL);
    set_enqueued(c, egress_spec, e->now_ns / 1000);
    c->p.resume = RESUME_EGRESS;
    queue_add(&e->egress, c);
}

UNUSED static void recirculate(struct engine *e, struct ctx *c)
{
    again(e, c, c->p.out, c->p.out_length, c->p.recirculate_kept, RECIRCULATED);
}

static void run_alone(struct engine *e, struct ctx *c, const struct input *in, struct verdicts *v)
{
    e->verdicts = v;
    e->ingress.head = e->ingress.tail = e->egress.head = e->egress.tail = 0;
    pass_start(e, c, in->data, in->length, in->port, 0);
    queue_add(&e->ingress, c);
    for (;;) {
        struct queue *q = e->egress.head < e->egress.tail ? &e->egress : &e->ingress;
        if (q->head == q->tail)
            return;
        struct ctx *now = q->items[q->head++];
        int status = step(e, now);
        pass_commit(e, &now->p);
        memset(now->p.path, 0, sizeof now->p.path);
        if (status == ST_SENT)
            send_frame(e, (u32)now->p.transmit, now->p.out, now->p.out_length);
        else if (status == ST_DROPPED)
            verdict_drop(v, now->p.reason);
    }
}

#endif
