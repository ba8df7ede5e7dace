/* The hash functions a program may name, over bytes in at most two pieces (the inputs, then the payload). They
 * agree with the interpreter's bit for bit. */
#ifndef P4NIC_HASH_H
#define P4NIC_HASH_H
#include "p4nic_base.h"

struct piece {
    const u8 *p;
    size_t n;
};

UNUSED static u64 reflected_crc(u32 polynomial, u32 crc, struct piece a, struct piece b)
{
    for (int part = 0; part < 2; part++) {
        struct piece x = part ? b : a;
        for (size_t i = 0; i < x.n; i++) {
            crc ^= x.p[i];
            for (int bit = 0; bit < 8; bit++)
                crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        }
    }
    return crc;
}

/* A table per polynomial, made when the unit is loaded: workers only read it. */
struct crc_table {
    u32 by_byte[256];
};

UNUSED static u32 table_crc(const struct crc_table *t, u32 crc, struct piece a, struct piece b)
{
    for (size_t i = 0; i < a.n; i++)
        crc = crc >> 8 ^ t->by_byte[(crc ^ a.p[i]) & 0xff];
    for (size_t i = 0; i < b.n; i++)
        crc = crc >> 8 ^ t->by_byte[(crc ^ b.p[i]) & 0xff];
    return crc;
}

static struct crc_table crc16_table, crc32_table, crc32c_table;

__attribute__((constructor)) static void crc_tables_make(void)
{
    const struct piece nothing = {NULL, 0};
    for (u32 byte = 0; byte < 256; byte++) {
        u8 one = (u8)byte;
        crc16_table.by_byte[byte] = (u32)reflected_crc(0xA001, 0, (struct piece){&one, 1}, nothing);
        crc32c_table.by_byte[byte] = (u32)reflected_crc(0x82F63B78u, 0, (struct piece){&one, 1}, nothing);
        crc32_table.by_byte[byte] = (u32)reflected_crc(0xEDB88320u, 0, (struct piece){&one, 1}, nothing);
    }
}

UNUSED static u64 hash_crc16(struct piece a, struct piece b) { return table_crc(&crc16_table, 0, a, b); }

UNUSED static u64 hash_crc32(struct piece a, struct piece b)
{
    return ~table_crc(&crc32_table, 0xffffffffu, a, b);
}

#if defined(__SSE4_2__)
INLINE u32 crc32c_step(u32 crc, struct piece x)
{
    while (x.n >= 8) {
        u64 word;
        memcpy(&word, x.p, 8);
        crc = (u32)_mm_crc32_u64(crc, word);
        x.p += 8;
        x.n -= 8;
    }
    for (; x.n; x.n--)
        crc = _mm_crc32_u8(crc, *x.p++);
    return crc;
}
INLINE u64 hash_crc32c(struct piece a, struct piece b) { return crc32c_step(crc32c_step(0, a), b); }

/* On with the lowest bytes of a number: 1, 2, 4 or 8, the lowest first. */
INLINE u64 crc32c_number(u64 crc, u64 number, unsigned bytes)
{
    switch (bytes) {
    case 1:
        return _mm_crc32_u8((u32)crc, (u8)number);
    case 2:
        return _mm_crc32_u16((u32)crc, (u16)number);
    case 4:
        return _mm_crc32_u32((u32)crc, (u32)number);
    default:
        return _mm_crc32_u64(crc, number);
    }
}
#else
UNUSED static u64 hash_crc32c(struct piece a, struct piece b)
{
    return table_crc(&crc32c_table, 0, a, b);
}

INLINE u64 crc32c_number(u64 crc, u64 number, unsigned bytes)
{
    u8 each[8];
    memcpy(each, &number, 8); /* little-endian */
    return table_crc(&crc32c_table, (u32)crc, (struct piece){each, bytes}, (struct piece){NULL, 0});
}
#endif

/* The processor's crc32 instruction on 64 bits, of whose first operand 32 bits count. */
INLINE u64 crc32c_word(u64 crc, u64 word)
{
#if defined(__SSE4_2__)
    return _mm_crc32_u64((u32)crc, word);
#else
    u8 bytes[8];
    memcpy(bytes, &word, 8);
    return table_crc(&crc32c_table, (u32)crc, (struct piece){bytes, 8}, (struct piece){NULL, 0});
#endif
}

/* How DPDK's selector tables hash: zeros up to 8, 16, 32 or 64 bytes, then chains of CRC-32C that begin with
 * parts of the key. */
UNUSED static u64 hash_swx_selector(struct piece a, struct piece b)
{
    u64 k[8] = {0};
    size_t n = a.n + b.n;
    if (n > sizeof k)
        return 0;
    if (a.n)
        memcpy(k, a.p, a.n);
    if (b.n)
        memcpy((u8 *)k + a.n, b.p, b.n);
    if (n <= 8)
        return crc32c_word(0, k[0]);
    u64 first = crc32c_word(k[0], 0), second = crc32c_word(k[0] >> 32, k[1]);
    if (n <= 16)
        return first ^ second;
    u64 third = crc32c_word(k[2], k[3]);
    if (n <= 32)
        return crc32c_word(first, second) ^ crc32c_word(third, k[2] >> 32);
    u64 fourth = crc32c_word(k[2] >> 32, k[4]);
    u64 last = crc32c_word(k[5], k[6]) << 32 ^ crc32c_word(k[5] >> 32, k[7]);
    return crc32c_word(first, second << 32 ^ third) ^ crc32c_word(fourth, last);
}

