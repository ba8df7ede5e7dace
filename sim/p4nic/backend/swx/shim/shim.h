/* The small program around DPDK's SWX pipeline: what its files share.
 *
 * main.c    starts DPDK once and forks one process per pipeline
 * serve.c   reads requests from a socket, answers them
 * wire.c    bytes of requests and answers
 * ports.c   ports in memory: one packet in, its copies out
 * measure.c the same ports without the outside: how fast the pipeline is
 * control.c tables, selectors, registers, meters, statistics
 * masked.c  tables with prefixes or masks
 * devices.c ports of DPDK's own: AF_PACKET, TAP, rings
 * learned.c DPDK's learner tables on a clock of ours, and what they hold
 */
#ifndef P4NIC_SHIM_H
#define P4NIC_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <rte_swx_ctl.h>
#include <rte_swx_pipeline.h>

/* --- wire --- */

/* A request as it is read. `bad` is set by a read past its end, and never cleared. */
struct request {
	const uint8_t *at;
	const uint8_t *end;
	int bad;
};

uint8_t get_u8(struct request *r);
uint16_t get_u16(struct request *r);
uint32_t get_u32(struct request *r);
uint64_t get_u64(struct request *r);
const uint8_t *get_bytes(struct request *r, size_t n);
/* A name: 16 bits of length, then that many bytes. Copied into `out`, ended by 0. */
void get_name(struct request *r, char out[RTE_SWX_CTL_NAME_SIZE]);

/* The answer under construction; grows as needed. */
void answer_begin(void);
void put_u8(uint8_t v);
void put_u16(uint16_t v);
void put_u32(uint32_t v);
void put_u64(uint64_t v);
void put_bytes(const void *bytes, size_t n);
void put_name(const char *name);
/* Sends the answer with this status; 0 if the peer is gone. */
int answer_send(int fd, int32_t status);
/* The next request, 0 if the peer is gone. The bytes live until the next call. */
int request_receive(int fd, struct request *r);

/* --- the pipeline of this process --- */

struct target {
	struct rte_swx_pipeline *pipeline;
	struct rte_swx_ctl_pipeline *control;
	struct rte_swx_ctl_pipeline_info info;
};

extern struct target target;

/* Which packet of the burst is being processed: shared with the parent, so that it can tell after a crash. */
extern volatile uint32_t *progress;

void serve(int fd);

/* --- ports --- */

void ports_prepare(void);
int ports_attach(struct rte_swx_pipeline *p, uint32_t n_in, uint32_t n_out);
/* Makes one of DPDK's own kinds of ports behave like ports in memory. */
void ports_as(struct rte_swx_port_in_ops *in, struct rte_swx_port_out_ops *out);
/* A burst: u64 now, u32 n, n times (u32 port, u32 length, bytes). */
int32_t ports_process(struct request *r);

/* --- measurements --- */

/* The ports serve a measurement, and learners go by the processor's clock. */
extern int measuring;
int measure_receive(uint32_t port, struct rte_swx_pkt *pkt);
void measure_finish(struct rte_swx_pkt *pkt, int is_drop);
int32_t measure(struct request *r);
int32_t measure_codegen(struct request *r);
/* A pipeline with the compiled code of measure_codegen() in it. */
int measure_build(struct rte_swx_pipeline **pipeline, const char *library, uint32_t n_in, uint32_t n_out);

/* --- DPDK's own ports --- */

extern int devices_open;
int32_t devices_begin(struct request *r);
int devices_receive(uint32_t port, struct rte_swx_pkt *pkt, int *got);
int devices_send(uint32_t port, struct rte_swx_pkt *pkt, uint32_t longest, int from_device, int is_copy);
void devices_discard(struct rte_swx_pkt *pkt);
void devices_run(int fd);
void devices_drain(void);
int32_t devices_frames(void);

/* --- control: each reads its arguments, puts its answer, returns a status --- */

int control_begin(void);
void control_describe(void);
int32_t control_commit(struct request *r);
int32_t control_register_read(struct request *r);
int32_t control_register_write(struct request *r);
int32_t control_register_read_key(struct request *r);
int32_t control_register_write_key(struct request *r);
int32_t control_statistics(void);
int32_t control_group_add(struct request *r);
int32_t control_group_delete(struct request *r);
int32_t control_member(struct request *r);
int32_t control_mirror(struct request *r);
int32_t control_timeout(struct request *r);
int32_t control_meter_profile(struct request *r);
int32_t control_meter(struct request *r);
int32_t control_meter_key(struct request *r);

/* --- tables with prefixes or masks; each returns 0 if all is well --- */

int masked_begin(uint32_t table, const struct rte_swx_ctl_table_info *info, const struct rte_swx_table_ops *ops);
int masked_has(uint32_t table);
int masked_add(uint32_t table, const struct rte_swx_table_entry *entry, uint16_t data_size);
int masked_delete(uint32_t table, const struct rte_swx_table_entry *entry);
int masked_commit(struct rte_swx_table_state *states[2]);

/* --- learners --- */

void clock_set(uint64_t now_ns);
int learned_begin(void);
uint64_t learned_soonest(void);
int32_t learned_list(struct request *r);
int32_t learned_find(struct request *r);
int32_t learned_delete(struct request *r);

#endif
