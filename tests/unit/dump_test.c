/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core files of a guest, over libhvcore.a (two_guests.h): what they hold is compared with the guest's own memory, read behind the tools' back; and whatever goes
 * wrong, no file is left and the guest is as it was.
 */
#define TWO_GUESTS_MORE "memory=4" /* two batches of frames, and some */
#include "two_guests.h"

#include "domain/core_file.h"
#include "domain/dump.h"
#include <elf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <dirent.h>
#include <xen/elfnote.h>

#define KERNEL_GFN (plan.entry / PAGE_SIZE)

static char folder[] = "/tmp/dump-test-XXXXXX", path[64];

static struct {
	struct watch watch;
	bool replace;
	uint16_t domid;
	bool ok;
	struct dump_result result;
	struct fault fault;
} dumping;

static void dump_it(void)
{
	const struct dump_request r = { dumping.domid, path, dumping.replace };

	tools.watch = dumping.watch.step ? &dumping.watch : NULL;
	dumping.ok = domain_dump(&tools, &r, &dumping.result, &dumping.fault);
	tools.watch = NULL;
}

static unsigned files(void)
{
	DIR *d = opendir(folder);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void dump(void)
{
	memset(&dumping.fault, 0, sizeof(dumping.fault));
	in_dom0(dump_it);
}

static void refused(enum fault_id id)
{
	const unsigned before = files();

	dump();
	assert_false(dumping.ok);
	if (dumping.fault.id != id)
		fail_msg("[%s] %s", fault_name(dumping.fault.id), dumping.fault.text);
	assert_int_equal(files(), before);
}

/* ---- reading one ------------------------------------------------------------------------------------------- */

static struct {
	const uint8_t *bytes;
	size_t size;
	const Elf64_Shdr *note, *prstatus, *pages, *pfn;
	const struct core_header *header;
	const struct core_xen_version *version;
} core;

static void read_notes(void)
{
	const uint8_t *p = core.bytes + core.note->sh_offset, *end = p + core.note->sh_size;
	unsigned seen = 0;

	while (p < end) {
		const Elf64_Nhdr *n = (const void *)p;
		const void *desc = p + sizeof(*n) + 4;

		assert_int_equal(n->n_namesz, 4);
		assert_string_equal((const char *)(n + 1), "Xen");
		seen |= 1u << (n->n_type - XEN_ELFNOTE_DUMPCORE_NONE);
		if (n->n_type == XEN_ELFNOTE_DUMPCORE_HEADER)
			core.header = desc;
		if (n->n_type == XEN_ELFNOTE_DUMPCORE_XEN_VERSION)
			core.version = desc;
		if (n->n_type == XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION)
			assert_int_equal(*(const uint64_t *)desc, 1);
		p += sizeof(*n) + 4 + n->n_descsz;
	}
	assert_ptr_equal(p, end);
	assert_int_equal(seen, 0xf);
}

static void open_core(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const Elf64_Ehdr *e;
	const Elf64_Shdr *s;
	struct stat st;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	core.size = (size_t)st.st_size;
	core.bytes = mmap(NULL, core.size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	e = (const void *)core.bytes;
	assert_memory_equal(e->e_ident, "\177ELF\2\1\1\0", 8);
	assert_int_equal(e->e_type, ET_CORE);
	assert_int_equal(e->e_phnum, 0);
	s = (const void *)(core.bytes + e->e_shoff);
	for (unsigned i = 1; i < e->e_shnum; i++) {
		const char *name = (const char *)core.bytes + s[e->e_shstrndx].sh_offset +
				   s[i].sh_name;

		assert_true(s[i].sh_offset + s[i].sh_size <= core.size);
		if (strcmp(name, ".note.Xen") == 0)
			core.note = &s[i];
		if (strcmp(name, ".xen_prstatus") == 0)
			core.prstatus = &s[i];
		if (strcmp(name, ".xen_pages") == 0)
			core.pages = &s[i];
		if (strcmp(name, ".xen_pfn") == 0)
			core.pfn = &s[i];
	}
	assert_true(core.note && core.prstatus && core.pages && core.pfn);
	read_notes();
	assert_int_equal(core.header->magic, 0xf00febee);
	assert_int_equal(core.header->page_size, 4096);
	assert_int_equal(core.pages->sh_size, core.header->nr_pages * 4096);
	assert_int_equal(core.pfn->sh_size, core.header->nr_pages * 8);
	assert_int_equal(core.prstatus->sh_size,
			 core.header->nr_vcpus * sizeof(vcpu_guest_context_t));
}

static void close_core(void)
{
	munmap((void *)(uintptr_t)core.bytes, core.size);
	memset(&core, 0, sizeof(core));
}

static const uint8_t *page_of(uint64_t gfn)
{
	const uint64_t *pfn = (const void *)(core.bytes + core.pfn->sh_offset);

	for (uint64_t i = 0; i < core.header->nr_pages; i++)
		if (pfn[i] == gfn)
			return core.bytes + core.pages->sh_offset + i * 4096;
	return NULL;
}

/* Every frame of RAM is there with what it has, and nothing else. */
static void compare(struct domain *d)
{
	const uint64_t found = core.header->nr_pages;
	uint64_t last = 0;
	const uint64_t *pfn = (const void *)(core.bytes + core.pfn->sh_offset);
	uint8_t page[4096];

	assert_int_equal(found, d->mem.used);
	for (uint64_t i = 0; i < found; i++) {
		assert_true(i == 0 || pfn[i] > last);
		last = pfn[i];
		assert_int_equal(guest_phys_read(d, page, gpa(last << PAGE_SHIFT), 4096), 0);
		assert_memory_equal(page, core.bytes + core.pages->sh_offset + i * 4096, 4096);
	}
}

/* ---- holes --------------------------------------------------------------------------------------------------- */

static struct {
	uint64_t first;
	unsigned n;
} balloon;

/* As the guest's balloon does it. */
static void give_up_frames(void)
{
	struct {
		struct xen_memory_reservation r;
		xen_pfn_t list[16];
	} *x = sim_buffer(NULL, sizeof(*x));

	x->r = (struct xen_memory_reservation){ .nr_extents = balloon.n, .domid = 1 };
	for (unsigned i = 0; i < balloon.n; i++)
		x->list[i] = balloon.first + i;
	set_xen_guest_handle(x->r.extent_start, x->list);
	sim_check_equal(memory_op(XENMEM_decrease_reservation, x), balloon.n);
	sim_free(NULL, x);
}

static int begin(void **state)
{
	two_guests(state);
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/core", folder);
	memset(&dumping, 0, sizeof(dumping));
	dumping.domid = 1;
	return 0;
}

static void destroy_both(void)
{
	for (uint16_t i = 1; i <= 2; i++)
		if (domain_find(i))
			(void)!domain_unmake(&hcall, i);
}

static int finish(void **state)
{
	unlink(path);
	rmdir(folder);
	in_dom0(destroy_both);
	return end_without_guests();
}

static void a_core_holds_all_of_a_guest(void **state)
{
	struct domain *d = domain_find(1);
	const uint32_t pauses = d->pause_count;
	const uint8_t *first;
	struct stat st;

	dump();
	assert_true(dumping.ok);
	assert_int_equal(d->pause_count, pauses);
	open_core();
	compare(d);
	assert_int_equal(core.header->nr_vcpus, 1); /* the second was never started */
	assert_int_equal(core.version->major, 4);
	assert_int_equal(core.version->minor, 17);
	assert_string_equal(core.version->extra, "-krypton");
	assert_int_equal(core.version->page_size, 4096);
	/* The kernel is where it was loaded, and most of the file takes no room. */
	first = page_of(KERNEL_GFN);
	assert_memory_equal(first + 64, kernel + 64, 4096 - 64);
	assert_int_equal(dumping.result.pages, core.header->nr_pages);
	assert_true(dumping.result.stored < 16 * KERNEL_SIZE);
	assert_true(stat(path, &st) == 0 && (uint64_t)st.st_blocks * 512 < core.size / 4);
	assert_int_equal(files(), 1);
	close_core();
}

static void a_balloon_leaves_holes(void **state)
{
	balloon.first = KERNEL_GFN + 700;
	balloon.n = 3;
	in_dom0(give_up_frames);
	dump();
	assert_true(dumping.ok);
	open_core();
	compare(domain_find(1));
	assert_null(page_of(balloon.first));
	assert_null(page_of(balloon.first + 2));
	assert_non_null(page_of(balloon.first + 3));
	close_core();
}

static long no_frame_info(struct hcall *h, unsigned op, const uint64_t arg[5], unsigned nr_args)
{
	const struct xen_domctl *ctl = (const void *)(uintptr_t)arg[0];

	if (op == __HYPERVISOR_domctl && ctl->cmd == XEN_DOMCTL_getpageframeinfo3)
		return -ENOSYS;
	return sim_op(h, op, arg, nr_args);
}

static void without_being_told_frames_are_found_by_mapping_them(void **state)
{
	struct hcall_ops ops = sim_ops;

	balloon.first = KERNEL_GFN + 700;
	balloon.n = 3;
	in_dom0(give_up_frames);
	ops.call = no_frame_info;
	hcall.ops = &ops;
	dump();
	hcall.ops = &sim_ops;
	assert_true(dumping.ok);
	open_core();
	compare(domain_find(1));
	close_core();
}

/* ---- in the middle --------------------------------------------------------------------------------------------- */

/* When the first batch is written: frames behind it, of which the hypervisor has just told that they are there. */
static bool balloon_goes_on(const char *what, uint64_t done, uint64_t all, struct fault *f)
{
	if (done && balloon.n) {
		give_up_frames();
		balloon.n = 0;
	}
	return true;
}

static void frames_that_vanish_meanwhile_are_holes(void **state)
{
	balloon.first = (plan.bank[0].start >> PAGE_SHIFT) + 600;
	balloon.n = 2;
	dumping.watch.step = balloon_goes_on;
	dump();
	assert_true(dumping.ok);
	assert_int_equal(balloon.n, 0);
	open_core();
	compare(domain_find(1));
	close_core();
}

static bool somebody_destroys_it(const char *what, uint64_t done, uint64_t all, struct fault *f)
{
	if (done && domain_find(1) && !domain_find(1)->dying)
		(void)!domain_unmake(&hcall, 1);
	return true;
}

static void a_guest_that_vanishes_leaves_no_file(void **state)
{
	dumping.watch.step = somebody_destroys_it;
	refused(F_DOMAIN_GONE);
}

static bool somebody_presses_ctrl_c(const char *what, uint64_t done, uint64_t all, struct fault *f)
{
	if (!done)
		return true;
	return fault_set(f, F_INTERRUPTED, "interrupted");
}

static void an_interrupted_one_leaves_no_file_and_a_guest_that_runs(void **state)
{
	struct domain *d = domain_find(1);
	const uint32_t pauses = d->pause_count;

	dumping.watch.step = somebody_presses_ctrl_c;
	refused(F_INTERRUPTED);
	assert_int_equal(d->pause_count, pauses);
}

static uint32_t meanwhile;

static bool count_pauses(const char *what, uint64_t done, uint64_t all, struct fault *f)
{
	meanwhile = domain_find(1)->pause_count;
	return true;
}

static void unpause(void)
{
	(void)!hcall_simple(&hcall, 1, XEN_DOMCTL_unpausedomain);
}

static void who_has_ended_is_not_paused(void **state)
{
	struct domain *d = domain_find(1);
	uint32_t pauses = d->pause_count;

	dumping.watch.step = count_pauses;
	dump();
	assert_true(dumping.ok);
	assert_int_equal(meanwhile, pauses + 1);
	assert_int_equal(d->pause_count, pauses);
	in_dom0(unpause);
	domain_crash(d, "a test");
	pauses = d->pause_count;
	dumping.replace = true;
	dump();
	assert_true(dumping.ok);
	assert_int_equal(meanwhile, pauses);
	assert_int_equal(d->pause_count, pauses);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static void places_are_judged_before_anything_is_done(void **state)
{
	dump();
	assert_true(dumping.ok);
	refused(F_FILE_EXISTS);
	dumping.replace = true;
	dump();
	assert_true(dumping.ok);
	assert_int_equal(files(), 1);
	unlink(path);
	dumping.domid = 77;
	refused(F_NO_SUCH_DOMAIN);
	dumping.domid = 0;
	refused(F_DUMP_SELF);
	dumping.domid = 1;
	snprintf(path, sizeof(path), "%s/none/core", folder);
	refused(F_FILE_MISSING);
	snprintf(path, sizeof(path), "%s/", folder);
	refused(F_FILE_KIND);
	snprintf(path, sizeof(path), "/dev/null");
	refused(F_FILE_KIND);
	snprintf(path, sizeof(path), "%s/core", folder);
}

static void a_file_that_finds_no_room_is_dropped_whole(void **state)
{
	struct rlimit before, little;

	getrlimit(RLIMIT_FSIZE, &before);
	little = before;
	little.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &little);
	refused(F_FILE_ROOM);
	/* The one that was there stays. */
	setrlimit(RLIMIT_FSIZE, &before);
	dump();
	assert_true(dumping.ok);
	setrlimit(RLIMIT_FSIZE, &little);
	dumping.replace = true;
	refused(F_FILE_ROOM);
	setrlimit(RLIMIT_FSIZE, &before);
	open_core();
	compare(domain_find(1));
	close_core();
}

/* ---- mapping --------------------------------------------------------------------------------------------------- */

static struct {
	int err[4];
	uint8_t byte;
	bool mapped;
} some;

static void map_some(void)
{
	const uint64_t list[] = { KERNEL_GFN, 5, KERNEL_GFN + 1, 1ull << 40 };
	const uint8_t *p = fmem_map_some(&fmem, 1, list, 4, some.err);

	some.mapped = p != NULL;
	if (!p)
		return;
	some.byte = p[2 * 4096 + 7];
	fmem_unmap(&fmem, (void *)(uintptr_t)p, 4);
}

static void each_frame_that_fails_is_told(void **state)
{
	in_dom0(map_some);
	assert_true(some.mapped);
	assert_int_equal(some.err[0], 0);
	assert_true(some.err[1] < 0);
	assert_int_equal(some.err[2], 0);
	assert_true(some.err[3] < 0);
	assert_int_equal(some.byte, kernel[4096 + 7]);
}

int main(void)
{
#define scene(f) cmocka_unit_test_setup_teardown(f, begin, finish)
	const struct CMUnitTest tests[] = {
		scene(a_core_holds_all_of_a_guest),
		scene(a_balloon_leaves_holes),
		scene(without_being_told_frames_are_found_by_mapping_them),
		scene(frames_that_vanish_meanwhile_are_holes),
		scene(a_guest_that_vanishes_leaves_no_file),
		scene(an_interrupted_one_leaves_no_file_and_a_guest_that_runs),
		scene(who_has_ended_is_not_paused),
		scene(places_are_judged_before_anything_is_done),
		scene(a_file_that_finds_no_room_is_dropped_whole),
		scene(each_frame_that_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
