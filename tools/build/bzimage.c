/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's bzImage (Linux, Documentation/arch/x86/boot.rst): a setup header, real-mode code, and a packed ELF file, which is what a
 * PVH guest boots.
 */
#include "parts.h"

/* Offsets in the file: the setup header. */
#define SETUP_SECTS     0x1f1u
#define SETUP_SYSSIZE   0x1f4u
#define SETUP_BOOT_FLAG 0x1feu
#define SETUP_MAGIC     0x202u
#define SETUP_VERSION   0x206u
#define SETUP_PAYLOAD   0x248u
#define SETUP_LENGTH    0x24cu
#define SETUP_END       0x250u
#define SECTOR          512u
#define VERSION_PAYLOAD 0x208u

bool bzimage_is(const struct blob *b)
{
	return b->size >= SETUP_MAGIC + 4 && memcmp(b->data + SETUP_MAGIC, "HdrS", 4) == 0;
}

static bool truncated(const struct blob *b, uint64_t claimed, struct fault *f)
{
	return fault_set(
	    f, F_KERNEL_TRUNCATED,
	    "%s: a truncated bzImage: its setup header claims %llu bytes, the file has %zu",
	    b->name, (unsigned long long)claimed, b->size);
}

static bool find_payload(const struct blob *b, struct blob *payload, struct fault *f)
{
	uint64_t sectors, start, end, offset, length;

	if (b->size < SETUP_END)
		return truncated(b, SETUP_END, f);
	if (little(b->data + SETUP_BOOT_FLAG, 2) != 0xaa55)
		return fault_set(f, F_KERNEL_HEADER,
				 "%s: bzImage: boot flag at 0x%x is 0x%llx instead of 0xaa55",
				 b->name, SETUP_BOOT_FLAG,
				 (unsigned long long)little(b->data + SETUP_BOOT_FLAG, 2));
	if (little(b->data + SETUP_VERSION, 2) < VERSION_PAYLOAD)
		return fault_set(f, F_KERNEL_OLD,
				 "%s: bzImage: boot protocol %u.%02u at 0x%x: 2.08 (Linux 2.6.26) "
				 "is the first that says where the kernel lies",
				 b->name, b->data[SETUP_VERSION + 1], b->data[SETUP_VERSION],
				 SETUP_VERSION);
	sectors = b->data[SETUP_SECTS] ? b->data[SETUP_SECTS] : 4;
	start = (sectors + 1) * SECTOR;
	end = start + little(b->data + SETUP_SYSSIZE, 4) * 16;
	if (end > b->size)
		return truncated(b, end, f);
	offset = little(b->data + SETUP_PAYLOAD, 4);
	length = little(b->data + SETUP_LENGTH, 4);
	if (length < 16 || !range_inside(b->size - start, offset, length))
		return fault_set(f, F_KERNEL_HEADER,
				 "%s: bzImage: payload at 0x%x: %llu bytes at offset %llu of "
				 "protected-mode code, which has %llu",
				 b->name, SETUP_PAYLOAD, (unsigned long long)length,
				 (unsigned long long)offset, (unsigned long long)(b->size - start));
	*payload = (struct blob){ b->name, b->data + start + offset, (size_t)length, false };
	return true;
}

bool bzimage_find(const struct blob *b, struct bzimage *z, struct fault *f)
{
	uint64_t claimed;

	if (!find_payload(b, &z->payload, f))
		return false;
	z->format = unpack_format(z->payload.data, z->payload.size);
	if (!z->format)
		return fault_set(f, F_PAYLOAD_FORMAT,
				 "%s: bzImage: payload starts with %02x %02x %02x %02x, which is "
				 "no known format",
				 b->name, z->payload.data[0], z->payload.data[1],
				 z->payload.data[2], z->payload.data[3]);
	/* Linux's build puts the unpacked size last: gzip has it anyway, behind the others it is added. */
	claimed = little(z->payload.data + z->payload.size - 4, 4);
	if (claimed == 0 || claimed > BUILD_MAX_UNPACKED)
		return fault_set(f, F_PAYLOAD_SIZE,
				 "%s: bzImage: the payload's last word claims %llu bytes unpacked; "
				 "1 byte to 1 GiB are possible",
				 b->name, (unsigned long long)claimed);
	z->tail = strcmp(z->format, "gzip") == 0 ? 0 : 4;
	z->size = (size_t)claimed;
	return true;
}

struct counted {
	unpack_take_fn *take;
	void *ctx;
	uint64_t given;
};

static bool take_counted(void *ctx, uint64_t at, const uint8_t *data, size_t n, struct fault *f)
{
	struct counted *c = ctx;

	c->given = at + n;
	return c->take(c->ctx, at, data, n, f);
}

bool bzimage_unpack(const struct bzimage *z, unpack_take_fn *take, void *ctx, struct fault *f)
{
	struct counted c = { take, ctx, 0 };

	if (!unpack_each(&z->payload, z->tail, z->size, take_counted, &c, f))
		return false;
	return c.given == z->size ||
	       fault_set(f, F_PAYLOAD_SIZE,
			 "%s: bzImage: the payload gives %llu bytes instead of %zu",
			 z->payload.name, (unsigned long long)c.given, z->size);
}
