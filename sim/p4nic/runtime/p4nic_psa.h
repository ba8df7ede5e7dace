/* BMv2's psa_switch around step(): from ingress to egress with the deparsed frame, clones, multicast, resubmission,
 * recirculation. Copies pass egress in the order they were made; a packet that starts over does so when they are
 * done. */
#ifndef P4NIC_PSA_H
#define P4NIC_PSA_H
#include "p4nic_queue.h"

enum { ST_INGRESS = 16, ST_EGRESS };
enum { PATH_NORMAL, PATH_UNICAST, PATH_MULTICAST, PATH_CLONE_I2E, PATH_CLONE_E2E, PATH_RESUBMIT, PATH_RECIRCULATE };
#define RECIRCULATE_PORT 0xfffffffau

/* A packet with this frame, whose metadata are zeros; `passes` counts what could go on for ever. */
COLD struct ctx *packet_of(struct worker *w, const struct ctx *from, const u8 *data, u32 length, u32 passes)
{
    struct ctx *n = arena_take(w, sizeof *n);
    memset(n, 0, sizeof *n);
    pass_start(w, n, data, length, from->p.port, ALONE);
    n->p.passes = passes;
    return n;
}

COLD void again(struct worker *w, const struct ctx *c, const u8 *data, u32 length, u32 port, u32 path)
{
    if (!goes_on(w, c, 1))
        return;
    struct ctx *n = packet_of(w, c, data, length, c->p.passes + 1);
    n->p.port = port;
    n->p.resume = RESUME_AGAIN;
    start_ingress(n, port, path);
    queue_add(&w->ingress, n);
}

COLD void clone_packet(struct worker *w, const struct ctx *c, const u8 *data, u32 length, u32 session_id, u32 path)
{
    const struct replicas *session = idmap_get(&w->engine->clones, session_id);
    if (session == NULL)
        return;
    if (!goes_on(w, c, session->count))
        return;
    if (session->truncate && length > session->truncate)
        length = session->truncate;
    for (u32 i = 0; i < session->count; i++) {
        struct ctx *n = packet_of(w, c, data, length, c->p.passes + 1);
        n->p.resume = RESUME_EGRESS;
        n->p.transmit = session->to[i].port;
        start_egress(n, session->to[i].port, path, session->to[i].instance, session->service);
        queue_add(&w->egress, n);
    }
}

/* A copy of the deparsed packet, with its metadata. */
COLD void to_egress(struct worker *w, const struct ctx *c, u32 port, u32 instance, u32 path)
{
    struct ctx *n = packet_of(w, c, c->p.out, c->p.out_length, c->p.passes);
    n->s = c->s;
    n->p.resume = RESUME_EGRESS;
    n->p.transmit = port; /* decided: what the program writes over its input changes nothing */
    start_egress(n, port, path, instance, out_class(c));
    queue_add(&w->egress, n);
}

COLD void ingress_done(struct worker *w, const struct ctx *c)
{
    if (out_clone(c))
        clone_packet(w, c, c->p.data, c->p.length, out_session(c), PATH_CLONE_I2E);
    if (out_drop(c)) {
        verdict_drop(w->verdicts, REASON_DROP_ACTION);
        return;
    }
    if (out_resubmit(c)) {
        again(w, c, c->p.data, c->p.length, c->p.port, PATH_RESUBMIT);
        return;
    }
    if (!out_group(c)) {
        to_egress(w, c, out_port(c), 0, PATH_UNICAST);
        return;
    }
    const struct replicas *members = idmap_get(&w->engine->multicast, out_group(c));
    if (members == NULL || members->count == 0) {
        verdict_drop(w->verdicts, REASON_NO_MEMBER);
        return;
    }
    for (u32 i = 0; i < members->count; i++)
        to_egress(w, c, members->to[i].port, members->to[i].instance, PATH_MULTICAST);
}

COLD void egress_done(struct worker *w, const struct ctx *c, u32 port)
{
    if (egress_clone(c))
        clone_packet(w, c, c->p.out, c->p.out_length, egress_session(c), PATH_CLONE_E2E);
    if (egress_drop(c))
        verdict_drop(w->verdicts, REASON_DROP_ACTION);
    else if (port == RECIRCULATE_PORT)
        again(w, c, c->p.out, c->p.out_length, RECIRCULATE_PORT, PATH_RECIRCULATE);
    else
        verdict_send(w, w->verdicts, port, c->p.out, c->p.out_length);
}

INLINE int turn_goes_on(const struct worker *w, int status)
{
    return status != ST_DROPPED || any_left(w);
}

/* What has become of it, and then of all copies. */
UNUSED static void turn_ends(struct worker *w, struct ctx *c, const struct input *in, int status, struct verdicts *v)
{
    (void)in;
    c->p.waits = 0;
    for (struct ctx *now = c; now != NULL;) {
        path_commit(w, &now->p);
        memset(now->p.path, 0, sizeof now->p.path);
        if (status == ST_INGRESS)
            ingress_done(w, now);
        else if (status == ST_EGRESS)
            egress_done(w, now, (u32)now->p.transmit);
        else if (status == ST_DROPPED)
            verdict_drop(v, now->p.reason);
        now = queues_next(w);
        if (now)
            status = step_apart(w, now);
    }
}

#endif
