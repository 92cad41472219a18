/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LZ4: blocks (LZ4 block format description): sequences of a token, literals, and a match that lies up to 64 KiB back in what
 * was unpacked already. The input is hostile: every length is compared with what is left of both buffers before a byte moves.
 */
#include <hv/payload.h>

#include <hv/string.h>

struct input {
	const uint8_t *at, *end;
};

/* A length of 15 goes on in further bytes, of which the last is not 255. False: the input ends, or it is absurd. */
static bool length_more(struct input *in, size_t *n)
{
	uint8_t byte;

	if (*n != 15)
		return true;
	do {
		if (in->at == in->end || *n > SIZE_MAX / 2)
			return false;
		byte = *in->at++;
		*n += byte;
	} while (byte == 255);
	return true;
}

/* Byte by byte where the match runs into itself: then it repeats. */
static void copy_match(uint8_t *to, size_t back, size_t n)
{
	const uint8_t *from = to - back;

	if (back >= n) {
		memcpy(to, from, n);
		return;
	}
	while (n--)
		*to++ = *from++;
}

bool lz4_block(const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	struct input in = { src, (const uint8_t *)src + n };
	uint8_t *out = dst;
	size_t done = 0;

	while (in.at < in.end) {
		uint8_t token = *in.at++;
		size_t literals = token >> 4, match = token & 15, back;

		if (!length_more(&in, &literals) || literals > (size_t)(in.end - in.at) ||
		    literals > room - done)
			return false;
		memcpy(out + done, in.at, literals);
		in.at += literals;
		done += literals;
		if (in.at == in.end) { /* the last sequence has no match */
			*size = done;
			return match == 0;
		}
		if (in.end - in.at < 2)
			return false;
		back = (size_t)in.at[0] | (size_t)in.at[1] << 8;
		in.at += 2;
		if (!length_more(&in, &match))
			return false;
		match += 4;
		if (back == 0 || back > done || match > room - done)
			return false;
		copy_match(out + done, back, match);
		done += match;
	}
	return false;
}

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The legacy format that Linux uses: a magic number, then blocks of at most 8 MiB, each after its packed size. */
static bool unpack(const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	const uint8_t *p = (const uint8_t *)src + 4;
	size_t left = n - 4;

	*size = 0;
	while (left >= 4) {
		uint32_t packed = le32(p);
		size_t got;

		if (packed == 0 || packed > left - 4)
			break; /* the end: padding, or the unpacked size that Linux appends */
		if (!lz4_block(p + 4, packed, (uint8_t *)dst + *size, room - *size, &got))
			return false;
		*size += got;
		p += 4 + packed;
		left -= 4 + packed;
	}
	return *size != 0;
}

const struct payload_format payload_lz4 = {
	.name = "lz4", .magic = { 0x02, 0x21, 0x4c, 0x18 }, .length = 4, .unpack = unpack
};
