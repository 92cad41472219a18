/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which register an access to configuration space is for. Registers that mean something to others are kept by bar.c, msi.c and msix.c; the rest
 * are the hardware's. All of these are handled as dwords; what passes, passes with the size it has. Lock: pci_lock.
 */
#include "virtual.h"

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/policy.h>

#define SPACE           4096u
#define FIRST_EXTENDED  0x100u
#define MOST_EXTENDED   96u
#define EXPRESS_CONTROL 8u
#define CONTROL_FLR     BIT(15)
#define AF_CONTROL      4u
#define AF_FLR          BIT(0)

enum what { PASS, COMMAND, BAR, BUSES, MSI, MSIX, MSIX_PLACE, NAMELESS, EXPRESS, AF, EXTENDED };

static enum what what_is(struct pci_dev *f, unsigned reg) HOLDS(pci_lock)
{
	const struct pci_messages *all = &f->seen.messages;

	if (reg >= FIRST_EXTENDED)
		return EXTENDED;
	if (reg == PCI_COMMAND)
		return COMMAND;
	if (bar_at(f, reg))
		return BAR;
	if (f->header == 1 && reg == PCI_PRIMARY_BUS)
		return BUSES;
	if (f->msi && reg >= f->msi && reg < f->msi + MAX((unsigned)all->msi_size, 4u))
		return all->msi_size ? MSI : NAMELESS;
	if (f->msix && reg >= f->msix && reg < f->msix + 12u)
		return !all->msix_nr ? NAMELESS : reg == f->msix ? MSIX : MSIX_PLACE;
	if (f->express && reg == f->express + EXPRESS_CONTROL)
		return EXPRESS;
	return f->seen.af && reg == f->seen.af + AF_CONTROL ? AF : PASS;
}

/* ---- extended capabilities -------------------------------------------------------------------------- */

/*
 * Address translation of a device's own, page requests and process tags: the IOMMU would have to know. Virtual functions and windows of
 * changing size: their memory would have to be followed.
 */
static bool is_hidden(uint32_t header)
{
	static const uint8_t hidden[] = { 0x0f, 0x10, 0x13, 0x15, 0x1b, 0x24 };

	for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
		if ((header & 0xffff) == hidden[i])
			return true;
	return false;
}

/* The capability that `reg` belongs to is the last one that begins before. Does it show? *first: its header is `reg`. */
static bool extended_shows(const struct pci_dev *f, unsigned reg, bool *first)
{
	unsigned at = FIRST_EXTENDED, best = 0;
	bool hidden = false;

	for (unsigned i = 0; i < MOST_EXTENDED && at >= FIRST_EXTENDED; i++) {
		uint32_t header = pci_read(f->id, at, 4);

		if (!header || header == ~0u)
			break;
		if (at <= reg && at >= best) {
			best = at;
			hidden = is_hidden(header);
		}
		at = header >> 20 & ~3u;
	}
	*first = best == reg;
	return !hidden;
}

/* ---- resets ----------------------------------------------------------------------------------------- */

/* Before: nothing of it is mapped, no interrupt leads anywhere. Afterwards the registers are as after power-on. */
static int reset_by_itself(struct pci_dev *f, unsigned reg, unsigned size, uint32_t value)
    HOLDS(pci_lock)
{
	int err;

	messages_off(f);
	f->seen.memory_on = false;
	err = bars_settle(f);
	if (err)
		return err;
	pci_write(f->id, reg, size, value);
	function_was_reset(f);
	return 0;
}

