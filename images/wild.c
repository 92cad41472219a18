// SPDX-License-Identifier: Apache-2.0
/* wild DOMID SEED COUNT: what a broken or hostile toolstack asks of the hypervisor about one domain: random
 * operations with random structures, versions, sizes and pointers, until somebody else has destroyed the domain,
 * and COUNT more. Domain 0 is never their object, and what would by right stop the machine is not asked. Domains
 * that come into being so are destroyed at the end.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xencall.h>
#include <xenctrl.h>

/* Where the number of the first extent begins in the command of a memory_op. */
#define EXTENT_SHIFT 6

static xencall_handle *h;
static uint64_t state;
static domid_t target, made[256];
static unsigned nr_made;
static uint8_t *data; /* what handles point to: 4 pages, and one that is not there */
static size_t page;

/* xorshift64*: a seed gives the same sequence anywhere. */
static uint64_t any(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

/* A word of a structure: what sizes, numbers and handles tend to go wrong with. Never an address of dom0's
 * kernel, which a toolstack may pass and then has itself to blame. */
static uint64_t word(void)
{
	switch (below(12)) {
	case 0: return 0;
	case 1: return 1;
	case 2: return ~0ull;
	case 3: return 1ull << below(64) & ~(0xffffull << 48);
	case 4: return (uintptr_t)data;
	case 5: return (uintptr_t)data + 4 * page - below(64);
	case 6: return (uintptr_t)data + below(4 * page);
	case 7: return below(8) | below(8) << 32;
	case 8: return (uint64_t)target | below(4) << 32;
	case 9: return below(1u << 20);
	default: return any() & 0x7fffffffffff >> below(48);
	}
}

static void fill(void *to, size_t length)
{
	uint64_t *words = to;

	for (size_t i = 0; i < length / sizeof(*words); i++)
		words[i] = word();
}

/* Mostly the domain that it is about, else one that is not there. */
static domid_t domain(void)
{
	return below(16) ? target : (domid_t)(1000 + below(DOMID_FIRST_RESERVED - 1000));
}

static uint32_t version(uint32_t right)
{
	return below(16) ? right : (uint32_t)(right + below(3) - 1);
}

static int domctl(void *buffer)
{
	struct xen_domctl *op = buffer;
	int ret;

	fill(op, sizeof(*op));
	op->cmd = below(32) ? below(100) : (uint32_t)any();
	op->interface_version = version(XEN_DOMCTL_INTERFACE_VERSION);
	op->domain = domain();
	if (op->cmd == XEN_DOMCTL_destroydomain)
		op->domain = 1000; /* destroying it is the other toolstack's part */
	if (op->cmd == XEN_DOMCTL_createdomain && below(2)) {
		op->domain = 0;
		op->u.createdomain.max_vcpus = below(4);
		op->u.createdomain.flags &= 3;
	}
	ret = xencall1(h, __HYPERVISOR_domctl, (uintptr_t)op);
	if (!ret && op->cmd == XEN_DOMCTL_createdomain && nr_made < 256)
		made[nr_made++] = (domid_t)op->domain;
	return ret;
}

static int sysctl(void *buffer)
{
	struct xen_sysctl *op = buffer;

	fill(op, sizeof(*op));
	op->cmd = below(32) ? below(32) : (uint32_t)any();
	switch (op->cmd) {
	case XEN_SYSCTL_debug_keys:
	case XEN_SYSCTL_cpu_hotplug:
	case XEN_SYSCTL_cpupool_op:
	case XEN_SYSCTL_tbuf_op: /* its buffers stay */
	case XEN_SYSCTL_page_offline_op: op->interface_version = 0; break;
	default: op->interface_version = version(XEN_SYSCTL_INTERFACE_VERSION);
	}
	return xencall1(h, __HYPERVISOR_sysctl, (uintptr_t)op);
}

static int memory(void *buffer)
{
	unsigned op = below(29);

	fill(buffer, 256);
	/* Where each structure names its domain. */
	switch (op) {
	case XENMEM_increase_reservation:
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap:
		((struct xen_memory_reservation *)buffer)->domid = domain();
		break;
	case XENMEM_claim_pages: ((struct xen_memory_reservation *)buffer)->domid = 1000; break;
	case XENMEM_exchange: ((struct xen_memory_exchange *)buffer)->in.domid = domain(); break;
	default: *(domid_t *)buffer = domain();
	}
	return xencall2(h, __HYPERVISOR_memory_op, op | below(4) * below(2) << EXTENT_SHIFT,
			(uintptr_t)buffer);
}

static int hvm(void *buffer)
{
	struct xen_hvm_param *p = buffer;

	fill(p, sizeof(*p));
	p->domid = domain();
	p->index = below(8) ? below(HVM_NR_PARAMS + 2) : (uint32_t)any();
	return xencall2(h, __HYPERVISOR_hvm_op, below(26), (uintptr_t)buffer);
}

/* With a good structure at a bad place. */
static int pointer(void *buffer)
{
	static const unsigned calls[] = { __HYPERVISOR_domctl, __HYPERVISOR_sysctl,
					  __HYPERVISOR_platform_op };

	(void)buffer;
	return xencall1(h, calls[below(3)],
			below(2) ? (uintptr_t)data + 4 * page - 8 * below(9) : 0x1000 * below(16));
}

/* In steps, as any long call: -EBUSY and -EAGAIN say that there are more. */
static void destroy(struct xen_domctl *op, domid_t domid)
{
	int ret;

	do {
		memset(op, 0, sizeof(*op));
		op->cmd = XEN_DOMCTL_destroydomain;
		op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
		op->domain = domid;
		ret = xencall1(h, __HYPERVISOR_domctl, (uintptr_t)op);
	} while (ret && (errno == EBUSY || errno == EAGAIN));
}

static bool gone(struct xen_domctl *op)
{
	memset(op, 0, sizeof(*op));
	op->cmd = XEN_DOMCTL_getdomaininfo;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = target;
	return xencall1(h, __HYPERVISOR_domctl, (uintptr_t)op) || op->domain != target;
}

int main(int argc, char **argv)
{
	static int (*const calls[])(void *) = { domctl, domctl, domctl, sysctl,
						memory, memory, hvm,    pointer };
	unsigned calls_made = 0, done = 0, vanished = 0, left;
	bool is_gone = false;
	void *buffer;

	if (argc != 4)
		return 2;
	page = (size_t)sysconf(_SC_PAGESIZE);
	target = (domid_t)strtoul(argv[1], NULL, 0);
	state = strtoull(argv[2], NULL, 0) * 2 + 1;
	left = (unsigned)strtoul(argv[3], NULL, 0);
	h = xencall_open(NULL, 0);
	buffer = h ? xencall_alloc_buffer_pages(h, 2) : NULL;
	data = mmap(NULL, 5 * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	if (!buffer || data == MAP_FAILED || munmap(data + 4 * page, page) || !target)
		return 1;
	while (left) {
		int ret;

		if (calls_made % 64 == 0) {
			fill(data, 4 * page);
			is_gone = gone(buffer);
		}
		ret = calls[below(sizeof(calls) / sizeof(calls[0]))](buffer);
		calls_made++;
		done += ret >= 0;
		vanished += ret < 0 && errno == ESRCH;
		left -= is_gone;
	}
	for (unsigned i = 0; i < nr_made; i++)
		destroy(buffer, made[i]);
	printf("%u calls, %u done, %u about no domain, %u domains made\n", calls_made, done,
	       vanished, nr_made);
	return 0;
}
