/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image: text (for good, then for booting only), constants, data (for booting, then for
 * good), zeroed data (page tables, for booting, for good). Each part begins on a page and is mapped
 * with its own rights. The whole fits one last-level table.
 */
#include <asm/layout.h>

OUTPUT_FORMAT("elf64-littleaarch64")
OUTPUT_ARCH(aarch64)
ENTRY(_start)

PHDRS
{
	text PT_LOAD FLAGS(5);
	constants PT_LOAD FLAGS(4);
	data PT_LOAD FLAGS(6);
}

SECTIONS
{
	. = IMAGE_BASE;
	.text : {
		_start = .;
		KEEP(*(.head.text))
		/* What fits before the vectors, which begin at a multiple of 2 KiB. */
		*/hv/abi/domctl_dirty.c.o(.text .text.*)
		*/hv/abi/console.c.o(.text .text.*)
		*(.text.hot .text.hot.*)
		*(.entry.text)
		*(.text .text.*)
		. = ALIGN(0x1000);
		_boot_text = .;
		*(.boot.text .boot.text.*)
		. = ALIGN(0x1000);
		_etext = .;
	} :text
	.rodata : {
		*(.rodata .rodata.*)
		. = ALIGN(8);
		*(.got .got.plt .data.rel.ro .data.rel.ro.*)
		. = ALIGN(0x1000);
		_constants_end = .;
	} :constants
	.boot.data : {
		_boot_data = .;
		*(.boot.data .boot.data.*)
		. = ALIGN(0x1000);
		_boot_data_end = .;
	} :data
	.data : {
		*(.data .data.*)
		. = ALIGN(16);
		_data_end = .;
	}
	. = ALIGN(0x1000);
	/* Built while the MMU is off, before the rest is cleared. */
	.tables : {
		_tables = .;
		*(.bss..tables)
		. = ALIGN(0x1000);
		_tables_end = .;
	}
	.boot.bss : {
		_boot_bss = .;
		*(.bss..boot)
		. = ALIGN(0x1000);
		_boot_bss_end = .;
	}
	.bss : {
		*(.bss .bss.* COMMON)
		. = ALIGN(0x1000);
		_bss_end = .;
	}
	_end = .;
	_image_size = ABSOLUTE(_end - _start);
	ASSERT(_image_size <= 0x200000, "the image is larger than its table maps")

	/DISCARD/ : {
		*(.comment .note .note.* .ARM.attributes .eh_frame .eh_frame.*)
		*(.interp .dynsym .dynstr .hash .gnu.hash .dynamic .rela .rela.* .iplt .igot .igot.plt)
	}
}
