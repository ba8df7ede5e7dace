/* Packed rows: table entries as bytes, many in one buffer. What `backend.api.Bulk` passes between the engine
 * (p4nic_bulk.h) and whoever makes or reads entries by the thousand (p4nic_wire.h, target/columns.py). A row is this
 * head and then the table's values where its RowLayout says; integers are little-endian. */
#ifndef P4NIC_ROWS_H
#define P4NIC_ROWS_H
#include "p4nic_base.h"

enum { ROW_INSERT = 1, ROW_MODIFY = 2, ROW_DELETE = 3 }; /* as P4Runtime numbers them */
enum { ROW_CONTROL, ROW_LEARNED, ROW_CONST };

struct row {
    u32 size; /* of the row with its head: a multiple of 8 */
    u16 table;
    u8 operation; /* of a write */
    u8 origin;    /* of a read, like the last three */
    u32 action;
    u32 priority; /* 0 where the table has none */
    u64 timeout_ns;
    u64 idle_ns, packets, bytes;
};

#endif
