/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See dump.h. Frames are looked for in all that the domain ever used, a batch of a superpage's size at a time: a balloon or a gap may have left holes anywhere. What vanishes while
 * it is read counts as a hole, unless it was the domain itself that vanished.
 */
#include "dump.h"
#include "build/fill.h"
#include "core_file.h"
#include "lib/hcall/domctl.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xen/version.h>

#define BATCH    512u
#define PATH_LEN 4096
#define MIB      (1024 * 1024ull)

struct dump {
	const struct system *s;
	const struct dump_request *r;
	struct fault *f;
	struct xen_domctl_getdomaininfo info; /* as it was at the beginning */
	struct core_file core;
};

/* ---- the file ----------------------------------------------------------------------------------------- */

/* The file while it is written: without a name, or where the file system cannot have that, with a hidden one. */
struct new_file {
	int fd;
	char folder[PATH_LEN], hidden[PATH_LEN + 64];
	bool named;
};

static bool cannot_write(const char *path, struct fault *f)
{
	return fault_set(f, errno == ENOENT || errno == ENOTDIR ? F_FILE_MISSING : F_FILE_ACCESS,
			 "%s cannot be written: %s", path, strerror(errno));
}

/* Is the place free, or may what is there go? */
static bool place_free(const struct dump_request *r, struct fault *f)
{
	struct stat st;

	if (lstat(r->file, &st) < 0)
		return errno == ENOENT || cannot_write(r->file, f);
	if (!r->replace)
		return fault_set(f, F_FILE_EXISTS, "%s is there already", r->file);
	return S_ISREG(st.st_mode) || fault_set(f, F_FILE_KIND, "%s is no regular file", r->file);
}

static bool open_new(struct new_file *n, const char *path, struct fault *f)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int len = slash ? (int)(name - path) : 2;

	*n = (struct new_file){ .fd = -1 };
	if (strlen(path) >= PATH_LEN || !*name || strlen(name) > 200) {
		errno = !*name ? EISDIR : ENAMETOOLONG;
		return cannot_write(path, f);
	}
	snprintf(n->folder, sizeof(n->folder), "%.*s", len, slash ? path : "./");
	snprintf(n->hidden, sizeof(n->hidden), "%s.%s.%d", n->folder, name, (int)getpid());
	n->fd = open(n->folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (n->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		n->fd = open(n->hidden, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		n->named = n->fd >= 0;
	}
	return n->fd >= 0 || cannot_write(path, f);
}

/* Give it the name; a file that appeared there meanwhile is only replaced if it may be. */
static bool publish(struct new_file *n, const struct dump_request *r)
{
	char self[40];

	if (fsync(n->fd) < 0)
		return false;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", n->fd);
	if (!n->named && linkat(AT_FDCWD, self, AT_FDCWD, n->hidden, AT_SYMLINK_FOLLOW) < 0)
		return false;
	n->named = true;
	if (!r->replace)
		return link(n->hidden, r->file) == 0;
	n->named = rename(n->hidden, r->file) < 0;
	return !n->named;
}

static void close_new(struct new_file *n)
{
	if (n->named)
		unlink(n->hidden);
	if (n->fd >= 0)
		close(n->fd);
}

static bool write_failed(const struct dump *x)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		return fault_set(x->f, F_FILE_ROOM, "%s: %s, after %llu MiB; it was dropped",
				 x->r->file, strerror(errno),
				 (unsigned long long)(x->core.stored / MIB));
	if (errno == EEXIST)
		return fault_set(x->f, F_FILE_EXISTS, "%s: somebody else has made it meanwhile",
				 x->r->file);
	return cannot_write(x->r->file, x->f);
}

/* All its memory, as if none of it was zero. A file system that does not say how large it is has room. */
static bool has_room(const struct dump *x, int fd)
{
	const uint64_t need = x->info.tot_pages * (CORE_PAGE + sizeof(uint64_t)) +
			      x->core.pages_at + 2 * (uint64_t)CORE_PAGE;
	struct statvfs v;
	uint64_t room;

	if (fstatvfs(fd, &v) < 0 || !v.f_blocks)
		return true;
	room = (uint64_t)v.f_bavail * v.f_frsize;
	return room >= need ||
	       fault_set(x->f, F_FILE_ROOM, "%s: %llu MiB are wanted, but there is room for %llu",
			 x->r->file, (unsigned long long)((need + MIB - 1) / MIB),
			 (unsigned long long)(room / MIB));
}

