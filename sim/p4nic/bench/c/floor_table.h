/* The floor's tables, each as one would write it for this one job: flows in cache lines of their own, routes by
 * direct index, the few small ones by linear search. Sizes are fixed, nothing is freed. */

/* One direction of a connection: key, what the packet becomes, timer, counter: one cache line. */
struct flow {
    u32 src, dst;
    u16 sport, dport;
    u8 proto, kind, profile, used;
    u32 new_src, new_dst;
    u16 new_sport, new_dport, service, unused;
    u64 last_ns, closing_ns, packets, bytes;
};

struct key {
    u32 src, dst;
    u16 sport, dport;
    u8 proto;
};

struct flows {
    struct flow *slots;
    u64 mask, count, room;
};

INLINE u64 key_mix(const struct key *k)
{
    u64 a = (u64)k->src << 32 | k->dst, b = (u64)k->sport << 24 | (u64)k->dport << 8 | k->proto;
#if defined(__SSE4_2__)
    return _mm_crc32_u64(_mm_crc32_u64(0, a), b);
#else
    a = (a ^ b * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return a ^ a >> 32;
#endif
}

INLINE int flow_is(const struct flow *f, const struct key *k)
{
    return f->src == k->src && f->dst == k->dst && f->sport == k->sport && f->dport == k->dport && f->proto == k->proto;
}

/* The key's flow, or the free slot where it would go. */
INLINE struct flow *flow_slot(struct flows *t, const struct key *k, u64 hash)
{
    u64 at = hash & t->mask;
    while (t->slots[at].used && !flow_is(&t->slots[at], k))
        at = (at + 1) & t->mask;
    return &t->slots[at];
}

/* Two slots for each flow: linear probing stays short. */
static int flows_start(struct flows *t, u64 room)
{
    u64 slots = 64;
    while (slots < room + room / 2)
        slots *= 2;
    *t = (struct flows){reserve(slots * sizeof(struct flow)), slots - 1, 0, room};
    return t->slots != NULL;
}

/* What stands behind a prefix. */
enum { DELIVER_POD = 1, DELIVER_HOST, DELIVER_NEXT_HOP, DELIVER_TUNNEL };
struct route {
    u64 smac, dmac, inner_dmac;
    u32 port, deliver, local_vtep, remote_vtep, vni;
};

/* DIR-24-8: 2^24 numbers of routes; the upper bit set, a block of 256 for the last byte. */
#define ROUTES 256
#define LONG_BLOCKS 1024
struct routes {
    u16 *top, *blocks;
    u32 block_count, count;
    struct route routes[ROUTES];
};

static int routes_start(struct routes *r)
{
    r->top = reserve(sizeof(u16) << 24);
    r->blocks = reserve(sizeof(u16) * 256 * LONG_BLOCKS);
    r->count = 1; /* number 0: no route */
    return r->top && r->blocks;
}

/* Prefixes up to /24 first, in ascending order of length, then longer ones likewise. */
static int route_add(struct routes *r, u32 prefix, u32 length, const struct route *route)
{
    if (r->count == ROUTES)
        return 0;
    u16 number = (u16)r->count++;
    r->routes[number] = *route;
    if (length <= 24) {
        for (u64 i = 0; i < 1ull << (24 - length); i++)
            r->top[(prefix >> 8) + i] = number;
        return 1;
    }
    u16 *top = &r->top[prefix >> 8];
    if (!(*top & 0x8000)) {
        if (r->block_count == LONG_BLOCKS)
            return 0;
        u16 *block = &r->blocks[(size_t)r->block_count * 256];
        for (u32 i = 0; i < 256; i++)
            block[i] = *top;
        *top = (u16)(0x8000 | r->block_count++);
    }
    for (u32 i = 0; i < 1u << (32 - length); i++)
        r->blocks[(size_t)(*top & 0x7fff) * 256 + (prefix & 0xff) + i] = number;
    return 1;
}

INLINE const struct route *route_of(const struct routes *r, u32 address)
{
    u16 number = r->top[address >> 8];
    if (number & 0x8000)
        number = r->blocks[(size_t)(number & 0x7fff) * 256 + (address & 0xff)];
    return number ? &r->routes[number] : NULL;
}

/* Services are few and looked up for first packets only: open addressing. */
#define SERVICES 4096
#define ENDPOINTS 4096
struct service {
    u32 vip;
    u16 port, id, mask;
    u8 proto, used;
};
struct endpoint {
    u32 ip;
    u16 port;
};
