/* P4Runtime messages of many table entries, from and to packed rows (p4nic_rows.h), without an object per entry.
 *
 * In: bytes of a WriteRequest, and a schema made from the P4Info. Out: rows; or "unusual" at the first thing that is not
 * plainly right (another entity, a field left out, a value too wide, a byte too many): then the general path takes the
 * whole request, and says what is wrong with it if something is. So there are no messages here, and doubt is a reason
 * to say unusual. And the other way round: rows to the entities of a ReadResponse.
 *
 * Knows the wire format of protobuf and the field numbers of p4/v1/p4runtime.proto; no protobuf library, no state. */
#ifndef P4NIC_WIRE_H
#define P4NIC_WIRE_H
#include "p4nic_rows.h"

#define WIRE __attribute__((visibility("default"))) extern
#define MAX_ROWS_BYTES ((u64)128 << 20)
enum { MATCH_EXACT, MATCH_LPM, MATCH_TERNARY, MATCH_RANGE, MATCH_OPTIONAL };

/* Places are byte offsets from the row's begin; `size` bytes, little-endian. */
struct wire_field {
    u32 id, kind, width, size, value_at, bits_at; /* bits_at: 0 in tables where every field is exact */
};
struct wire_param {
    u32 id, width, size, at;
};
struct wire_action {
    u32 id, number, first, count; /* its parameters in wire_schema.params; id 0: the P4Info does not know it */
    u32 writable;                 /* an entry may be given it */
};
struct wire_table {
    u32 id, number, row_size, first_field, fields, first_action, actions;
    u32 writable, ages, priority, counter, constant;
};
struct wire_schema {
    const struct wire_table *tables;
    const struct wire_field *fields;
    const struct wire_action *actions;
    const struct wire_param *params;
    u32 table_count;
};

struct buffer {
    u8 *data;
    u64 used, room;
};

static int buffer_room(struct buffer *b, u64 bytes, u64 limit)
{
    if (b->used + bytes <= b->room)
        return 1;
    u64 room = (b->used + bytes) * 2;
    if (b->used + bytes > limit)
        return 0;
    u8 *data = realloc(b->data, room);
    if (data == NULL)
        return 0;
    b->data = data;
    b->room = room;
    return 1;
}

/* --- reading the wire format --- */

struct span {
    const u8 *at, *end;
};

enum { VARINT = 0, CHUNK = 2 };

static int get_varint(struct span *s, u64 *value)
{
    u64 v = 0;
    for (u32 shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        u8 byte = *s->at++;
        if (shift == 63 && byte > 1)
            return 0;
        v |= (u64)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = v;
            return 1;
        }
    }
    return 0;
}

/* The next field: its number, and a varint's value or a chunk's span. */
static int get_field(struct span *s, u32 *number, u32 *type, u64 *value, struct span *chunk)
{
    u64 tag;
    if (!get_varint(s, &tag) || tag >> 32)
        return 0;
    *number = (u32)tag >> 3;
    *type = (u32)tag & 7;
    if (*type == VARINT)
        return get_varint(s, value);
    if (*type != CHUNK || !get_varint(s, value) || *value > (u64)(s->end - s->at))
        return 0;
    *chunk = (struct span){s->at, s->at + *value};
    s->at += *value;
    return 1;
}

/* A field that may come once; `seen` is what came before in this message. */
static int first_time(u32 *seen, u32 number)
{
    if (number == 0 || number > 31 || *seen >> number & 1)
        return 0;
    *seen |= 1u << number;
    return 1;
}

/* --- values --- */

static u128 row_value(const u8 *at, u32 size)
{
    u128 value = 0;
    memcpy(&value, at, size);
    return value;
}

static u128 ones(u32 width) { return width >= 128 ? ~(u128)0 : ((u128)1 << width) - 1; }

/* A bytestring of any length whose value fits `width` bits (P4Runtime 8.4). */
static int get_value(struct span s, u32 width, u32 size, u8 *to)
{
    if (s.at == s.end)
        return 0;
    while (s.at < s.end && *s.at == 0)
        s.at++;
    u64 bytes = (u64)(s.end - s.at);
    if (bytes * 8 > width && (bytes > size || bytes * 8 - width > 7 || *s.at >> (8 - (bytes * 8 - width))))
        return 0;
    for (u64 i = 0; i < bytes; i++)
        to[i] = s.end[-1 - (i64)i];
    return 1;
}

/* --- one match field --- */

/* Up to two bytestrings (fields 1 and 2) or one and a number (LPM). */
static int get_pair(struct span s, u32 kind, const struct wire_field *f, u8 *row, u32 *prefix)
{
    u32 number, type, seen = 0;
    u64 value;
    struct span chunk;
    *prefix = 0;
    while (s.at < s.end) {
        if (!get_field(&s, &number, &type, &value, &chunk) || !first_time(&seen, number))
            return 0;
        if (number == 1 && type == CHUNK) {
            if (!get_value(chunk, f->width, f->size, row + f->value_at))
                return 0;
        } else if (number == 2 && kind == MATCH_LPM && type == VARINT) {
            if (value > f->width)
                return 0;
            *prefix = (u32)value;
        } else if (number == 2 && (kind == MATCH_TERNARY || kind == MATCH_RANGE) && type == CHUNK) {
            memset(row + f->bits_at, 0, f->size);
            if (!get_value(chunk, f->width, f->size, row + f->bits_at))
                return 0;
        } else {
            return 0;
        }
    }
    return seen == (kind == MATCH_EXACT || kind == MATCH_OPTIONAL ? 1u << 1 : 3u << 1);
}

