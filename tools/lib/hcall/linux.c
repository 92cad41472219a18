/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls to the running hypervisor, through Linux's device and libxencall. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xencall.h>
#include <xentoollog.h>
#include "hcall.h"

struct linux_hcall {
	struct hcall base;
	xencall_handle *xen;
};

static long linux_call(struct hcall *h, unsigned op, const uint64_t arg[5], unsigned nr_args)
{
	xencall_handle *xen = ((struct linux_hcall *)h)->xen;
	long ret;

	switch (nr_args) {
	case 1: ret = xencall1(xen, op, arg[0]); break;
	case 2: ret = xencall2L(xen, op, arg[0], arg[1]); break;
	default: ret = xencall5(xen, op, arg[0], arg[1], arg[2], arg[3], arg[4]); break;
	}
	return ret < 0 ? -errno : ret;
}

static void *linux_buffer(struct hcall *h, size_t size)
{
	void *p = xencall_alloc_buffer(((struct linux_hcall *)h)->xen, size);

	return p ? memset(p, 0, size) : NULL;
}

static void linux_free(struct hcall *h, void *buffer)
{
	if (buffer)
		xencall_free_buffer(((struct linux_hcall *)h)->xen, buffer);
}

/*
 * A page of each 64 KiB is asked for: with it, Linux maps those around it that it has in memory. (All of them by one call would cost several times as
 * much.) What is still not there stops the hypervisor, and is then the first that is asked for.
 */
#define AROUND 65536u

static int linux_reach(struct hcall *h, const void *p, size_t n)
{
	uintptr_t at = (uintptr_t)p & ~(uintptr_t)4095, end = (uintptr_t)p + n;

	for (; at < end; at = (at | (AROUND - 1)) + 1)
		if (madvise((void *)at, 1, MADV_POPULATE_READ) < 0)
			return errno == EINVAL ? -EOPNOTSUPP : -errno; /* before Linux 5.14 */
	return 0;
}

static void linux_close(struct hcall *h)
{
	xencall_close(((struct linux_hcall *)h)->xen);
	free(h);
}

static const struct hcall_ops linux_ops = { linux_call, linux_buffer, linux_free, linux_reach,
					    linux_close };

/* The library's own words on standard error, beside ours, would only confuse. */
static void say_nothing(xentoollog_logger *logger, xentoollog_level level, int errnoval,
			const char *context, const char *format, va_list args)
{
}

static xentoollog_logger silent = { .vmessage = say_nothing };

struct hcall *hcall_open(void)
{
	struct linux_hcall *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->base.ops = &linux_ops;
	h->xen = xencall_open(&silent, 0);
	if (!h->xen) {
		free(h);
		return NULL;
	}
	return &h->base;
}
