/* Integers of the sizes fields come in, big-endian loads and stores, virtual memory that is zero until touched.
 * Included by everything; knows no program. */
#ifndef P4NIC_BASE_H
#define P4NIC_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

/* What Python calls. */
#define API __attribute__((visibility("default"))) extern
/* A unit is compiled whole, or in two parts at once: 1 runs packets (run_burst and all below it), 2 has the rest.
 * Functions that both need are in both; PART is what one has and the other calls. */
#ifndef UNIT_PART
#define UNIT_PART 0
#endif
#define HAS_PACKETS (UNIT_PART != 2)
#define HAS_CONTROL (UNIT_PART != 1)
#if UNIT_PART
#define PART extern
#else
#define PART static
#endif

#define UNUSED __attribute__((unused))
#define INLINE static inline __attribute__((always_inline, unused))
#define COLD static __attribute__((noinline, cold, unused))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define U128(high, low) ((u128)(high) << 64 | (u128)(low))

/* `n`: a number from 1 to 8, not an expression; one function with a switch over it took the compiler longer. */
#define load_be(p, n) load_be_##n(p)
#define store_be(p, value, n) store_be_##n(p, value)

INLINE u64 load_be_1(const u8 *p) { return p[0]; }

INLINE u64 load_be_2(const u8 *p)
{
    u16 x;
    memcpy(&x, p, 2);
    return __builtin_bswap16(x);
}

INLINE u64 load_be_4(const u8 *p)
{
    u32 x;
    memcpy(&x, p, 4);
    return __builtin_bswap32(x);
}

INLINE u64 load_be_8(const u8 *p)
{
    u64 x;
    memcpy(&x, p, 8);
    return __builtin_bswap64(x);
}

INLINE u64 load_be_3(const u8 *p) { return load_be_2(p) << 8 | p[2]; }
INLINE u64 load_be_5(const u8 *p) { return load_be_4(p) << 8 | p[4]; }
INLINE u64 load_be_6(const u8 *p) { return load_be_4(p) << 16 | load_be_2(p + 4); }
INLINE u64 load_be_7(const u8 *p) { return load_be_4(p) << 24 | load_be_3(p + 4); }

/* n < 8 bytes at `at` of `room` >= 8 that can be read, by one load: of some behind them, or of some before. */
INLINE u64 load_within(const u8 *p, unsigned at, unsigned n, unsigned room)
{
    if (at + 8 <= room)
        return load_be(p + at, 8) >> (64 - 8 * n);
    return load_be(p + at + n - 8, 8) & (((u64)1 << (8 * n)) - 1);
}

INLINE u128 load_be_wide(const u8 *p, unsigned n)
{
    u128 value = 0;
    for (unsigned i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

INLINE void store_be_1(u8 *p, u64 value) { p[0] = (u8)value; }

INLINE void store_be_2(u8 *p, u64 value)
{
    u16 x = __builtin_bswap16((u16)value);
    memcpy(p, &x, 2);
}

INLINE void store_be_4(u8 *p, u64 value)
{
    u32 x = __builtin_bswap32((u32)value);
    memcpy(p, &x, 4);
}

INLINE void store_be_8(u8 *p, u64 value)
{
    u64 x = __builtin_bswap64(value);
    memcpy(p, &x, 8);
}

INLINE void store_be_3(u8 *p, u64 value) { store_be_2(p, value >> 8), store_be_1(p + 2, value); }
INLINE void store_be_5(u8 *p, u64 value) { store_be_4(p, value >> 8), store_be_1(p + 4, value); }
INLINE void store_be_6(u8 *p, u64 value) { store_be_4(p, value >> 16), store_be_2(p + 4, value); }
INLINE void store_be_7(u8 *p, u64 value) { store_be_4(p, value >> 24), store_be_3(p + 4, value); }

INLINE void store_be_wide(u8 *p, u128 value, unsigned n)
{
    for (unsigned i = n; i-- > 0; value >>= 8)
        p[i] = (u8)value;
}

/* `width` bits at bit offset `at`: for fields and inputs that do not fill whole bytes. */
INLINE void put_bits(u8 *p, u32 at, u128 value, u32 width)
{
    while (width) {
        u32 in_byte = 8 - (at & 7), take = width < in_byte ? width : in_byte;
        u8 bits = (u8)((u32)(value >> (width - take)) & ((1u << take) - 1));
        u32 shift = in_byte - take;
        p[at >> 3] = (u8)((p[at >> 3] & ~(((1u << take) - 1) << shift)) | (u32)bits << shift);
        at += take;
        width -= take;
    }
}

INLINE u128 get_bits(const u8 *p, u64 at, u32 width)
{
    u128 value = 0;
    while (width) {
        u32 in_byte = 8 - (u32)(at & 7), take = width < in_byte ? width : in_byte;
        value = value << take | (u128)((u32)p[at >> 3] >> (in_byte - take) & ((1u << take) - 1));
        at += take;
        width -= take;
    }
    return value;
}

/* Address space for the whole capacity at once: pages cost memory only when touched, so that entries never move
 * and nothing is copied when a table grows. Huge pages, because random access to 4 KiB ones misses the TLB. */
#define HUGE_PAGE ((size_t)2 << 20)

UNUSED static void *reserve_pages(size_t bytes, int huge)
{
    size_t size = bytes ? bytes : 1;
    if (size >= HUGE_PAGE)
        size = (size + 2 * HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (huge && size >= HUGE_PAGE)
        (void)madvise(p, size, MADV_HUGEPAGE);
    return p;
}

UNUSED static void *reserve(size_t bytes) { return reserve_pages(bytes, 1); }

/* Have the first bytes of reserved memory ready, so that no packet waits for the kernel to clear it. A kernel before
 * 5.14 does not know how: then packets wait. */
COLD void make_ready(void *p, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE
    if (bytes)
        (void)madvise(p, bytes, MADV_POPULATE_WRITE);
#else
    (void)p;
    (void)bytes;
#endif
}

UNUSED static void release(void *p, size_t bytes)
{
    size_t size = bytes ? bytes : 1;
    if (size >= HUGE_PAGE)
        size = (size + 2 * HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    if (p)
        (void)munmap(p, size);
}

/* What one worker changes while others read it without a lock: written whole before it is published. Both are plain
 * moves on x86. */
#define publish(place, value) __atomic_store_n(place, value, __ATOMIC_RELEASE)
#define observe(place) __atomic_load_n(place, __ATOMIC_ACQUIRE)
/* A word that others may read at any time, and whose order among others does not matter. */
#define relaxed_load(place) __atomic_load_n(place, __ATOMIC_RELAXED)
#define relaxed_store(place, value) __atomic_store_n(place, value, __ATOMIC_RELAXED)

/* Memory that others may still be reading: freed at the next gate, when no packet is under way. */
struct retired {
    struct retired *next;
    void *memory;
    size_t bytes; /* of reserve() */
};

COLD void retire(struct retired **list, void *memory, size_t bytes)
{
    struct retired *r = malloc(sizeof *r);
    if (r == NULL)
        return; /* better lost than read after it is gone */
    *r = (struct retired){*list, memory, bytes};
    *list = r;
}

COLD void retired_free(struct retired **list)
{
    while (*list) {
        struct retired *r = *list;
        *list = r->next;
        release(r->memory, r->bytes);
        free(r);
    }
}

#endif
