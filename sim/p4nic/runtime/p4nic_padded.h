/* `--semantics dpdk`: a frame reads as zeros behind its end. DPDK does not look at the length while parsing; what it
 * "extracted" beyond the end it subtracts, so that the length comes back when headers are emitted. `position` may
 * lie behind the end. */
#ifndef P4NIC_PADDED_H
#define P4NIC_PADDED_H
#include "p4nic_hash.h"
#include "p4nic_packet.h"

#define PADDED_FARTHEST (1u << 28) /* a position no frame reaches: farther ones make no difference */

/* `n` bytes at a position. */
UNUSED static void padded_take(u8 *to, const u8 *data, u32 length, u32 position, u32 n)
{
    u32 there = position >= length ? 0 : length - position;
    if (there > n)
        there = n;
    memset(to + there, 0, n - there);
    memcpy(to, data + (there ? position : 0), there);
}

UNUSED static u32 padded_after(u32 position, u64 bytes)
{
    return bytes > PADDED_FARTHEST - position ? PADDED_FARTHEST : position + (u32)bytes;
}

/* The payload. */
UNUSED static struct piece padded_rest(const u8 *data, u32 length, u32 position)
{
    return position >= length ? (struct piece){data, 0} : (struct piece){data + position, length - position};
}

UNUSED static void finish_padded(struct pass *p, u32 out_length, u32 position)
{
    if (position <= p->length) {
        finish_frame(p, out_length, position);
        return;
    }
    u32 beyond = position - p->length;
    p->out_length = out_length > beyond ? out_length - beyond : 0;
    if (p->limited && p->out_length > p->limit)
        p->out_length = p->limit;
}

#endif
