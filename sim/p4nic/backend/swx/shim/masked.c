/* Tables with prefixes or masks, written without rte_swx_ctl.h.
 *
 * DPDK keeps such a table in rte_acl, which cannot be changed, only built anew from all entries. Its control
 * API does so at every commit, and compares each new entry with every other one before: 10,000 entries cost a
 * second, ten times as many a hundred. Here entries are found by a hash of key and mask, and a commit builds each
 * table that changed once. What is built goes into both of the states DPDK swaps, as its own commit does.
 */
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define FIRST_CHAINS 1024

struct kept {
	struct rte_swx_table_entry entry; /* first: a list of these is DPDK's list of entries */
	struct kept *next;                /* in its chain */
};

struct masked {
	struct rte_swx_table_params params;
	struct rte_swx_table_ops ops;
	char args[RTE_SWX_CTL_NAME_SIZE];
	struct rte_swx_table_entry_list entries;
	struct kept **chains;
	uint32_t n_chains, n;
	int changed;
};

static struct masked **tables;

static uint32_t action_size(uint32_t table, uint32_t n_actions)
{
	struct rte_swx_ctl_table_action_info use;
	struct rte_swx_ctl_action_info action;
	struct rte_swx_ctl_action_arg_info argument;
	uint32_t i, j, widest = 0;

	for (i = 0; i < n_actions; i++) {
		uint32_t size = 0;

		rte_swx_ctl_table_action_info_get(target.pipeline, table, i, &use);
		rte_swx_ctl_action_info_get(target.pipeline, use.action_id, &action);
		for (j = 0; j < action.n_args; j++) {
			rte_swx_ctl_action_arg_info_get(target.pipeline, use.action_id, j, &argument);
			size += argument.n_bits / 8;
		}
		if (size > widest)
			widest = size;
	}
	return widest;
}

/* As rte_swx_ctl_pipeline_create() computes them for itself. */
static int parameters(uint32_t table, const struct rte_swx_ctl_table_info *info, struct rte_swx_table_params *p)
{
	struct rte_swx_ctl_table_match_field_info field;
	uint32_t i, first = UINT32_MAX, last = 0, end = 0;

	for (i = 0; i < info->n_match_fields; i++) {
		rte_swx_ctl_table_match_field_info_get(target.pipeline, table, i, &field);
		if (field.offset < first)
			first = field.offset;
		if (field.offset >= last) {
			last = field.offset;
			end = field.offset + field.n_bits;
		}
	}
	p->match_type = RTE_SWX_TABLE_MATCH_WILDCARD;
	p->key_offset = first / 8;
	p->key_size = (end - first) / 8;
	p->key_mask0 = calloc(1, p->key_size);
	if (!p->key_mask0)
		return -1;
	for (i = 0; i < info->n_match_fields; i++) {
		rte_swx_ctl_table_match_field_info_get(target.pipeline, table, i, &field);
		memset(p->key_mask0 + (field.offset - first) / 8, 0xFF, field.n_bits / 8);
	}
	p->action_data_size = action_size(table, info->n_actions);
	p->hash_func = info->hash_func;
	p->n_keys_max = info->size;
	return 0;
}

/* Takes the table in, which has match fields and cannot be changed entry by entry. */
int masked_begin(uint32_t table, const struct rte_swx_ctl_table_info *info, const struct rte_swx_table_ops *ops)
{
	struct masked *m = calloc(1, sizeof *m);

	if (!tables)
		tables = calloc(target.info.n_tables, sizeof *tables);
	if (!m || !tables || parameters(table, info, &m->params))
		return -1;
	m->ops = *ops;
	memcpy(m->args, info->args, sizeof m->args);
	TAILQ_INIT(&m->entries);
	m->n_chains = FIRST_CHAINS;
	m->chains = calloc(m->n_chains, sizeof *m->chains);
	if (!m->chains)
		return -1;
	tables[table] = m;
	return 0;
}

