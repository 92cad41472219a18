/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GNTTABOP_*: decoding. The bulk operations fetch a few elements at a time, ask whether their answers can
 * be written, do them one by one and write them back. Between elements they give way to whatever wants the
 * CPU: the arguments are rewritten to what is left, and the guest makes the call again.
 */
#include <hv/hypercall.h>

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/policy.h>

/* Elements fetched together. */
#define CHUNK     8u
/* Frames that setup_table adds between two looks at what wants the CPU. */
#define GROW_STEP 8u

/* As in Xen, a long flush keeps its place in the upper bits of the command. */
#define CMD_BITS  12u
#define CMD_MASK  ((1u << CMD_BITS) - 1)

/* ---- many elements --------------------------------------------------------------------------- */

union element {
	struct gnttab_map_grant_ref map;
	struct gnttab_unmap_grant_ref unmap;
	struct gnttab_unmap_and_replace replace;
	struct gnttab_copy copy;
	struct gnttab_swap_grant_ref swap;
};

static uint32_t element_size(uint32_t cmd)
{
	switch (cmd) {
	case GNTTABOP_map_grant_ref: return sizeof(struct gnttab_map_grant_ref);
	case GNTTABOP_unmap_grant_ref: return sizeof(struct gnttab_unmap_grant_ref);
	case GNTTABOP_unmap_and_replace: return sizeof(struct gnttab_unmap_and_replace);
	case GNTTABOP_copy: return sizeof(struct gnttab_copy);
	default: /* GNTTABOP_swap_grant_ref */ return sizeof(struct gnttab_swap_grant_ref);
	}
}

static void do_element(struct vcpu *v, uint32_t cmd, void *op)
{
	switch (cmd) {
	case GNTTABOP_map_grant_ref: gnttab_map(v, op); break;
	case GNTTABOP_unmap_grant_ref: gnttab_unmap(v, op); break;
	case GNTTABOP_unmap_and_replace: gnttab_unmap_replace(v, op); break;
	case GNTTABOP_copy: gnttab_copy_one(v, op); break;
	default: gnttab_swap(v->domain, op); break;
	}
}

/* Up to CHUNK elements; *done counts those whose answers the guest has. */
static int do_chunk(struct vcpu *v, uint32_t cmd, gva_t at, uint32_t n, uint32_t *done)
{
	uint32_t size = element_size(cmd), i = 0;
	union element buf[CHUNK];
	int err;

	err = guest_read(v, buf, at, (size_t)n * size);
	if (!err)
		err = guest_writable(v, at, (size_t)n * size);
	if (err)
		return err;
	do
		do_element(v, cmd, (char *)buf + (size_t)i * size);
	while (++i < n && !hypercall_preempt(v));
	*done = i;
	return guest_write(v, at, buf, (size_t)i * size);
}

static int64_t bulk(struct vcpu *v, uint32_t cmd, uint64_t *a)
{
	uint32_t left = (uint32_t)a[2];

	while (left) {
		uint32_t done = 0;
		int err;

		err = do_chunk(v, cmd, gva(a[1]), MIN(left, CHUNK), &done);
		if (err)
			return err;
		a[1] += (uint64_t)done * element_size(cmd);
		left -= done;
		a[2] = left;
		if (left && hypercall_preempt(v))
			return -ERR_RESTART;
	}
	return 0;
}

/* The answer of a flush is the call's own: it stops at the first element that is refused. */
static int64_t cache_flush(struct vcpu *v, uint32_t from, uint64_t *a)
{
	struct gnttab_cache_flush op;
	int err;

	while ((uint32_t)a[2]) {
		err = guest_get(v, &op, gva(a[1]));
		if (!err)
			err = gnttab_cache_flush(v, &op, &from);
		if (err && err != -ERR_RESTART)
			return err;
		a[0] = GNTTABOP_cache_flush | (uint64_t)from << CMD_BITS;
		if (err)
			return err;
		a[1] += sizeof(op);
		a[2] = (uint32_t)a[2] - 1;
		if (a[2] && hypercall_preempt(v))
			return -ERR_RESTART;
	}
	return 0;
}

/* ---- one element ----------------------------------------------------------------------------- */

/* The domain that an operation names, if the caller may manage it; otherwise a status. */
static int16_t named_domain(struct vcpu *v, domid_t id, uint32_t cmd, struct domain **d)
{
	*d = domain_get(id);
	if (!*d) {
		int err = refuse(R_NO_SUCH_DOMAIN, id, 0, 0);

		(void)err;
		return GNTST_bad_domain;
	}
	if (!policy_manage(v->domain, *d, cmd))
		return GNTST_okay;
	domain_put(*d);
	return GNTST_permission_denied;
}

/* Grow in steps. -ERR_RESTART: more to do, something else wants the CPU. */
static int grow(struct vcpu *v, struct domain *d, uint32_t frames)
{
	for (;;) {
		uint32_t now = read_once(&d->gnttab.nr_frames), next = frames;
		int err;

		/* Too many are refused before any is added. */
		if (frames <= d->gnttab.max_frames && frames > now + GROW_STEP)
			next = now + GROW_STEP;
		err = gnttab_grow(d, next);
		if (err || next == frames)
			return err;
		if (hypercall_preempt(v))
			return -ERR_RESTART;
	}
}

