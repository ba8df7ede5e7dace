/* A load balancer written by hand for what the P4 program does with TCP and UDP: the floor that generated code is
 * compared with. Same work per packet: parse and check the packet, the flow (refresh, counter, closing state), the
 * route, translation with incremental checksums, TTL, VXLAN out and back, the service's counter; a first packet
 * finds its endpoint and learns both directions. Same output bytes (tests/test_bench_floor.py).
 *
 * Left to a slow path it does not have, and dropped: VLAN tags, IPv4 options, fragments, ICMP, ARP, policies, flows
 * that expire. */
#define FLOOR_PORTS 64
enum { ROLE_NONE, ROLE_UPLINK, ROLE_POD, ROLE_HOST };
enum { FLOW_FORWARD = 1, FLOW_REVERSE };
enum { TCP_NOT, TCP_OPENING, TCP_RUNNING, TCP_CLOSING };
enum { PROFILE_CLOSING, PROFILE_SHORT, PROFILE_UDP = 3, PROFILE_ESTABLISHED = 5, PROFILE_SAME = 255 };
#define CLOSING_NS 30000000000ull
#define TUNNEL 50 /* bytes of Ethernet, IPv4, UDP and VXLAN in front of an inner packet */

struct counted {
    u64 packets, bytes;
};

struct floor {
    struct flows flows;
    struct routes routes;
    u8 role[FLOOR_PORTS];
    u32 pod_ip[FLOOR_PORTS];
    u32 vtep, peer, vni;
    struct service services[SERVICES];
    struct endpoint *endpoints; /* [service id][bucket], ENDPOINTS each */
    struct counted service_counter[65536];
    u64 dropped, now_ns;
};

/* One packet between the stages. */
struct packet {
    const u8 *data; /* its Ethernet header: the inner one's, if a tunnel ended here */
    u32 length, port;
    struct key key;
    u64 hash;
    u8 tcp_class, tcp_flags, state;
    struct flow found; /* what the packet becomes; only new_* and service count */
    u8 *out;
    u32 out_length, out_port;
};
enum { GONE, LOOKS_UP, LEARNS, LEAVES };

INLINE u32 be16(const u8 *p) { return (u32)load_be(p, 2); }
INLINE u32 be32(const u8 *p) { return (u32)load_be(p, 4); }

INLINE u32 sum_header(const u8 *ip)
{
    u64 a, b;
    u32 c;
    memcpy(&a, ip, 8);
    memcpy(&b, ip + 8, 8);
    memcpy(&c, ip + 16, 4);
    u64 sum = (a >> 32) + (u32)a + (b >> 32) + (u32)b + c;
    sum = (sum >> 32) + (u32)sum;
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (u32)((sum >> 16) + (sum & 0xffff));
}

/* A tunnel that ends here: the packet becomes the inner one. 0: it is refused. */
static int end_tunnel(const struct floor *f, struct packet *p)
{
    const u8 *ip = p->data + 14, *udp = ip + 20;
    u32 udp_length = be16(udp + 4);
    if (udp_length > be16(ip + 2) - 20 || !(udp[8] & 8) || be32(ip + 12) != f->peer || be32(udp + 12) >> 8 != f->vni)
        return 0;
    p->data += TUNNEL;
    p->length -= TUNNEL;
    ip = p->data + 14;
    return be16(p->data + 12) == 0x0800 && be16(ip + 2) + 30 <= udp_length && ip[0] == 0x45 && sum_header(ip) == 0xffff;
}

INLINE int bad_addresses(u32 src, u32 dst, const u8 *ethernet)
{
    u32 from = src >> 24, to = dst >> 24;
    return (ethernet[0] & 1) || (to & 0xf0) == 0xe0 || dst == 0xffffffff || from == 0 || from == 127 || from > 223 ||
           to == 0 || to == 127 || to > 239 || src == dst;
}

