/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains that the hypervisor made at boot. Such a domain has an event channel to whoever is its store (xen,enhanced of the boot bindings), but no ring: HVM_PARAM_STORE_PFN is ~0, and its
 * kernel waits for an event on that channel before it looks again. The ring's page lies behind its console's, where the hypervisor leaves room.
 *
 * Its console has page and channel; the hypervisor serves it until a console daemon, which finds them in the store, binds to the channel.
 */
#include "build/fill.h"
#include "create.h"
#include "lib/hcall/domctl.h"
#include "store_write.h"
#include <errno.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/hvm/params.h>

#define KIB_A_PAGE  4u
#define KIB_PER_MIB 1024u
#define NO_RING     (~(uint64_t)0)

/* One page more than it has. */
static bool add_page(const struct system *s, const struct hcall_domain *d, uint64_t gfn,
		     struct fault *f)
{
	int err = hcall_max_mem(s->hcall, d->id, (d->max_pages + 1) * KIB_A_PAGE);
	long done = err ? err : hcall_populate(s->hcall, d->id, &gfn, 1, 0);

	return done == 1 || hypervisor_fault(s->hcall, done < 0 ? (int)done : -ENOMEM,
					     "a page for the store's ring", f);
}

/* Its daemon reaches the page by the grant of this number. */
static bool grant_page(const struct system *s, uint16_t domid, unsigned ref, uint64_t gfn,
		       struct fault *f)
{
	grant_entry_v1_t *table = fmem_grants(s->fmem, domid);

	if (!table)
		return fault_set(f, F_HYPERVISOR, "the grant table cannot be mapped: %s",
				 strerror(errno));
	table[ref] = (grant_entry_v1_t){ GTF_permit_access, 0, (uint32_t)gfn };
	fmem_unmap(s->fmem, table, 1);
	return true;
}

static bool make_ring(const struct system *s, const struct hcall_domain *d, struct made *made,
		      struct fault *f)
{
	uint64_t console = 0;
	int err = hcall_get_param(s->hcall, d->id, HVM_PARAM_CONSOLE_PFN, &console);

	if (err)
		return hypervisor_fault(s->hcall, err, "its console's page", f);
	made->store_gfn = console + 1;
	if (!add_page(s, d, made->store_gfn, f) ||
	    !grant_page(s, d->id, GNTTAB_RESERVED_XENSTORE, made->store_gfn, f))
		return false;
	err = hcall_set_param(s->hcall, d->id, HVM_PARAM_STORE_PFN, made->store_gfn);
	return err == 0 || hypervisor_fault(s->hcall, err, "its store's page", f);
}

/* Is there a ring, or can there be one? made->store_port is 0 if not. */
static bool find_ring(const struct system *s, const struct hcall_domain *d, struct made *made,
		      struct fault *f)
{
	uint64_t port = 0;
	int err = hcall_get_param(s->hcall, d->id, HVM_PARAM_STORE_EVTCHN, &port);

	if (!err)
		err = hcall_get_param(s->hcall, d->id, HVM_PARAM_STORE_PFN, &made->store_gfn);
	if (err)
		return hypervisor_fault(s->hcall, err, "its store's event channel", f);
	made->store_port = (uint32_t)port;
	return !port || made->store_gfn != NO_RING || make_ring(s, d, made, f);
}

/* Is there a PV console? made->console_port is 0 if not. */
static bool find_console(const struct system *s, const struct hcall_domain *d, struct made *made,
			 struct fault *f)
{
	uint64_t port = 0;
	int err = hcall_get_param(s->hcall, d->id, HVM_PARAM_CONSOLE_EVTCHN, &port);

	if (!err)
		err = hcall_get_param(s->hcall, d->id, HVM_PARAM_CONSOLE_PFN, &made->console_gfn);
	if (err)
		return hypervisor_fault(s->hcall, err, "its console's event channel", f);
	if (port && !grant_page(s, d->id, GNTTAB_RESERVED_CONSOLE, made->console_gfn, f))
		return false;
	made->console_port = (uint32_t)port;
	return true;
}

bool domain_is_adopted(const struct system *s, uint16_t domid)
{
	const grant_entry_v1_t *table;
	char name[STORE_PATH_MAX];
	uint64_t port = 0;
	bool granted;

	if (!*store_name(s, domid, name, sizeof(name)))
		return false;
	if (hcall_get_param(s->hcall, domid, HVM_PARAM_CONSOLE_EVTCHN, &port) || !port)
		return true;
	/* What the store says may be about one that had the number before. */
	table = fmem_grants(s->fmem, domid);
	if (!table)
		return true;
	granted = table[GNTTAB_RESERVED_CONSOLE].flags != 0;
	fmem_unmap(s->fmem, (void *)(uintptr_t)table, 1);
	return granted;
}

bool domain_adopt(const struct system *s, const struct hcall_domain *d, const char *name,
		  struct fault *f)
{
	const struct config c = {
		.name = name,
		.memory = d->pages * KIB_A_PAGE / KIB_PER_MIB,
		.maxmem = d->max_pages * KIB_A_PAGE / KIB_PER_MIB,
		.vcpus = d->online,
		.maxvcpus = d->vcpus,
	};
	struct made made = { .domid = d->id };
	struct fault ignored;
	bool ring = find_ring(s, d, &made, f);
	bool ok = find_console(s, d, &made, ring ? f : &ignored) && ring;

	if (!ring)
		made.store_port = 0;
	return store_add(s, &c, &made, ok ? f : &ignored) && ok;
}
