/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in shared memory: see journal.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "journal.h"
#include "tree.h"
#include "upgrade.h"

#define MAGIC   0x31304c4e524a524bull /* "KRJRNL01" */
#define STEP    (64u * 1024)          /* files grow by this */
#define RESERVE (4ull << 30)          /* of addresses, so that nothing ever moves */
#define LONG    (64u * 1024)          /* records worth saving the state for */

/* A transfer that may be under way. It counts while `at` is the end of the records. */
struct in_flight {
	uint64_t at;
	uint32_t type, conn, n, to;
	struct mmsghdr msg; /* msg_len: written by the kernel */
};

struct header {
	uint64_t magic, version;   /* of the turn: the higher one of two files is valid; 0: none */
	uint64_t state_len, first; /* where records begin */
	struct in_flight flight;
};

static struct file {
	int fd;
	uint8_t *map;
	uint64_t size; /* of the part that is there */
} files[2];

static struct file *now;   /* the valid one; NULL: nothing is kept (no space) */
static uint64_t tail;      /* end of its records */
static uint64_t replay_at; /* while replaying: where the next record is */
static bool replaying, kept = true;
static uint8_t *scratch; /* where bytes go when nothing is kept */

#define SCRATCH 8192

static struct header *head(struct file *f)
{
	return (struct header *)f->map;
}

