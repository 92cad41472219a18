/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checksums that the decompression libraries ask for, under their names, so that the linker does not take theirs: those bring 25 KB of tables
 * in the image. Ours are made at first use. CRC-32 takes eight bytes at a time (kernels are large), CRC-64 one.
 */
#include <hv/compiler.h>
#include <hv/string.h>

#define POLY32 0xedb88320u
#define POLY64 0xc96c5795d7870f42ull

/* zlib.h's and lzma/check.h's, whose headers are not there for every architecture. */
unsigned long crc32(unsigned long crc, const unsigned char *p, unsigned n);
unsigned long adler32(unsigned long sum, const unsigned char *p, unsigned n);
uint32_t lzma_crc32(const uint8_t *p, size_t n, uint32_t crc);
uint64_t lzma_crc64(const uint8_t *p, size_t n, uint64_t crc);

static uint32_t table32[8][256];
static uint64_t table64[256];

static void make32(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (unsigned bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? POLY32 : 0);
		table32[0][i] = c;
	}
	for (unsigned k = 1; k < 8; k++)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = table32[k - 1][i];

			table32[k][i] = c >> 8 ^ table32[0][c & 0xff];
		}
}

static void make64(void)
{
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t c = i;

		for (unsigned bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? POLY64 : 0);
		table64[i] = c;
	}
}

/* Byte k of the word still has 7 - k bytes to go through. */
static uint32_t eight_bytes(uint64_t w)
{
	uint32_t c = 0;

	for (unsigned k = 0; k < 8; k++)
		c ^= table32[7 - k][w >> (8 * k) & 0xff];
	return c;
}

uint32_t lzma_crc32(const uint8_t *p, size_t n, uint32_t crc)
{
	if (!table32[0][1])
		make32();
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t w;

		memcpy(&w, p, sizeof(w));
		crc = eight_bytes(w ^ crc);
	}
	while (n--)
		crc = crc >> 8 ^ table32[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

uint64_t lzma_crc64(const uint8_t *p, size_t n, uint64_t crc)
{
	if (!table64[1])
		make64();
	crc = ~crc;
	while (n--)
		crc = crc >> 8 ^ table64[(crc ^ *p++) & 0xff];
	return ~crc;
}

unsigned long crc32(unsigned long crc, const unsigned char *p, unsigned n)
{
	return p ? lzma_crc32(p, n, (uint32_t)crc) : 0;
}

/* Of zlib's own format, which is not accepted. */
unsigned long adler32(unsigned long sum, const unsigned char *p, unsigned n)
{
	return 0;
}
