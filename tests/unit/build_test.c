/* SPDX-License-Identifier: Apache-2.0 */
/* The domain builder's planning: real kernels of Debian's, and kernels made here with one thing wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "build/parts.h"
#include <elf.h>
#include <libfdt.h>
#include <lz4.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/elfnote.h>
#include <zlib.h>
#include <zstd.h>

#define PVH_ENTRY 0x1000040u

static struct fault fault;
static struct build_plan plan;

/* ---- kernels made here ---------------------------------------------------------------------------- */

struct made {
	uint8_t *data;
	size_t size;
};

static void *zeroed(size_t n)
{
	void *p = calloc(1, n);

	assert_non_null(p);
	return p;
}

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	while (n--) {
		*p++ = (uint8_t)v;
		v >>= 8;
	}
}

#define ELF_NOTE 0x200u
#define ELF_CODE 0x1000u
#define ELF_SIZE 0x3000u

/* A small PVH kernel: one segment at 16 MiB with 2 MiB of bss, one note. */
static struct made make_elf(void)
{
	struct made m = { zeroed(ELF_SIZE), ELF_SIZE };
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD,
		  .p_offset = ELF_CODE,
		  .p_paddr = 16 * MIB,
		  .p_filesz = ELF_SIZE - ELF_CODE,
		  .p_memsz = 2 * MIB },
		{ .p_type = PT_NOTE, .p_offset = ELF_NOTE, .p_filesz = 20, .p_memsz = 20 },
	};

	memcpy(m.data, &h, sizeof(h));
	memcpy(m.data + sizeof(h), p, sizeof(p));
	put(m.data + ELF_NOTE, 4, 4);
	put(m.data + ELF_NOTE + 4, 4, 4);
	put(m.data + ELF_NOTE + 8, XEN_ELFNOTE_PHYS32_ENTRY, 4);
	memcpy(m.data + ELF_NOTE + 12, "Xen", 4);
	put(m.data + ELF_NOTE + 16, PVH_ENTRY, 4);
	for (size_t i = ELF_CODE; i < ELF_SIZE; i++)
		m.data[i] = (uint8_t)(i * 7 >> 3);
	return m;
}

static Elf64_Phdr *segment(struct made *m)
{
	return (Elf64_Phdr *)(void *)(m->data + sizeof(Elf64_Ehdr));
}

#define SETUP_SIZE ((4 + 1) * 512u)

/* A bzImage around `payload`. */
static struct made make_bzimage(const uint8_t *payload, size_t n)
{
	size_t code = ROUND_UP_TO(n + 0x100, 16);
	struct made m = { zeroed(SETUP_SIZE + code), SETUP_SIZE + code };

	m.data[0x1f1] = 4;
	put(m.data + 0x1f4, code / 16, 4);
	put(m.data + 0x1fe, 0xaa55, 2);
	memcpy(m.data + 0x202, "HdrS", 4);
	put(m.data + 0x206, 0x20f, 2);
	put(m.data + 0x248, 0x100, 4);
	put(m.data + 0x24c, n, 4);
	memcpy(m.data + SETUP_SIZE + 0x100, payload, n);
	return m;
}

static struct made pack_gzip(const struct made *in)
{
	struct made m = { zeroed(2 * in->size + 100), 0 };
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, 0), Z_OK);
	z.next_in = in->data;
	z.avail_in = (uInt)in->size;
	z.next_out = m.data;
	z.avail_out = (uInt)(2 * in->size + 100);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	m.size = z.total_out;
	deflateEnd(&z);
	return m;
}

static struct made pack_xz(const struct made *in)
{
	struct made m = { zeroed(2 * in->size + 1000), 0 };

	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, in->data, in->size,
						 m.data, &m.size, 2 * in->size + 1000),
			 LZMA_OK);
	return m;
}

static struct made pack_lzma(const struct made *in)
{
	struct made m = { zeroed(2 * in->size + 1000), 0 };
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	lzma_lzma_preset(&options, 0);
	assert_int_equal(lzma_alone_encoder(&z, &options), LZMA_OK);
	z.next_in = in->data;
	z.avail_in = in->size;
	z.next_out = m.data;
	z.avail_out = 2 * in->size + 1000;
	assert_int_equal(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
	m.size = z.total_out;
	lzma_end(&z);
	return m;
}

/* Legacy frames have blocks of 8 MiB. */
static struct made pack_lz4(const struct made *in)
{
	struct made m = { zeroed(2 * in->size + 1000), 4 };

	put(m.data, 0x184c2102, 4);
	for (size_t at = 0; at < in->size; at += 8 * MIB) {
		size_t n = in->size - at < 8 * MIB ? in->size - at : 8 * MIB;
		int got = LZ4_compress_default((const char *)in->data + at,
					       (char *)m.data + m.size + 4, (int)n,
					       (int)(2 * in->size + 1000 - m.size - 4));

		assert_true(got > 0);
		put(m.data + m.size, (uint64_t)got, 4);
		m.size += 4 + (size_t)got;
	}
	return m;
}

static struct made pack_zstd(const struct made *in)
{
	struct made m = { zeroed(2 * in->size + 1000), 0 };