/* ---- the domain --------------------------------------------------------------------------------------- */

static bool refused(const struct dump *x, int err, const char *what)
{
	return hypervisor_fault(x->s->hcall, err, what, x->f);
}

/* It is still the one that was begun with. */
static bool still_there(const struct dump *x)
{
	struct xen_domctl_getdomaininfo now;

	if (hcall_info(x->s->hcall, x->r->domid, &now) == 0 && !(now.flags & XEN_DOMINF_dying) &&
	    memcmp(now.handle, x->info.handle, sizeof(now.handle)) == 0)
		return true;
	return fault_set(x->f, F_DOMAIN_GONE, "domain %u ended while its core was written",
			 x->r->domid);
}

static bool look_at_it(struct dump *x)
{
	const uint16_t domid = x->r->domid;
	int err;

	if (domid == 0)
		return fault_set(x->f, F_DUMP_SELF,
				 "Domain-0 runs the program that would have to pause it");
	err = hcall_info(x->s->hcall, domid, &x->info);
	if (err == -ESRCH)
		return fault_set(x->f, F_NO_SUCH_DOMAIN, "there is no domain with the number %u",
				 domid);
	if (err)
		return refused(x, err, "asking for the domain");
	if (x->info.flags & XEN_DOMINF_dying)
		return fault_set(x->f, F_DOMAIN_GONE, "domain %u is being destroyed", domid);
	return true;
}

/* Of vCPUs that were ever started: their number is added to *nr. */
static bool read_contexts(const struct dump *x, vcpu_guest_context_t *context, uint32_t most,
			  uint32_t *nr)
{
	for (uint32_t i = 0; i < most; i++) {
		int err = hcall_get_context(x->s->hcall, x->r->domid, i, &context[*nr]);

		if (!err)
			++*nr;
		else if (err != -ENODATA && err != -ENOENT)
			return still_there(x) && refused(x, err, "reading a vCPU");
	}
	return true;
}

static bool begin_core(struct dump *x, int fd)
{
	const uint32_t most = x->info.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID
				  ? 0
				  : x->info.max_vcpu_id + 1;
	vcpu_guest_context_t *context = calloc(most + 1, sizeof(*context));
	uint32_t nr = 0;
	bool ok;

	if (!context)
		return fault_set(x->f, F_NO_MEMORY, "no memory for %u vCPUs", most);
	ok = read_contexts(x, context, most, &nr);
	core_file_begin(&x->core, fd, context, nr);
	return ok;
}

/* What the hypervisor does not tell stays empty. */
static void take_version(const struct dump *x, struct core_xen_version *v)
{
	struct hcall *h = x->s->hcall;
	const long version = hcall_version(h);

	*v = (struct core_xen_version){ .major = (uint64_t)version >> 16 & 0xffff,
					.minor = (uint64_t)version & 0xffff,
					.page_size = CORE_PAGE };
	(void)hcall_version_part(h, XENVER_extraversion, &v->extra, sizeof(v->extra));
	(void)hcall_version_part(h, XENVER_compile_info, &v->compile, sizeof(v->compile));
	(void)hcall_version_part(h, XENVER_capabilities, &v->capabilities, sizeof(v->capabilities));
	(void)hcall_version_part(h, XENVER_changeset, &v->changeset, sizeof(v->changeset));
	(void)hcall_version_part(h, XENVER_platform_parameters, &v->platform, sizeof(v->platform));
}

/* ---- its memory --------------------------------------------------------------------------------------- */

static bool keep_going(const struct dump *x)
{
	return watch_step(x->s->watch, "reading its memory", x->core.nr_pages * CORE_PAGE,
			  x->info.tot_pages * CORE_PAGE, x->f);
}

/* Frames that are mapped at `p`, without those that could not be. */
static bool add_mapped(struct dump *x, const uint64_t *gfn, const int *err, unsigned n,
		       const uint8_t *p)
{
	for (unsigned i = 0, end; i < n; i = end) {
		end = i + 1;
		if (err[i])
			continue;
		while (end < n && !err[end] && gfn[end] == gfn[i] + (end - i))
			end++;
		if (!core_file_add(&x->core, gfn[i], p + (size_t)i * CORE_PAGE, end - i))
			return write_failed(x);
	}
	return true;
}

