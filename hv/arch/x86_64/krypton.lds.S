/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image: linked high, loaded at 2 MiB, contiguous in the file from the multiboot header to the end of the
 * data, so that boot loaders that know only address fields can load it.
 */
#include <asm/layout.h>

#define LMA(s) AT(ADDR(s) - IMAGE_VIRTUAL)

OUTPUT_FORMAT("elf64-x86-64")
OUTPUT_ARCH(i386:x86-64)
ENTRY(start_machine)
start_machine = start32 - IMAGE_VIRTUAL;

PHDRS
{
	image PT_LOAD FLAGS(7);
	note PT_NOTE FLAGS(4);
}

SECTIONS
{
	. = IMAGE_VIRTUAL + IMAGE_MACHINE;
	_start = .;
	.text : LMA(.text) {
		KEEP(*(.boot.header))
		*(.boot.text .boot.text.*)
		*(.text .text.*)
	} :image
	. = ALIGN(4096);
	_etext = .;
	.rodata : LMA(.rodata) {
		*(.rodata .rodata.*)
		. = ALIGN(4);
	} :image
	.note : LMA(.note) {
		KEEP(*(.note.Xen))
	} :image :note
	. = ALIGN(4096);
	_constants_end = .;
	.data : LMA(.data) {
		*(.boot.data .boot.data.*)
		*(.data .data.*)
	} :image
	_data_end = .;
	.bss : LMA(.bss) {
		*(.bss .bss.* COMMON)
		. = ALIGN(4096);
	} :image
	_end = .;
	/DISCARD/ : { *(.comment .note.gnu.* .eh_frame*) }
}

load_machine = _start - IMAGE_VIRTUAL;
load_end_machine = _data_end - IMAGE_VIRTUAL;
bss_end_machine = _end - IMAGE_VIRTUAL;