	m.size = ZSTD_compress(m.data, 2 * in->size + 1000, in->data, in->size, 3);
	assert_false(ZSTD_isError(m.size));
	return m;
}

static const struct packer {
	const char *name;
	struct made (*pack)(const struct made *in);
} packers[] = { { "gzip", pack_gzip },
		{ "xz", pack_xz },
		{ "lzma", pack_lzma },
		{ "lz4", pack_lz4 },
		{ "zstd", pack_zstd } };

/* As Linux's build packs it: all but gzip get the unpacked size behind. */
static struct made pack_bzimage(const struct packer *packer, const struct made *elf)
{
	struct made packed = packer->pack(elf), m;

	if (strcmp(packer->name, "gzip") != 0) {
		put(packed.data + packed.size, elf->size, 4);
		packed.size += 4;
	}
	m = make_bzimage(packed.data, packed.size);
	free(packed.data);
	return m;
}

static struct made make_packed_bzimage(const struct packer *packer)
{
	struct made elf = make_elf(), m = pack_bzimage(packer, &elf);

	free(elf.data);
	return m;
}

static struct made make_image(void)
{
	struct made m = { zeroed(0x4000), 0x4000 };

	put(m.data + 16, 8 * MIB, 8);
	put(m.data + 24, 0xa, 8);
	memcpy(m.data + 56, "ARM\x64", 4);
	for (size_t i = 64; i < m.size; i++)
		m.data[i] = (uint8_t)(i * 5 >> 2);
	return m;
}

/* ---- asking --------------------------------------------------------------------------------------- */

static struct build_request request(enum build_arch arch, const struct made *m)
{
	return (struct build_request){
		.arch = arch,
		.memory = 64 * MIB,
		.vcpus = 2,
		.cmdline = "console=hvc0",
		.kernel = { "kernel", m->data, m->size },
	};
}

/* What build_unpack() gave: a guest's memory from 16 MiB on. */
static uint8_t poured[64 * MIB];

static bool put_poured(void *ctx, uint64_t to, const uint8_t *data, size_t n, struct fault *f)
{
	assert_true(to >= 16 * MIB && range_inside(sizeof(poured), to - 16 * MIB, n));
	memcpy(poured + (to - 16 * MIB), data, n);
	return true;
}

/* A plan, and all of the kernel. */
static bool planned(const struct build_request *r)
{
	fault = (struct fault){ 0 };
	if (!build_plan(r, &plan, &fault))
		return false;
	if (build_unpack(&plan, put_poured, NULL, &fault))
		return true;
	build_plan_free(&plan);
	return false;
}

static void accepted(const struct build_request *r)
{
	if (!planned(r))
		fail_msg("%s: %s", fault_name(fault.id), fault.text);
}

/* Refused for this cause, and the line says this. */
static void refused(const struct build_request *r, enum fault_id id, const char *says)
{
	if (planned(r)) {
		build_plan_free(&plan);
		fail_msg("accepted, though it should say: %s", says);
	}
	if (fault.id != id || !strstr(fault.text, says))
		fail_msg("%s instead of %s: %s", fault_name(fault.id), fault_name(id), fault.text);
}

static const struct build_piece *piece(const char *what)
{
	for (uint32_t i = 0; i < plan.nr_pieces; i++)
		if (strcmp(plan.piece[i].what, what) == 0)
			return &plan.piece[i];
	fail_msg("the plan has no %s", what);
	return NULL;
}

/* What will stand at a guest address. */
static const void *at(uint64_t pa)
{
	for (uint32_t i = 0; i < plan.nr_pieces; i++) {
		const struct build_piece *p = &plan.piece[i];

		if (pa >= p->at.start && pa - p->at.start < p->file_size)
			return p->data ? p->data + (pa - p->at.start) : poured + (pa - 16 * MIB);
	}
	fail_msg("nothing stands at %llx", (unsigned long long)pa);
	return NULL;
}

/* ---- x86 -------------------------------------------------------------------------------------------- */

static void an_elf_kernel_goes_where_its_segments_say(void **state)
{
	struct made m = make_elf();
	struct build_request r = request(BUILD_X86_64, &m);

	accepted(&r);
	assert_string_equal(plan.kernel_kind, "ELF");
	assert_int_equal(plan.entry, PVH_ENTRY);
	assert_int_equal(piece("kernel")->at.start, 16 * MIB);
	assert_int_equal(piece("kernel")->at.size, 2 * MIB);
	assert_memory_equal(at(16 * MIB), m.data + ELF_CODE, ELF_SIZE - ELF_CODE);
	build_plan_free(&plan);
	free(m.data);
}

static void every_packing_gives_the_same_kernel(void **state)
{
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		struct made elf = make_elf(), m = make_packed_bzimage(&packers[i]);
		struct build_request r = request(BUILD_X86_64, &m);

		accepted(&r);
		assert_string_equal(plan.kernel_kind, packers[i].name);
		assert_memory_equal(at(16 * MIB), elf.data + ELF_CODE, ELF_SIZE - ELF_CODE);
		build_plan_free(&plan);
		free(elf.data);
		free(m.data);
	}
}

/* 9 MiB, and the note lies where one window ends, of whatever size, and the next begins. */
static struct made make_large_elf(void)
{
	struct made m = { zeroed(9 * MIB), 9 * MIB }, small = make_elf();
	uint32_t x = 1;

