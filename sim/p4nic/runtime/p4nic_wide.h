/* Integers beyond 128 bits and varbit fields: arrays of 64-bit words, the lowest first, in two's complement. Included
 * by units whose programs compute with such values. `n` words are always enough for the exact result, or what is cut
 * off is cut off by the destination as well (backend/native/wide.py chooses n). Not fast. */
#ifndef P4NIC_WIDE_H
#define P4NIC_WIDE_H
#include "p4nic_base.h"

UNUSED static void wide_set(u64 *x, u32 n, u128 value, int negative)
{
    x[0] = (u64)value;
    x[1] = (u64)(value >> 64);
    for (u32 i = 2; i < n; i++)
        x[i] = negative ? ~(u64)0 : 0;
}

/* From another length: cut off, or continued with its sign. */
UNUSED static void wide_copy(u64 *x, u32 n, const u64 *from, u32 m, int is_signed)
{
    u64 rest = is_signed && from[m - 1] >> 63 ? ~(u64)0 : 0;
    for (u32 i = 0; i < n; i++)
        x[i] = i < m ? from[i] : rest;
}

/* Reduced to a width. */
UNUSED static void wide_wrap(u64 *x, u32 n, u32 width, int is_signed)
{
    u32 last = width / 64, bits = width % 64;
    if (last >= n)
        return;
    u64 sign = is_signed && x[(width - 1) / 64] >> (width - 1) % 64 & 1 ? ~(u64)0 : 0;
    if (bits)
        x[last] = (x[last] & (((u64)1 << bits) - 1)) | sign << bits;
    else
        x[last] = sign;
    for (u32 i = last + 1; i < n; i++)
        x[i] = sign;
}

UNUSED static u128 wide_low(const u64 *x) { return (u128)x[1] << 64 | x[0]; }

UNUSED static int wide_any(const u64 *x, u32 n)
{
    u64 all = 0;
    for (u32 i = 0; i < n; i++)
        all |= x[i];
    return all != 0;
}

UNUSED static int wide_negative(const u64 *x, u32 n) { return (int)(x[n - 1] >> 63); }

UNUSED static void wide_add(u64 *x, const u64 *a, const u64 *b, u32 n)
{
    u128 carry = 0;
    for (u32 i = 0; i < n; i++) {
        carry += (u128)a[i] + b[i];
        x[i] = (u64)carry;
        carry >>= 64;
    }
}

UNUSED static void wide_not(u64 *x, const u64 *a, u32 n)
{
    for (u32 i = 0; i < n; i++)
        x[i] = ~a[i];
}

UNUSED static void wide_neg(u64 *x, const u64 *a, u32 n)
{
    u64 carry = 1;
    for (u32 i = 0; i < n; i++) {
        x[i] = ~a[i] + carry;
        carry = carry && x[i] == 0;
    }
}

UNUSED static void wide_sub(u64 *x, const u64 *a, const u64 *b, u32 n)
{
    u128 carry = 1;
    for (u32 i = 0; i < n; i++) {
        carry += (u128)a[i] + (u64)~b[i];
        x[i] = (u64)carry;
        carry >>= 64;
    }
}

UNUSED static void wide_and(u64 *x, const u64 *a, const u64 *b, u32 n)
{
    for (u32 i = 0; i < n; i++)
        x[i] = a[i] & b[i];
}

UNUSED static void wide_or(u64 *x, const u64 *a, const u64 *b, u32 n)
{
    for (u32 i = 0; i < n; i++)
        x[i] = a[i] | b[i];
}

UNUSED static void wide_xor(u64 *x, const u64 *a, const u64 *b, u32 n)
{
    for (u32 i = 0; i < n; i++)
        x[i] = a[i] ^ b[i];
}

/* Neither factor may be the product. */
UNUSED static void wide_mul(u64 *x, const u64 *a, const u64 *b, u32 n)
{
    memset(x, 0, n * sizeof *x);
    for (u32 i = 0; i < n; i++) {
        u64 carry = 0;
        for (u32 j = 0; i + j < n; j++) {
            u128 sum = (u128)a[i] * b[j] + x[i + j] + carry;
            x[i + j] = (u64)sum;
            carry = (u64)(sum >> 64);
        }
    }
}