/* Parse, check, make the key; LOOKS_UP or GONE. */
INLINE int take(const struct floor *f, struct packet *p)
{
    u32 role = p->port < FLOOR_PORTS ? f->role[p->port] : ROLE_NONE;
    const u8 *ip = p->data + 14;
    if (role == ROLE_NONE || p->length < 42 || be16(p->data + 12) != 0x0800 || ip[0] != 0x45 ||
        sum_header(ip) != 0xffff || (be16(ip + 6) & 0x3fff))
        return GONE;
    if (role == ROLE_POD && be32(ip + 12) != f->pod_ip[p->port])
        return GONE;
    if (ip[9] == 17 && be16(ip + 22) == 4789 && role == ROLE_UPLINK && be32(ip + 16) == f->vtep) {
        if (p->length < TUNNEL + 42 || !end_tunnel(f, p))
            return GONE;
        ip = p->data + 14;
    }
    u32 src = be32(ip + 12), dst = be32(ip + 16), l4 = be16(ip + 2) - 20;
    const u8 *t = ip + 20;
    if (bad_addresses(src, dst, p->data) || l4 > 65515 || l4 + 34 > p->length)
        return GONE;
    if (ip[9] == 6) {
        if (l4 < 20 || t[12] < 0x50 || (u32)(t[12] >> 2 & 0x3c) > l4)
            return GONE;
        p->tcp_flags = t[13];
        p->tcp_class = t[13] & 5 ? TCP_CLOSING : (t[13] & 0x12) == 2 ? TCP_OPENING : TCP_RUNNING;
    } else if (ip[9] == 17) {
        if (l4 < 8 || be16(t + 4) < 8 || be16(t + 4) > l4)
            return GONE;
        p->tcp_flags = 0;
        p->tcp_class = TCP_NOT;
    } else {
        return GONE;
    }
    p->key = (struct key){src, dst, (u16)be16(t), (u16)be16(t + 2), ip[9]};
    p->hash = key_mix(&p->key);
    return LOOKS_UP;
}

INLINE struct key partner(const struct flow *n, u8 proto)
{
    return (struct key){n->new_dst, n->new_src, n->new_dport, n->new_sport, proto};
}

static int flow_add(struct floor *f, const struct key *k, u8 profile, const struct flow *become)
{
    struct flow *slot = flow_slot(&f->flows, k, key_mix(k));
    if (slot->used || f->flows.count == f->flows.room)
        return slot->used && slot->kind == become->kind && slot->new_src == become->new_src &&
               slot->new_dst == become->new_dst && slot->new_sport == become->new_sport &&
               slot->new_dport == become->new_dport;
    *slot = *become;
    slot->src = k->src, slot->dst = k->dst, slot->sport = k->sport, slot->dport = k->dport, slot->proto = k->proto;
    slot->used = 1;
    slot->profile = profile;
    slot->last_ns = f->now_ns;
    slot->closing_ns = slot->packets = slot->bytes = 0;
    f->flows.count++;
    return 1;
}

INLINE struct flow turned_round(const struct packet *p)
{
    struct flow r = {0};
    r.kind = (u8)(FLOW_FORWARD + FLOW_REVERSE - p->found.kind);
    r.new_src = p->key.dst, r.new_dst = p->key.src, r.new_sport = p->key.dport, r.new_dport = p->key.sport;
    r.service = p->found.service;
    return r;
}

/* The other direction of a flow that closes, or of one that may hear nothing itself. */
static void keep_partner(struct floor *f, struct packet *p, struct flow *own)
{
    struct key k = partner(own, p->key.proto);
    struct flow *other = flow_slot(&f->flows, &k, key_mix(&k));
    if (p->tcp_class == TCP_CLOSING) {
        own->closing_ns = f->now_ns + CLOSING_NS;
        if (other->used) {
            other->closing_ns = own->closing_ns;
            other->profile = PROFILE_CLOSING;
            other->last_ns = f->now_ns;
        }
    } else if (other->used) {
        other->last_ns = f->now_ns;
    } else {
        struct flow r = turned_round(p);
        flow_add(f, &k, PROFILE_UDP, &r);
    }
}

static void find_service(struct floor *f, struct packet *p)
{
    u32 at = (p->key.dst ^ p->key.dport * 0x9e3779b1u) % SERVICES;
    struct flow *n = &p->found;
    *n = (struct flow){.kind = FLOW_FORWARD, .new_src = p->key.src, .new_dst = p->key.dst,
                       .new_sport = p->key.sport, .new_dport = p->key.dport};
    for (; f->services[at].used; at = (at + 1) % SERVICES) {
        const struct service *s = &f->services[at];
        if (s->vip != p->key.dst || s->port != p->key.dport || s->proto != p->key.proto)
            continue;
        n->service = s->id;
        const struct endpoint *e = &f->endpoints[(size_t)s->id * ENDPOINTS + (p->hash & s->mask)];
        n->new_dst = e->ip;
        n->new_dport = e->port;
        if (n->new_dst == p->key.src)
            n->new_src = p->key.dst;
        return;
    }
}