/* Canonical form (P4Runtime 9.1.1): nothing outside the mask, nothing that matches everything. */
static int get_match(struct span s, const struct wire_field *f, u8 *row)
{
    u32 prefix;
    if (!get_pair(s, f->kind, f, row, &prefix))
        return 0;
    u128 all = ones(f->width), bits = all;
    u128 value = f->kind == MATCH_EXACT ? 0 : row_value(row + f->value_at, f->size);
    switch (f->kind) {
    case MATCH_LPM:
        bits = prefix ? all & ~ones(f->width - prefix) : 0;
        break;
    case MATCH_TERNARY:
        bits = row_value(row + f->bits_at, f->size);
        break;
    case MATCH_RANGE:
        bits = row_value(row + f->bits_at, f->size);
        return value <= bits && !(value == 0 && bits == all);
    default:
        break;
    }
    if (bits == 0 || value & ~bits)
        return 0;
    if (f->bits_at)
        memcpy(row + f->bits_at, &bits, f->size);
    return 1;
}

static const u32 match_numbers[] = {2, 4, 3, 6, 7}; /* in FieldMatch, by kind */

static int get_field_match(
    struct span s, const struct wire_schema *schema, const struct wire_table *t, u8 *row, u64 *given)
{
    u32 number, type, seen = 0, id = 0;
    u64 value;
    struct span chunk, match = {NULL, NULL};
    u32 kind_number = 0;
    while (s.at < s.end) {
        if (!get_field(&s, &number, &type, &value, &chunk) || !first_time(&seen, number))
            return 0;
        if (number == 1 && type == VARINT && !(value >> 32)) {
            id = (u32)value;
        } else if (type == CHUNK && !kind_number) {
            kind_number = number;
            match = chunk;
        } else {
            return 0;
        }
    }
    for (u32 i = 0; i < t->fields; i++) {
        const struct wire_field *f = &schema->fields[t->first_field + i];
        if (f->id != id)
            continue;
        if (*given >> i & 1 || kind_number != match_numbers[f->kind])
            return 0;
        *given |= (u64)1 << i;
        return get_match(match, f, row);
    }
    return 0;
}

/* What a field left out means: don't care, which an exact one cannot. */
static int all_given(const struct wire_schema *schema, const struct wire_table *t, u8 *row, u64 given)
{
    for (u32 i = 0; i < t->fields; i++) {
        const struct wire_field *f = &schema->fields[t->first_field + i];
        if (given >> i & 1)
            continue;
        if (f->kind == MATCH_EXACT)
            return 0;
        if (f->kind == MATCH_RANGE) {
            u128 all = ones(f->width);
            memcpy(row + f->bits_at, &all, f->size);
        }
    }
    return 1;
}

/* --- the action --- */

static int get_param(struct span s, const struct wire_schema *schema, const struct wire_action *a, u8 *row, u64 *given)
{
    u32 number, type, seen = 0, id = 0;
    u64 value;
    struct span chunk, bytes = {NULL, NULL};
    while (s.at < s.end) {
        if (!get_field(&s, &number, &type, &value, &chunk) || !first_time(&seen, number))
            return 0;
        if (number == 2 && type == VARINT && !(value >> 32))
            id = (u32)value;
        else if (number == 3 && type == CHUNK)
            bytes = chunk;
        else
            return 0;
    }
    for (u32 i = 0; i < a->count; i++) {
        const struct wire_param *p = &schema->params[a->first + i];
        if (p->id != id)
            continue;
        if (*given >> i & 1)
            return 0;
        *given |= (u64)1 << i;
        return get_value(bytes, p->width, p->size, row + p->at);
    }
    return 0;
}

/* TableAction with an Action in it. The action's id may come after its parameters: two rounds. */
static int get_action(struct span outer, const struct wire_schema *schema, const struct wire_table *t, u8 *row)
{
    u32 number, type, id = 0, seen = 0;
    u64 value, given = 0;
    struct span chunk, s;
    if (!get_field(&outer, &number, &type, &value, &s) || number != 1 || type != CHUNK || outer.at < outer.end)
        return 0;
    for (struct span round = s; round.at < round.end;) {
        if (!get_field(&round, &number, &type, &value, &chunk))
            return 0;
        if (number == 1 && type == VARINT && !(value >> 32) && first_time(&seen, 1))
            id = (u32)value;
        else if (number != 4 || type != CHUNK)
            return 0;
    }
    const struct wire_action *a = schema->actions + t->first_action, *end = a + t->actions;
    while (a < end && (a->id != id || !a->writable))
        a++;
    if (a == end || id == 0)
        return 0;
    for (struct span round = s; round.at < round.end;) {
        get_field(&round, &number, &type, &value, &chunk);
        if (number == 4 && !get_param(chunk, schema, a, row, &given))
            return 0;
    }
    ((struct row *)(void *)row)->action = a->number;
    return given == (a->count >= 64 ? ~(u64)0 : ((u64)1 << a->count) - 1);
}

