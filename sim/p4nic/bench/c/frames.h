/* One frame of each flow, from a frame that serves as the pattern: the client's address and port put in, checksums
 * corrected. What p4nic.bench.lb.flow_frames does in Python, for millions of flows. */

/* Adds to a sum what replacing one 16-bit word by another changes. */
INLINE u32 sum_change(u32 sum, u16 old, u16 new)
{
    return sum + (u16)~old + new;
}

INLINE u16 sum_fold(u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (u16)(sum + (sum >> 16));
}

/* `order[i]` is the flow of frame i; its client has address base + flow / ports and port 1024 + flow % ports.
 * Offsets from the IPv4 header at `at`: `address_at` and `port_at` of the client, `checksum_at` of the transport.
 * Frames lie `stride` bytes apart. */
API void make_frames(
    u8 *out, u64 stride, const u8 *pattern, u32 length, u32 at, u32 address_at, u32 port_at, u32 checksum_at,
    const u32 *order, u64 count, u32 base, u32 ports);

void make_frames(
    u8 *out, u64 stride, const u8 *pattern, u32 length, u32 at, u32 address_at, u32 port_at, u32 checksum_at,
    const u32 *order, u64 count, u32 base, u32 ports)
{
    const u8 *ip = pattern + at;
    u32 old = (u32)load_be(ip + address_at, 4);
    u16 old_port = (u16)load_be(ip + port_at, 2);
    for (u64 i = 0; i < count; i++, out += stride) {
        u32 address = base + order[i] / ports;
        u16 port = (u16)(1024 + order[i] % ports);
        memcpy(out, pattern, length);
        u8 *header = out + at;
        store_be(header + address_at, address, 4);
        store_be(header + port_at, port, 2);
        u32 sum = (u16)~load_be(ip + 10, 2);
        sum = sum_change(sum_change(sum, (u16)(old >> 16), (u16)(address >> 16)), (u16)old, (u16)address);
        store_be(header + 10, (u16)~sum_fold(sum), 2);
        sum = (u16)~load_be(ip + checksum_at, 2);
        sum = sum_change(sum_change(sum, (u16)(old >> 16), (u16)(address >> 16)), (u16)old, (u16)address);
        sum = sum_change(sum, old_port, port);
        store_be(header + checksum_at, (u16)~sum_fold(sum), 2);
    }
}