/* The flow's entry, or where a first packet goes. */
INLINE int look_up(struct floor *f, struct packet *p)
{
    struct flow *e = flow_slot(&f->flows, &p->key, p->hash);
    if (unlikely(!e->used)) {
        find_service(f, p);
        struct key k = partner(&p->found, p->key.proto);
        __builtin_prefetch(&f->flows.slots[key_mix(&k) & f->flows.mask], 1);
        return LEARNS;
    }
    e->last_ns = f->now_ns;
    e->packets++;
    e->bytes += be16(p->data + 16) + 14;
    if (p->tcp_class == TCP_RUNNING)
        e->profile = e->closing_ns > f->now_ns ? PROFILE_CLOSING : PROFILE_ESTABLISHED;
    else if (p->tcp_class == TCP_CLOSING)
        e->profile = PROFILE_CLOSING;
    p->found = *e;
    if (unlikely(p->tcp_class == TCP_CLOSING || p->tcp_class == TCP_NOT))
        keep_partner(f, p, e);
    return LEAVES;
}

/* Where the packet goes by its new destination, NULL if nowhere. */
INLINE const struct route *way(const struct floor *f, const struct packet *p)
{
    const struct route *r = route_of(&f->routes, p->found.new_dst);
    u32 ttl = p->data[22];
    return r == NULL || ttl == 0 || (ttl == 1 && r->deliver != DELIVER_HOST) ? NULL : r;
}

/* A first packet: the reverse direction, then its own. 0: it cannot leave, or the reverse key is another flow's. */
static int learn(struct floor *f, struct packet *p)
{
    if (way(f, p) == NULL)
        return 0;
    if (p->found.service ? p->tcp_flags & 4 : p->tcp_class != TCP_NOT && p->tcp_class != TCP_OPENING)
        return 1;
    u8 profile = p->tcp_class == TCP_CLOSING ? PROFILE_CLOSING : p->key.proto == 17 ? PROFILE_UDP : PROFILE_SHORT;
    struct key k = partner(&p->found, p->key.proto);
    struct flow r = turned_round(p);
    return flow_add(f, &k, profile, &r) && flow_add(f, &p->key, profile, &p->found);
}

INLINE u16 sum_final(u64 sum)
{
    sum = (sum >> 32) + (u32)sum;
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return sum == 0 || sum == 0xffff ? 0 : (u16)~sum; /* what the P4 program's extern yields */
}

INLINE u64 halves(u32 v) { return (u64)(v >> 16) + (v & 0xffff); }

/* What replacing the old addresses by the new ones adds to a sum. */
INLINE u64 change(const struct packet *p)
{
    const struct flow *n = &p->found;
    return halves(~p->key.src) + halves(~p->key.dst) + halves(n->new_src) + halves(n->new_dst);
}

static void translate(const struct packet *p, u8 *ip)
{
    const struct flow *n = &p->found;
    u8 *t = ip + 20;
    u64 ports = (u16)~p->key.sport + (u64)(u16)~p->key.dport + n->new_sport + n->new_dport;
    if (p->key.proto == 6) {
        store_be(t + 16, sum_final(change(p) + ports + (u16)~be16(t + 16)), 2);
    } else if (be16(t + 6)) {
        u16 sum = sum_final(change(p) + ports + (u16)~be16(t + 6));
        store_be(t + 6, sum ? sum : 0xffff, 2);
    }
    store_be(t, (u64)n->new_sport << 16 | n->new_dport, 4);
    store_be(ip + 10, sum_final(change(p) + (u16)~be16(ip + 10)), 2);
    store_be(ip + 12, (u64)n->new_src << 32 | n->new_dst, 8);
}

