/* How fast the pipeline is: frames from memory, over and over, for a given time, without Python in between.
 *
 * Ports are in memory, as in ports.c, but the pipeline is let run as DPDK means it to: 16 packets in turns,
 * and learners on the processor's clock. Each packet is copied once, into a buffer that has just been freed,
 * as a network card would have written it.
 *
 * Two routes to the pipeline: interpreted, as serve.c builds it; or code that DPDK generated from the .spec
 * and the caller compiled. For the second DPDK takes its ports from a description (iospec), where it knows its
 * own kinds only. So "ring" there means ours: DPDK copies these functions when a pipeline begins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_swx_port_ring.h>

#include "shim.h"

#define SLOTS 64       /* 16 packets are in the pipeline at once */
#define HEADROOM 1024  /* a multiple of a cache line: frames lie aligned */
#define LONGEST 9216
#define BATCH 4096     /* instructions between two looks at the clock */
#define PATIENCE 5     /* seconds without a finished packet: it never will be */

int measuring;

struct slot {
	uint8_t bytes[HEADROOM + LONGEST];
} __attribute__((aligned(64)));

static struct slot *slots;
static struct slot *unused[SLOTS];
static uint32_t n_unused;

struct frame {
	const uint8_t *bytes;
	uint32_t length;
};

/* The frames of one input port, in turn. */
static struct source {
	struct frame *frames;
	uint32_t n, next;
} *sources;
static uint32_t n_sources;

static uint64_t received, most, sent, dropped;

/* --- ports --- */

int measure_receive(uint32_t port, struct rte_swx_pkt *pkt)
{
	struct source *s = &sources[port];
	const struct frame *f;
	struct slot *slot;

	if (port >= n_sources || !s->n || !n_unused || received >= most)
		return 0;
	f = &s->frames[s->next];
	if (++s->next == s->n)
		s->next = 0;
	slot = unused[--n_unused];
	memcpy(slot->bytes + HEADROOM, f->bytes, f->length);
	pkt->handle = slot;
	pkt->pkt = slot->bytes;
	pkt->offset = HEADROOM;
	pkt->length = f->length;
	received++;
	return 1;
}

void measure_finish(struct rte_swx_pkt *pkt, int is_drop)
{
	unused[n_unused++] = pkt->handle;
	if (is_drop)
		dropped++;
	else
		sent++;
}

/* --- the second route --- */

/* Code for this .spec, as C. Arguments: text. Answer: the code, or why not. */
int32_t measure_codegen(struct request *r)
{
	const uint8_t *text = r->at;
	size_t length = r->end - r->at, size = 0;
	const char *message = NULL;
	char *code = NULL;
	uint32_t line = 0;
	FILE *in, *out;
	int status;

	if (!length)
		return -1;
	in = fmemopen((void *)(uintptr_t)text, length, "r");
	out = open_memstream(&code, &size);
	if (!in || !out)
		return -1;
	status = rte_swx_pipeline_codegen(in, out, &line, &message);
	fclose(in);
	fclose(out);
	if (status) {
		char said[256];

		snprintf(said, sizeof said, "line %u: %s", line, message ? message : "no reason given");
		put_bytes(said, strlen(said));
	} else {
		put_bytes(code, size);
	}
	free(code);
	return status;
}

static void *named_in(void *arguments)
{
	const struct rte_swx_port_ring_reader_params *p = arguments;

	return (void *)(strtoul(p->name + 1, NULL, 10) + 1);
}

static void *named_out(void *arguments)
{
	const struct rte_swx_port_ring_writer_params *p = arguments;

	return (void *)(strtoul(p->name + 1, NULL, 10) + 1);
}

int measure_build(struct rte_swx_pipeline **pipeline, const char *library, uint32_t n_in, uint32_t n_out)
{
	char *text = NULL;
	size_t size = 0;
	uint32_t i;
	FILE *file = open_memstream(&text, &size);
	int status;

	if (!file)
		return -1;
	for (i = 0; i < n_in; i++)
		fprintf(file, "port in %u ring p%u bsz 1\n", i, i);
	for (i = 0; i < n_out; i++)
		fprintf(file, "port out %u ring p%u bsz 1\n", i, i);
	fclose(file);
	ports_as(&rte_swx_port_ring_reader_ops, &rte_swx_port_ring_writer_ops);
	rte_swx_port_ring_reader_ops.create = named_in;
	rte_swx_port_ring_writer_ops.create = named_out;
	file = fmemopen(text, size, "r");
	status = file ? rte_swx_pipeline_build_from_lib(pipeline, "p4nic", library, file, 0) : -1;
	if (file)
		fclose(file);
	free(text);
	return status;
}