	memcpy(m.data, small.data, ELF_SIZE);
	memcpy(m.data + 8 * MIB - 18, small.data + ELF_NOTE, 20);
	for (size_t i = ELF_CODE; i < m.size; i++)
		if (i < 8 * MIB - 18 || i >= 8 * MIB + 2)
			m.data[i] = (uint8_t)(i % 64 ? i >> 6 : (x = x * 1103515245 + 12345) >> 24);
	segment(&m)[0].p_filesz = segment(&m)[0].p_memsz = m.size - ELF_CODE;
	segment(&m)[1].p_offset = 8 * MIB - 18;
	free(small.data);
	return m;
}

static bool put_until(void *ctx, uint64_t to, const uint8_t *data, size_t n, struct fault *f)
{
	uint64_t *end = ctx;

	return to + n <= *end ||
	       fault_set(f, F_HYPERVISOR, "no more than to %#llx", (unsigned long long)*end);
}

static void a_large_kernel_comes_in_pieces(void **state)
{
	struct made elf = make_large_elf();

	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		struct made m = pack_bzimage(&packers[i], &elf);
		struct build_request r = request(BUILD_X86_64, &m);
		uint64_t end = 24 * MIB;

		accepted(&r);
		assert_int_equal(plan.entry, PVH_ENTRY);
		assert_memory_equal(at(16 * MIB), elf.data + ELF_CODE, elf.size - ELF_CODE);
		assert_false(build_unpack(&plan, put_until, &end, &fault));
		assert_int_equal(fault.id, F_HYPERVISOR);
		build_plan_free(&plan);
		if (i >= 2) { /* no checksum */
			free(m.data);
			continue;
		}
		/* What is wrong far behind the headers is found when it comes. */
		memset(m.data + SETUP_SIZE + 0x100 + (m.size - SETUP_SIZE) * 3 / 4, 0xff, 64);
		assert_true(build_plan(&r, &plan, &fault));
		assert_false(build_unpack(&plan, NULL, NULL, &fault));
		assert_true(fault.id == F_PAYLOAD_DAMAGED || fault.id == F_PAYLOAD_SIZE);
		build_plan_free(&plan);
		free(m.data);
	}
	free(elf.data);
}

static void a_flipped_bit_is_found_by_the_formats_with_a_checksum(void **state)
{
	for (size_t i = 0; i < 2; i++) { /* gzip, xz */
		struct made m = make_packed_bzimage(&packers[i]);
		struct build_request r = request(BUILD_X86_64, &m);

		m.data[SETUP_SIZE + 0x100 + 200] ^= 0x10;
		refused(&r, F_PAYLOAD_DAMAGED, packers[i].name);
		free(m.data);
	}
}

static void a_packed_kernel_that_ends_early_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		struct made elf = make_elf(), packed = packers[i].pack(&elf), m;
		struct build_request r;

		packed.size /= 2;
		put(packed.data + packed.size - 4, elf.size, 4);
		m = make_bzimage(packed.data, packed.size);
		r = request(BUILD_X86_64, &m);
		refused(&r, F_PAYLOAD_DAMAGED, packers[i].name);
		free(elf.data);
		free(packed.data);
		free(m.data);
	}
}

static void a_packed_kernel_gives_what_it_claims_and_no_more(void **state)
{
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		struct made m = make_packed_bzimage(&packers[i]);
		struct build_request r = request(BUILD_X86_64, &m);
		size_t length = little(m.data + 0x24c, 4);
		uint8_t *claim = m.data + SETUP_SIZE + 0x100 + length - 4;

		put(claim, ELF_SIZE - 1, 4);
		/* gzip's own size is checked by zlib. */
		refused(&r, F_PAYLOAD_SIZE, "kernel");
		put(claim, ELF_SIZE + 1, 4);
		if (strcmp(packers[i].name, "gzip") == 0)
			refused(&r, F_PAYLOAD_DAMAGED, "incorrect length check");
		else
			refused(&r, F_PAYLOAD_SIZE, "gives 12288 bytes instead of 12289");
		put(claim, 0, 4);
		refused(&r, F_PAYLOAD_SIZE, "claims 0 bytes");
		put(claim, 0xffffffff, 4);
		refused(&r, F_PAYLOAD_SIZE, "claims 4294967295 bytes");
		free(m.data);
	}
}

static void formats_without_a_library_are_refused_by_name(void **state)
{
	static const char start[][2][20] = { { "BZh9", "bzip2" },
					     { "\x89LZO\0\r\n", "lzo" },
					     { "\x04\x22\x4d\x18", "lz4 (frame format)" } };

	for (size_t i = 0; i < 3; i++) {
		uint8_t payload[64] = { 0 };
		struct build_request r;
		struct made m;

		memcpy(payload, start[i][0], 7);
		put(payload + 60, 100, 4);
		m = make_bzimage(payload, sizeof(payload));
		r = request(BUILD_X86_64, &m);
		refused(&r, F_PAYLOAD_FORMAT, start[i][1]);
		free(m.data);
	}
}

static void a_bzimage_header_is_believed_only_as_far_as_the_file_goes(void **state)
{
	struct made m = make_packed_bzimage(&packers[0]);
	struct build_request r = request(BUILD_X86_64, &m);

	r.kernel.size = m.size - 16;
	refused(&r, F_KERNEL_TRUNCATED, "truncated bzImage");
	r.kernel.size = 0x220;
	refused(&r, F_KERNEL_TRUNCATED, "truncated bzImage");
	r.kernel.size = m.size;
	put(m.data + 0x1fe, 0x55aa, 2);
	refused(&r, F_KERNEL_HEADER, "boot flag at 0x1fe is 0x55aa");
	put(m.data + 0x1fe, 0xaa55, 2);
	put(m.data + 0x206, 0x207, 2);
	refused(&r, F_KERNEL_OLD, "boot protocol 2.07");
	put(m.data + 0x206, 0x208, 2);
	put(m.data + 0x248, 0xfffffff0, 4);
	refused(&r, F_KERNEL_HEADER, "payload at 0x248");
	put(m.data + 0x248, 0x100, 4);
	put(m.data + 0x24c, 0x100000, 4);
	refused(&r, F_KERNEL_HEADER, "payload at 0x248");
	put(m.data + 0x24c, 3, 4);
	refused(&r, F_KERNEL_HEADER, "payload at 0x248");
	free(m.data);
}

