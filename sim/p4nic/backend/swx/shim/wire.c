/* Bytes of requests and answers. All numbers are little-endian, as every machine DPDK's x86 build runs on.
 *
 * Request: u32 length of what follows, u8 operation, arguments. Answer: u32 length, i32 status, data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"

static uint8_t *answer;
static size_t answer_length, answer_room;
static uint8_t *inbox;
static size_t inbox_room;

const uint8_t *get_bytes(struct request *r, size_t n)
{
	static const uint8_t nothing[16];
	const uint8_t *found = r->at;

	if ((size_t)(r->end - r->at) < n) {
		r->bad = 1;
		r->at = r->end;
		return nothing;
	}
	r->at += n;
	return found;
}

#define GET(type, name)                                        \
	type name(struct request *r)                           \
	{                                                      \
		type v;                                        \
		memcpy(&v, get_bytes(r, sizeof v), sizeof v);  \
		return v;                                      \
	}
GET(uint8_t, get_u8)
GET(uint16_t, get_u16)
GET(uint32_t, get_u32)
GET(uint64_t, get_u64)

void get_name(struct request *r, char out[RTE_SWX_CTL_NAME_SIZE])
{
	uint16_t n = get_u16(r);
	const uint8_t *bytes = get_bytes(r, n);

	out[0] = 0;
	if (r->bad || n >= RTE_SWX_CTL_NAME_SIZE) {
		r->bad = 1;
		return;
	}
	memcpy(out, bytes, n);
	out[n] = 0;
}

static void *grown(void *block, size_t *room, size_t wanted)
{
	if (wanted <= *room)
		return block;
	*room = wanted * 2;
	block = realloc(block, *room);
	if (!block)
		abort();
	return block;
}

void answer_begin(void)
{
	answer_length = 8; /* length and status, filled in when it is sent */
	answer = grown(answer, &answer_room, 65536);
}

void put_bytes(const void *bytes, size_t n)
{
	answer = grown(answer, &answer_room, answer_length + n);
	if (n)
		memcpy(answer + answer_length, bytes, n);
	answer_length += n;
}

void put_u8(uint8_t v) { put_bytes(&v, sizeof v); }
void put_u16(uint16_t v) { put_bytes(&v, sizeof v); }
void put_u32(uint32_t v) { put_bytes(&v, sizeof v); }
void put_u64(uint64_t v) { put_bytes(&v, sizeof v); }

void put_name(const char *name)
{
	put_u16(strlen(name));
	put_bytes(name, strlen(name));
}

static int transfer(int fd, uint8_t *bytes, size_t n, int writing)
{
	while (n) {
		ssize_t done = writing ? write(fd, bytes, n) : read(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return 0;
		bytes += done;
		n -= done;
	}
	return 1;
}

int answer_send(int fd, int32_t status)
{
	uint32_t length = answer_length - 4;

	memcpy(answer, &length, 4);
	memcpy(answer + 4, &status, 4);
	return transfer(fd, answer, answer_length, 1);
}

int request_receive(int fd, struct request *r)
{
	uint32_t length;

	if (!transfer(fd, (uint8_t *)&length, 4, 0))
		return 0;
	inbox = grown(inbox, &inbox_room, length);
	if (!transfer(fd, inbox, length, 0))
		return 0;
	r->at = inbox;
	r->end = inbox + length;
	r->bad = 0;
	return 1;
}