static bool add_batch(struct dump *x, const uint64_t *gfn, unsigned n)
{
	int err[BATCH];
	unsigned missing = 0;
	void *p = fmem_map_some(x->s->fmem, x->r->domid, gfn, n, err);
	bool ok;

	if (!p)
		return still_there(x) &&
		       fault_set(x->f, F_HYPERVISOR, "mapping frames of domain %u: %s", x->r->domid,
				 strerror(errno));
	ok = add_mapped(x, gfn, err, n, p);
	fmem_unmap(x->s->fmem, p, n);
	for (unsigned i = 0; i < n; i++)
		missing += err[i] != 0;
	return ok && (!missing || still_there(x)) && keep_going(x);
}

/* `n` frames from `first` on. */
static bool add_frames(struct dump *x, uint64_t first, unsigned n)
{
	uint64_t gfn[BATCH];
	bool there[HCALL_FRAMES];
	unsigned nr = 0;
	int err = hcall_frames(x->s->hcall, x->r->domid, first, n, there);

	/* Where nobody tells, mapping them does. */
	if (err == -ENOSYS || err == -EOPNOTSUPP)
		memset(there, true, sizeof(there));
	else if (err)
		return still_there(x) && refused(x, err, "asking for frames");
	for (unsigned i = 0; i < n; i++) {
		if (there[i])
			gfn[nr++] = first + i;
		if (nr < BATCH && (i + 1 < n || !nr))
			continue;
		if (!add_batch(x, gfn, nr))
			return false;
		nr = 0;
	}
	return true;
}

static bool add_memory(struct dump *x)
{
	uint64_t last;
	int err = hcall_max_gfn(x->s->hcall, x->r->domid, &last);

	if (err)
		return still_there(x) && refused(x, err, "asking for its memory");
	for (uint64_t at = 0; at <= last; at += HCALL_FRAMES) {
		const uint64_t left = last - at + 1;

		if (!add_frames(x, at, left < HCALL_FRAMES ? (unsigned)left : HCALL_FRAMES))
			return false;
		/* A gap of a terabyte takes its time, too. */
		if (at % (HCALL_FRAMES * 1024ull) == 0 && !keep_going(x))
			return false;
	}
	return still_there(x);
}

/* ---- all of it ---------------------------------------------------------------------------------------- */

static bool take_all(struct dump *x, int fd)
{
	return begin_core(x, fd) && has_room(x, fd) && add_memory(x);
}

/* One that has ended does not run; it is not touched, for others may be about to take it away. */
static bool take_all_paused(struct dump *x, int fd)
{
	const bool runs = !(x->info.flags & XEN_DOMINF_shutdown);
	int err = runs ? hcall_simple(x->s->hcall, x->r->domid, XEN_DOMCTL_pausedomain) : 0;
	bool ok;

	if (err)
		return still_there(x) && refused(x, err, "pausing the domain");
	ok = take_all(x, fd);
	if (runs)
		(void)!hcall_simple(x->s->hcall, x->r->domid, XEN_DOMCTL_unpausedomain);
	return ok;
}

static bool finish(struct dump *x, struct new_file *n)
{
	struct core_xen_version version;

	take_version(x, &version);
	return (core_file_end(&x->core, &version) && publish(n, x->r)) || write_failed(x);
}

bool domain_dump(const struct system *s, const struct dump_request *r, struct dump_result *result,
		 struct fault *f)
{
	struct dump x = { .s = s, .r = r, .f = f };
	struct new_file n;
	bool ok;

	if (!look_at_it(&x) || !place_free(r, f) || !open_new(&n, r->file, f))
		return false;
	signal(SIGXFSZ, SIG_IGN); /* EFBIG says the same, and the domain is not left paused */
	ok = take_all_paused(&x, n.fd) && finish(&x, &n);
	*result = (struct dump_result){ x.core.nr_pages, x.core.stored, x.core.nr_vcpus };
	close_new(&n);
	core_file_free(&x.core);
	return ok;
}
