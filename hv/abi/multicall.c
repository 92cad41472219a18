/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several hypercalls in one. Each entry is a finished step: when something else wants the CPU between two, or an entry
 * stops half-way, the call is entered again with the entries that are left. An entry that
 * stopped has its rewritten arguments stored back, so that it goes on where it was.
 */
#include <hv/hypercall.h>

#include <hv/err.h>
#include <hv/vcpu.h>

_Static_assert(ARRAY_SIZE(((struct multicall_entry *)0)->args) == HYPERCALL_ARGS,
	       "xen.h: multicall_entry carries all arguments");

static int one_entry(struct vcpu *v, gva_t at)
{
	uint64_t args[HYPERCALL_ARGS];
	struct multicall_entry call;
	int64_t result;
	int err;

	err = guest_get(v, &call, at);
	if (!err)
		err = guest_writable(v, at, sizeof(call));
	if (err)
		return err;
	for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
		args[i] = call.args[i];
	result = hypercall(v, call.op, args);
	if (result == -ERR_RESTART) {
		for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
			call.args[i] = (__typeof__(call.args[0]))args[i];
		err = guest_put(v, at, &call);
		return err ? err : -ERR_RESTART;
	}
	call.result = (__typeof__(call.result))result;
	return guest_put(v, at, &call);
}

int64_t abi_multicall(struct vcpu *v, uint64_t *a)
{
	gva_t list = gva(a[0]);
	uint32_t n = (uint32_t)a[1];
	int err = 0;

	if (v->in_multicall)
		return refuse(R_MULTICALL_NESTED, v->id, 0, n);
	v->in_multicall = true;
	while (n && !err) {
		err = one_entry(v, list);
		if (err)
			break;
		list = gva_add(list, sizeof(struct multicall_entry));
		if (--n && hypercall_preempt(v))
			err = -ERR_RESTART;
	}
	v->in_multicall = false;
	if (err == -ERR_RESTART) {
		a[0] = list.a;
		a[1] = n;
	}
	return err;
}
