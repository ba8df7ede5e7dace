/* Tables, selectors, registers, meters and statistics, through rte_swx_ctl.h. */
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define MOST_ACTIONS 4096
#define MOST_TABLES 1024
#define MOST_DATA 65536

/* --- what the pipeline has --- */

static void describe_actions(void)
{
	struct rte_swx_ctl_action_info action;
	struct rte_swx_ctl_action_arg_info argument;
	uint32_t i, j;

	put_u32(target.info.n_actions);
	for (i = 0; i < target.info.n_actions; i++) {
		rte_swx_ctl_action_info_get(target.pipeline, i, &action);
		put_name(action.name);
		put_u32(action.n_args);
		for (j = 0; j < action.n_args; j++) {
			rte_swx_ctl_action_arg_info_get(target.pipeline, i, j, &argument);
			put_u32(argument.n_bits);
			put_u8(argument.is_network_byte_order != 0);
		}
	}
}

static void describe_field(const struct rte_swx_ctl_table_match_field_info *field)
{
	put_u8(field->match_type);
	put_u8(field->is_header != 0);
	put_u32(field->n_bits);
	put_u32(field->offset);
}

static void describe_tables(void)
{
	struct rte_swx_ctl_table_info table;
	struct rte_swx_ctl_table_match_field_info field;
	uint32_t i, j;

	put_u32(target.info.n_tables);
	for (i = 0; i < target.info.n_tables; i++) {
		rte_swx_ctl_table_info_get(target.pipeline, i, &table);
		put_name(table.name);
		put_u32(table.n_match_fields);
		for (j = 0; j < table.n_match_fields; j++) {
			rte_swx_ctl_table_match_field_info_get(target.pipeline, i, j, &field);
			describe_field(&field);
		}
	}
}

static void describe_learners(void)
{
	struct rte_swx_ctl_learner_info learner;
	struct rte_swx_ctl_table_match_field_info field;
	uint32_t i, j;

	put_u32(target.info.n_learners);
	for (i = 0; i < target.info.n_learners; i++) {
		rte_swx_ctl_learner_info_get(target.pipeline, i, &learner);
		put_name(learner.name);
		put_u32(learner.n_match_fields);
		for (j = 0; j < learner.n_match_fields; j++) {
			rte_swx_ctl_learner_match_field_info_get(target.pipeline, i, j, &field);
			describe_field(&field);
		}
	}
}

/* Actions, then tables, then learners, in DPDK's order: their positions are their numbers. */
void control_describe(void)
{
	describe_actions();
	describe_tables();
	describe_learners();
}

/* --- tables --- */

enum change { ADD = 1, DELETE = 2, DEFAULT = 3 };

/* A table that takes single entries (exact match) is written directly, through the functions DPDK gives out
 * for it. The other way, rte_swx_ctl_pipeline_table_entry_add(), compares each new entry with all that are
 * there. DPDK keeps two states of all tables and swaps them at a commit: both are written, with the same
 * changes in the same order, so that an entry has the same place in both. A table that does not take single
 * entries is written directly too: masked.c.
 */
static struct rte_swx_table_state *states[2];
static struct direct {
	char name[RTE_SWX_CTL_NAME_SIZE];
	struct rte_swx_table_ops ops;
} direct[MOST_TABLES];

/* Something waits for rte_swx_ctl_pipeline_commit(). */
static int pending;

int control_begin(void)
{
	struct rte_swx_ctl_table_info info;
	uint32_t i;

	if (target.info.n_tables > MOST_TABLES)
		return -1;
	rte_swx_pipeline_table_state_get(target.pipeline, &states[0]);
	if (rte_swx_ctl_pipeline_commit(target.control, 1))
		return -1;
	rte_swx_pipeline_table_state_get(target.pipeline, &states[1]);
	for (i = 0; i < target.info.n_tables; i++) {
		int is_stub = 1;

		rte_swx_ctl_table_info_get(target.pipeline, i, &info);
		rte_swx_ctl_table_ops_get(target.pipeline, i, &direct[i].ops, &is_stub);
		if (is_stub)
			continue;
		if (direct[i].ops.add && direct[i].ops.del)
			strcpy(direct[i].name, info.name);
		else if (masked_begin(i, &info, &direct[i].ops))
			return -1;
		if (masked_has(i))
			strcpy(direct[i].name, info.name);
	}
	return states[0] == states[1];
}

