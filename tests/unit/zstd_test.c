/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zstandard frames (hv/boot/zstd.c): what the zstd program packs comes out, and nothing that is damaged leads outside of either buffer or is
 * taken for good.
 */
#include "sim.h"

#include <hv/payload.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory;

/* Unpack from and to buffers of exactly these sizes, so that the sanitizer sees each byte beyond. */
static bool unpack(const void *packed, size_t n, size_t room, char *out, size_t *size)
{
	uint8_t *src = malloc(n ? n : 1), *dst = malloc(room ? room : 1);
	bool ok;

	memcpy(src, packed, n);
	*size = 0;
	ok = zstd_frame(memory, src, n, dst, room, size);
	if (ok) {
		assert_true(*size <= room);
		memcpy(out, dst, *size);
	}
	free(src);
	free(dst);
	return ok;
}

/* ---- what is to be packed ------------------------------------------------------------------------- */

enum contents { WORDS, NOISE, SAME, SKEWED, MIXED, NR_CONTENTS };

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void fill(char *p, size_t n, enum contents what)
{
	static const char *const words[] = { "event ", "channel ", "grant ", "frame ",
					     "vcpu\n", "of ",      "domain " };

	for (size_t i = 0; i < n; i++) {
		enum contents now = what == MIXED ? (i >> 15) % MIXED : what;

		if (now == NOISE)
			p[i] = (char)draw(256);
		else if (now == SAME)
			p[i] = 'x';
		else if (now == SKEWED)
			p[i] = (char)(draw(16) * draw(16));
		else
			for (const char *w = words[draw(ARRAY_SIZE(words))]; *w && i < n; w++)
				p[i++] = *w;
	}
}

/* What the zstd program makes of it. */
static size_t pack(const char *options, const void *plain, size_t n, uint8_t **packed)
{
	char in[] = "/tmp/zstd_test.XXXXXX", command[128];
	int fd = mkstemp(in);
	FILE *f = fdopen(fd, "wb");
	size_t got;

	assert_non_null(f);
	assert_int_equal(fwrite(plain, 1, n, f), n);
	fclose(f);
	snprintf(command, sizeof(command), "zstd -q %s -c %s", options, in);
	f = popen(command, "r");
	assert_non_null(f);
	*packed = malloc(2 * n + 1024);
	got = fread(*packed, 1, 2 * n + 1024, f);
	assert_int_equal(pclose(f), 0);
	remove(in);
	return got;
}

/* ---- rules ---------------------------------------------------------------------------------------- */

static void what_the_program_packs_comes_out(void **state)
{
	static const size_t sizes[] = { 0, 1, 5, 255, 256, 1000, 65536, 131072, 131073, 700000 };
	static const char *const options[] = { "-1",     "-3 --no-check",        "-9",
					       "-19",    "--ultra -22",          "--fast=5",
					       "-T2 -5", "--no-content-size -12" };
	char *plain = malloc(700000), *out = malloc(700000);

	for (unsigned what = 0; what < NR_CONTENTS; what++)
		for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
			const char *how = options[(what + s * 3) % ARRAY_SIZE(options)];
			uint8_t *packed;
			size_t n, size;

			seed = what * 100 + s;
			fill(plain, sizes[s], what);
			n = pack(how, plain, sizes[s], &packed);
			assert_true(unpack(packed, n, sizes[s], out, &size));
			assert_int_equal(size, sizes[s]);
			assert_memory_equal(out, plain, size);
			if (size)
				assert_false(unpack(packed, n, size - 1, out, &size));
			free(packed);
		}
	free(plain);
	free(out);
}

static void what_follows_the_frame_is_not_looked_at(void **state)
{
	uint8_t *packed;
	char out[64];
	size_t n = pack("-3", "some text", 9, &packed), size;

	packed = realloc(packed, n + 4);
	memcpy(packed + n, "\x09\0\0\0", 4);
	assert_true(unpack(packed, n + 4, 9, out, &size));
	assert_int_equal(size, 9);
	free(packed);
}

static void every_cut_is_refused(void **state)
{
	char plain[3000], out[3000];
	uint8_t *packed;
	size_t n, size;

	seed = 3;
	fill(plain, sizeof(plain), SKEWED);
	n = pack("-19", plain, sizeof(plain), &packed);
	for (size_t cut = 0; cut < n; cut++)
		assert_false(unpack(packed, cut, sizeof(plain), out, &size));
	free(packed);
}

/* A frame of `size` bytes in one block, without a checksum: 0x20, then the size in one byte. */
static void blocks_are_judged(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t n;
		bool good;
	} cases[] = {
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, 'a', 'b', 'c' }, 12, true }, /* raw */
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x1b, 0, 0, 'a' }, 10, true }, /* repeated */
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x1f, 0, 0, 'a' }, 10, false }, /* no such type */
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x18, 0, 0, 'a', 'b', 'c' },
		  12,
		  false }, /* not the last */
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x21, 1, 3, 0x19, 0, 0, 'a', 'b', 'c' },
		  13,
		  false }, /* dictionary */
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x28, 3, 0x19, 0, 0, 'a', 'b', 'c' },
		  12,
		  false }, /* reserved */
		{ { 0x28, 0xb5, 0x2f, 0xfe, 0x20, 3, 0x19, 0, 0, 'a', 'b', 'c' },
		  12,
		  false },                                                              /* magic */
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x1b, 0, 0x20, 'a' }, 10, false }, /* too large */
		{ { 0x28, 0xb5, 0x2f, 0xfd, 0x24, 3, 0x19, 0, 0, 'a', 'b', 'c', 1, 2, 3, 4 },
		  16,
		  false },
	};
	char out[64];
	size_t size;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(unpack(cases[i].bytes, cases[i].n, sizeof(out), out, &size),
				 cases[i].good);
}

/* With the checksum off, so that the decoder itself meets the damage; and with it on, nothing that differs passes. */
static void damage_stays_inside(void **state)
{
	char plain[4000], out[5000];
	size_t size;

	for (unsigned what = 0; what < NR_CONTENTS; what++)
		for (unsigned checked = 0; checked < 2; checked++) {
			uint8_t *packed;
			size_t n;

			seed = what;
			fill(plain, sizeof(plain), what);
			n = pack(checked ? "-19" : "--no-check -19", plain, sizeof(plain), &packed);
			for (unsigned turn = 0; turn < 3000; turn++) {
				size_t at = draw((uint32_t)n);
				uint8_t was = packed[at];

				packed[at] ^= (uint8_t)(1u << draw(8));
				if (unpack(packed, n, sizeof(out), out, &size) && checked) {
					assert_int_equal(size, sizeof(plain));
					assert_memory_equal(out, plain, size);
				}
				packed[at] = was;
			}
			free(packed);
		}
}

static int take_memory(void **state)
{
	memory = aligned_alloc(64, ROUND_UP(zstd_memory(), (size_t)64));
	return !memory;
}

static int drop_memory(void **state)
{
	free(memory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_program_packs_comes_out),
		cmocka_unit_test(what_follows_the_frame_is_not_looked_at),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(blocks_are_judged),
		cmocka_unit_test(damage_stays_inside),
	};

	return cmocka_run_group_tests(tests, take_memory, drop_memory);
}
