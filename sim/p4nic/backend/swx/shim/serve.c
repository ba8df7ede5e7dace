/* Builds a pipeline from a .spec, then answers requests about it until the peer hangs up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "shim.h"

/* In librte_pipeline.a, without a header of their own: how DPDK's own tools read a .spec. */
struct pipeline_spec;
struct pipeline_spec *pipeline_spec_parse(FILE *, uint32_t *, const char **);
int pipeline_spec_configure(struct rte_swx_pipeline *, struct pipeline_spec *, const char **);

struct target target;

/* Why a pipeline could not be built; the first word of the answer's text. */
static int32_t refused(const char *stage, uint32_t line, int status, const char *message)
{
	char text[512];

	snprintf(text, sizeof text, "%s\t%u\t%d\t%s", stage, line, status, message ? message : "");
	put_bytes(text, strlen(text));
	return -1;
}

/* The interpreted pipeline: DPDK's readers of a .spec, then its interpreter of instructions. */
static int32_t build_from_text(const uint8_t *text, uint32_t length, uint32_t n_in, uint32_t n_out)
{
	struct pipeline_spec *spec;
	const char *message = NULL;
	uint32_t line = 0;
	FILE *file;
	int status;

	status = rte_swx_pipeline_config(&target.pipeline, "p4nic", 0);
	if (!status)
		status = ports_attach(target.pipeline, n_in, n_out);
	if (status)
		return refused("ports", 0, status, "");
	file = fmemopen((void *)(uintptr_t)text, length, "r");
	if (!file)
		return refused("memory", 0, 0, "");
	spec = pipeline_spec_parse(file, &line, &message);
	fclose(file);
	if (!spec)
		return refused("parse", line, 0, message);
	message = NULL;
	status = pipeline_spec_configure(target.pipeline, spec, &message);
	if (status)
		return refused("configure", 0, status, message);
	status = rte_swx_pipeline_build(target.pipeline);
	return status ? refused("build", 0, status, "") : 0;
}

/* Arguments: u32 input ports, u32 output ports, name of a compiled pipeline or "", the .spec. */
static int32_t build(struct request *r)
{
	uint32_t n_in = get_u32(r), n_out = get_u32(r);
	uint16_t size = get_u16(r);
	char *library = strndup((const char *)get_bytes(r, size), size);
	int32_t status;

	if (r->bad || target.pipeline || r->at == r->end || !library)
		return refused("request", 0, 0, "");
	ports_prepare();
	if (library[0]) {
		status = measure_build(&target.pipeline, library, n_in, n_out);
		if (status)
			return refused("library", 0, status, "");
	} else {
		status = build_from_text(r->at, r->end - r->at, n_in, n_out);
		if (status)
			return status;
	}
	free(library);
	target.control = rte_swx_ctl_pipeline_create(target.pipeline);
	if (!target.control)
		return refused("control", 0, 0, "");
	rte_swx_ctl_pipeline_info_get(target.pipeline, &target.info);
	clock_set(0);
	if (control_begin())
		return refused("tables", 0, 0, "");
	if (learned_begin())
		return refused("learners", 0, 0, "");
	control_describe();
	return 0;
}

/* Bytes of DPDK's heap in use. */
static int32_t heap(void)
{
	struct rte_malloc_socket_stats s;

	if (rte_malloc_get_socket_stats(0, &s))
		return -1;
	put_u64(s.heap_allocsz_bytes);
	return 0;
}

static int32_t dispatch(uint8_t operation, struct request *r)
{
	switch (operation) {
	case 2:
		return control_commit(r);
	case 3:
		return ports_process(r);
	case 4:
		return control_register_read(r);
	case 5:
		return control_register_write(r);
	case 6:
		return control_register_read_key(r);
	case 7:
		return control_register_write_key(r);
	case 8:
		return control_statistics();
	case 9:
		return control_group_add(r);
	case 10:
		return control_group_delete(r);
	case 11:
		return control_member(r);
	case 12:
		return control_mirror(r);
	case 13:
		return control_timeout(r);
	case 14:
		return control_meter_profile(r);
	case 15:
		return control_meter(r);
	case 16:
		return control_meter_key(r);
	case 17:
		return learned_list(r);
	case 18:
		return learned_find(r);
	case 19:
		return learned_delete(r);
	case 23:
		return devices_begin(r);
	case 24:
		return devices_frames();
	case 22:
		return heap();
	case 20:
		return measure(r);
	default:
		return -1;
	}
}

void serve(int fd)
{
	struct request r;

	for (;;) {
		uint8_t operation;
		int32_t status;

		if (devices_open)
			devices_run(fd);
		if (!request_receive(fd, &r))
			return;
		operation = get_u8(&r);
		if (devices_open && operation != 24)
			devices_drain();
		answer_begin();
		if (operation == 1)
			status = build(&r);
		else if (operation == 21)
			status = measure_codegen(&r);
		else
			status = target.control ? dispatch(operation, &r) : -1;
		if (!answer_send(fd, status))
			return;
	}
}
