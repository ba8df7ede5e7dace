/* Ports of DPDK's own: AF_PACKET, TAP, rings, through its virtual devices and its own SWX port functions.
 *
 * A pipeline's ports are in memory (ports.c). Once devices are opened, those that have one receive from it and
 * send to it, and the process runs the pipeline while it waits for requests, 16 packets in turns, as DPDK does.
 * Frames that leave where there is no device wait here to be asked for. Before a request is served that touches
 * state, nothing new is let in until the pipeline is empty: so a batch of writes is still visible whole.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_swx_port_ethdev.h>

#include "shim.h"

#define MOST_PORTS 65536
#define MBUFS 4095
#define ROOM 9728      /* a jumbo frame */
#define BURST 32
#define ROUND 1024     /* instructions between two looks at clock and requests */
#define IDLE_ROUNDS 64 /* without a packet, then it sleeps */
#define MOST_WAITING 1024
#define MOST_DRAIN (1 << 17)

int devices_open;

static struct device {
	void *in, *out;
} *devices[MOST_PORTS];
static uint32_t numbers[256], n_devices;
static struct rte_mempool *pool;
static int64_t clock_offset;
static uint32_t inside;
static int closed; /* nothing is let in */
static uint64_t received;

static struct waiting {
	struct waiting *next;
	uint32_t port, length;
	uint8_t bytes[];
} *first, **last = &first;
static uint32_t n_waiting, lost;

static uint64_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

/* --- opening --- */

static int open_one(uint32_t number, const char *name, const char *arguments)
{
	struct rte_swx_port_ethdev_reader_params in = {.dev_name = name, .burst_size = BURST};
	struct rte_swx_port_ethdev_writer_params out = {.dev_name = name, .burst_size = BURST};
	struct rte_eth_conf conf;
	struct device *d = calloc(1, sizeof *d);
	uint16_t port;

	memset(&conf, 0, sizeof conf);
	if (!d || rte_vdev_init(name, arguments) || rte_eth_dev_get_port_by_name(name, &port))
		return 1;
	if (rte_eth_dev_configure(port, 1, 1, &conf) || rte_eth_rx_queue_setup(port, 0, 512, 0, NULL, pool) ||
	    rte_eth_tx_queue_setup(port, 0, 512, 0, NULL) || rte_eth_dev_start(port))
		return 2;
	rte_eth_promiscuous_enable(port);
	d->in = rte_swx_port_ethdev_reader_ops.create(&in);
	d->out = rte_swx_port_ethdev_writer_ops.create(&out);
	if (!d->in || !d->out)
		return 3;
	devices[number] = d;
	numbers[n_devices++] = number;
	return 0;
}

/* Arguments: u64 now, u32 n, n times (u32 port, name, arguments). Answer if status is not 0: which. */
int32_t devices_begin(struct request *r)
{
	char name[RTE_SWX_CTL_NAME_SIZE], arguments[RTE_SWX_CTL_NAME_SIZE];
	uint64_t now = get_u64(r);
	uint32_t i, n = get_u32(r);

	clock_offset = (int64_t)(now - monotonic());
	pool = rte_pktmbuf_pool_create("p4nic", MBUFS, 0, 0, RTE_PKTMBUF_HEADROOM + ROOM, 0);
	if (!pool || n > sizeof numbers / sizeof *numbers)
		return -1;
	for (i = 0; i < n; i++) {
		uint32_t number = get_u32(r);

		get_name(r, name);
		get_name(r, arguments);
		if (r->bad || number >= target.info.n_ports_in || open_one(number, name, arguments)) {
			put_u32(i);
			return -2;
		}
	}
	devices_open = 1;
	return 0;
}

/* --- packets --- */

/* 1 if the port has a device, and `pkt` may be from it: then `*got` says whether it is. */
int devices_receive(uint32_t port, struct rte_swx_pkt *pkt, int *got)
{
	struct device *d = port < MOST_PORTS ? devices[port] : NULL;

	if (!d)
		return 0;
	*got = !closed && rte_swx_port_ethdev_reader_ops.pkt_rx(d->in, pkt);
	if (*got) {
		inside++;
		received++;
	}
	return 1;
}