/* One change to the ELF file's bytes, and what is said to it. */
static const struct elf_mistake {
	size_t at;
	uint64_t value;
	unsigned bytes;
	enum fault_id id;
	const char *says;
} elf_mistakes[] = {
	{ EI_CLASS, 3, 1, F_KERNEL_ARCH, "identification at 4" },
	{ EI_DATA, ELFDATA2MSB, 1, F_KERNEL_ARCH, "identification at 4" },
	{ offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, 2, F_KERNEL_ARCH, "made for 64-bit Arm" },
	{ offsetof(Elf64_Ehdr, e_machine), EM_386, 2, F_KERNEL_ARCH, "machine 3" },
	{ offsetof(Elf64_Ehdr, e_type), ET_REL, 2, F_KERNEL_FORMAT, "type 1" },
	{ offsetof(Elf64_Ehdr, e_phnum), 0, 2, F_KERNEL_HEADER, "0 program headers" },
	{ offsetof(Elf64_Ehdr, e_phnum), 65, 2, F_KERNEL_HEADER, "65 program headers" },
	{ offsetof(Elf64_Ehdr, e_phentsize), 32, 2, F_KERNEL_HEADER, "of 32 bytes" },
	{ offsetof(Elf64_Ehdr, e_phoff), ELF_SIZE - 8, 8, F_KERNEL_TRUNCATED, "program headers at" },
	{ offsetof(Elf64_Ehdr, e_phoff), ~0ull, 8, F_KERNEL_TRUNCATED, "program headers at" },
	{ 64 + offsetof(Elf64_Phdr, p_filesz), 3 * MIB, 8, F_KERNEL_HEADER, "larger in the file" },
	{ 64 + offsetof(Elf64_Phdr, p_offset), ELF_SIZE - 1, 8, F_KERNEL_TRUNCATED, "truncated" },
	{ 64 + offsetof(Elf64_Phdr, p_offset), ~0ull - 1, 8, F_KERNEL_TRUNCATED, "truncated" },
	{ 64 + offsetof(Elf64_Phdr, p_paddr), 0xf0000, 8, F_KERNEL_HEADER, "outside of 1 MiB" },
	{ 64 + offsetof(Elf64_Phdr, p_paddr), 0xbfffffff, 8, F_KERNEL_HEADER, "outside of 1 MiB" },
	{ 64 + offsetof(Elf64_Phdr, p_paddr), ~0ull, 8, F_KERNEL_HEADER, "outside of 1 MiB" },
	{ 64 + offsetof(Elf64_Phdr, p_memsz), 0, 8, F_KERNEL_FORMAT, "no segment" },
	{ 64 + offsetof(Elf64_Phdr, p_memsz), 63 * MIB, 8, F_MEMORY_SMALL, "needs RAM up to" },
	{ ELF_NOTE, 0xffffffff, 4, F_KERNEL_NO_PVH, "XEN_ELFNOTE_PHYS32_ENTRY" },
	{ ELF_NOTE + 4, 0xffffffff, 4, F_KERNEL_NO_PVH, "XEN_ELFNOTE_PHYS32_ENTRY" },
	{ ELF_NOTE + 8, 17, 4, F_KERNEL_NO_PVH, "XEN_ELFNOTE_PHYS32_ENTRY" },
	{ ELF_NOTE + 16, 0x1100000, 4, F_KERNEL_HEADER, "entry 0x1100000 lies outside" },
};

static void each_field_of_an_elf_kernel_is_checked(void **state)
{
	for (size_t i = 0; i < sizeof(elf_mistakes) / sizeof(elf_mistakes[0]); i++) {
		const struct elf_mistake *e = &elf_mistakes[i];
		struct made m = make_elf();
		struct build_request r = request(BUILD_X86_64, &m);

		put(m.data + e->at, e->value, e->bytes);
		refused(&r, e->id, e->says);
		free(m.data);
	}
}

static void overlapping_segments_are_refused(void **state)
{
	struct made m = make_elf();
	struct build_request r = request(BUILD_X86_64, &m);

	segment(&m)[1] = segment(&m)[0];
	segment(&m)[1].p_paddr += 2 * MIB - 1;
	refused(&r, F_KERNEL_HEADER, "overlaps");
	segment(&m)[1].p_paddr -= 3 * MIB;
	refused(&r, F_KERNEL_HEADER, "overlaps");
	free(m.data);
}

