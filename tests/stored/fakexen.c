/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enough of Xen's user-space libraries for a store daemon on a host without Xen: preloaded into Debian's
 * xenstored, linked into the test build of kr-stored, so that both face the same domains.
 *
 * $FAKEXEN names a folder. In it: ring-N, the store page of domain N; domains, a line "N running|shutdown|dying"
 * each; evtchn, a datagram socket that takes the number of a port as 4 bytes: 100 + N is domain N's store
 * port, 99 the VIRQ of dying domains. What the daemon signals goes to guest-N, if someone has bound it.
 * bound-N is there while domain N's port is bound. Files that tests make there:
 *	hold     a server that starts waits until it is gone
 *	killed   whoever binds the next port removes it, and is killed before it knows
 *	slow     whoever has accepted a client waits a moment before he does more
 *	crash    whoever asks for one domain ends by SIGABRT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xen/sysctl.h>

#define PORT_VIRQ 99
#define PORT_DOM0 100
#define MAX_PORTS 200
#define PAGE      4096

static const char *in_folder(const char *name, int n)
{
	static char path[256];
	const char *folder = getenv("FAKEXEN");

	snprintf(path, sizeof(path), n < 0 ? "%s/%s" : "%s/%s%d", folder ? folder : "/nonexistent",
		 name, n);
	return path;
}

/* ---- domains ---------------------------------------------------------------------------------- */

/* The first domain at or after domid, with its state's first letter. */
static int domain_at_or_after(unsigned domid, char *state)
{
	FILE *f = fopen(in_folder("domains", -1), "re");
	int best = -1;
	unsigned n;
	char word[16];

	if (domid == 0) {
		*state = 'r';
		best = 0;
	}
	while (f && best != 0 && fscanf(f, "%u %15s", &n, word) == 2)
		if (n >= domid && (best < 0 || (int)n < best)) {
			best = (int)n;
			*state = word[0];
		}
	if (f)
		fclose(f);
	return best;
}

static bool there_is(const char *name)
{
	return access(in_folder(name, -1), F_OK) == 0;
}

static bool domain_exists(unsigned domid)
{
	char state;

	return domain_at_or_after(domid, &state) == (int)domid;
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *builder,
				unsigned flags)
{
	static char it;

	return (xc_interface *)&it;
}

int xc_interface_close(xc_interface *xch)
{
	return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned int max, xc_dominfo_t *info)
{
	unsigned got = 0;
	char state = 0;
	int n;

	while (got < max && (n = domain_at_or_after(first, &state)) >= 0) {
		memset(&info[got], 0, sizeof(info[got]));
		info[got].domid = (uint32_t)n;
		info[got].shutdown = state == 's';
		info[got].dying = state == 'd';
		info[got].running = state == 'r';
		first = (uint32_t)n + 1;
		got++;
	}
	if (got == 0) {
		errno = ESRCH;
		return -1;
	}
	return (int)got;
}

/* ---- hypercalls: the list of domains ---------------------------------------------------------- */

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned flags)
{
	static char it;

	return (xencall_handle *)&it;
}

int xencall_close(xencall_handle *xcall)
{
	return 0;
}

int xencall_fd(xencall_handle *xcall)
{
	return -1;
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
	return calloc(1, size);
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
	free(p);
}

int xencall1(xencall_handle *xcall, unsigned int op, uint64_t arg1)
{
	struct xen_sysctl *ctl = (void *)(uintptr_t)arg1;
	struct xen_sysctl_getdomaininfolist *list = &ctl->u.getdomaininfolist;
	xen_domctl_getdomaininfo_t *info = (void *)list->buffer.p;
	unsigned next = list->first_domain;
	char state = 0;
	int n;

	if (list->max_domains == 1 && there_is("crash"))
		abort();
	if (op != __HYPERVISOR_sysctl || ctl->cmd != XEN_SYSCTL_getdomaininfolist ||
	    ctl->interface_version != XEN_SYSCTL_INTERFACE_VERSION) {
		errno = ENOSYS;
		return -1;
	}
	list->num_domains = 0;
	while (list->num_domains < list->max_domains &&
	       (n = domain_at_or_after(next, &state)) >= 0) {
		memset(info, 0, sizeof(*info));
		info->domain = (domid_t)n;
		info->flags = state == 's'   ? XEN_DOMINF_shutdown
			      : state == 'd' ? XEN_DOMINF_dying
					     : XEN_DOMINF_running;
		info++;
		list->num_domains++;
		next = (unsigned)n + 1;
	}
	return 0;
}

long xencall2L(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	errno = ENOSYS;
	return -1;
}

int xencall5(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2, uint64_t arg3,
	     uint64_t arg4, uint64_t arg5)
{
	errno = ENOSYS;
	return -1;
}

