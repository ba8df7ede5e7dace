"""The functions of runtime/p4nic_api.h as cffi reads them."""

MEASURING = """
typedef struct { const uint8_t *data; const uint64_t *offsets; const uint32_t *ports, *lengths;
    uint32_t count; } p4_traffic_t;
typedef struct { uint64_t packets, sent, bytes, wall_ns, cpu_ns, cycles; uint32_t next; } p4_timing_t;
"""
"""Of runtime/p4nic_timing.h and p4nic_bench.h: what other C that is measured uses, too."""

DECLARATIONS = (
    MEASURING
    + """
typedef struct { uint64_t last_ns, timeout_ns, packets, bytes, sequence; int64_t priority;
    const uint8_t *key, *args; uint32_t id; uint16_t action; uint8_t origin, kind; } p4_entry_t;
typedef struct engine engine;
void p4_bench(engine *e, const p4_traffic_t *t, uint32_t first, uint64_t rounds, uint64_t nanoseconds,
    uint64_t now_ns, p4_timing_t *out);
void p4_latency(engine *e, const p4_traffic_t *t, uint32_t first, uint64_t interval, uint64_t nanoseconds,
    uint64_t now_ns, uint64_t *steps, p4_timing_t *out);
engine *p4_create(uint32_t cpu_port, uint32_t drop_port, uint32_t port_count, uint64_t seed);
void p4_destroy(engine *e);
uint64_t p4_code(void);
void p4_take_over(engine *e, uint64_t code);
int p4_start_table(engine *e, uint32_t table, uint32_t capacity, const uint64_t *timeouts, uint32_t count);
int p4_start_counter(engine *e, uint32_t counter, uint64_t size);
int p4_start_meter(engine *e, uint32_t meter, uint64_t size, uint32_t by_packets);
int p4_start_register(engine *e, uint32_t reg, uint64_t size, uint64_t low, uint64_t high);
int p4_start_direct_meter(engine *e, uint32_t table);
void p4_run(engine *e, const uint8_t *frames, const uint32_t *ports, const uint32_t *lengths, uint32_t count,
    uint64_t now_ns);
const uint8_t *p4_reply(engine *e, uint64_t *size);
int64_t p4_find(engine *e, uint32_t table, const uint8_t *key);
int64_t p4_insert(engine *e, uint32_t table, const uint8_t *key, const uint8_t *mask, const uint8_t *bounds,
    int64_t priority, uint32_t action, uint32_t kind, const uint8_t *args, uint32_t args_bytes, uint32_t
    origin, uint64_t timeout_ns, uint64_t now_ns);
void p4_modify(engine *e, uint32_t table, uint32_t id, uint32_t action, uint32_t kind, const uint8_t *args,
    uint32_t args_bytes, uint64_t timeout_ns, uint64_t now_ns);
void p4_remove(engine *e, uint32_t table, uint32_t id, const uint8_t *mask);
void p4_entry(engine *e, uint32_t table, uint32_t id, p4_entry_t *out);
uint32_t p4_ids(engine *e, uint32_t table, uint32_t *ids, uint64_t *sequences, uint32_t room);
int p4_is_live(engine *e, uint32_t table, uint32_t id);
uint32_t p4_count(engine *e, uint32_t table);
void p4_set_default(engine *e, uint32_t table, uint32_t action, const uint8_t *args, uint32_t args_bytes);
void p4_set_entry_counter(engine *e, uint32_t table, uint32_t id, uint64_t packets, uint64_t bytes);
void p4_default_counter(engine *e, uint32_t table, uint64_t *out);
void p4_set_default_counter(engine *e, uint32_t table, uint64_t packets, uint64_t bytes);
int p4_next_expiry(engine *e, uint64_t *deadline);
uint64_t p4_expire(engine *e, uint64_t now_ns, uint32_t most, uint8_t *out);
int p4_expire_untold(engine *e, uint64_t now_ns, const uint8_t *told, int alone, uint64_t *gone);
void p4_set_member(engine *e, uint32_t profile, uint32_t id, int64_t action, const uint8_t *args,
    uint32_t args_bytes);
void p4_set_group(engine *e, uint32_t profile, uint32_t id, const uint32_t *slots, int64_t count,
    uint32_t drawn);
void p4_counter(engine *e, uint32_t counter, uint64_t index, uint64_t *out);
void p4_set_counter(engine *e, uint32_t counter, uint64_t index, uint64_t packets, uint64_t bytes);
void p4_set_meter(engine *e, uint32_t place, uint32_t number, uint64_t index, uint32_t kind, uint64_t cir,
    uint64_t cburst, uint64_t pir, uint64_t pburst);
void p4_marks(engine *e, uint32_t place, uint32_t number, uint64_t index, uint64_t *out);
void p4_set_marks(engine *e, uint32_t place, uint32_t number, uint64_t index, const uint64_t *marks);
void p4_register(engine *e, uint32_t reg, uint64_t index, uint64_t *out);
void p4_set_register(engine *e, uint32_t reg, uint64_t index, uint64_t low, uint64_t high);
void p4_set_value_set(engine *e, uint32_t set, const uint64_t *words, uint32_t members, uint32_t keys);
void p4_set_replicas(engine *e, uint32_t clones, uint32_t id, const uint32_t *pairs, int64_t count,
    uint32_t truncate, uint32_t service);
const uint64_t *p4_events(engine *e, uint64_t *words);
void p4_clear_messages(engine *e);
void p4_clear_digests(engine *e);
void p4_statistics(engine *e, uint64_t *statistics, uint64_t *hits, uint64_t *misses);
typedef struct reader reader;
void p4_annotate(engine *e, uint32_t table, int yes);
int p4_write_rows(engine *e, const uint8_t *rows, uint64_t bytes, uint64_t now_ns, int alone);
reader *p4_read_start(engine *e, uint32_t table);
void p4_read_end(engine *e, reader *r);
void p4_read_settle(engine *e, uint32_t table);
uint64_t p4_read_rows(engine *e, reader *r, uint32_t slots, uint64_t now_ns, uint8_t *out);
int p4_read_done(const reader *r);
void p4_burst_statistics(engine *e, uint64_t *out);
void *p4_table(engine *e, uint32_t table, uint64_t *sequences);
void p4_adopt_table(engine *e, uint32_t table, void *other, uint64_t sequences, const uint16_t *actions);
void *p4_array(engine *e, uint32_t kind, uint32_t number);
void p4_adopt_array(engine *e, uint32_t kind, uint32_t number, void *other);
void p4_gate_close(engine *e);
void p4_gate_open(engine *e);
void p4_gate_lasted(engine *e, uint64_t *lasted);
int p4_replay_start(engine *e, uint32_t workers, const p4_traffic_t *traffic, const uint32_t *firsts,
    uint64_t clock_start);
void p4_replayed(engine *e, uint32_t worker, p4_timing_t *out);
void p4_stop_soon(engine *e);
void p4_stop(engine *e);
int p4_notify_fd(engine *e);
int p4_wire_add(engine *e, uint32_t number, uint32_t kind, const char *name, const int32_t *fds,
    uint32_t lanes, const p4_traffic_t *source);
void p4_wire_remove(engine *e, uint32_t number);
void p4_wire_shut(engine *e, uint32_t number, uint32_t shut);
int64_t p4_wire_first(engine *e);
void *p4_wire_give(engine *e, uint32_t number);
void p4_wire_adopt(engine *e, void *wire);
int p4_quiet(engine *e);
void p4_tell_others(engine *e, uint32_t told);
int p4_wires_start(engine *e, uint32_t workers, uint64_t clock_start);
int p4_wire_send(engine *e, uint32_t number, const uint8_t *data, uint32_t length);
void p4_wire_counters(engine *e, uint32_t number, uint64_t *out);
void p4_drops(engine *e, uint64_t *reasons, uint64_t *messages);
const uint8_t *p4_messages(engine *e, uint64_t *size);
int p4_wire_put(engine *e, uint32_t number, const uint8_t *data, uint32_t length);
uint64_t p4_wire_take(engine *e, uint32_t number, uint8_t *out);
"""
)
