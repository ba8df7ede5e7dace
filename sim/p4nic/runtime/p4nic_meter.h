/* Token buckets (RFC 2698, RFC 2697, one rate with two colours), exact: tokens in thousand-millionths. */
#ifndef P4NIC_METER_H
#define P4NIC_METER_H
#include "p4nic_base.h"

enum { METER_NONE, METER_TWO_RATES, METER_ONE_RATE_THREE_COLOURS, METER_ONE_RATE_TWO_COLOURS };
enum { GREEN, YELLOW, RED };
#define TOKEN 1000000000u

struct meter {
    u128 committed, peak;
    u64 since;
    u64 cir, cburst, pir, pburst;
    u64 kind;
    u64 marked[3][2]; /* packets and bytes of each colour */
};

INLINE u128 at_most(u128 value, u64 burst)
{
    u128 limit = (u128)burst * TOKEN;
    return value < limit ? value : limit;
}

COLD void meter_set(struct meter *m, u32 kind, u64 cir, u64 cburst, u64 pir, u64 pburst)
{
    m->kind = kind;
    m->cir = cir;
    m->cburst = cburst;
    m->pir = pir;
    m->pburst = pburst;
    m->since = 0;
    m->committed = (u128)cburst * TOKEN;
    m->peak = (u128)pburst * TOKEN;
}

UNUSED static u32 meter_colour(struct meter *m, u64 amount, u64 now_ns, u32 before)
{
    if (m->kind == METER_NONE)
        return before;
    u64 elapsed = now_ns - m->since;
    m->since = now_ns;
    u128 need = (u128)amount * TOKEN;
    if (m->kind == METER_TWO_RATES) {
        m->committed = at_most(m->committed + (u128)elapsed * m->cir, m->cburst);
        m->peak = at_most(m->peak + (u128)elapsed * m->pir, m->pburst);
        if (before == RED || m->peak < need)
            return RED;
        m->peak -= need;
        if (before == YELLOW || m->committed < need)
            return YELLOW;
        m->committed -= need;
        return GREEN;
    }
    u128 filled = m->committed + (u128)elapsed * m->cir;
    m->committed = at_most(filled, m->cburst);
    m->peak = at_most(m->peak + (filled - m->committed), m->pburst);
    if (before == GREEN && m->committed >= need) {
        m->committed -= need;
        return GREEN;
    }
    if (before != RED && m->peak >= need && m->kind == METER_ONE_RATE_THREE_COLOURS) {
        m->peak -= need;
        return YELLOW;
    }
    return RED;
}

UNUSED static u32 meter_mark(struct meter *m, u64 amount, u64 length, u64 now_ns, u32 before)
{
    u32 colour = meter_colour(m, amount, now_ns, before);
    if (colour <= RED) {
        m->marked[colour][0]++;
        m->marked[colour][1] += length;
    }
    return colour;
}

#endif