static void a_truncated_file_is_refused_at_every_length(void **state)
{
	struct made elf = make_elf(), bz = make_packed_bzimage(&packers[1]), image = make_image();

	for (size_t n = 1; n < ELF_SIZE; n += n < 600 ? 1 : 97) {
		uint8_t *copy = zeroed(n); /* of that length, for the address sanitizer */
		struct made m = { copy, n };
		struct build_request r = request(BUILD_X86_64, &m);

		memcpy(copy, elf.data, n);
		assert_false(planned(&r));
		if (n < bz.size) {
			memcpy(copy, bz.data, n);
			assert_false(planned(&r));
		}
		if (n < 64) {
			memcpy(copy, image.data, n);
			r.arch = BUILD_ARM64;
			assert_false(planned(&r));
		}
		free(copy);
	}
	free(elf.data);
	free(bz.data);
	free(image.data);
}

static void wrong_kinds_of_files_are_named(void **state)
{
	struct made image = make_image(), bz = make_packed_bzimage(&packers[0]), elf = make_elf();
	struct made text = { (uint8_t *)(uintptr_t) "#!/bin/sh\n", 10 }, none = { text.data, 0 };
	struct build_request r = request(BUILD_X86_64, &image);

	refused(&r, F_KERNEL_ARCH, "a kernel for Arm, not for x86");
	r = request(BUILD_X86_64, &text);
	refused(&r, F_KERNEL_FORMAT, "starts with 0x23212f62");
	r = request(BUILD_X86_64, &none);
	refused(&r, F_FILE_EMPTY, "empty");
	r = request(BUILD_ARM64, &bz);
	refused(&r, F_KERNEL_ARCH, "kernel for x86");
	r = request(BUILD_ARM64, &elf);
	refused(&r, F_KERNEL_FORMAT, "ELF file, not an Image");
	r = request(BUILD_ARM64, &text);
	refused(&r, F_KERNEL_TRUNCATED, "10 bytes");
	free(image.data);
	free(bz.data);
	free(elf.data);
}

static const struct hvm_memmap_table_entry *map_entry(const struct hvm_start_info *s, uint32_t i)
{
	assert_true(i < s->memmap_entries);
	return (const struct hvm_memmap_table_entry *)at(s->memmap_paddr) + i;
}