static struct rte_mbuf *copied(const struct rte_swx_pkt *pkt, uint32_t length)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	if (m && length <= ROOM) {
		memcpy(rte_pktmbuf_append(m, length), pkt->pkt + pkt->offset, length);
		return m;
	}
	rte_pktmbuf_free(m);
	lost++;
	return NULL;
}

static void send_mbuf(struct device *d, struct rte_mbuf *m)
{
	struct rte_swx_pkt pkt = {.handle = m, .pkt = m->buf_addr, .offset = m->data_off, .length = m->pkt_len};

	rte_swx_port_ethdev_writer_ops.pkt_tx(d->out, &pkt);
}

static void keep(uint32_t port, const struct rte_swx_pkt *pkt, uint32_t length)
{
	struct waiting *w = n_waiting < MOST_WAITING ? malloc(sizeof *w + length) : NULL;

	if (!w) {
		lost++;
		return;
	}
	*w = (struct waiting){NULL, port, length};
	memcpy(w->bytes, pkt->pkt + pkt->offset, length);
	*last = w;
	last = &w->next;
	n_waiting++;
}

/* A packet leaves, or a copy of it. `from_device`: it came from one. 0 if it is not ours to send. */
int devices_send(uint32_t port, struct rte_swx_pkt *pkt, uint32_t longest, int from_device, int is_copy)
{
	struct device *d = port < MOST_PORTS ? devices[port] : NULL;
	uint32_t length = pkt->length < longest ? pkt->length : longest;

	if (!d && !from_device)
		return 0;
	if (length > ROOM) {
		lost++; /* also a length that has wrapped below 0 */
	} else if (d && from_device && !is_copy) {
		inside--;
		rte_swx_port_ethdev_writer_ops.pkt_tx(d->out, pkt);
		return 1;
	} else if (d) {
		struct rte_mbuf *m = copied(pkt, length);

		if (m)
			send_mbuf(d, m);
	} else {
		keep(port, pkt, length);
	}
	if (from_device && !is_copy)
		devices_discard(pkt);
	return 1;
}

void devices_discard(struct rte_swx_pkt *pkt)
{
	rte_pktmbuf_free(pkt->handle);
	inside--;
}

static void flush(void)
{
	uint32_t i;

	for (i = 0; i < n_devices; i++)
		rte_swx_port_ethdev_writer_ops.flush(devices[numbers[i]]->out);
}

/* --- running --- */

/* Until a request can be read from `fd`. */
void devices_run(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint32_t idle = 0;

	closed = 0;
	while (poll(&wait, 1, idle > IDLE_ROUNDS ? 1 : 0) == 0) {
		uint64_t before = received;

		clock_set(monotonic() + clock_offset);
		rte_swx_pipeline_run(target.pipeline, ROUND);
		flush();
		flush(); /* DPDK's writer sends what waits with the second flush in a row */
		idle = received == before && !inside ? idle + 1 : 0;
	}
}

/* Nothing is inside any more, and nothing comes in until devices_run(). */
void devices_drain(void)
{
	uint32_t i;

	closed = 1;
	for (i = 0; inside && i < MOST_DRAIN; i++)
		rte_swx_pipeline_run(target.pipeline, ROUND / 16);
	if (inside)
		_exit(3); /* it recirculates for ever */
	flush();
	flush();
}

/* Answer: u32 lost, then frames as u8 1, u32 port, u32 length, bytes; then 0. */
int32_t devices_frames(void)
{
	put_u32(lost);
	lost = 0;
	while (first) {
		struct waiting *w = first;

		put_u8(1);
		put_u32(w->port);
		put_u32(w->length);
		put_bytes(w->bytes, w->length);
		first = w->next;
		free(w);
	}
	last = &first;
	n_waiting = 0;
	put_u8(0);
	return 0;
}