/* --- one update --- */

static const struct wire_table *find_table(const struct wire_schema *schema, struct span entry)
{
    u32 number, type;
    u64 value;
    struct span chunk;
    while (entry.at < entry.end && get_field(&entry, &number, &type, &value, &chunk))
        if (number == 1 && type == VARINT)
            for (u32 i = 0; i < schema->table_count; i++)
                if (schema->tables[i].id == value)
                    return schema->tables[i].writable ? &schema->tables[i] : NULL;
    return NULL;
}

static int get_entry(struct span s, const struct wire_schema *schema, const struct wire_table *t, u8 *row, u32 operation)
{
    struct row *head = (struct row *)(void *)row;
    u32 number, type, seen = 0;
    u64 value, given = 0;
    struct span chunk;
    while (s.at < s.end) {
        if (!get_field(&s, &number, &type, &value, &chunk))
            return 0;
        if (number == 2 && type == CHUNK) {
            if (!get_field_match(chunk, schema, t, row, &given))
                return 0;
            continue;
        }
        if (!first_time(&seen, number))
            return 0;
        if (number == 1 && type == VARINT) {
            if (value != t->id)
                return 0;
        } else if (number == 3 && type == CHUNK) {
            if (!get_action(chunk, schema, t, row))
                return 0;
        } else if (number == 4 && type == VARINT) {
            if (value > INT32_MAX)
                return 0;
            head->priority = (u32)value;
        } else if (number == 9 && type == VARINT) {
            if (value > INT64_MAX || (value && !t->ages))
                return 0;
            head->timeout_ns = value;
        } else if (!((number == 5 || number == 8 || number == 13) && type == VARINT && value == 0) &&
                   !(number == 11 && type == CHUNK && value == 0)) {
            return 0; /* metadata, counters, meters, default entries and the like */
        }
    }
    if (operation != ROW_DELETE && !(seen >> 3 & 1))
        return 0;
    return all_given(schema, t, row, given) && (t->priority ? head->priority > 0 : head->priority == 0);
}

static int get_update(struct span s, const struct wire_schema *schema, struct buffer *rows)
{
    u32 number, type, seen = 0, operation = 0;
    u64 value;
    struct span chunk, entity = {NULL, NULL}, entry;
    while (s.at < s.end) {
        if (!get_field(&s, &number, &type, &value, &chunk) || !first_time(&seen, number))
            return 0;
        if (number == 1 && type == VARINT && value >= ROW_INSERT && value <= ROW_DELETE)
            operation = (u32)value;
        else if (number == 2 && type == CHUNK)
            entity = chunk;
        else
            return 0;
    }
    if (!operation || !entity.at || !get_field(&entity, &number, &type, &value, &entry))
        return 0;
    if (number != 2 || type != CHUNK || entity.at < entity.end)
        return 0;
    const struct wire_table *t = find_table(schema, entry);
    if (t == NULL || !buffer_room(rows, t->row_size, MAX_ROWS_BYTES))
        return 0;
    u8 *row = rows->data + rows->used;
    memset(row, 0, t->row_size);
    struct row *head = (struct row *)(void *)row;
    head->size = t->row_size;
    head->table = (u16)t->number;
    head->operation = (u8)operation;
    rows->used += t->row_size;
    return get_entry(entry, schema, t, row, operation);
}

WIRE int wire_decode(
    const struct wire_schema *schema, const u8 *data, u64 size, struct buffer *rows, struct buffer *head);
WIRE int wire_encode(
    const struct wire_schema *schema, u32 table, const u8 *rows, u64 size, u32 what, struct buffer *out);
WIRE void wire_free(struct buffer *b);

/* 1: `rows` has the updates, `head` every other field of the WriteRequest as it came; 0: unusual. */
int wire_decode(const struct wire_schema *schema, const u8 *data, u64 size, struct buffer *rows, struct buffer *head)
{
    struct span s = {data, data + size}, chunk;
    u32 number, type;
    u64 value;
    while (s.at < s.end) {
        const u8 *from = s.at;
        if (!get_field(&s, &number, &type, &value, &chunk))
            return 0;
        if (number == 4 && type == CHUNK) {
            if (!get_update(chunk, schema, rows))
                return 0;
            continue;
        }
        u64 bytes = (u64)(s.at - from);
        if (!buffer_room(head, bytes, 1u << 16))
            return 0;
        memcpy(head->data + head->used, from, bytes);
        head->used += bytes;
    }
    return rows->used > 0;
}

void wire_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){NULL, 0, 0};
}

#include "p4nic_wire_out.h"

#endif