static void the_start_info_lists_memory_ramdisk_and_modules(void **state)
{
	static const uint8_t ramdisk[5000] = { 'r' }, module[] = { 'm' };
	struct made m = make_elf();
	struct build_request r = request(BUILD_X86_64, &m);
	const struct hvm_modlist_entry *list;
	const struct hvm_start_info *s;

	r.memory = 4096 * MIB;
	r.ramdisk = (struct blob){ "ramdisk", ramdisk, sizeof(ramdisk), false };
	r.module[0] = (struct build_module){ { "module", module, sizeof(module), false },
					     "its line" };
	r.nr_modules = 1;
	accepted(&r);
	s = at(plan.argument);
	assert_int_equal(s->magic, XEN_HVM_START_MAGIC_VALUE);
	assert_string_equal(at(s->cmdline_paddr), "console=hvc0");
	assert_int_equal(s->nr_modules, 2);
	list = at(s->modlist_paddr);
	assert_int_equal(list[0].size, sizeof(ramdisk));
	assert_ptr_equal(at(list[0].paddr), ramdisk);
	assert_int_equal(list[0].paddr % BUILD_PAGE, 0);
	assert_ptr_equal(at(list[1].paddr), module);
	assert_string_equal(at(list[1].cmdline_paddr), "its line");
	assert_int_equal(s->memmap_entries, 5);
	assert_int_equal(map_entry(s, 0)->size, 0xa0000);
	assert_int_equal(map_entry(s, 1)->type, XEN_HVM_MEMMAP_TYPE_ACPI);
	assert_int_equal(map_entry(s, 2)->addr + map_entry(s, 2)->size, 0xc0000000);
	assert_int_equal(map_entry(s, 4)->addr, 1ull << 32);
	assert_int_equal(map_entry(s, 4)->size, 1024 * MIB);
	assert_int_equal(plan.nr_banks, 2);
	build_plan_free(&plan);
	free(m.data);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* A table by its signature, through the root pointer as a guest goes. */
static const uint8_t *acpi_table(uint64_t rsdp, const char *signature)
{
	const uint8_t *root = at(rsdp), *xsdt;

	assert_memory_equal(root, "RSD PTR ", 8);
	assert_int_equal(sum(root, 20), 0);
	assert_int_equal(sum(root, 36), 0);
	xsdt = at(little(root + 24, 8));
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_int_equal(sum(xsdt, little(xsdt + 4, 4)), 0);
	for (size_t i = 36; i < little(xsdt + 4, 4); i += 8) {
		const uint8_t *t = at(little(xsdt + i, 8));

		assert_int_equal(sum(t, little(t + 4, 4)), 0);
		if (memcmp(t, signature, 4) == 0)
			return t;
	}
	fail_msg("no table %s", signature);
	return NULL;
}

static void acpi_tables_name_every_vcpu(void **state)
{
	struct made m = make_elf();
	struct build_request r = request(BUILD_X86_64, &m);
	const struct hvm_start_info *s;
	const uint8_t *madt, *fixed;
	uint32_t n = 0;

	r.vcpus = 128;
	accepted(&r);
	s = at(plan.argument);
	fixed = acpi_table(s->rsdp_paddr, "FACP");
	assert_true(little(fixed + 112, 4) & 1u << 20);
	assert_memory_equal(at(little(fixed + 140, 8)), "DSDT", 4);
	madt = acpi_table(s->rsdp_paddr, "APIC");
	for (size_t i = 44; i < little(madt + 4, 4); i += madt[i + 1], n++) {
		assert_int_equal(madt[i], 0);
		assert_int_equal(madt[i + 3], 2 * n);
		assert_int_equal(little(madt + i + 4, 4), 1);
	}
	assert_int_equal(n, 128);
	build_plan_free(&plan);
	free(m.data);
}

static void numbers_that_a_guest_cannot_have_are_refused(void **state)
{
	struct made elf = make_elf(), image = make_image();
	char *line = zeroed(0x20000);
	static const uint8_t big[60 * 1024 * 1024];
	struct build_request r = request(BUILD_X86_64, &elf);

	r.vcpus = 0;
	refused(&r, F_VCPUS, "0 vCPUs");
	r.vcpus = 129;
	refused(&r, F_VCPUS, "129 vCPUs");
	r = request(BUILD_ARM64, &image);
	r.vcpus = 129;
	refused(&r, F_VCPUS, "129 vCPUs");
	r.vcpus = 1;
	r.memory = 1ull << 42;
	refused(&r, F_MEMORY_LARGE, "4194304 MiB");
	r.memory = 8 * MIB;
	refused(&r, F_MEMORY_SMALL, "8 MiB of memory");
	r = request(BUILD_X86_64, &elf);
	r.memory = 1ull << 42;
	refused(&r, F_MEMORY_LARGE, "4194304 MiB");
	r.memory = 16 * MIB;
	refused(&r, F_MEMORY_SMALL, "16 MiB of memory");
	r.memory = 4095;
	refused(&r, F_MEMORY_SMALL, "4095 bytes");
	r.memory = BUILD_PAGE;
	refused(&r, F_MEMORY_SMALL, "0 MiB");
	r.memory = 64 * MIB;
	r.ramdisk = (struct blob){ "ramdisk", big, sizeof(big), false };
	refused(&r, F_MEMORY_SMALL, "the ramdisk (61440 KiB)");
	r.ramdisk.size = 0;
	memset(line, 'x', 2048);
	r.cmdline = line;
	refused(&r, F_COMMAND_LONG, "2048 bytes");
	r = request(BUILD_ARM64, &image);
	memset(line, 'x', 0x1ffff);
	r.cmdline = line;
	refused(&r, F_COMMAND_LONG, "131071 bytes");
	free(line);
	free(elf.data);
	free(image.data);
}

/* ---- Arm -------------------------------------------------------------------------------------------- */

static uint64_t cells64(const void *tree, const char *path, const char *name, int at_cell)
{
	int n, node = fdt_path_offset(tree, path);
	const uint8_t *p = fdt_getprop(tree, node, name, &n);

	if (!p || n < 4 * at_cell + 8)
		fail_msg("%s has no %s", path, name);
	return fdt64_ld((const fdt64_t *)(const void *)(p + 4 * at_cell));
}

static void an_image_gets_a_device_tree(void **state)
{
	static const uint8_t ramdisk[5000] = { 'r' };
	struct made m = make_image();
	struct build_request r = request(BUILD_ARM64, &m);
	const void *tree;
	int n;

	r.memory = 4096 * MIB;
	r.vcpus = 18;
	r.vuart = true;
	r.ramdisk = (struct blob){ "ramdisk", ramdisk, sizeof(ramdisk), false };
	accepted(&r);
	assert_int_equal(plan.entry, 0x40000000);
	assert_int_equal(piece("kernel")->at.size, 8 * MIB);
	tree = at(plan.argument);
	assert_int_equal(plan.argument % 8, 0);
	assert_int_equal(fdt_check_full(tree, piece("device tree")->file_size), 0);
	assert_int_equal(cells64(tree, "/chosen", "linux,initrd-start", 0),
			 piece("ramdisk")->at.start);
	assert_int_equal(cells64(tree, "/chosen", "linux,initrd-end", 0),
			 piece("ramdisk")->at.start + sizeof(ramdisk));
	assert_string_equal(fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "bootargs", &n),
			    "console=hvc0");
	assert_int_equal(cells64(tree, "/memory@40000000", "reg", 2), 0xc0000000);
	assert_int_equal(cells64(tree, "/memory@200000000", "reg", 2), 1024 * MIB);
	assert_true(fdt_path_offset(tree, "/cpus/cpu@f") > 0);
	assert_true(fdt_path_offset(tree, "/cpus/cpu@101") > 0);
	assert_true(fdt_path_offset(tree, "/cpus/cpu@10") < 0);
	assert_true(fdt_path_offset(tree, "/sbsa-uart@22000000") > 0);
	assert_true(fdt_node_offset_by_compatible(tree, -1, "xen,xen") > 0);
	build_plan_free(&plan);
	free(m.data);
}

static void a_packed_image_is_unpacked(void **state)
{
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		struct made image = make_image(), m = packers[i].pack(&image);
		struct build_request r = request(BUILD_ARM64, &m);

		accepted(&r);
		assert_string_equal(plan.kernel_kind, packers[i].name);
		assert_memory_equal(at(plan.entry), image.data, image.size);
		build_plan_free(&plan);
		m.data[m.size++] = 'x';
		r.kernel.size = m.size;
		refused(&r, F_PAYLOAD_DAMAGED, "follows");
		free(image.data);
		free(m.data);
	}
}

