/* A sender for real interfaces: prepared frames out of a packet socket at a given rate, or as fast as it goes. */
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#define WIRE_BATCH 32

API int wire_open(u32 interface);
API void wire_close(int fd);
API void wire_send(
    int fd, const struct p4_traffic *t, u32 first, double per_ns, u64 nanoseconds, struct p4_timing *out);

/* A descriptor, -1 where the right is missing. What is sent does not pass the queueing discipline. */
int wire_open(u32 interface)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)interface};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

void wire_close(int fd) { close(fd); }

/* `per_ns` frames a nanosecond; 0: as fast as it goes. `packets` are those the kernel took. */
void wire_send(
    int fd, const struct p4_traffic *t, u32 first, double per_ns, u64 nanoseconds, struct p4_timing *out)
{
    struct mmsghdr messages[WIRE_BATCH] = {0};
    struct iovec parts[WIRE_BATCH];
    u32 next = first;
    timing_start(out, first);
    u64 passed = 0;
    while ((passed = clock_ns(CLOCK_MONOTONIC) - out->wall_ns) < nanoseconds) {
        u32 n = WIRE_BATCH;
        if (per_ns > 0) {
            double due = per_ns * (double)passed - (double)out->packets;
            if (due < 1)
                continue;
            n = due < WIRE_BATCH ? (u32)due : WIRE_BATCH;
        }
        u32 at = next;
        for (u32 i = 0; i < n; i++) {
            parts[i] = (struct iovec){(void *)(t->data + t->offsets[at]), t->lengths[at]};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
            at = at + 1 == t->count ? 0 : at + 1;
        }
        int sent = sendmmsg(fd, messages, n, 0);
        if (sent <= 0)
            continue;
        out->packets += (u32)sent;
        next = (next + (u32)sent) % t->count;
    }
    timing_stop(out);
    out->next = next;
}
