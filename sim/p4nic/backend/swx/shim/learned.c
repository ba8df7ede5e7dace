/* DPDK's learner tables on a clock of ours, and what they hold.
 *
 * The linker (--wrap) sends the pipeline's calls of the learner table through here. DPDK's own code does the
 * work; it is given the switch's time in place of the processor's cycle counter, so that entries age under
 * --clock manual too. DPDK has no call to list what a learner holds. So the keys that were added are written
 * down here, and the table itself is asked about each of them: an entry is listed only if DPDK finds it.
 *
 * DPDK keeps a mailbox for each of the 16 packets in the pipeline and each learner: "the key of the last
 * lookup" lies at its end.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_swx_table_learner.h>

#include "shim.h"

#define MOST_LEARNERS 64
#define CHAINS 65536
#define LONGEST_KEY 256
#define TICK (1ULL << 32) /* cycles; the learner's time is in these */

struct record {
	struct record *next;
	uint64_t touched_ns;
	uint64_t until; /* cycles */
	uint32_t timeout_id;
	uint32_t action_id;
	uint8_t key[];
};

static struct learner {
	uint32_t key_offset, key_size, n_timeouts, data_size;
	struct record *chains[CHAINS];
} *learners[MOST_LEARNERS];

struct last {
	int hit;
	uint8_t key[LONGEST_KEY];
};

static uint64_t now_ns, cycles;
static uint64_t soonest = UINT64_MAX; /* no entry dies before these cycles */

uint64_t __real_rte_swx_table_learner_mailbox_size_get(void);
uint64_t __wrap_rte_swx_table_learner_mailbox_size_get(void);
int __real_rte_swx_table_learner_lookup(void *, void *, uint64_t, uint8_t **, uint64_t *, uint8_t **, size_t *,
					int *);
uint32_t __real_rte_swx_table_learner_add(void *, void *, uint64_t, uint64_t, uint8_t *, uint32_t);
void __real_rte_swx_table_learner_rearm(void *, void *, uint64_t);
void __real_rte_swx_table_learner_rearm_new(void *, void *, uint64_t, uint32_t);
void __real_rte_swx_table_learner_delete(void *, void *);
int __wrap_rte_swx_table_learner_lookup(void *, void *, uint64_t, uint8_t **, uint64_t *, uint8_t **, size_t *,
					int *);
uint32_t __wrap_rte_swx_table_learner_add(void *, void *, uint64_t, uint64_t, uint8_t *, uint32_t);
void __wrap_rte_swx_table_learner_rearm(void *, void *, uint64_t);
void __wrap_rte_swx_table_learner_rearm_new(void *, void *, uint64_t, uint32_t);
void __wrap_rte_swx_table_learner_delete(void *, void *);

/* --- time --- */

/* Time 0 is tick 1 of the learner: tick 0 means "no entry" to it. */
void clock_set(uint64_t ns)
{
	now_ns = ns;
	cycles = TICK + (uint64_t)((unsigned __int128)ns * rte_get_tsc_hz() / 1000000000u);
}

static uint64_t nanoseconds(uint64_t at_cycles)
{
	uint64_t hz = rte_get_tsc_hz();

	if (at_cycles == UINT64_MAX)
		return UINT64_MAX;
	return ((unsigned __int128)(at_cycles - TICK) * 1000000000u + hz - 1) / hz;
}

uint64_t learned_soonest(void) { return nanoseconds(soonest); }

/* When an entry touched now dies, as the learner computes it: whole ticks. */
static uint64_t deadline(uint32_t number, uint32_t timeout_id)
{
	uint32_t seconds = 1;
	uint64_t length;

	rte_swx_ctl_pipeline_learner_timeout_get(target.pipeline, number, timeout_id, &seconds);
	length = seconds * rte_get_tsc_hz();
	return (cycles + (length < TICK ? TICK : length)) >> 32 << 32;
}

/* --- the learners of the pipeline --- */