/* Somebody reset the bus above it, or its power. */
static int notice_reset(struct pci_dev *f) HOLDS(pci_lock)
{
	if (!bars_were_reset(f))
		return 0;
	function_was_reset(f);
	return bars_settle(f);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static uint32_t read_command(struct pci_dev *f) HOLDS(pci_lock)
{
	uint32_t v = pci_read(f->id, PCI_COMMAND, 4) & ~PCI_COMMAND_MEMORY;

	return v | (f->seen.memory_on ? PCI_COMMAND_MEMORY : 0);
}

/* An aligned dword, as the owner sees it. False: as the hardware has it. */
static bool read_kept(struct pci_dev *f, unsigned reg, uint32_t *v) HOLDS(pci_lock)
{
	bool first;

	switch (what_is(f, reg)) {
	case COMMAND: *v = read_command(f); return true;
	case BAR: *v = bar_read(f, bar_at(f, reg), reg); return true;
	case MSI: *v = msi_read(f, reg); return true;
	case MSIX: *v = msix_read(f); return true;
	case NAMELESS:
		/* A capability without a name, so that the list goes on (PCI Express 4.0, 7.9.28). */
		*v = reg == f->msi || reg == f->msix ? pci_read(f->id, reg, 4) & 0xff00 : 0;
		return true;
	case EXTENDED:
		if (extended_shows(f, reg, &first))
			return false;
		*v = first ? pci_read(f->id, reg, 4) & 0xfff00000 : 0;
		return true;
	default: return false;
	}
}

static int read_function(struct pci_dev *f, unsigned reg, unsigned size, uint32_t *value)
    HOLDS(pci_lock)
{
	unsigned dword = reg & ~3u;
	uint32_t v;
	int err;

	if (dword == PCI_COMMAND || bar_at(f, dword)) {
		err = notice_reset(f);
		if (err)
			return err;
	}
	if (read_kept(f, dword, &v))
		*value = v >> 8 * (reg & 3) & ~0u >> (32 - 8 * size);
	else
		*value = pci_read(f->id, reg, size);
	return 0;
}

/* ---- writing ---------------------------------------------------------------------------------------- */

/* The hardware decodes once windows are where they were put, and they are unmapped before it stops. */
static int write_command(struct pci_dev *f, uint32_t value) HOLDS(pci_lock)
{
	bool was_on = f->seen.memory_on;
	int err = notice_reset(f);

	if (err)
		return err;
	f->seen.memory_on = value & PCI_COMMAND_MEMORY;
	err = bars_settle(f);
	if (err)
		return err;
	pci_write(f->id, PCI_COMMAND, 2, value & 0xffff);
	if (f->seen.memory_on && !was_on)
		msix_sync(f);
	return 0;
}

/* A function keeps the number under which its IOMMU knows it: buses that firmware numbered, or with functions, stay. */
static bool buses_in_use(const struct pci_dev *bridge, uint32_t value)
{
	unsigned first = value >> 8 & 0xff, last = value >> 16 & 0xff;

	if (bridge->secondary)
		return true;
	for (const struct pci_dev *f = pci_next(NULL); f; f = pci_next(f))
		if (pci_segment(f->id) == pci_segment(bridge->id) && pci_bus(f->id) >= first &&
		    pci_bus(f->id) <= last)
			return true;
	return false;
}

static void write_buses(struct pci_dev *f, uint32_t value, uint32_t bytes) HOLDS(pci_lock)
{
	if (bytes >> 24) /* latency */
		pci_write(f->id, PCI_PRIMARY_BUS + 3, 1, value >> 24);
	if (!(bytes & 0xffffff) || buses_in_use(f, value))
		return;
	pci_write(f->id, PCI_PRIMARY_BUS, 2, value & 0xffff);
	pci_write(f->id, PCI_LAST_BUS, 1, value >> 16 & 0xff);
	f->secondary = (uint8_t)(value >> 8);
	f->last = (uint8_t)(value >> 16);
}

static int write_bar(struct pci_dev *f, unsigned reg, uint32_t value) HOLDS(pci_lock)
{
	bar_write(f, bar_at(f, reg), reg, value);
	return bars_settle(f);
}

/* `value` is the whole dword with the `bytes` of it that are written. */
static int write_kept(struct pci_dev *f, unsigned dword, uint32_t value, uint32_t bytes,
		      bool *passes) HOLDS(pci_lock)
{
	bool first;

	switch (what_is(f, dword)) {
	case COMMAND:
		*passes = bytes >> 16 && !(bytes & 0xffff); /* only the status */
		if (bytes == ~0u)
			pci_write(f->id, PCI_STATUS, 2, value >> 16);
		return bytes & 0xffff ? write_command(f, value) : 0;
	case BAR: return write_bar(f, dword, value);
	case BUSES: write_buses(f, value, bytes); return 0;
	case MSI: msi_write(f, dword, value, bytes); return 0;
	case MSIX: return bytes >> 16 ? msix_write(f, value) : 0;
	case MSIX_PLACE:
	case NAMELESS: return 0;
	case EXTENDED: *passes = extended_shows(f, dword, &first); return 0;
	default: *passes = true; return 0;
	}
}

static bool begins_reset(struct pci_dev *f, unsigned dword, uint32_t value, uint32_t bytes)
    HOLDS(pci_lock)
{
	enum what w = what_is(f, dword);

	return (w == EXPRESS && value & bytes & CONTROL_FLR) || (w == AF && value & bytes & AF_FLR);
}

static int write_function(struct pci_dev *f, unsigned reg, unsigned size, uint32_t value)
    HOLDS(pci_lock)
{
	unsigned dword = reg & ~3u, shift = 8 * (reg & 3);
	uint32_t bytes = (~0u >> (32 - 8 * size)) << shift, v;
	bool passes = false;
	int err;

	if (begins_reset(f, dword, value << shift, bytes))
		return reset_by_itself(f, reg, size, value);
	if (bytes == ~0u || !read_kept(f, dword, &v))
		v = bytes == ~0u ? 0 : pci_read(f->id, dword, 4);
	v = (v & ~bytes) | (value << shift & bytes);
	err = write_kept(f, dword, v, bytes, &passes);
	if (!err && passes)
		pci_write(f->id, reg, size, value);
	return err;
}

/* ---- whose it is ------------------------------------------------------------------------------------ */

struct pci_dev *vpci_find(pci_id_t id)
{
	struct pci_dev *f;

	if (pci_read(id, PCI_VENDOR, 2) == 0xffff)
		return NULL;
	lock_take(&pci_lock);
	f = pci_add(id, pci_unit_of);
	lock_release(&pci_lock);
	return f;
}

/*
 * The function `id` of `d`, or NULL. One that answers and that nobody has goes to the domain that owns the machine as soon as that looks: it
 * was plugged in. *err: that is under way (-ERR_RESTART).
 */
static struct pci_dev *function_of(struct domain *d, pci_id_t id, int *err)
{
	struct pci_dev *f = pci_find(id);
	struct domain *owner = f ? iommu_owner(&f->dma) : NULL;

	*err = 0;
	if (owner || (f && f->hidden) || policy_hardware_domain() != d)
		return owner == d && d ? f : NULL;
	f = vpci_find(id);
	if (!f)
		return NULL;
	*err = vpci_give(f, d);
	return *err ? NULL : f;
}

static enum io_result result(int err)
{
	return err == -ERR_RESTART ? IO_WAIT : IO_DONE;
}

enum io_result vpci_read(struct domain *d, pci_id_t id, unsigned reg, unsigned size, uint32_t *value)
{
	struct pci_dev *f;
	int err;

	*value = ~0u >> (32 - 8 * size);
	f = function_of(d, id, &err);
	if (!f || reg >= SPACE)
		return result(err);
	lock_take(&pci_lock);
	err = is_given(f, d) ? read_function(f, reg, size, value) : 0;
	lock_release(&pci_lock);
	return result(err);
}

enum io_result vpci_write(struct domain *d, pci_id_t id, unsigned reg, unsigned size, uint32_t value)
{
	struct pci_dev *f;
	int err;

	f = function_of(d, id, &err);
	if (!f || reg >= SPACE)
		return result(err);
	lock_take(&pci_lock);
	err = is_given(f, d) ? write_function(f, reg, size, value) : 0;
	lock_release(&pci_lock);
	return result(err);
}

/* ---- by memory -------------------------------------------------------------------------------------- */

/* Registers by their addresses (PCI Express 7.2.2); eight bytes are two registers. */
static enum io_result window_access(struct domain *d, pci_id_t id, unsigned reg, struct io_access *a)
{
	uint64_t answer = 0;

	if (a->size > 8 || reg % a->size) {
		a->value = ~0ull;
		return IO_DONE;
	}
	for (unsigned done = 0; done < a->size; done += 4) {
		unsigned n = MIN((unsigned)a->size, 4u);
		uint32_t v = (uint32_t)(a->value >> 8 * done);
		enum io_result r = a->write ? vpci_write(d, id, reg + done, n, v)
					    : vpci_read(d, id, reg + done, n, &v);

		if (r != IO_DONE)
			return r;
		answer |= (uint64_t)v << 8 * done;
	}
	a->value = answer;
	return IO_DONE;
}

enum io_result vpci_memory(struct domain *d, struct io_access *a)
{
	bool found = false;
	unsigned reg;
	pci_id_t id;

	if (pci_window_find(a->addr.a, &id, &reg))
		return window_access(d, id, reg, a);
	lock_take(&pci_lock);
	for (struct pci_dev *f = pci_next(NULL); f && !found; f = pci_next(f))
		found = is_given(f, d) && msix_memory(f, a);
	lock_release(&pci_lock);
	return found ? IO_DONE : IO_NOBODY;
}