UNUSED static void wide_shl(u64 *x, const u64 *a, u32 n, u64 by)
{
    for (u32 i = n; i-- > 0;) {
        u64 from = by / 64 > i ? 0 : a[i - by / 64] << by % 64;
        if (by % 64 && by / 64 + 1 <= i)
            from |= a[i - by / 64 - 1] >> (64 - by % 64);
        x[i] = from;
    }
}

/* To the right, the sign stays. */
UNUSED static void wide_shr(u64 *x, const u64 *a, u32 n, u64 by)
{
    u64 sign = wide_negative(a, n) ? ~(u64)0 : 0;
    for (u32 i = 0; i < n; i++) {
        u64 low = by / 64 < n - i ? a[i + by / 64] : sign;
        u64 high = by / 64 + 1 < n - i ? a[i + by / 64 + 1] : sign;
        x[i] = by % 64 ? low >> by % 64 | high << (64 - by % 64) : low;
    }
}

/* A shift amount: negative ones are 0, huge ones stay huge. */
UNUSED static u64 wide_amount(const u64 *x, u32 n)
{
    if (wide_negative(x, n))
        return 0;
    return wide_any(x + 1, n - 1) || x[0] > 0xffff ? 0xffff : x[0];
}

UNUSED static int wide_compare(const u64 *a, const u64 *b, u32 n)
{
    if (wide_negative(a, n) != wide_negative(b, n))
        return wide_negative(a, n) ? -1 : 1;
    for (u32 i = n; i-- > 0;)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

/* Into x, if it lies beyond. */
UNUSED static void wide_clamp(u64 *x, const u64 *low, const u64 *high, u32 n)
{
    if (wide_compare(x, low, n) < 0)
        memcpy(x, low, n * sizeof *x);
    else if (wide_compare(x, high, n) > 0)
        memcpy(x, high, n * sizeof *x);
}

/* Quotient rounded towards zero, and what it leaves; both 0 for a divisor of 0. Bit by bit. */
UNUSED static void wide_divide(u64 *quotient, u64 *left, const u64 *a, const u64 *b, u32 n)
{
    u64 dividend[n], divisor[n];
    int minus = wide_negative(a, n), other = wide_negative(b, n);
    memset(quotient, 0, n * sizeof *quotient);
    memset(left, 0, n * sizeof *left);
    if (!wide_any(b, n))
        return;
    memcpy(dividend, a, sizeof dividend);
    memcpy(divisor, b, sizeof divisor);
    if (minus)
        wide_neg(dividend, a, n);
    if (other)
        wide_neg(divisor, b, n);
    for (u32 i = 64 * n; i-- > 0;) {
        wide_shl(left, left, n, 1);
        left[0] |= dividend[i / 64] >> i % 64 & 1;
        if (wide_compare(left, divisor, n) >= 0) {
            wide_sub(left, left, divisor, n);
            quotient[i / 64] |= (u64)1 << i % 64;
        }
    }
    if (minus != other)
        wide_neg(quotient, quotient, n);
    if (minus)
        wide_neg(left, left, n);
}

/* --- in frames and other bytes, big-endian --- */

/* `bits` bits found `at` bits after p. */
UNUSED static void wide_load(u64 *x, u32 n, const u8 *p, u64 at, u32 bits)
{
    memset(x, 0, n * sizeof *x);
    for (u32 done = 0; done < bits; done += 64) {
        u32 size = bits - done < 64 ? bits - done : 64;
        x[done / 64] = (u64)get_bits(p, at + bits - done - size, size);
    }
}

/* The lowest `bits` bits, put `at` bits after p. */
UNUSED static void wide_put(u8 *p, u32 at, const u64 *x, u32 bits)
{
    for (u32 done = 0; done < bits; done += 64) {
        u32 size = bits - done < 64 ? bits - done : 64;
        put_bits(p, at + bits - done - size, size < 64 ? x[done / 64] & (((u64)1 << size) - 1) : x[done / 64], size);
    }
}

#endif
