/* The other half of p4nic_wire.h: rows to P4Runtime messages. Each entity is written from its end to its begin, because
 * a message's length stands before it. */
#ifndef P4NIC_WIRE_OUT_H
#define P4NIC_WIRE_OUT_H

enum { WANT_COUNTER = 1, WANT_IDLE = 2, AS_EXPIRED = 4 };

static void put_byte(u8 **at, u8 byte) { *--*at = byte; }

static void put_varint(u8 **at, u64 value)
{
    u8 bytes[10];
    u32 n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (u8)(value | 0x80);
    bytes[n++] = (u8)value;
    *at -= n;
    memcpy(*at, bytes, n);
}

/* A number that is left out when it is 0, as proto3 does. */
static void put_number(u8 **at, u32 number, u64 value)
{
    if (value == 0)
        return;
    put_varint(at, value);
    put_varint(at, number << 3 | VARINT);
}

/* What was written since `end` becomes field `number`. */
static void put_head(u8 **at, u32 number, const u8 *end)
{
    put_varint(at, (u64)(end - *at));
    put_varint(at, number << 3 | CHUNK);
}

/* The shortest bytestring (P4Runtime 8.4): 0 is one byte. */
static void put_value(u8 **at, u32 number, const u8 *value, u32 size)
{
    const u8 *end = *at;
    while (size > 1 && value[size - 1] == 0)
        size--;
    for (u32 i = 0; i < size; i++)
        put_byte(at, value[i]);
    put_head(at, number, end);
}

static u32 prefix_of(u128 bits)
{
    return (u32)__builtin_popcountll((u64)bits) + (u32)__builtin_popcountll((u64)(bits >> 64));
}

static void put_match(u8 **at, const struct wire_field *f, const u8 *row)
{
    const u8 *end = *at, *value = row + f->value_at, *bits = row + f->bits_at;
    u128 mask = f->bits_at ? row_value(bits, f->size) : 0;
    switch (f->kind) {
    case MATCH_EXACT:
        break;
    case MATCH_RANGE:
        if (mask == ones(f->width) && row_value(value, f->size) == 0)
            return;
        put_value(at, 2, bits, f->size);
        break;
    case MATCH_LPM:
        if (mask == 0)
            return;
        put_number(at, 2, prefix_of(mask));
        break;
    case MATCH_TERNARY:
        if (mask == 0)
            return;
        put_value(at, 2, bits, f->size);
        break;
    default:
        if (mask == 0)
            return;
    }
    put_value(at, 1, value, f->size);
    put_head(at, match_numbers[f->kind], end);
    put_number(at, 1, f->id);
    put_head(at, 2, end);
}

static void put_action(u8 **at, const struct wire_schema *schema, const struct wire_table *t, const u8 *row)
{
    const struct wire_action *a = schema->actions + t->first_action, *last = a + t->actions;
    while (a < last && a->number != ((const struct row *)(const void *)row)->action)
        a++;
    if (a == last || a->id == 0)
        return; /* the compiler made it: the P4Info does not know it */
    const u8 *end = *at;
    for (u32 i = a->count; i-- > 0;) {
        const struct wire_param *p = &schema->params[a->first + i];
        const u8 *param_end = *at;
        put_value(at, 3, row + p->at, p->size);
        put_number(at, 2, p->id);
        put_head(at, 4, param_end);
    }
    put_number(at, 1, a->id);
    put_head(at, 1, end);
    put_head(at, 3, end);
}

static void put_entry(u8 **at, const struct wire_schema *schema, const struct wire_table *t, const u8 *row, u32 what)
{
    const struct row *head = (const void *)row;
    const u8 *end;
    put_number(at, 13, t->constant && head->origin == ROW_CONST);
    if (head->origin == ROW_LEARNED) {
        end = *at;
        *at -= 7;
        memcpy(*at, "learned", 7);
        put_head(at, 11, end);
    }
    if (what & WANT_IDLE && t->ages) {
        end = *at;
        put_number(at, 1, head->idle_ns);
        put_head(at, 10, end);
    }
    put_number(at, 9, head->timeout_ns);
    if (what & WANT_COUNTER && t->counter) {
        end = *at;
        put_number(at, 2, head->packets);
        put_number(at, 1, head->bytes);
        put_head(at, 7, end);
    }
    put_number(at, 4, head->priority);
    put_action(at, schema, t, row);
    for (u32 i = t->fields; i-- > 0;)
        put_match(at, &schema->fields[t->first_field + i], row);
    put_number(at, 1, t->id);
}

/* Room for one entity: per value at most its bytes, two ids and lengths around it. */
static u64 entity_room(const struct wire_schema *schema, const struct wire_table *t)
{
    u64 room = 160, most = 0;
    for (u32 i = 0; i < t->fields; i++)
        room += 2 * schema->fields[t->first_field + i].size + 32;
    for (u32 i = 0; i < t->actions; i++) {
        const struct wire_action *a = &schema->actions[t->first_action + i];
        u64 action = 32;
        for (u32 k = 0; k < a->count; k++)
            action += schema->params[a->first + k].size + 32;
        most = action > most ? action : most;
    }
    return room + most;
}

/* Rows of one table (its place in schema->tables) as the entities of a ReadResponse, or with AS_EXPIRED as the entries
 * of an IdleTimeoutNotification; 0 if there is no memory. */
int wire_encode(
    const struct wire_schema *schema, u32 table, const u8 *rows, u64 size, u32 what, struct buffer *out)
{
    const struct wire_table *t = &schema->tables[table];
    u64 room = entity_room(schema, t);
    u8 *scratch = malloc(room);
    int good = scratch != NULL;
    for (const u8 *row = rows; good && row < rows + size; row += t->row_size) {
        u8 *end = scratch + room, *at = end;
        put_entry(&at, schema, t, row, what);
        if (!(what & AS_EXPIRED))
            put_head(&at, 2, end);
        put_head(&at, 1, end);
        good = buffer_room(out, (u64)(end - at), ~(u64)0);
        if (good) {
            memcpy(out->data + out->used, at, (size_t)(end - at));
            out->used += (u64)(end - at);
        }
    }
    free(scratch);
    return good;
}

#endif
