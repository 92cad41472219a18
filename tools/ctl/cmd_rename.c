/* SPDX-License-Identifier: Apache-2.0 */
/* kr rename: another name for a domain. */
#include "ctl.h"
#include "domain/change.h"
#include "domain/create.h"
#include "lib/uuid.h"
#include "supervisor/record.h"
#include <getopt.h>
#include <stdio.h>

/* Its record, if it has one, so that a restart does not bring the old name back. */
static bool rename_record(const struct system *s, uint16_t domid, const char *name, struct fault *f)
{
	struct hcall_domain d;
	char uuid[UUID_TEXT];
	struct record r;
	bool ok;

	if (hcall_domains(s->hcall, domid, &d, 1) != 1 || d.id != domid)
		return true;
	uuid_text(d.uuid, uuid);
	if (!record_read(uuid, &r))
		return true;
	snprintf(r.name, sizeof(r.name), "%s", name);
	ok = record_write(&r, f);
	record_free(&r);
	return ok;
}

int cmd_rename(struct ctl *c, int argc, char **argv)
{
	struct system s;
	struct fault f;
	uint16_t domid;
	int lock, status = ctl_domain_and(c, argc, argv, 1, 1, &s, &domid);

	if (status)
		return status;
	lock = system_lock(&s, &f); /* nobody else takes the name meanwhile */
	if (lock < 0 || !domain_rename(&s, domid, argv[optind + 1], &f) ||
	    !rename_record(&s, domid, argv[optind + 1], &f))
		status = ctl_refuse(c, &f);
	system_unlock(lock);
	system_close(&s);
	return status;
}