static int write_frame_list(struct vcpu *v, struct domain *d, const struct gnttab_setup_table *op)
{
	gva_t at = handle_gva(op->frame_list);

	for (uint32_t i = 0; i < op->nr_frames; i++, at = gva_add(at, sizeof(xen_pfn_t))) {
		xen_pfn_t g = (xen_pfn_t)gnttab_shared_gfn(d, i).n;
		int err;

		err = guest_put(v, at, &g);
		if (err)
			return err;
	}
	return 0;
}

static int64_t setup_table(struct vcpu *v, gva_t arg)
{
	struct gnttab_setup_table op;
	struct domain *d;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	op.status = named_domain(v, op.dom, GNTTABOP_setup_table, &d);
	if (op.status != GNTST_okay)
		goto out;
	err = grow(v, d, op.nr_frames);
	if (err == -ERR_RESTART) {
		domain_put(d);
		return err;
	}
	if (err)
		op.status = op.nr_frames > d->gnttab.max_frames ? GNTST_general_error
								: GNTST_no_space;
	else if (write_frame_list(v, d, &op))
		op.status = GNTST_bad_virt_addr;
	domain_put(d);
out:
	return guest_put(v, arg, &op);
}

static int64_t query_size(struct vcpu *v, gva_t arg)
{
	struct gnttab_query_size op;
	struct domain *d;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	op.status = named_domain(v, op.dom, GNTTABOP_query_size, &d);
	if (op.status == GNTST_okay) {
		gnttab_query_size(d, &op);
		domain_put(d);
	}
	return guest_put(v, arg, &op);
}

/* Version 1 has no status frames. */
static int64_t get_status_frames(struct vcpu *v, gva_t arg)
{
	struct gnttab_get_status_frames op;
	struct domain *d;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	op.status = named_domain(v, op.dom, GNTTABOP_get_status_frames, &d);
	if (op.status == GNTST_okay) {
		if (op.nr_frames)
			op.status = GNTST_general_error;
		domain_put(d);
	}
	return guest_put(v, arg, &op);
}

static int64_t get_version(struct vcpu *v, gva_t arg)
{
	struct gnttab_get_version op;
	struct domain *d;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	d = domain_get(op.dom);
	if (!d)
		return refuse(R_NO_SUCH_DOMAIN, op.dom, 0, 0);
	err = policy_manage(v->domain, d, GNTTABOP_get_version);
	op.version = read_once(&d->gnttab.version);
	domain_put(d);
	return err ? err : guest_put(v, arg, &op);
}

static int64_t set_version(struct vcpu *v, gva_t arg)
{
	struct gnttab_set_version op;
	int err;

	err = guest_fetch(v, &op, arg);
	if (err)
		return err;
	if (op.version == 2)
		return refuse(R_GRANT_VERSION_2, 0, 1, 2);
	if (op.version != 1)
		return refuse(R_GRANT_VERSION, 0, 2, op.version);
	return guest_put(v, arg, &op);
}

int64_t abi_grant_table_op(struct vcpu *v, uint64_t *a)
{
	uint32_t cmd = (uint32_t)a[0] & CMD_MASK, from = (uint32_t)a[0] >> CMD_BITS;
	uint32_t count = (uint32_t)a[2];
	bool single = cmd == GNTTABOP_setup_table || cmd == GNTTABOP_query_size ||
		      cmd == GNTTABOP_get_status_frames;
	gva_t arg = gva(a[1]);

	if (from && cmd != GNTTABOP_cache_flush)
		return refuse(R_NOT_IMPLEMENTED, (uint32_t)a[0], 0, __HYPERVISOR_grant_table_op);
	if (count > INT32_MAX || (single && count != 1))
		return refuse(R_GRANT_COUNT, cmd, single ? 1 : INT32_MAX, count);
	switch (cmd) {
	case GNTTABOP_map_grant_ref:
	case GNTTABOP_unmap_grant_ref:
	case GNTTABOP_unmap_and_replace:
	case GNTTABOP_copy:
	case GNTTABOP_swap_grant_ref: return bulk(v, cmd, a);
	case GNTTABOP_cache_flush: return cache_flush(v, from, a);
	case GNTTABOP_setup_table: return setup_table(v, arg);
	case GNTTABOP_query_size: return query_size(v, arg);
	case GNTTABOP_get_status_frames: return get_status_frames(v, arg);
	case GNTTABOP_get_version: return get_version(v, arg);
	case GNTTABOP_set_version: return set_version(v, arg);
	default: /* GNTTABOP_transfer: PV guests only; GNTTABOP_dump_table: debugging of Xen's own */
		return refuse(R_NOT_IMPLEMENTED, cmd, 0, __HYPERVISOR_grant_table_op);
	}
}