int masked_has(uint32_t table) { return tables && tables[table]; }

static uint32_t hash(const struct masked *m, const uint8_t *key, const uint8_t *mask)
{
	uint32_t value = 2166136261u, i;

	for (i = 0; i < m->params.key_size; i++)
		value = ((value ^ key[i]) * 16777619u ^ mask[i]) * 16777619u;
	return value ^ value >> 16;
}

static struct kept **place(struct masked *m, const uint8_t *key, const uint8_t *mask)
{
	struct kept **at = &m->chains[hash(m, key, mask) & (m->n_chains - 1)];

	while (*at && (memcmp((*at)->entry.key, key, m->params.key_size) ||
		       memcmp((*at)->entry.key_mask, mask, m->params.key_size)))
		at = &(*at)->next;
	return at;
}

static void grow(struct masked *m)
{
	uint32_t old = m->n_chains, i;
	struct kept **before = m->chains, *kept, *next;
	struct kept **chains = calloc(old * 2, sizeof *chains);

	if (!chains)
		return; /* longer chains are slower, and as good */
	m->chains = chains;
	m->n_chains = old * 2;
	for (i = 0; i < old; i++)
		for (kept = before[i]; kept; kept = next) {
			struct kept **at = &chains[hash(m, kept->entry.key, kept->entry.key_mask) & (m->n_chains - 1)];

			next = kept->next;
			kept->next = *at;
			*at = kept;
		}
	free(before);
}

static struct kept *keep(struct masked *m, const struct rte_swx_table_entry *entry)
{
	uint32_t size = m->params.key_size;
	struct kept *kept = calloc(1, sizeof *kept + 2 * size + m->params.action_data_size);
	uint8_t *room = (uint8_t *)(kept + 1);

	if (!kept)
		return NULL;
	kept->entry.key = memcpy(room, entry->key, size);
	kept->entry.key_mask = memcpy(room + size, entry->key_mask, size);
	kept->entry.action_data = room + 2 * size;
	TAILQ_INSERT_TAIL(&m->entries, &kept->entry, node);
	m->n++;
	return kept;
}

int masked_add(uint32_t table, const struct rte_swx_table_entry *entry, uint16_t data_size)
{
	struct masked *m = tables[table];
	struct kept **at;

	if (!entry->key_mask || data_size > m->params.action_data_size)
		return -1;
	if (m->n > m->n_chains)
		grow(m);
	at = place(m, entry->key, entry->key_mask);
	if (!*at)
		*at = keep(m, entry);
	if (!*at)
		return -1;
	(*at)->entry.key_priority = entry->key_priority;
	(*at)->entry.action_id = entry->action_id;
	memset((*at)->entry.action_data, 0, m->params.action_data_size);
	memcpy((*at)->entry.action_data, entry->action_data, data_size);
	m->changed = 1;
	return 0;
}

int masked_delete(uint32_t table, const struct rte_swx_table_entry *entry)
{
	struct masked *m = tables[table];
	struct kept **at, *gone;

	if (!entry->key_mask)
		return -1;
	at = place(m, entry->key, entry->key_mask);
	gone = *at;
	if (!gone)
		return 0;
	*at = gone->next;
	TAILQ_REMOVE(&m->entries, &gone->entry, node);
	free(gone);
	m->n--;
	m->changed = 1;
	return 0;
}

/* Builds what changed. A table that cannot be built stays as it was, and is tried again with the next commit. */
int masked_commit(struct rte_swx_table_state *states[2])
{
	uint32_t i;

	for (i = 0; tables && i < target.info.n_tables; i++) {
		struct masked *m = tables[i];
		void *object;

		if (!m || !m->changed)
			continue;
		object = m->ops.create(&m->params, &m->entries, m->args, 0);
		if (!object)
			return -12;
		m->ops.free(states[0][i].obj);
		states[0][i].obj = states[1][i].obj = object;
		m->changed = 0;
	}
	return 0;
}