/* --- the measurement --- */

static uint64_t nanoseconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static int take_frames(struct request *r, uint32_t n)
{
	uint32_t i, pass, port, length;
	const uint8_t *bytes, *begin = r->at;

	n_sources = target.info.n_ports_in;
	sources = calloc(n_sources, sizeof *sources);
	slots = aligned_alloc(64, SLOTS * sizeof *slots);
	if (!sources || !slots)
		return -1;
	memset(slots, 0, SLOTS * sizeof *slots);
	for (n_unused = 0; n_unused < SLOTS; n_unused++)
		unused[n_unused] = &slots[n_unused];
	for (pass = 0; pass < 2; pass++) { /* count, then note */
		r->at = begin;
		for (i = 0; i < n; i++) {
			struct source *s;

			port = get_u32(r);
			length = get_u32(r);
			bytes = get_bytes(r, length);
			if (r->bad || port >= n_sources || length > LONGEST)
				return -1;
			s = &sources[port];
			if (pass)
				s->frames[s->next++] = (struct frame){bytes, length};
			else
				s->n++;
		}
		for (i = 0; i < n_sources; i++) {
			if (!pass && sources[i].n)
				sources[i].frames = calloc(sources[i].n, sizeof *sources[i].frames);
			sources[i].next = 0;
		}
	}
	return 0;
}

static void give_frames_back(void)
{
	uint32_t i;

	for (i = 0; sources && i < n_sources; i++)
		free(sources[i].frames);
	free(sources);
	free(slots);
	sources = NULL;
	slots = NULL;
}

/* Runs until `packets` are done or the cycles are over; 0 if nothing comes out any more. */
static int run_until(uint64_t packets, uint64_t cycles)
{
	uint64_t begin = rte_rdtsc(), patience = begin + PATIENCE * rte_get_tsc_hz(), before = 0;

	received = sent = dropped = 0;
	most = packets;
	for (;;) {
		uint64_t now;

		rte_swx_pipeline_run(target.pipeline, BATCH);
		now = rte_rdtsc();
		if (sent + dropped >= packets || now - begin >= cycles)
			return 1;
		if (sent + dropped != before) {
			before = sent + dropped;
			patience = now + PATIENCE * rte_get_tsc_hz();
		} else if (now > patience) {
			return 0;
		}
	}
}

/* Let what is inside come out, so that the next run begins with nothing. */
static int drain(void)
{
	uint32_t i;

	most = 0;
	for (i = 0; i < 65536 && n_unused < SLOTS; i++)
		rte_swx_pipeline_run(target.pipeline, BATCH / 16);
	return n_unused == SLOTS;
}

static int measured(uint64_t packets, uint64_t nanoseconds)
{
	uint64_t cpu = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID), wall = nanoseconds_of(CLOCK_MONOTONIC);
	uint64_t begin = rte_rdtsc();
	int good = run_until(packets, (double)nanoseconds * rte_get_tsc_hz() / 1e9);

	put_u64(sent);
	put_u64(dropped);
	put_u64(rte_rdtsc() - begin);
	put_u64(nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu);
	put_u64(nanoseconds_of(CLOCK_MONOTONIC) - wall);
	put_u64(rte_get_tsc_hz());
	return good;
}

/* Arguments: u32 laps to warm up, u64 most packets, u64 nanoseconds, u32 n, n times (u32 port, u32 length,
 * bytes). Answer: u64 sent, dropped, cycles, processor ns, wall-clock ns, cycles per second. Status -2: a
 * packet does not come to an end.
 */
int32_t measure(struct request *r)
{
	uint32_t laps = get_u32(r), n;
	uint64_t packets = get_u64(r), nanoseconds = get_u64(r);
	int status = 0;

	n = get_u32(r);
	measuring = 1;
	if (r->bad || !n || take_frames(r, n))
		status = -1;
	else if ((laps && !run_until((uint64_t)laps * n, UINT64_MAX)) || !measured(packets, nanoseconds) || !drain())
		status = -2;
	if (status != -2)
		give_frames_back();
	measuring = 0;
	return status;
}