/* ---- event channels --------------------------------------------------------------------------- */

struct xenevtchn_handle {
	int fd;
};

static int to(const char *name, int n, struct sockaddr_un *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%.100s", in_folder(name, n));
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	struct xenevtchn_handle *it = calloc(1, sizeof(*it));
	struct sockaddr_un addr;

	for (int n = 0; n < MAX_PORTS; n++)
		unlink(in_folder("bound-", n));
	it->fd = to("evtchn", -1, &addr);
	unlink(addr.sun_path);
	if (bind(it->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return NULL;
	return it;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned open_flags)
{
	struct xenevtchn_handle *it = calloc(1, sizeof(*it));

	while (there_is("hold"))
		usleep(1000);
	it->fd = fd;
	return it;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	close(xce->fd);
	free(xce);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return xce->fd;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	static int out = -1;
	struct sockaddr_un addr;
	int fd = to("guest-", (int)port - PORT_DOM0, &addr);

	if (out >= 0)
		close(out);
	out = fd;
	sendto(out, &port, sizeof(port), MSG_DONTWAIT, (struct sockaddr *)&addr, sizeof(addr));
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t remote_port)
{
	int fd;

	if (!domain_exists(domid)) {
		errno = ESRCH;
		return -1;
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, in_folder("bound-", (int)domid), O_CREAT | O_EXCL,
			  0600);
	if (fd < 0) { /* it has one end only */
		errno = EINVAL;
		return -1;
	}
	close(fd);
	if (unlink(in_folder("killed", -1)) == 0)
		raise(SIGKILL);
	return PORT_DOM0 + (int)domid;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	return PORT_VIRQ;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
	errno = ENOSYS;
	return -1;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	if (port < PORT_DOM0 + MAX_PORTS &&
	    (port < PORT_DOM0 || unlink(in_folder("bound-", (int)port - PORT_DOM0)) == 0))
		return 0;
	errno = port < PORT_DOM0 + MAX_PORTS ? ENOTCONN : EINVAL;
	return -1;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	uint32_t port;

	return recv(xce->fd, &port, sizeof(port), MSG_DONTWAIT) == sizeof(port) ? (int)port : -1;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	return 0;
}

/* ---- store pages ------------------------------------------------------------------------------ */

static void *map_ring(uint32_t domid)
{
	int fd;
	void *p;

	if (!domain_exists(domid)) {
		errno = ESRCH;
		return NULL;
	}
	fd = open(in_folder("ring-", (int)domid), O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
	static char it;

	return (xengnttab_handle *)&it;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	if (ref != GNTTAB_RESERVED_XENSTORE) {
		errno = EINVAL;
		return NULL;
	}
	return map_ring(domid);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
				      uint32_t *refs, int prot)
{
	errno = ENOSYS;
	return NULL;
}

int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count, xengnttab_grant_copy_segment_t *segs)
{
	errno = ENOSYS;
	return -1;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
	return munmap(start, PAGE);
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger, unsigned flags)
{
	static char it;

	return (xenforeignmemory_handle *)&it;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
			   const xen_pfn_t arr[], int err[])
{
	return map_ring(dom);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
	return munmap(addr, PAGE);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
    xenforeignmemory_handle *fmem, domid_t domid, unsigned int type, unsigned int id,
    unsigned long frame, unsigned long nr_frames, void **paddr, int prot, int flags)
{
	errno = ENOSYS;
	return NULL;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
				    xenforeignmemory_resource_handle *fres)
{
	return 0;
}

/* ---- dom0's own page and port ------------------------------------------------------------------- */

static int fake_open(const char *path, int flags, mode_t mode)
{
	if (strcmp(path, "/proc/xen/xsd_port") == 0 || strcmp(path, "/dev/xen/xsd_port") == 0) {
		int fd = memfd_create("xsd_port", 0);

		if (fd >= 0 && pwrite(fd, "100", 3, 0) != 3)
			return -1;
		return fd;
	}
	if (strcmp(path, "/proc/xen/xsd_kva") == 0 || strcmp(path, "/dev/xen/xsd_kva") == 0)
		path = in_folder("ring-", 0);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define MODE_OF(flags, mode)                           \
	do {                                           \
		va_list ap;                            \
		va_start(ap, flags);                   \
		if ((flags) & (O_CREAT | __O_TMPFILE)) \
			(mode) = va_arg(ap, mode_t);   \
		va_end(ap);                            \
	} while (0)

#undef open
#undef open64
int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return fake_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_OF(flags, mode);
	return fake_open(path, flags, mode);
}

int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
	int client = (int)syscall(SYS_accept4, fd, addr, len, flags);

	if (there_is("slow"))
		usleep(5000);
	return client;
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return fake_open(path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
	return fake_open(path, flags, 0);
}
