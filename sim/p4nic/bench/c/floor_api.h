/* The floor as Python sees it: made, configured, run over prepared frames, asked about one frame. */
#define BURST 32
#define OUT_ROOM 2304

API struct floor *floor_create(u64 flows);
API void floor_destroy(struct floor *f);
API void floor_port(struct floor *f, u32 port, u32 role, u32 pod_ip);
API void floor_tunnel(struct floor *f, u32 vtep, u32 peer, u32 vni);
API void floor_service(struct floor *f, u32 vip, u32 proto, u32 port, u32 id, u32 mask);
API void floor_endpoint(struct floor *f, u32 id, u32 bucket, u32 ip, u32 port);
API int floor_route(struct floor *f, u32 prefix, u32 length, const struct route *route);
API u64 floor_flows(const struct floor *f);
API u32 floor_one(struct floor *f, const u8 *data, u32 length, u32 port, u64 now_ns, u8 *out, u32 *out_port);
API void floor_bench(
    struct floor *f, const struct p4_traffic *t, u32 first, u64 rounds, u64 nanoseconds, u64 now_ns,
    struct p4_timing *out);

void floor_destroy(struct floor *f)
{
    if (f == NULL)
        return;
    release(f->flows.slots, (f->flows.mask + 1) * sizeof(struct flow));
    release(f->routes.top, sizeof(u16) << 24);
    release(f->routes.blocks, sizeof(u16) * 256 * LONG_BLOCKS);
    release(f->endpoints, sizeof(struct endpoint) * 65536 * ENDPOINTS);
    free(f);
}

struct floor *floor_create(u64 flows)
{
    struct floor *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->endpoints = reserve(sizeof(struct endpoint) * 65536 * ENDPOINTS);
    if (f->endpoints == NULL || !flows_start(&f->flows, flows) || !routes_start(&f->routes)) {
        floor_destroy(f);
        return NULL;
    }
    return f;
}

void floor_port(struct floor *f, u32 port, u32 role, u32 pod_ip)
{
    f->role[port] = (u8)role;
    f->pod_ip[port] = pod_ip;
}

void floor_tunnel(struct floor *f, u32 vtep, u32 peer, u32 vni)
{
    f->vtep = vtep;
    f->peer = peer;
    f->vni = vni;
}

void floor_service(struct floor *f, u32 vip, u32 proto, u32 port, u32 id, u32 mask)
{
    u32 at = (vip ^ port * 0x9e3779b1u) % SERVICES;
    while (f->services[at].used)
        at = (at + 1) % SERVICES;
    f->services[at] = (struct service){vip, (u16)port, (u16)id, (u16)mask, (u8)proto, 1};
}

void floor_endpoint(struct floor *f, u32 id, u32 bucket, u32 ip, u32 port)
{
    f->endpoints[(size_t)id * ENDPOINTS + bucket] = (struct endpoint){ip, (u16)port};
}

int floor_route(struct floor *f, u32 prefix, u32 length, const struct route *route)
{
    return route_add(&f->routes, prefix, length, route);
}

u64 floor_flows(const struct floor *f) { return f->flows.count; }

/* Length of the frame that leaves, 0 if none does. */
u32 floor_one(struct floor *f, const u8 *data, u32 length, u32 port, u64 now_ns, u8 *out, u32 *out_port)
{
    struct packet p = {.data = data, .length = length, .port = port, .out = out};
    f->now_ns = now_ns;
    if (!floor_burst(f, &p, 1))
        return 0;
    *out_port = p.out_port;
    return p.out_length;
}

void floor_bench(
    struct floor *f, const struct p4_traffic *t, u32 first, u64 rounds, u64 nanoseconds, u64 now_ns,
    struct p4_timing *out)
{
    static u8 room[BURST][OUT_ROOM] __attribute__((aligned(64)));
    struct packet p[BURST];
    u64 round = 0;
    u32 next = first;
    timing_start(out, first);
    f->now_ns = now_ns;
    while (round < rounds && timing_goes_on(out, round, nanoseconds)) {
        for (u32 n = 0; n < BURST; n++) {
            p[n].data = t->data + t->offsets[next];
            p[n].length = t->lengths[next];
            p[n].port = t->ports[next];
            p[n].out = room[n];
            next = next + 1 == t->count ? 0 : next + 1;
        }
        out->sent += floor_burst(f, p, BURST);
        for (u32 n = 0; n < BURST; n++)
            out->bytes += p[n].state == LEAVES ? p[n].out_length : 0;
        round++;
    }
    timing_stop(out);
    out->packets = round * BURST;
    out->next = next;
}
