/* Taking over state from another engine whose program gives way to this one: no entry is copied, so that an
 * upgrade takes as long for a million flows as for none but for one pass over the action numbers.
 *
 * The other engine may come from another unit. Only what both have alike crosses: `struct table` and the arrays,
 * never `struct engine`. The caller has seen to it that keys, arguments and sizes lie alike. */
#ifndef P4NIC_ADOPT_H
#define P4NIC_ADOPT_H

enum { ARRAY_COUNTER, ARRAY_METER, ARRAY_REGISTER };

API void *p4_table(struct engine *e, u32 table, u64 *sequences);
API void p4_adopt_table(struct engine *e, u32 table, void *other, u64 sequences, const u16 *actions);
API void *p4_array(struct engine *e, u32 kind, u32 number);
API void p4_adopt_array(struct engine *e, u32 kind, u32 number, void *other);

void *p4_table(struct engine *e, u32 table, u64 *sequences)
{
    *sequences = e->sequences;
    return &e->tables[table];
}

/* `actions`: this program's number for each of the other's. Both tables stay whole: they change places. */
void p4_adopt_table(struct engine *e, u32 table, void *other, u64 sequences, const u16 *actions)
{
    struct table *mine = &e->tables[table], *theirs = other, before = *mine;
    struct reader *reading = theirs->readers; /* settled, so they stay with their program */
    *mine = *theirs;
    *theirs = before;
    mine->readers = NULL;
    theirs->readers = reading;
    theirs->keeper = mine->keeper;
    mine->keeper = before.keeper;
    mine->number = before.number; /* what belongs to the program, not to the entries */
    mine->in_ranges = before.in_ranges;
    mine->generation = theirs->generation = 1 + mine->generation + theirs->generation; /* nothing remembered holds */
    theirs->default_action = mine->default_action;
    theirs->default_args = mine->default_args;
    mine->default_action = before.default_action;
    mine->default_args = before.default_args;
    for (u32 id = 0; id < mine->fresh; id++) {
        struct entry *x = entry_at(mine, id);
        if (x->live && x->kind == KIND_ACTION)
            x->action = actions[x->action];
    }
    if (e->sequences < sequences)
        e->sequences = sequences;
}

/* Where the pointer to an array's cells is. */
void *p4_array(struct engine *e, u32 kind, u32 number)
{
    if (kind == ARRAY_COUNTER)
        return &e->workers[0]->cells[number]; /* all there is while no other worker runs */
    return kind == ARRAY_METER ? (void *)&e->meters[number].cells : (void *)&e->registers[number].cells;
}

void p4_adopt_array(struct engine *e, u32 kind, u32 number, void *other)
{
    void *mine = p4_array(e, kind, number), *cells, *theirs;
    memcpy(&cells, mine, sizeof cells);
    memcpy(&theirs, other, sizeof theirs);
    memcpy(mine, &theirs, sizeof cells);
    memcpy(other, &cells, sizeof cells);
}

#endif
