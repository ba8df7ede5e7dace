/* Ports in memory. One packet at a time: it is put before its input port, the pipeline runs until it is sent
 * or dropped, and what was sent is the answer. DPDK itself lets packets overtake: it runs 16 in turns, and a
 * short path ends before a long one that began earlier.
 */
#include <string.h>

#include "shim.h"

#define HEADROOM 8192  /* headers may be put in front of the frame */
#define LONGEST 65536
#define TAIL 2048      /* zeros behind the frame: what a runt's missing headers read */

enum verdict { SENT, DROPPED, ENDLESS, NEGATIVE };

#define STEP 64              /* instructions between two looks whether the packet is done */
#define MOST_STEPS (1 << 17) /* then it never will be: 8 million instructions, recirculations included */

static uint8_t buffer[HEADROOM + LONGEST + TAIL];
static uint32_t waiting_port, waiting_length;
static int waiting, done, dropped, negative;

static void *port_create(void *number) { return number; }
static void port_free(void *port) { (void)port; }

/* The packet in the buffer above, or one that a device of DPDK's received. */
static int is_ours(const struct rte_swx_pkt *pkt) { return pkt->handle == buffer; }

static int receive(void *port, struct rte_swx_pkt *pkt)
{
	int got;

	if (measuring)
		return measure_receive((uintptr_t)port - 1, pkt);
	if (!waiting && devices_open && devices_receive((uintptr_t)port - 1, pkt, &got))
		return got;
	if (!waiting || (uintptr_t)port - 1 != waiting_port)
		return 0;
	waiting = 0;
	pkt->handle = buffer;
	pkt->pkt = buffer;
	pkt->offset = HEADROOM;
	pkt->length = waiting_length;
	return 1;
}

static void copy_out(void *port, const struct rte_swx_pkt *pkt, uint32_t longest)
{
	uint32_t length = pkt->length < longest ? pkt->length : longest;

	if (measuring)
		return;
	if (devices_open) {
		devices_send((uintptr_t)port - 1, pkt, longest, !is_ours(pkt), 1);
		if (!is_ours(pkt))
			return;
	}
	if (pkt->length > LONGEST + HEADROOM) {
		/* DPDK subtracts extracted headers without a look at the length. */
		negative = 1;
		return;
	}
	put_u32((uintptr_t)port - 1);
	put_u32(length);
	put_bytes(pkt->pkt + pkt->offset, length);
}

static void transmit(void *port, struct rte_swx_pkt *pkt)
{
	if (measuring) {
		measure_finish(pkt, 0);
		return;
	}
	if (devices_open && !is_ours(pkt)) {
		devices_send((uintptr_t)port - 1, pkt, UINT32_MAX, 1, 0);
		return;
	}
	copy_out(port, pkt, UINT32_MAX);
	done = 1;
}

static void transmit_clone(void *port, struct rte_swx_pkt *pkt, uint32_t longest)
{
	copy_out(port, pkt, longest);
}

static void transmit_fast_clone(void *port, struct rte_swx_pkt *pkt)
{
	copy_out(port, pkt, UINT32_MAX);
}

static void discard(void *port, struct rte_swx_pkt *pkt)
{
	(void)port;
	if (measuring)
		measure_finish(pkt, 1);
	if (devices_open && !is_ours(pkt)) {
		devices_discard(pkt);
		return;
	}
	dropped = done = 1;
}

static void discard_fast_clone(void *port, struct rte_swx_pkt *pkt)
{
	(void)port;
	(void)pkt;
}

static void discard_clone(void *port, struct rte_swx_pkt *pkt, uint32_t longest)
{
	(void)port;
	(void)pkt;
	(void)longest;
}

static void *discard_create(void *arguments)
{
	(void)arguments;
	return buffer;
}

static void in_statistics(void *port, struct rte_swx_port_in_stats *s)
{
	(void)port;
	memset(s, 0, sizeof *s);
}

static void out_statistics(void *port, struct rte_swx_port_out_stats *s)
{
	(void)port;
	memset(s, 0, sizeof *s);
}

static struct rte_swx_port_in_ops in_ops = {
	.create = port_create, .free = port_free, .pkt_rx = receive, .stats_read = in_statistics,
};
static struct rte_swx_port_out_ops out_ops = {
	.create = port_create, .free = port_free, .pkt_tx = transmit, .pkt_fast_clone_tx = transmit_fast_clone,
	.pkt_clone_tx = transmit_clone, .stats_read = out_statistics,
};
static struct rte_swx_port_out_ops drop_ops = {
	.create = discard_create, .free = port_free, .pkt_tx = discard, .pkt_fast_clone_tx = discard_fast_clone,
	.pkt_clone_tx = discard_clone, .stats_read = out_statistics,
};

extern struct rte_swx_port_out_ops rte_swx_port_sink_ops;

/* DPDK adds a drop port of type sink behind the others, and copies these functions when a pipeline begins. */
void ports_prepare(void) { rte_swx_port_sink_ops = drop_ops; }

void ports_as(struct rte_swx_port_in_ops *in, struct rte_swx_port_out_ops *out)
{
	*in = in_ops;
	*out = out_ops;
}

int ports_attach(struct rte_swx_pipeline *p, uint32_t n_in, uint32_t n_out)
{
	uintptr_t i;
	int status;

	status = rte_swx_pipeline_port_in_type_register(p, "memory", &in_ops);
	if (!status)
		status = rte_swx_pipeline_port_out_type_register(p, "memory", &out_ops);
	for (i = 0; !status && i < n_in; i++)
		status = rte_swx_pipeline_port_in_config(p, i, "memory", (void *)(i + 1));
	for (i = 0; !status && i < n_out; i++)
		status = rte_swx_pipeline_port_out_config(p, i, "memory", (void *)(i + 1));
	return status;
}

static enum verdict run_one(void)
{
	uint32_t step;

	for (step = 0; !done && step < MOST_STEPS; step++)
		rte_swx_pipeline_run(target.pipeline, STEP);
	if (!done)
		return ENDLESS;
	if (negative)
		return NEGATIVE;
	return dropped ? DROPPED : SENT;
}

int32_t ports_process(struct request *r)
{
	uint32_t i, n;

	clock_set(get_u64(r));
	n = get_u32(r);
	for (i = 0; i < n && !r->bad; i++) {
		const uint8_t *frame;
		enum verdict verdict;

		*progress = i;
		waiting_port = get_u32(r);
		waiting_length = get_u32(r);
		if (waiting_length > LONGEST)
			return -1;
		frame = get_bytes(r, waiting_length);
		if (r->bad)
			return -1;
		memcpy(buffer + HEADROOM, frame, waiting_length);
		memset(buffer + HEADROOM + waiting_length, 0, TAIL);
		waiting = 1;
		done = dropped = negative = 0;
		put_u8(1); /* packet follows: its copies, then 0xFFFFFFFF and the verdict */
		verdict = run_one();
		put_u32(UINT32_MAX);
		put_u8(verdict);
		if (verdict == ENDLESS)
			return 0; /* the packet is still inside: nothing can be sent through any more */
	}
	put_u8(0);
	put_u64(learned_soonest());
	return r->bad ? -1 : 0;
}