static int apply_directly(uint32_t table, enum change change, struct rte_swx_table_entry *entry, uint16_t size)
{
	static uint8_t data[MOST_DATA]; /* the table copies as much as its widest action needs */
	int i, status = 0;

	if (masked_has(table))
		return change == ADD ? masked_add(table, entry, size) : masked_delete(table, entry);
	if (size > sizeof data)
		return -1;
	memset(data, 0, sizeof data);
	memcpy(data, entry->action_data, size);
	entry->action_data = data;
	for (i = 0; i < 2 && !status; i++) {
		void *object = states[i][table].obj;

		status = change == ADD ? direct[table].ops.add(object, entry) : direct[table].ops.del(object, entry);
	}
	return status;
}

static uint32_t direct_number(const char *table)
{
	uint32_t i;

	for (i = 0; i < target.info.n_tables; i++)
		if (!strcmp(direct[i].name, table))
			return i;
	return UINT32_MAX;
}

static int apply(struct request *r)
{
	struct rte_swx_table_entry entry;
	char table[RTE_SWX_CTL_NAME_SIZE];
	enum change change = get_u8(r);
	uint32_t number;
	uint16_t n;

	memset(&entry, 0, sizeof entry);
	get_name(r, table);
	n = get_u16(r);
	entry.key = (uint8_t *)(uintptr_t)get_bytes(r, n);
	n = get_u16(r);
	entry.key_mask = n ? (uint8_t *)(uintptr_t)get_bytes(r, n) : NULL;
	entry.key_priority = get_u32(r);
	entry.action_id = get_u32(r);
	n = get_u16(r);
	entry.action_data = (uint8_t *)(uintptr_t)get_bytes(r, n);
	if (r->bad)
		return -1;
	number = direct_number(table);
	if (number != UINT32_MAX && change != DEFAULT)
		return apply_directly(number, change, &entry, n);
	pending = 1;
	switch (change) {
	case ADD:
		return rte_swx_ctl_pipeline_table_entry_add(target.control, table, &entry);
	case DELETE:
		return rte_swx_ctl_pipeline_table_entry_delete(target.control, table, &entry);
	case DEFAULT:
		return rte_swx_ctl_pipeline_table_default_entry_add(target.control, table, &entry);
	}
	return -1;
}

/* All changes, then one commit, between two bursts. Answer: number of the change that failed; what was written
 * directly before it stays, and is set right by the next request.
 */
int32_t control_commit(struct request *r)
{
	uint32_t i, n = get_u32(r);
	int status = 0;

	for (i = 0; i < n && !status; i++)
		status = apply(r);
	put_u32(status ? i - 1 : UINT32_MAX);
	if (!status)
		status = masked_commit(states);
	if (status)
		rte_swx_ctl_pipeline_abort(target.control);
	else if (pending)
		status = rte_swx_ctl_pipeline_commit(target.control, 1);
	pending = 0;
	return status;
}

/* --- registers --- */

int32_t control_register_read(struct request *r)
{
	char name[RTE_SWX_CTL_NAME_SIZE];
	uint64_t value = 0;
	int status;

	get_name(r, name);
	status = rte_swx_ctl_pipeline_regarray_read(target.pipeline, name, get_u32(r), &value);
	put_u64(value);
	return status;
}

int32_t control_register_write(struct request *r)
{
	char name[RTE_SWX_CTL_NAME_SIZE];
	uint32_t index;

	get_name(r, name);
	index = get_u32(r);
	return rte_swx_ctl_pipeline_regarray_write(target.pipeline, name, index, get_u64(r));
}

static uint8_t *get_key(struct request *r)
{
	uint16_t n = get_u16(r);

	return (uint8_t *)(uintptr_t)get_bytes(r, n);
}

int32_t control_register_read_key(struct request *r)
{
	char name[RTE_SWX_CTL_NAME_SIZE], table[RTE_SWX_CTL_NAME_SIZE];
	uint64_t value = 0;
	int status;

	get_name(r, name);
	get_name(r, table);
	status = rte_swx_ctl_pipeline_regarray_read_with_key(target.pipeline, name, table, get_key(r), &value);
	put_u64(value);
	return status;
}

int32_t control_register_write_key(struct request *r)
{
	char name[RTE_SWX_CTL_NAME_SIZE], table[RTE_SWX_CTL_NAME_SIZE];
	uint8_t *key;

	get_name(r, name);
	get_name(r, table);
	key = get_key(r);
	return rte_swx_ctl_pipeline_regarray_write_with_key(target.pipeline, name, table, key, get_u64(r));
}

/* --- statistics --- */

