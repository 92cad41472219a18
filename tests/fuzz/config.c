/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files: the first byte chooses the architecture, the rest is a file. Either it is refused with a reason, or what was read is complete
 * and within its limits.
 */
#include "domain/config.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_sound(const struct config *c)
{
	must(c->name && c->kernel && *c->name && *c->kernel && c->cmdline);
	must(c->vcpus >= 1 && c->vcpus <= c->maxvcpus && c->maxvcpus <= CONFIG_MAX_VCPUS);
	must(c->memory >= 1 && c->memory <= c->maxmem);
	for (const struct config_disk *d = c->disks; d; d = d->next)
		must((d->target || d->cdrom) && d->vdev && d->number < 2u << 28);
	for (const struct config_vif *v = c->vifs; v; v = v->next)
		must(!v->has_mac || !(v->mac[0] & 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_faults faults;
	enum build_arch arch;
	struct config c;
	bool ok;

	if (size == 0)
		return 0;
	arch = data[0] & 1 ? BUILD_ARM64 : BUILD_X86_64;
	ok = config_read(&c, arch, "fuzz", (const char *)data + 1, size - 1,
			 data[0] & 2 ? "memory=64" : NULL, &faults);
	must(ok == (faults.nr == 0));
	for (unsigned i = 0; i < faults.nr; i++)
		must(faults.fault[i].id != F_NONE && faults.fault[i].text[0]);
	if (ok)
		check_sound(&c);
	config_free(&c);
	return 0;
}
