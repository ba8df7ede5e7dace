/* The DPDK SWX pipeline around step(): passes, mirrors, recirculation. */
#ifndef P4NIC_SWX_H
#define P4NIC_SWX_H

UNUSED static void send_mirrors(struct worker *w, struct pass *p, struct verdicts *v)
{
    for (u32 round = 0; round < p->mirrored; round++) { /* in order of the slots */
        u32 least = 0;
        for (u32 i = 1; i < p->mirrored; i++)
            if (p->mirror_slot[i] < p->mirror_slot[least])
                least = i;
        const struct replicas *session = idmap_get(&w->engine->clones, p->mirror_session[least]);
        p->mirror_slot[least] = NONE;
        if (session == NULL)
            continue;
        u32 length = p->out_length;
        if (session->truncate && length > session->truncate)
            length = session->truncate;
        for (u32 i = 0; i < session->count; i++)
            verdict_send(w, v, session->to[i].port, p->out, length);
    }
}

INLINE void turn_begins(struct worker *w, struct verdicts *v) { (void)w, (void)v; }
INLINE int turn_goes_on(const struct worker *w, int status) { return (void)w, status == ST_REQUESTS; }

/* From the end of a pass on, with no frame sent so far. */
UNUSED static void turn_ends(struct worker *w, struct ctx *c, const struct input *in, int status, struct verdicts *v)
{
    struct pass *p = &c->p;
    *v = no_verdicts(w);
    for (u32 passes = 1;; passes++) {
        path_commit(w, p);
        if (status == ST_SENT) {
            send_frame(w, (u32)p->transmit, p->out, p->out_length);
            return;
        }
        if (status == ST_DROPPED) {
            verdict_drop(v, p->reason);
            return;
        }
        send_mirrors(w, p, v);
        if (p->transmit < 0) {
            verdict_drop(v, REASON_DROP_ACTION);
            return;
        }
        if (!p->recirculated) {
            if (p->transmit == w->engine->drop_port)
                verdict_drop(v, REASON_DROP_PORT);
            else
                verdict_send(w, v, (u32)p->transmit, p->out, p->out_length);
            return;
        }
        if (passes > MAX_PASSES) {
            verdict_drop(v, REASON_TOO_MANY_PASSES);
            return;
        }
        const u8 *frame = p->out; /* in the slot's buffer, or that of the pass before */
        u32 length = p->out_length;
        p->out = arena_take(w, length + EMIT_ROOM);
        p->out_room = length + EMIT_ROOM;
        pass_start(w, c, frame, length, in->port, ALONE);
        p->passes = passes;
        p->resume = RESUME_AGAIN;
        status = step_apart(w, c);
    }
}

#endif