static const struct image_mistake {
	size_t at;
	uint64_t value;
	unsigned bytes;
	enum fault_id id;
	const char *says;
} image_mistakes[] = {
	{ 56, 0x12345678, 4, F_KERNEL_FORMAT, "magic number at 0x38 is 0x12345678" },
	{ 24, 1, 8, F_KERNEL_ARCH, "big-endian" },
	{ 8, 0x200000, 8, F_KERNEL_HEADER, "text offset" },
	{ 8, 0x80001, 8, F_KERNEL_HEADER, "text offset" },
	{ 8, ~0ull, 8, F_KERNEL_HEADER, "text offset" },
	{ 16, (1ull << 32) + 1, 8, F_KERNEL_HEADER, "more than 4 GiB" },
	{ 16, ~0ull, 8, F_KERNEL_HEADER, "more than 4 GiB" },
	{ 16, 1ull << 32, 8, F_MEMORY_SMALL, "64 MiB of memory" },
};

static void each_field_of_an_image_is_checked(void **state)
{
	for (size_t i = 0; i < sizeof(image_mistakes) / sizeof(image_mistakes[0]); i++) {
		const struct image_mistake *e = &image_mistakes[i];
		struct made m = make_image();
		struct build_request r = request(BUILD_ARM64, &m);

		put(m.data + e->at, e->value, e->bytes);
		refused(&r, e->id, e->says);
		free(m.data);
	}
}

static void an_image_without_a_size_lies_at_the_old_offset(void **state)
{
	struct made m = make_image();
	struct build_request r = request(BUILD_ARM64, &m);

	put(m.data + 16, 0, 8);
	accepted(&r);
	assert_int_equal(plan.entry, 0x40080000);
	build_plan_free(&plan);
	free(m.data);
}

/* A user's tree: /passthrough/dev@0/child, /aliases, and something that is not to be taken. */
static size_t make_partial(void *buf, size_t room, uint32_t phandle)
{
	assert_int_equal(fdt_create(buf, (int)room), 0);
	fdt_finish_reservemap(buf);
	fdt_begin_node(buf, "");
	fdt_begin_node(buf, "aliases");
	fdt_property_string(buf, "net", "/passthrough/dev@0");
	fdt_end_node(buf);
	fdt_begin_node(buf, "passthrough");
	fdt_property_string(buf, "compatible", "simple-bus");
	fdt_begin_node(buf, "dev@0");
	fdt_property_u32(buf, "phandle", phandle);
	fdt_begin_node(buf, "child");
	fdt_end_node(buf);
	fdt_end_node(buf);
	fdt_begin_node(buf, "dev@1");
	fdt_end_node(buf);
	fdt_end_node(buf);
	fdt_begin_node(buf, "chosen");
	fdt_property_string(buf, "bootargs", "not wanted");
	fdt_end_node(buf);
	fdt_end_node(buf);
	assert_int_equal(fdt_finish(buf), 0);
	return (size_t)fdt_totalsize(buf);
}

static void a_partial_tree_adds_passthrough_and_aliases_only(void **state)
{
	uint8_t *partial = zeroed(4096);
	struct made m = make_image();
	struct build_request r = request(BUILD_ARM64, &m);
	const void *tree;
	int n;

	r.partial_tree = (struct blob){ "partial", partial, make_partial(partial, 4096, 7), false };
	accepted(&r);
	tree = at(plan.argument);
	assert_int_equal(fdt_check_full(tree, piece("device tree")->file_size), 0);
	assert_true(fdt_path_offset(tree, "/passthrough/dev@0/child") > 0);
	assert_true(fdt_path_offset(tree, "/passthrough/dev@1") > 0);
	assert_string_equal(fdt_get_alias(tree, "net"), "/passthrough/dev@0");
	assert_string_equal(fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "bootargs", &n),
			    "console=hvc0");
	build_plan_free(&plan);

	r.partial_tree.size = make_partial(partial, 4096, 65000);
	refused(&r, F_TREE, "dev@0 has the phandle 65000");
	make_partial(partial, 4096, 7);
	r.partial_tree.size -= 1;
	refused(&r, F_TREE, "not a sound flattened tree");
	r.partial_tree.size = 3;
	refused(&r, F_TREE, "not a sound flattened tree");
	free(partial);
	free(m.data);
}

static void a_request_for_the_other_architecture_is_refused(void **state)
{
	struct made elf = make_elf(), image = make_image();
	struct build_request r = request(BUILD_X86_64, &elf);

	r.partial_tree = r.kernel;
	refused(&r, F_TREE, "ACPI");
	r = request(BUILD_X86_64, &elf);
	r.vuart = true;
	refused(&r, F_MODULES, "vuart");
	r = request(BUILD_ARM64, &image);
	r.nr_modules = 1;
	refused(&r, F_MODULES, "1 boot modules");
	free(elf.data);
	free(image.data);
}

/* ---- Debian's kernels ---------------------------------------------------------------------------------- */

/* Those that scripts/debs fetches; skipped where it has not run. */
static void read_kernel(const char *path, struct blob *b)
{
	const char *cache = getenv("KRYPTON_CACHE"), *home = getenv("HOME");
	static char full[600];

	if (cache)
		snprintf(full, sizeof(full), "%s/%s", cache, path);
	else
		snprintf(full, sizeof(full), "%s/.cache/krypton/%s", home ? home : "", path);
	if (access(full, R_OK) != 0)
		skip();
	if (!build_file(full, "kernel", 256 * MIB, b, &fault))
		fail_msg("%s", fault.text);
}