static struct record *record_at(uint64_t at)
{
	return (struct record *)(now->map + at);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* Make the first n bytes of a file usable; new ones are zero. */
static bool extend(struct file *f, uint64_t n)
{
	uint64_t size = round_up(n, STEP);

	if (size <= f->size)
		return true;
	if (size > RESERVE || posix_fallocate(f->fd, 0, (off_t)size) != 0)
		return false;
	if (mmap(f->map + f->size, size - f->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 f->fd, (off_t)f->size) == MAP_FAILED)
		return false;
	f->size = size;
	return true;
}

/* Empty a file: its memory goes back. */
static void clear(struct file *f)
{
	if ((f->size &&
	     mmap(f->map, f->size, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED) ||
	    ftruncate(f->fd, 0) < 0)
		kept = false;
	f->size = 0;
}

static void stop_keeping(void)
{
	fprintf(stderr,
		"kr-stored: no space for the journal: a restart would lose what comes now\n");
	kept = false;
	if (now) /* half a journal would be worse than none */
		head(now)->version = 0;
	if (!scratch)
		scratch = must_alloc(SCRATCH);
}

static bool is_valid(struct file *f, uint64_t size)
{
	struct header *h;

	if (size < sizeof(*h) || !extend(f, size))
		return false;
	h = head(f);
	return h->magic == MAGIC && h->version && h->first <= size &&
	       h->first >= sizeof(*h) + h->state_len;
}

/* Is there a record, which ends inside the file and holds what it says? Output has no bytes. */
static bool is_record(uint64_t at)
{
	const struct record *r = record_at(at);

	if (at + sizeof(*r) > now->size || r->len < sizeof(*r) || r->len > now->size - at)
		return false;
	return r->type == REC_OUTPUT || r->n <= r->len - sizeof(*r);
}

/* The end of the records, counting a transfer that was done but not noted. */
static uint64_t find_tail(void)
{
	struct in_flight *flight = &head(now)->flight;
	uint64_t at = head(now)->first;

	while (is_record(at))
		at += record_at(at)->len;
	if (flight->at == at && flight->msg.msg_len &&
	    (flight->type == REC_INPUT || flight->type == REC_OUTPUT)) {
		struct record *r = record_at(at);

		r->type = flight->type;
		r->conn = flight->conn;
		r->n = flight->msg.msg_len;
		r->len = (uint32_t)round_up(sizeof(*r) + (r->type == REC_INPUT ? r->n : 0), 16);
		at += r->len;
	}
	return at;
}

bool journal_open(const int fd[2])
{
	bool valid[2];

	for (int i = 0; i < 2; i++) {
		files[i].fd = fd[i];
		files[i].map = mmap(NULL, RESERVE, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (files[i].map == MAP_FAILED) {
			perror("kr-stored: journal");
			exit(1);
		}
		files[i].size = 0;
		valid[i] = is_valid(&files[i], (uint64_t)lseek(fd[i], 0, SEEK_END));
	}
	now = NULL;
	kept = true;
	for (int i = 0; i < 2; i++)
		if (valid[i] && (!now || head(&files[i])->version > head(now)->version))
			now = &files[i];
	if (!now)
		return false;
	tail = find_tail();
	return true;
}

const void *journal_state(size_t *len)
{
	*len = head(now)->state_len;
	return now->map + sizeof(struct header);
}

long journal_drop_last(void)
{
	uint64_t at = head(now)->first, last = 0;
	uint32_t conn;

	for (; at < tail; at += record_at(at)->len)
		if (record_at(at)->type != REC_RESULT)
			last = at;
	if (!last ||
	    record_at(last)->type == REC_OUTPUT) /* what it led to was sent: it was survived */
		return -1;
	conn = record_at(last)->conn;
	memset(record_at(last), 0, tail - last);
	tail = last;
	head(now)->flight.at = 0;
	return (long)conn;
}

void journal_replay(void (*apply)(const struct record *r, const void *bytes))
{
	replaying = true;
	replay_at = head(now)->first;
	while (replaying && replay_at < tail) {
		struct record *r = record_at(replay_at);

		replay_at += r->len;
		apply(r, r + 1);
	}
	replaying = false;
}

bool journal_replaying(void)
{
	return replaying;
}

bool journal_result(void *answer, size_t size)
{
	struct record *r = record_at(replay_at);

	if (!replaying || replay_at >= tail) { /* it ended before it had the answer */
		replaying = false;
		return false;
	}
	assert(r->type == REC_RESULT && r->n == size);
	memcpy(answer, r + 1, size);
	replay_at += r->len;
	return true;
}

/* ---- appending ------------------------------------------------------------------------------------- */

/* Where a record with up to n bytes can be made. */
static struct record *room(size_t n)
{
	if (kept && !extend(now, tail + 2 * sizeof(struct record) + n + 16))
		stop_keeping();
	return kept ? record_at(tail) : (struct record *)scratch;
}

static void finish(struct record *r, enum record_type type, uint32_t conn, size_t n, size_t bytes)
{
	uint32_t len = (uint32_t)round_up(sizeof(*r) + bytes, 16);

	if (!kept)
		return;
	r->type = type;
	r->conn = conn;
	r->n = (uint32_t)n;
	__atomic_store_n(&r->len, len, __ATOMIC_RELEASE);
	tail += len;
}

void journal_append(enum record_type type, uint32_t conn, const void *bytes, size_t n)
{
	struct record *r = room(n);

	if (n && kept)
		memcpy(r + 1, bytes, n);
	finish(r, type, conn, n, n);
}

static struct mmsghdr *take_off(enum record_type type, uint32_t conn, struct iovec *iov)
{
	static struct in_flight nowhere;
	struct in_flight *f = kept ? &head(now)->flight : &nowhere;

	__atomic_store_n(&f->at, 0, __ATOMIC_SEQ_CST);
	f->msg.msg_len = 0;
	f->msg.msg_hdr = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
	f->type = type;
	f->conn = conn;
	__atomic_store_n(&f->at, tail, __ATOMIC_SEQ_CST);
	return &f->msg;
}

ssize_t journal_recv(uint32_t conn, int fd, size_t max, const void **bytes)
{
	struct record *r = room(max);
	struct iovec iov = { r + 1, max };
	struct mmsghdr *msg = take_off(REC_INPUT, conn, &iov);

	*bytes = r + 1;
	if (recvmmsg(fd, msg, 1, MSG_DONTWAIT, NULL) < 0)
		return -1;
	if (msg->msg_len > 0)
		finish(r, REC_INPUT, conn, msg->msg_len, msg->msg_len);
	return msg->msg_len;
}

ssize_t journal_send(uint32_t conn, int fd, const void *bytes, size_t n)
{
	struct record *r = room(0);
	struct iovec iov = { (void *)(uintptr_t)bytes, n };
	struct mmsghdr *msg = take_off(REC_OUTPUT, conn, &iov);

	if (sendmmsg(fd, msg, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -1;
	finish(r, REC_OUTPUT, conn, msg->msg_len, 0);
	return msg->msg_len;
}

/* A ring's transfer is known by its counter alone: no type, so that find_tail passes it by. */
void journal_before_ring(uint32_t conn, size_t n, uint32_t to)
{
	struct in_flight *f;

	room(0);
	if (!kept)
		return;
	f = &head(now)->flight;
	__atomic_store_n(&f->at, 0, __ATOMIC_SEQ_CST);
	f->msg.msg_len = 0;
	f->type = 0;
	f->conn = conn;
	f->n = (uint32_t)n;
	f->to = to;
	__atomic_store_n(&f->at, tail, __ATOMIC_SEQ_CST);
}

void journal_after_ring(uint32_t conn, size_t n)
{
	finish(room(0), REC_OUTPUT, conn, n, 0);
}

bool journal_undecided(uint32_t *conn, size_t *n, uint32_t *to)
{
	struct in_flight *f = &head(now)->flight;

	*conn = f->conn;
	*n = f->n;
	*to = f->to;
	return f->at == tail && f->type == 0 && f->n > 0;
}

/* ---- saving ---------------------------------------------------------------------------------------- */

bool journal_is_long(void)
{
	uint64_t records;

	if (!kept || !now)
		return false;
	records = tail - head(now)->first;
	return records > LONG && records > head(now)->state_len / 4;
}

/* What is being saved: the state goes into the file that is not valid, then the records since it was begun. */
static struct {
	struct file *to;
	struct sink sink;
	uint64_t from, copied; /* records: the first one, and up to where they are copied */
} saving;

static bool grow(struct sink *sink, size_t n)
{
	if (!extend(saving.to, sizeof(struct header) + sink->len + n)) {
		sink->failed = true;
		return false;
	}
	sink->size = saving.to->size - sizeof(struct header);
	return true;
}

bool journal_is_kept(void)
{
	return kept;
}

struct sink *journal_save_begin(void)
{
	saving.to = now == &files[0] ? &files[1] : &files[0];
	clear(saving.to);
	saving.sink = (struct sink){ .bytes = saving.to->map + sizeof(struct header), .grow = grow };
	saving.from = saving.copied = now ? tail : 0;
	return &saving.sink;
}

static void become_valid(uint64_t first)
{
	struct file *old = now;
	struct header *h = head(saving.to);

	h->magic = MAGIC;
	h->state_len = saving.sink.len;
	h->first = first;
	__atomic_store_n(&h->version, old ? head(old)->version + 1 : 1, __ATOMIC_RELEASE);
	now = saving.to;
	tail = first + (saving.copied - saving.from);
	if (old)
		clear(old);
}

bool journal_save_end(size_t bytes)
{
	uint64_t first = round_up(sizeof(struct header) + saving.sink.len, 16);
	uint64_t left = now ? tail - saving.copied : 0;

	if (kept && (saving.sink.failed ||
		     !extend(saving.to, first + (saving.copied - saving.from) + left + STEP / 2)))
		stop_keeping();
	if (!kept)
		return true;
	if (bytes > left)
		bytes = left;
	if (bytes)
		memcpy(saving.to->map + first + (saving.copied - saving.from),
		       now->map + saving.copied, bytes);
	saving.copied += bytes;
	if (bytes < left)
		return false;
	become_valid(first);
	return true;
}

size_t journal_size(void)
{
	return kept && now ? tail : 0;
}