static uint32_t widest_data(uint32_t number, uint32_t n_actions)
{
	struct rte_swx_ctl_table_action_info use;
	struct rte_swx_ctl_action_info action;
	struct rte_swx_ctl_action_arg_info argument;
	uint32_t i, j, widest = 0;

	for (i = 0; i < n_actions; i++) {
		uint32_t size = 0;

		rte_swx_ctl_learner_action_info_get(target.pipeline, number, i, &use);
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

int learned_begin(void)
{
	struct rte_swx_ctl_learner_info info;
	struct rte_swx_ctl_table_match_field_info field;
	uint32_t i, j;

	if (target.info.n_learners > MOST_LEARNERS)
		return -1;
	for (i = 0; i < target.info.n_learners; i++) {
		struct learner *l = calloc(1, sizeof *l);
		uint32_t first = UINT32_MAX, end = 0;

		if (!l)
			return -1;
		rte_swx_ctl_learner_info_get(target.pipeline, i, &info);
		for (j = 0; j < info.n_match_fields; j++) {
			rte_swx_ctl_learner_match_field_info_get(target.pipeline, i, j, &field);
			if (field.offset / 8 < first)
				first = field.offset / 8;
			if ((field.offset + field.n_bits) / 8 > end)
				end = (field.offset + field.n_bits) / 8;
		}
		l->key_offset = first;
		l->key_size = end - first;
		l->n_timeouts = info.n_key_timeouts;
		l->data_size = widest_data(i, info.n_actions);
		if (l->key_size > LONGEST_KEY)
			return -1;
		learners[i] = l;
	}
	return 0;
}

static void *object_of(uint32_t number)
{
	struct rte_swx_table_state *states;

	rte_swx_pipeline_table_state_get(target.pipeline, &states);
	return states[target.info.n_tables + target.info.n_selectors + number].obj;
}

/* The learner whose table this is; UINT32_MAX while the pipeline is being built. */
static uint32_t number_of(void *object)
{
	uint32_t i;

	for (i = 0; i < target.info.n_learners; i++)
		if (learners[i] && object_of(i) == object)
			return i;
	return UINT32_MAX;
}

/* --- what was added --- */

static struct record **place(struct learner *l, const uint8_t *key)
{
	uint32_t hash = 2166136261u, i;
	struct record **at;

	for (i = 0; i < l->key_size; i++)
		hash = (hash ^ key[i]) * 16777619u;
	at = &l->chains[(hash ^ hash >> 16) % CHAINS];
	while (*at && memcmp((*at)->key, key, l->key_size))
		at = &(*at)->next;
	return at;
}

static void forget_record(struct record **at)
{
	struct record *gone = *at;

	*at = gone->next;
	free(gone);
}

static void touch(uint32_t number, struct record *record)
{
	record->touched_ns = now_ns;
	record->until = deadline(number, record->timeout_id);
	if (record->until < soonest)
		soonest = record->until;
}

uint64_t __wrap_rte_swx_table_learner_mailbox_size_get(void)
{
	return __real_rte_swx_table_learner_mailbox_size_get() + sizeof(struct last);
}

static struct last *last_of(void *mailbox)
{
	return (struct last *)((uint8_t *)mailbox + __real_rte_swx_table_learner_mailbox_size_get());
}

static struct record *last_record(uint32_t number, void *mailbox)
{
	struct last *last = last_of(mailbox);

	return last->hit ? *place(learners[number], last->key) : NULL;
}

int __wrap_rte_swx_table_learner_lookup(void *table, void *mailbox, uint64_t time, uint8_t **key,
					uint64_t *action_id, uint8_t **action_data, size_t *entry_id, int *hit)
{
	uint32_t number;
	int done;

	if (measuring)
		return __real_rte_swx_table_learner_lookup(table, mailbox, time, key, action_id, action_data, entry_id,
							   hit);
	done = __real_rte_swx_table_learner_lookup(table, mailbox, cycles, key, action_id, action_data,
						   entry_id, hit);
	if (!done)
		return done;
	number = number_of(table);
	if (number != UINT32_MAX) {
		struct learner *l = learners[number];
		struct last *last = last_of(mailbox);

		memcpy(last->key, *key + l->key_offset, l->key_size);
		last->hit = *hit;
	}
	return done;
}

uint32_t __wrap_rte_swx_table_learner_add(void *table, void *mailbox, uint64_t time, uint64_t action_id,
					  uint8_t *action_data, uint32_t timeout_id)
{
	uint32_t status = __real_rte_swx_table_learner_add(table, mailbox, measuring ? time : cycles, action_id,
							   action_data, timeout_id);
	uint32_t number = measuring ? UINT32_MAX : number_of(table);
	struct last *last = last_of(mailbox);
	struct record **at;
	struct learner *l;

	if (status || number == UINT32_MAX)
		return status;
	l = learners[number];
	last->hit = 1;
	at = place(l, last->key);
	if (!*at) {
		*at = calloc(1, sizeof **at + l->key_size + l->data_size);
		if (!*at)
			abort();
		memcpy((*at)->key, last->key, l->key_size);
	}
	(*at)->timeout_id = timeout_id & (l->n_timeouts - 1);
	(*at)->action_id = action_id;
	if (action_data)
		memcpy((*at)->key + l->key_size, action_data, l->data_size);
	touch(number, *at);
	return status;
}

void __wrap_rte_swx_table_learner_rearm(void *table, void *mailbox, uint64_t time)
{
	uint32_t number = measuring ? UINT32_MAX : number_of(table);
	struct record *record = number == UINT32_MAX ? NULL : last_record(number, mailbox);

	__real_rte_swx_table_learner_rearm(table, mailbox, measuring ? time : cycles);
	if (record)
		touch(number, record);
}

void __wrap_rte_swx_table_learner_rearm_new(void *table, void *mailbox, uint64_t time, uint32_t timeout_id)
{
	uint32_t number = measuring ? UINT32_MAX : number_of(table);
	struct record *record = number == UINT32_MAX ? NULL : last_record(number, mailbox);

	__real_rte_swx_table_learner_rearm_new(table, mailbox, measuring ? time : cycles, timeout_id);
	if (record) {
		record->timeout_id = timeout_id & (learners[number]->n_timeouts - 1);
		touch(number, record);
	}
}

void __wrap_rte_swx_table_learner_delete(void *table, void *mailbox)
{
	uint32_t number = measuring ? UINT32_MAX : number_of(table);

	__real_rte_swx_table_learner_delete(table, mailbox);
	if (number != UINT32_MAX && last_record(number, mailbox)) {
		forget_record(place(learners[number], last_of(mailbox)->key));
		last_of(mailbox)->hit = 0;
	}
}

/* --- requests --- */

/* Is the key in DPDK's table now? `mailbox` is left as after a packet's lookup. */
static int ask(uint32_t number, void *mailbox, uint8_t *key)
{
	uint8_t *shifted = key - learners[number]->key_offset, *data;
	uint64_t action;
	size_t entry;
	int hit = 0;

	while (!__real_rte_swx_table_learner_lookup(object_of(number), mailbox, cycles, &shifted, &action, &data,
						    &entry, &hit))
		;
	return hit;
}

static void *new_mailbox(void)
{
	void *mailbox = calloc(1, __wrap_rte_swx_table_learner_mailbox_size_get());

	if (!mailbox)
		abort();
	return mailbox;
}

static void put_record(uint32_t number, const struct record *record)
{
	const struct learner *l = learners[number];

	put_u8(1);
	put_u32(number);
	put_bytes(record->key, l->key_size);
	put_u32(record->action_id);
	put_bytes(record->key + l->key_size, l->data_size);
	put_u32(record->timeout_id);
	put_u64(record->touched_ns);
	put_u64(nanoseconds(record->until));
}

/* Arguments u64 now, u8 what. what 0: every live entry. what 1: every entry that died since, which is then
 * forgotten. Answer: entries, each after a 1; then 0 and the earliest time at which another may die.
 */
int32_t learned_list(struct request *r)
{
	void *mailbox = new_mailbox();
	uint32_t number, i;
	uint8_t dead;

	clock_set(get_u64(r));
	dead = get_u8(r);
	soonest = UINT64_MAX;
	for (number = 0; number < target.info.n_learners; number++) {
		for (i = 0; i < CHAINS; i++) {
			struct record **at = &learners[number]->chains[i];

			while (*at) {
				int alive = ask(number, mailbox, (*at)->key);

				if (alive != dead)
					put_record(number, *at);
				if (alive && (*at)->until < soonest)
					soonest = (*at)->until;
				if (!alive && dead)
					forget_record(at);
				else
					at = &(*at)->next;
			}
		}
	}
	put_u8(0);
	put_u64(learned_soonest());
	free(mailbox);
	return 0;
}

/* The learner number and the key of a request; UINT32_MAX if they do not make sense. */
static uint32_t get_key(struct request *r, uint8_t **key)
{
	uint32_t number;

	clock_set(get_u64(r));
	number = get_u32(r);
	if (number >= target.info.n_learners)
		return UINT32_MAX;
	*key = (uint8_t *)(uintptr_t)get_bytes(r, learners[number]->key_size);
	return r->bad ? UINT32_MAX : number;
}

/* Arguments u64 now, u32 learner, key. Answer: the entry after a 1, if it is alive; then 0. */
int32_t learned_find(struct request *r)
{
	uint8_t *key;
	uint32_t number = get_key(r, &key);
	void *mailbox;

	if (number == UINT32_MAX)
		return -1;
	mailbox = new_mailbox();
	if (*place(learners[number], key) && ask(number, mailbox, key))
		put_record(number, *place(learners[number], key));
	put_u8(0);
	free(mailbox);
	return 0;
}

/* Arguments u64 now, u32 learner, key. Status 0 if it was there. */
int32_t learned_delete(struct request *r)
{
	uint8_t *key;
	uint32_t number = get_key(r, &key);
	void *mailbox;
	int hit;

	if (number == UINT32_MAX)
		return -1;
	mailbox = new_mailbox();
	hit = ask(number, mailbox, key);
	if (hit)
		__real_rte_swx_table_learner_delete(object_of(number), mailbox);
	if (*place(learners[number], key))
		forget_record(place(learners[number], key));
	free(mailbox);
	return hit ? 0 : 1;
}