static void debians_x86_kernel_is_a_bzimage_with_a_pvh_entry(void **state)
{
	struct build_request r = { .arch = BUILD_X86_64, .memory = 256 * MIB, .vcpus = 1 };

	read_kernel(*state, &r.kernel);
	accepted(&r);
	assert_string_equal(plan.kernel_kind, "xz");
	assert_true(plan.entry >= 16 * MIB && plan.entry < 64 * MIB);
	assert_true(piece("kernel")->at.start == 16 * MIB);
	build_plan_free(&plan);
	r.kernel.size -= 100000;
	refused(&r, F_KERNEL_TRUNCATED, "truncated bzImage");
	build_file_free(&r.kernel);
}

static void debians_arm_kernel_is_an_image(void **state)
{
	struct build_request r = { .arch = BUILD_ARM64, .memory = 256 * MIB, .vcpus = 1 };

	read_kernel(*state, &r.kernel);
	accepted(&r);
	assert_string_equal(plan.kernel_kind, "Image");
	assert_true(piece("kernel")->at.size > r.kernel.size);
	build_plan_free(&plan);
	r.arch = BUILD_X86_64;
	refused(&r, F_KERNEL_ARCH, "a kernel for Arm, not for x86");
	r.arch = BUILD_ARM64;
	r.kernel.size -= 100000;
	refused(&r, F_KERNEL_TRUNCATED, "truncated Image");
	build_file_free(&r.kernel);
}

/* ---- files ----------------------------------------------------------------------------------------------- */

static void file_refused(const char *path, size_t limit, enum fault_id id, const char *says)
{
	struct blob b;

	assert_false(build_file(path, "kernel", limit, &b, &fault));
	assert_int_equal(fault.id, id);
	if (!strstr(fault.text, says))
		fail_msg("%s", fault.text);
}

static void files_that_are_no_files_are_refused(void **state)
{
	char path[] = "/tmp/build_test.XXXXXX";
	int fd = mkstemp(path);
	struct blob b;

	assert_true(fd >= 0);
	file_refused("/nonexistent/kernel", 1 << 20, F_FILE_MISSING, "/nonexistent/kernel");
	file_refused("/tmp", 1 << 20, F_FILE_KIND, "a directory");
	file_refused("/dev/null", 1 << 20, F_FILE_KIND, "a character device");
	file_refused(path, 1 << 20, F_FILE_EMPTY, "an empty file");
	assert_int_equal(write(fd, "abc", 3), 3);
	file_refused(path, 2, F_FILE_HUGE, "at most");
	assert_true(build_file(path, "kernel", 3, &b, &fault));
	assert_int_equal(b.size, 3);
	build_file_free(&b);
	close(fd);
	unlink(path);
}

static void every_fault_has_a_name_and_advice(void **state)
{
	for (unsigned i = F_NONE + 1; i < NR_FAULTS; i++)
		assert_true(*fault_name((enum fault_id)i) && *fault_advice((enum fault_id)i));
	assert_string_equal(fault_name(F_KERNEL_ARCH), "KERNEL_ARCH");
}

static void what_is_quoted_cannot_steer_a_terminal(void **state)
{
	fault_fill(&fault, F_FILE_MISSING, "%s", "a\033[2Jb\nc\303\244");
	assert_string_equal(fault.text, "a?[2Jb?c\303\244");
}

int main(void)
{
	static char x86[] = "x86_64/kernel/vmlinuz", arm[] = "arm64/kernel/vmlinuz";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_elf_kernel_goes_where_its_segments_say),
		cmocka_unit_test(every_packing_gives_the_same_kernel),
		cmocka_unit_test(a_large_kernel_comes_in_pieces),
		cmocka_unit_test(a_flipped_bit_is_found_by_the_formats_with_a_checksum),
		cmocka_unit_test(a_packed_kernel_that_ends_early_is_named),
		cmocka_unit_test(a_packed_kernel_gives_what_it_claims_and_no_more),
		cmocka_unit_test(formats_without_a_library_are_refused_by_name),
		cmocka_unit_test(a_bzimage_header_is_believed_only_as_far_as_the_file_goes),
		cmocka_unit_test(each_field_of_an_elf_kernel_is_checked),
		cmocka_unit_test(overlapping_segments_are_refused),
		cmocka_unit_test(a_truncated_file_is_refused_at_every_length),
		cmocka_unit_test(wrong_kinds_of_files_are_named),
		cmocka_unit_test(the_start_info_lists_memory_ramdisk_and_modules),
		cmocka_unit_test(acpi_tables_name_every_vcpu),
		cmocka_unit_test(numbers_that_a_guest_cannot_have_are_refused),
		cmocka_unit_test(an_image_gets_a_device_tree),
		cmocka_unit_test(a_packed_image_is_unpacked),
		cmocka_unit_test(each_field_of_an_image_is_checked),
		cmocka_unit_test(an_image_without_a_size_lies_at_the_old_offset),
		cmocka_unit_test(a_partial_tree_adds_passthrough_and_aliases_only),
		cmocka_unit_test(a_request_for_the_other_architecture_is_refused),
		cmocka_unit_test_prestate(debians_x86_kernel_is_a_bzimage_with_a_pvh_entry, x86),
		cmocka_unit_test_prestate(debians_arm_kernel_is_an_image, arm),
		cmocka_unit_test(files_that_are_no_files_are_refused),
		cmocka_unit_test(every_fault_has_a_name_and_advice),
		cmocka_unit_test(what_is_quoted_cannot_steer_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