/* CRC32C of the leaving tuple as the P4 program's metadata holds it, the outer source port's lower bits. */
static u16 leaving_hash(const struct packet *p)
{
    const struct flow *n = &p->found;
    u8 bytes[13];
    memcpy(bytes, &n->new_src, 4);
    memcpy(bytes + 4, &n->new_dst, 4);
    bytes[8] = p->key.proto;
    memcpy(bytes + 9, &n->new_sport, 2);
    memcpy(bytes + 11, &n->new_dport, 2);
    u32 crc = 0;
#if defined(__SSE4_2__)
    u64 eight;
    u32 four;
    memcpy(&eight, bytes, 8);
    memcpy(&four, bytes + 8, 4);
    crc = _mm_crc32_u8(_mm_crc32_u32((u32)_mm_crc32_u64(crc, eight), four), bytes[12]);
#else
    for (int i = 0; i < 13; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
#endif
    return (u16)crc;
}

static void encapsulate(const struct packet *p, const struct route *r)
{
    static const u8 pattern[TUNNEL] = {[12] = 8, [14] = 0x45, [20] = 0x40, [22] = 64, [23] = 17,
                                       [36] = 0x12, [37] = 0xb5, [42] = 8};
    u8 *o = p->out;
    u32 inner = be16(o + TUNNEL + 16);
    memcpy(o, pattern, TUNNEL);
    store_be(o, r->dmac, 6);
    store_be(o + 6, r->smac, 6);
    o[15] = o[TUNNEL + 15] & 0xfc;
    store_be(o + 16, inner + 50, 2);
    store_be(o + 26, r->local_vtep, 4);
    store_be(o + 30, r->remote_vtep, 4);
    store_be(o + 24, sum_final(__builtin_bswap16((u16)sum_header(o + 14))), 2);
    store_be(o + 34, leaving_hash(p) | 0xc000u, 2);
    store_be(o + 38, inner + 30, 2);
    store_be(o + 46, (u64)r->vni << 8, 4);
}

/* Route, translate, send: the frame is in `out` afterwards. */
INLINE int leave(struct floor *f, struct packet *p)
{
    const struct flow *n = &p->found;
    const struct route *r = way(f, p);
    const u8 *in = p->data + 14;
    if (r == NULL)
        return GONE;
    u32 front = r->deliver == DELIVER_TUNNEL ? TUNNEL : 0;
    u8 *ethernet = p->out + front, *ip = ethernet + 14;
    memcpy(ethernet, p->data, p->length);
    store_be(ethernet, front ? r->inner_dmac : r->dmac, 6);
    store_be(ethernet + 6, r->smac, 6);
    if (n->new_src != p->key.src || n->new_dst != p->key.dst || n->new_sport != p->key.sport ||
        n->new_dport != p->key.dport)
        translate(p, ip);
    if (r->deliver != DELIVER_HOST) {
        store_be(ip + 10, sum_final((u64)(u16)~be16(ip + 10) + 0xfeff), 2);
        ip[8]--;
    }
    if (front)
        encapsulate(p, r);
    if (n->service) {
        f->service_counter[n->service].packets++;
        f->service_counter[n->service].bytes += be16(in + 2) + 14;
    }
    p->out_port = r->port;
    p->out_length = p->length + front;
    return LEAVES;
}

/* Stage by stage over the burst: while one packet's flow comes from memory, the next is parsed. */
static u32 floor_burst(struct floor *f, struct packet *p, u32 n)
{
    u32 sent = 0;
    for (u32 i = 0; i < n; i++) {
        if (i + 4 < n)
            __builtin_prefetch(p[i + 4].data);
        p[i].state = (u8)take(f, &p[i]);
        if (p[i].state == LOOKS_UP)
            __builtin_prefetch(&f->flows.slots[p[i].hash & f->flows.mask], 1);
    }
    for (u32 i = 0; i < n; i++)
        if (p[i].state == LOOKS_UP)
            p[i].state = (u8)look_up(f, &p[i]);
    for (u32 i = 0; i < n; i++) {
        if (p[i].state == LEARNS)
            p[i].state = learn(f, &p[i]) ? LEAVES : GONE;
        if (p[i].state == LEAVES)
            p[i].state = (u8)leave(f, &p[i]);
        sent += p[i].state == LEAVES;
    }
    f->dropped += n - sent;
    return sent;
}