int32_t control_statistics(void)
{
	static uint64_t actions[MOST_ACTIONS];
	struct rte_swx_ctl_table_info table;
	struct rte_swx_ctl_learner_info learner;
	uint32_t i;

	if (target.info.n_actions > MOST_ACTIONS)
		return -1;
	for (i = 0; i < target.info.n_tables; i++) {
		struct rte_swx_table_stats s = {.n_pkts_action = actions};

		rte_swx_ctl_table_info_get(target.pipeline, i, &table);
		rte_swx_ctl_pipeline_table_stats_read(target.pipeline, table.name, &s);
		put_u64(s.n_pkts_hit);
		put_u64(s.n_pkts_miss);
	}
	for (i = 0; i < target.info.n_learners; i++) {
		struct rte_swx_learner_stats s = {.n_pkts_action = actions};

		rte_swx_ctl_learner_info_get(target.pipeline, i, &learner);
		rte_swx_ctl_pipeline_learner_stats_read(target.pipeline, learner.name, &s);
		put_u64(s.n_pkts_hit);
		put_u64(s.n_pkts_miss);
		put_u64(s.n_pkts_learn_ok);
		put_u64(s.n_pkts_learn_err);
		put_u64(s.n_pkts_rearm);
		put_u64(s.n_pkts_forget);
	}
	return 0;
}

/* --- selectors --- */

int32_t control_group_add(struct request *r)
{
	char selector[RTE_SWX_CTL_NAME_SIZE];
	uint32_t group = 0;
	int status;

	pending = 1;
	get_name(r, selector);
	status = rte_swx_ctl_pipeline_selector_group_add(target.control, selector, &group);
	put_u32(group);
	return status;
}

int32_t control_group_delete(struct request *r)
{
	char selector[RTE_SWX_CTL_NAME_SIZE];

	pending = 1;
	get_name(r, selector);
	return rte_swx_ctl_pipeline_selector_group_delete(target.control, selector, get_u32(r));
}

/* Weight 0 takes the member out. */
int32_t control_member(struct request *r)
{
	char selector[RTE_SWX_CTL_NAME_SIZE];
	uint32_t group, member;

	pending = 1;
	get_name(r, selector);
	group = get_u32(r);
	member = get_u32(r);
	return rte_swx_ctl_pipeline_selector_group_member_add(target.control, selector, group, member,
							      get_u32(r));
}

/* --- the rest --- */

int32_t control_mirror(struct request *r)
{
	struct rte_swx_pipeline_mirroring_session_params session = {0};
	uint32_t number = get_u32(r);

	session.port_id = get_u32(r);
	session.truncation_length = get_u32(r);
	return rte_swx_ctl_pipeline_mirroring_session_set(target.pipeline, number, &session);
}

int32_t control_timeout(struct request *r)
{
	uint32_t learner = get_u32(r), timeout = get_u32(r);

	return rte_swx_ctl_pipeline_learner_timeout_set(target.pipeline, learner, timeout, get_u32(r));
}

int32_t control_meter_profile(struct request *r)
{
	struct rte_meter_trtcm_params rates = {0};
	char name[RTE_SWX_CTL_NAME_SIZE];

	get_name(r, name);
	rates.cir = get_u64(r);
	rates.pir = get_u64(r);
	rates.cbs = get_u64(r);
	rates.pbs = get_u64(r);
	return rte_swx_ctl_meter_profile_add(target.pipeline, name, &rates);
}

/* An empty profile name resets. */
int32_t control_meter(struct request *r)
{
	char array[RTE_SWX_CTL_NAME_SIZE], profile[RTE_SWX_CTL_NAME_SIZE];
	uint32_t index;

	get_name(r, array);
	index = get_u32(r);
	get_name(r, profile);
	if (!profile[0])
		return rte_swx_ctl_meter_reset(target.pipeline, array, index);
	return rte_swx_ctl_meter_set(target.pipeline, array, index, profile);
}

int32_t control_meter_key(struct request *r)
{
	char array[RTE_SWX_CTL_NAME_SIZE], table[RTE_SWX_CTL_NAME_SIZE], profile[RTE_SWX_CTL_NAME_SIZE];
	uint8_t *key;

	get_name(r, array);
	get_name(r, table);
	key = get_key(r);
	get_name(r, profile);
	if (!profile[0])
		return rte_swx_ctl_meter_reset_with_key(target.pipeline, array, table, key);
	return rte_swx_ctl_meter_set_with_key(target.pipeline, array, table, key, profile);
}
