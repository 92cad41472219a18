/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest accesses to addresses without RAM. An exit becomes a record (struct io_access); the
 * domain's devices are asked by address; an access that nobody answers goes to I/O-request servers (later) and
 * is then injected as an abort. A device that cannot answer now returns IO_WAIT and the vCPU
 * waits with the record saved (VCPU_WAITING).
 */
#ifndef HV_IO_H
#define HV_IO_H

#include <hv/addr.h>
#include <hv/lock.h>

struct vcpu;
struct domain;

struct io_access {
	gpa_t addr;
	uint64_t value; /* written, or the answer; zero-extended */
	uint8_t size;   /* bytes: 1, 2, 4, 8 */
	bool write;
};

enum io_result { IO_DONE, IO_WAIT, IO_NOBODY };

struct io_device;

struct io_device_ops {
	const char *name;
	/* Offset into the device's window is addr - dev->base. */
	enum io_result (*access)(struct io_device *dev, struct vcpu *v, struct io_access *a);
};

/* Lives inside its device's own structure. */
struct io_device {
	const struct io_device_ops *ops; /* [c] */
	gpa_t base;                      /* [c] */
	uint64_t size;                   /* [c] bytes */
	void *opaque;                    /* [c] */
};

#define IO_MAX_DEVICES 16u

struct io_table {
	uint32_t nr;                           /* [set up before the domain runs] */
	struct io_device *dev[IO_MAX_DEVICES]; /* sorted by base */
};

/* Before the domain runs. R_IO_OVERLAP, R_IO_TABLE_FULL. */
MUST_USE int io_register(struct domain *d, struct io_device *dev);
/* Find and ask. On the exit path of `v`. */
enum io_result io_access(struct vcpu *v, struct io_access *a);

#endif