UNUSED static u64 hash_crcCCITT(struct piece a, struct piece b)
{
    u32 crc = 0xffff;
    for (int part = 0; part < 2; part++) {
        struct piece x = part ? b : a;
        for (size_t i = 0; i < x.n; i++) {
            crc ^= (u32)x.p[i] << 8;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021u : 0)) & 0xffff;
        }
    }
    return crc;
}

/* Sum of big-endian 16-bit words, the last one padded with a zero byte. */
INLINE u64 sum_words(struct piece a, struct piece b)
{
    u64 sum = 0;
    size_t i = 0;
    for (; i + 2 <= a.n; i += 2)
        sum += load_be(a.p + i, 2);
    if (i < a.n) {
        sum += (u64)a.p[i] << 8;
        if (b.n) {
            sum += b.p[0];
            b.p++;
            b.n--;
        }
    }
    for (i = 0; i + 2 <= b.n; i += 2)
        sum += load_be(b.p + i, 2);
    if (i < b.n)
        sum += (u64)b.p[i] << 8;
    return sum;
}

/* One's complement: 0 only for a sum of 0. Halves are added crosswise: the upper half of the sum has its carry then. */
INLINE u32 fold_sum(u64 sum)
{
    u32 half = (u32)((sum + (sum >> 32 | sum << 32)) >> 32);
    return (half + (half >> 16 | half << 16)) >> 16;
}

INLINE u64 hash_csum16(struct piece a, struct piece b) { return fold_sum(sum_words(a, b)) ^ 0xffff; }

UNUSED static u64 hash_xor16(struct piece a, struct piece b)
{
    u32 result = 0;
    size_t n = a.n + b.n;
    for (size_t i = 0; i < n; i++) {
        u32 byte = i < a.n ? a.p[i] : b.p[i - a.n];
        result ^= i & 1 ? byte : byte << 8;
    }
    return result;
}

UNUSED static u64 hash_identity(struct piece a, struct piece b)
{
    u64 value = 0;
    for (size_t i = 0; i < 8 && i < a.n + b.n; i++)
        value = value << 8 | (i < a.n ? a.p[i] : b.p[i - a.n]);
    return value;
}

UNUSED static u64 hash_toeplitz(struct piece a, struct piece b)
{
    (void)a;
    (void)b;
    return 0; /* BMv2 under its initial key, which no artifact can change */
}

INLINE u32 rotate(u32 x, int by) { return x << by | x >> (32 - by); }

/* lookup3 with initial value 0, as rte_jhash. */
UNUSED static u64 hash_jhash(struct piece x, struct piece y)
{
    size_t n = x.n + y.n, at = 0;
    u32 v[3];
    v[0] = v[1] = v[2] = 0xdeadbeefu + (u32)n;
    if (!n)
        return v[2];
    for (;;) {
        for (size_t i = 0; i < 12 && at + i < n; i++) {
            u32 byte = at + i < x.n ? x.p[at + i] : y.p[at + i - x.n];
            v[i / 4] += byte << (8 * (i & 3));
        }
        at += 12;
        u32 a = v[0], b = v[1], c = v[2];
        if (at >= n) {
            c = (c ^ b) - rotate(b, 14);
            a = (a ^ c) - rotate(c, 11);
            b = (b ^ a) - rotate(a, 25);
            c = (c ^ b) - rotate(b, 16);
            a = (a ^ c) - rotate(c, 4);
            b = (b ^ a) - rotate(a, 14);
            return (u32)((c ^ b) - rotate(b, 24));
        }
        a = (a - c) ^ rotate(c, 4);
        c += b;
        b = (b - a) ^ rotate(a, 6);
        a += c;
        c = (c - b) ^ rotate(b, 8);
        b += a;
        a = (a - c) ^ rotate(c, 16);
        c += b;
        b = (b - a) ^ rotate(a, 19);
        a += c;
        c = (c - b) ^ rotate(b, 4);
        b += a;
        v[0] = a;
        v[1] = b;
        v[2] = c;
    }
}

/* --- incremental checksums ---
 * A run of additions and subtractions keeps one sum modulo 0xffff, in which 2^16 counts as 1, so that a 32-bit
 * value is added as it is. Canonical at the end: 0, never 0xffff, as after every single step. */

INLINE u64 sum_start(u32 checksum) { return ~checksum & 0xffff; }
INLINE u64 sum_of(u64 value) { return (value & 0xffffffffu) + (value >> 32); } /* below 2^33 */
INLINE u64 sum_without(u64 value) { return 0xffffffffu * (u64)4 - value; }     /* value below 2^33 */
INLINE u32 sum_finish(u64 sum)
{
    u32 checksum = fold_sum(sum) ^ 0xffff;
    return checksum ? checksum : 0xffff;
}

#endif
