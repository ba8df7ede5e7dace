/* BMv2's simple_switch around step(): clones, multicast, resubmission, recirculation. Copies go through egress in
 * the order they were made; a packet that starts over does so when they are done. */
#ifndef P4NIC_V1MODEL_H
#define P4NIC_V1MODEL_H
#include "p4nic_queue.h"

enum { NORMAL, INGRESS_CLONE, EGRESS_CLONE, COALESCED, RECIRCULATED, REPLICATION, RESUBMITTED };

/* A second packet with the same frame and fields, that asked for nothing yet. */
COLD struct ctx *copy_of(struct worker *w, const struct ctx *c)
{
    struct ctx *n = arena_take(w, sizeof *n);
    memcpy(n, c, sizeof *n);
    n->p.out = arena_take(w, n->p.length + EMIT_ROOM);
    n->p.out_room = n->p.length + EMIT_ROOM;
    n->p.out_length = n->p.effects = 0;
    n->p.waits = 0;
    n->p.cloned = n->p.resubmitted = n->p.recirculated = n->p.limited = 0;
    n->p.fuel = FUEL;
    memset(n->p.path, 0, sizeof n->p.path);
    return n;
}

COLD void replicate(struct worker *w, const struct ctx *c, const struct replicas *to, u32 truncate, u32 passes)
{
    for (u32 i = 0; i < to->count; i++) {
        struct ctx *n = copy_of(w, c);
        set_replication(n, to->to[i].instance);
        set_enqueued(n, to->to[i].port, w->now_ns / 1000);
        n->p.limited = truncate != 0;
        n->p.limit = truncate;
        n->p.passes = passes;
        n->p.resume = RESUME_EGRESS;
        queue_add(&w->egress, n);
    }
}

/* The packet as received, parsed again; of its metadata only the kept fields remain. */
COLD void ingress_clones(struct worker *w, struct ctx *c)
{
    const struct replicas *session = idmap_get(&w->engine->clones, c->p.clone_session);
    c->p.cloned = 0;
    if (session == NULL)
        return;
    struct ctx *n = copy_of(w, c);
    memset(&n->s, 0, sizeof n->s);
    n->p.position = 0;
    n->p.parse_only = 1;
    n->p.resume = RESUME_PARSE;
    (void)step_apart(w, n);
    n->p.parse_only = 0;
    keep_metadata(n, c, c->p.clone_kept);
    set_instance_type(n, INGRESS_CLONE);
    replicate(w, n, session, session->truncate, n->p.passes);
}

/* The packet with its headers as egress leaves them, through egress once more. */
COLD void egress_clones(struct worker *w, struct ctx *c)
{
    const struct replicas *session = idmap_get(&w->engine->clones, c->p.clone_session);
    c->p.cloned = 0;
    if (session == NULL)
        return;
    if (!goes_on(w, c, session->count))
        return;
    struct ctx *n = copy_of(w, c);
    keep_metadata(n, c, c->p.clone_kept);
    set_instance_type(n, EGRESS_CLONE);
    replicate(w, n, session, session->truncate, n->p.passes + 1);
}

COLD void again(struct worker *w, struct ctx *c, const u8 *data, u32 length, u32 kept, u32 instance)
{
    if (!goes_on(w, c, 1))
        return;
    struct ctx *n = arena_take(w, sizeof *n);
    memset(n, 0, sizeof *n);
    pass_start(w, n, data, length, c->p.port, ALONE);
    n->p.passes = c->p.passes + 1;
    n->p.resume = RESUME_AGAIN;
    keep_metadata(n, c, kept);
    set_instance_type(n, instance);
    set_packet_length(n, length);
    queue_add(&w->ingress, n);
}

/* The end of ingress for a packet that is more than one, or starts over. */
COLD void ingress_requests(struct worker *w, struct ctx *c, u64 group, u64 egress_spec)
{
    if (c->p.cloned)
        ingress_clones(w, c);
    if (c->p.resubmitted) {
        again(w, c, c->p.data, c->p.length, c->p.resubmit_kept, RESUBMITTED);
        return;
    }
    if (group) {
        const struct replicas *members = idmap_get(&w->engine->multicast, (u32)group);
        set_instance_type(c, REPLICATION);
        if (members == NULL || members->count == 0)
            verdict_drop(w->verdicts, REASON_NO_MEMBER);
        else
            replicate(w, c, members, 0, c->p.passes);
        return;
    }
    if (egress_spec == w->engine->drop_port) {
        verdict_drop(w->verdicts, REASON_DROP_ACTION);
        return;
    }
    set_instance_type(c, NORMAL);
    set_enqueued(c, egress_spec, w->now_ns / 1000);
    c->p.resume = RESUME_EGRESS;
    queue_add(&w->egress, c);
}

UNUSED static void recirculate(struct worker *w, struct ctx *c)
{
    again(w, c, c->p.out, c->p.out_length, c->p.recirculate_kept, RECIRCULATED);
}

INLINE int turn_goes_on(const struct worker *w, int status)
{
    return status == ST_GONE || any_left(w);
}

/* What has become of it, and then of all copies. */
UNUSED static void turn_ends(struct worker *w, struct ctx *c, const struct input *in, int status, struct verdicts *v)
{
    (void)in;
    c->p.waits = 0;
    for (struct ctx *now = c; now != NULL;) {
        path_commit(w, &now->p);
        memset(now->p.path, 0, sizeof now->p.path);
        if (status == ST_SENT)
            send_frame(w, (u32)now->p.transmit, now->p.out, now->p.out_length);
        else if (status == ST_DROPPED)
            verdict_drop(v, now->p.reason);
        now = queues_next(w);
        if (now)
            status = step_apart(w, now);
    }
}

#endif
