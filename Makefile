# SPDX-License-Identifier: Apache-2.0
#
# Krypton's build.
#
#   make                   the hypervisor for both architectures, and the host library
#   make krypton-arm64     one of them            make unit-test     run the unit tests
#   make help              everything else
#
# Variables: O=DIR (where results go), ARCH="arm64 x86_64", TOOLCHAIN=gcc|clang, DEBUG=y, V=1.
#
# Folders list their sources in a build.mk, which only appends repository-relative paths to:
#   core-src     hv/core, hv/abi, hv/lib: into each hypervisor and into the host library
#   boot-src     hv/boot: the same, but may use libfdt
#   freestanding-src   into each hypervisor, not into the host library (where libc has it)
#   arm64-src, x86_64-src, host-src   one architecture's .c and .S; host is the simulated machine
#   unit-tests   tests/unit/x_test.c: a program of its own, linked with libhvcore.a and cmocka
#   tsan-tests   those of unit-tests that are also run on real threads under ThreadSanitizer
#   fuzz-tests   tests/fuzz/x.c: a libFuzzer target
#   guest-tests  names of folders under tests/guest; guest-tests-arm64, guest-tests-x86_64: for one architecture
#   tools-src    tools: into libtools.a, which stands on the C library and on Debian's
#   tools-tests, tools-fuzz   as unit-tests and fuzz-tests, but linked with libtools.a
#   toolstack-tests   unit tests that are linked with both libraries
# Flags for one file: `cflags-hv/lib/string.c := -fno-builtin`; on one architecture: `cflags-arm64-hv/lib/copy.c := ...`.

O         ?= build
$(if $(strip $O),,$(error O= names no folder: results would go to the root))
ARCH      ?= arm64 x86_64
TOOLCHAIN ?= gcc
DEBUG     ?=
V         ?=
PYTHON    ?= /usr/bin/python3
CACHE     ?= $(or $(KRYPTON_CACHE),$(HOME)/.cache/krypton)
FUZZ_RUNS ?= 5000
# How far clang's analyzer looks into one function; its own value is 225000, which is four times as slow.
TIDY_NODES ?= 30000

Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-7s %s\n' $(1) $(2))

.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
all:

# ---- what there is ------------------------------------------------------------------------------

core-src :=
boot-src :=
freestanding-src :=
arm64-src :=
x86_64-src :=
host-src :=
unit-tests :=
tsan-tests :=
fuzz-tests :=
guest-tests :=
guest-tests-arm64 :=
guest-tests-x86_64 :=
tools-src :=
tools-tests :=
tools-fuzz :=
toolstack-tests :=
include $(sort $(shell find hv tools tests -name build.mk 2>/dev/null))

listed  := $(core-src) $(boot-src) $(freestanding-src) $(arm64-src) $(x86_64-src) $(host-src) \
	   $(unit-tests) $(fuzz-tests) $(tools-src) $(tools-tests) $(tools-fuzz) $(kr-src) $(toolstack-tests)
missing := $(sort $(filter-out $(wildcard $(listed)),$(listed)))
$(if $(missing),$(warning listed in a build.mk, but not there: $(missing)))

# An architecture is built when someone has written it.
arches := $(foreach a,$(ARCH),$(if $($(a)-src),$(a)))
absent := $(filter-out $(arches),$(ARCH))
$(foreach a,$(filter-out arm64 x86_64,$(ARCH)),$(error ARCH=$(a): not one of arm64, x86_64))

# ---- tools and flags ----------------------------------------------------------------------------

lds-arm64    := hv/arch/arm/arm64/krypton.lds.S
lds-x86_64   := hv/arch/x86_64/krypton.lds.S
asm-arm64    := hv/arch/arm/include
asm-x86_64   := hv/arch/x86_64/include
asm-host     := hv/arch/host/include
offs-arm64   := hv/arch/arm/arm64/offsets.c
offs-x86_64  := hv/arch/x86_64/offsets.c
cross-arm64  := $(if $(filter arm64 aarch64,$(shell dpkg --print-architecture)),,aarch64-linux-gnu-)
cross-x86_64 := $(if $(filter amd64,$(shell dpkg --print-architecture)),,x86_64-linux-gnu-)

ifeq ($(TOOLCHAIN),gcc)
cc-arm64  := $(cross-arm64)gcc
cc-x86_64 := $(cross-x86_64)gcc
cc-host   := gcc
ld-arm64  := $(cross-arm64)ld
ld-x86_64 := $(cross-x86_64)ld
# Freestanding for the compiler's own headers, yet with memcpy and its like as built-ins.
cc-flags  := -ffreestanding -fbuiltin -fno-allow-store-data-races -Wno-attributes
else ifeq ($(TOOLCHAIN),clang)
cc-arm64  := clang --target=aarch64-linux-gnu
cc-x86_64 := clang --target=x86_64-linux-gnu
cc-host   := clang
ld-arm64  := ld.lld
ld-x86_64 := ld.lld
cc-flags  := -Wthread-safety -fno-builtin-bcmp
else
$(error TOOLCHAIN=$(TOOLCHAIN): not one of gcc, clang)
endif
nm-arm64       := $(cross-arm64)nm
nm-x86_64      := $(cross-x86_64)nm
objcopy-arm64  := $(cross-arm64)objcopy
objcopy-x86_64 := $(cross-x86_64)objcopy

# The public ABI: libxen-dev's headers, alone in a folder of their own (host libc must not leak in).
XEN_HEADERS ?= /usr/include
std-include  = -nostdinc -isystem $(shell $(1) -print-file-name=include) -idirafter hv/include/libc
pub-include := -isystem $O/include/public
hv-include   = -Ihv/include -I$(asm-$(1)) -I$O/$(1)/include -I$O/include

warnings := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes \
	    -Wold-style-definition -Wvla -Wundef -Wwrite-strings
language := -std=gnu11 -fno-strict-aliasing -fno-common -D__XEN_TOOLS__ $(if $(DEBUG),-DHV_DEBUG)
# Paths must not reach the result: two builds of one commit give the same bytes anywhere.
stable   := -ffile-prefix-map=$(CURDIR)/=./ -ffile-prefix-map=$(abspath $O)=build \
	    -fdebug-prefix-map=$(CURDIR)=. -ffile-prefix-map=$O/=build/

cflags-hv := $(language) $(warnings) $(cc-flags) $(stable) -O2 -g \
	     -fno-pic -fno-pie -fno-stack-protector -ffunction-sections -fdata-sections \
	     -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer
# What runs while booting or when a toolstack asks is built small rather than fast; not the decoders.
small := $(addsuffix /%,hv/boot hv/arch/arm/boot hv/arch/x86_64/boot hv/drivers hv/core/pci hv/core/state) \
	 hv/abi/domctl% hv/abi/sysctl% hv/abi/platform% hv/core/mem/dirty% hv/core/iommu/device% \
	 $(addprefix hv/core/domain/,control% lifecycle%) hv/core/console/output% hv/core/evtchn/bind% hv/lib/print% \
	 $(addprefix hv/arch/arm/,panic% state% vgic/state%) \
	 $(addprefix hv/arch/x86_64/,main% devices% control% cpu/madt% cpu/mcheck% cpu/panic% cpu/smp% cpu/speculation% \
	   hvm/context% hvm/control% hvm/platform% hvm/policy% hvm/state% hvm/vlapic_state% svm/state%)
fast  := hv/boot/checksum.c hv/boot/lz4.c hv/boot/unpack.c hv/boot/zstd.c
size-flag = $(if $(filter $(small),$(filter-out $(fast),$(1))),-Os)
cflags-arm64  := -march=armv8-a -mgeneral-regs-only -mno-outline-atomics -mstrict-align \
		 -mbranch-protection=none
# No tables of jumps on x86-64: a switch on what a guest says would be bounded by a branch only, which a CPU guesses
# (tests/system/test_image.py).
cflags-x86_64 := -m64 -march=x86-64 -mgeneral-regs-only -mno-red-zone -mcmodel=kernel \
		 -fcf-protection=none -fno-jump-tables
ldflags-hv    := -static -nostdlib --gc-sections --build-id=none -z noexecstack \
		 -z max-page-size=0x1000
ldflags-arm64  := $(if $(filter clang,$(TOOLCHAIN)),-m aarch64linux,--no-warn-rwx-segments)
ldflags-x86_64 := $(if $(filter clang,$(TOOLCHAIN)),-m elf_x86_64,--no-warn-rwx-segments)

# The host library: the same sources, the simulated machine below, sanitizers around.
# Hidden and renamed, or the C library and the sanitizers would call core's sched_yield() for their own.
cflags-host := $(language) $(warnings) -Wno-missing-prototypes $(stable) -O1 -g -DHV_HOST -DHV_DEBUG \
	       -fno-omit-frame-pointer -fvisibility=hidden -Dsched_yield=core_sched_yield
asan := -fsanitize=address,undefined -fno-sanitize-recover=all
tsan := -fsanitize=thread -DHV_TSAN

# ---- things made once ---------------------------------------------------------------------------

$O/include/public: | $O/include
	$(call say,LINK,$@)
	$(Q)test -f $(XEN_HEADERS)/xen/xen.h || { echo "no $(XEN_HEADERS)/xen/xen.h: \
		install libxen-dev" >&2; exit 1; }
	$(Q)mkdir -p $@.tmp && ln -sfn $(XEN_HEADERS)/xen $@.tmp/xen && \
		for h in fdt.h libfdt.h libfdt_env.h; do \
			ln -sfn $(XEN_HEADERS)/$$h $@.tmp/$$h; done && mv -T $@.tmp $@

$O/include:
	$(Q)mkdir -p $@

# Which commit this is, from the commit alone; rewritten only when it changes.
$O/include/generated/version.h: FORCE
	$(Q)mkdir -p $(@D); sh scripts/version.sh >$@.new; \
		cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Changing flags rebuilds: the command is kept beside the objects, which depend on it.
define keep-flags
	$(Q)mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' >$@.new; \
		cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endef

FORCE:

ready := $O/include/public $O/include/generated/version.h

# ---- one hypervisor -----------------------------------------------------------------------------

archives-arm64  = $(CACHE)/arm64/libfdt.a $(CACHE)/arm64/libz.a
archives-x86_64 = $(CACHE)/x86_64/libfdt.a $(CACHE)/x86_64/libz.a $(CACHE)/x86_64/liblzma.a
$(CACHE)/%/libfdt.a:
	$(call say,DEBS,$@)
	$(Q)KRYPTON_CACHE='$(CACHE)' scripts/debs $* libfdt
# Kernels come packed (hv/boot/payload.c).
$(CACHE)/%/libz.a:
	$(call say,DEBS,$@)
	$(Q)KRYPTON_CACHE='$(CACHE)' scripts/debs $* zlib
$(CACHE)/%/liblzma.a:
	$(call say,DEBS,$@)
	$(Q)KRYPTON_CACHE='$(CACHE)' scripts/debs $* lzma
$O/x86_64/hv/boot/payload_xz.c.o: | $(CACHE)/x86_64/liblzma.a

define hypervisor
cmd-$(1) := $(cc-$(1)) $(cflags-hv) $(cflags-$(1)) $$(call std-include,$(cc-$(1))) \
	    $(pub-include) $$(call hv-include,$(1)) -isystem $(CACHE)/$(1)/include
src-$(1) := $(sort $(core-src) $(boot-src) $(freestanding-src) $($(1)-src))
obj-$(1) := $$(patsubst %,$O/$(1)/%.o,$$(src-$(1)))

$O/$(1)/.flags: FORCE
	$$(call keep-flags,$$(cmd-$(1)) small: $(small) fast: $(fast))

$O/$(1)/include/asm/offsets.h: $(offs-$(1)) scripts/offsets.h $O/$(1)/.flags | $(ready)
	$$(call say,OFFSETS,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(cmd-$(1)) -MMD -MP -MT $$@ -MF $O/$(1)/offsets.d -include scripts/offsets.h \
		-fverbose-asm -S -o $O/$(1)/offsets.s $$<
	$(Q)sed -n 's/^.*@offset \([A-Za-z0-9_]*\) [^-0-9]*\(-\?[0-9]*\).*/#define \1 \2/p' \
		$O/$(1)/offsets.s >$$@
-include $O/$(1)/offsets.d

$O/$(1)/%.c.o: %.c $O/$(1)/.flags | $(ready) $(if $(wildcard $(offs-$(1))),$O/$(1)/include/asm/offsets.h)
	$$(call say,CC,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(cmd-$(1)) $$(call size-flag,$$<) $$(cflags-$$<) $$(cflags-$(1)-$$<) -MMD -MP -c -o $$@ $$<

$O/$(1)/%.S.o: %.S $O/$(1)/.flags | $(ready) $(if $(wildcard $(offs-$(1))),$O/$(1)/include/asm/offsets.h)
	$$(call say,AS,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(cmd-$(1)) -D__ASSEMBLY__ -Wa,--noexecstack -MMD -MP -c -o $$@ $$<

$O/$(1)/krypton.lds: $(lds-$(1)) $O/$(1)/.flags | $(ready)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(cmd-$(1)) -D__ASSEMBLY__ -D__LINKER__ -MMD -MP -MT $$@ -MF $$@.d -E -P -x c -o $$@ $$<
-include $O/$(1)/krypton.lds.d
-include $$(obj-$(1):.o=.d)

# The image contains its own symbol table, so it is linked until the table fits: without one,
# with one of the right size, with the right one; and the last link is compared with it.
$O/$(1)/ksyms.0.S: scripts/mksyms.py
	$(Q)mkdir -p $$(@D) && $(PYTHON) $$< </dev/null >$$@
$O/$(1)/ksyms.1.S: $O/$(1)/krypton.0.elf scripts/mksyms.py
	$(Q)$(nm-$(1)) -n $$< | $(PYTHON) scripts/mksyms.py >$$@
$O/$(1)/ksyms.2.S: $O/$(1)/krypton.1.elf scripts/mksyms.py
	$(Q)$(nm-$(1)) -n $$< | $(PYTHON) scripts/mksyms.py >$$@
$O/$(1)/ksyms.%.S.o: $O/$(1)/ksyms.%.S
	$(Q)$$(cmd-$(1)) -D__ASSEMBLY__ -c -o $$@ $$<

$O/$(1)/krypton.%.elf: $$(obj-$(1)) $O/$(1)/ksyms.%.S.o $O/$(1)/krypton.lds $(archives-$(1))
	$$(call say,LD,$$@)
	$(Q)$(ld-$(1)) $(ldflags-hv) $(ldflags-$(1)) -T $O/$(1)/krypton.lds -Map=$O/$(1)/krypton.map \
		-o $$@ $$(obj-$(1)) $O/$(1)/ksyms.$$*.S.o $(archives-$(1))

$O/$(1)/krypton.elf: $O/$(1)/krypton.2.elf
	$(Q)$(nm-$(1)) -n $$< | $(PYTHON) scripts/mksyms.py | cmp - $O/$(1)/ksyms.2.S
	$(Q)cp $$< $$@

$O/krypton-$(1).sym: $O/$(1)/krypton.elf
	$(Q)$(nm-$(1)) -n $$< | grep -v ' [aU] ' >$$@

$(1): $O/krypton-$(1) $O/krypton-$(1).sym
	$(Q)ls -l $O/krypton-$(1) | awk '{ print "  " $$$$9 ": " $$$$5 " bytes" }'
.PHONY: $(1) krypton-$(1)
krypton-$(1): $(1)
all: $(1)
endef

$(foreach a,$(arches),$(eval $(call hypervisor,$(a))))

# The layouts of the 32-bit ABI (hv/arch/x86_64/hvm/hypercall32.c).
$O/x86_64/include/asm/layout32.h: hv/arch/x86_64/layout32.c scripts/offsets.h | $(ready)
	$(call say,OFFSETS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(cc-x86_64) -m32 $(language) $(call std-include,$(cc-x86_64)) $(pub-include) -ffreestanding -fno-pic \
		-MMD -MP -MT $@ -MF $O/x86_64/layout32.d -include scripts/offsets.h -fverbose-asm -S -o $O/x86_64/layout32.s $<
	$(Q)sed -n 's/^.*@offset \([A-Za-z0-9_]*\) [^-0-9]*\(-\?[0-9]*\).*/#define \1 \2/p' $O/x86_64/layout32.s >$@
-include $O/x86_64/layout32.d
$O/x86_64/include/asm/offsets.h: $O/x86_64/include/asm/layout32.h
$(foreach a,$(arches),$(eval $O/$(a)/hv/boot/payload_gzip.c.o: | $(CACHE)/$(a)/libz.a))

$O/krypton-arm64: $O/arm64/krypton.elf
	$(call say,OBJCOPY,$@)
	$(Q)$(objcopy-arm64) -O binary $< $@

$O/krypton-x86_64: $O/x86_64/krypton.elf
	$(call say,STRIP,$@)
	$(Q)$(objcopy-x86_64) --strip-all $< $@

.PHONY: absent
absent:
	@for a in $(absent); do echo "  absent: $$a has no sources yet"; done
all: $(if $(absent),absent)

# ---- the host library and what runs on it ---------------------------------------------------------

# Core's variables lie in sections of their own, so that each simulated machine starts with fresh ones.
own-sections := --rename-section .data=hv_data --rename-section .data.rel.local=hv_data \
		--rename-section .data.rel=hv_data --rename-section .bss=hv_bss

# host-library FOLDER FLAGS COMPILER: $O/FOLDER/libhvcore.a
define host-library
cmd-$(1) := $(3) $(cflags-host) $(2)
obj-$(1) := $$(patsubst %,$O/$(1)/%.o,$(sort $(core-src) $(boot-src) $(host-src))) $O/$(1)/ksyms.S.o
inc-$(1) := $(pub-include) $(call hv-include,host)

$O/$(1)/.flags: FORCE
	$$(call keep-flags,$$(cmd-$(1)) $(TOOLCHAIN))

# Shared sources see the headers that the hypervisor sees; the simulated machine and the tests
# stand on the C library.
$O/$(1)/hv/arch/host/%.c.o: hv/arch/host/%.c $O/$(1)/.flags | $(ready)
	$$(call say,HOSTCC,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(cmd-$(1)) $$(inc-$(1)) -MMD -MP -c -o $$@ $$<

$O/$(1)/tests/%.c.o: tests/%.c $O/$(1)/.flags | $(ready)
	$$(call say,HOSTCC,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(cmd-$(1)) $$(cflags-$$<) $$(inc-$(1)) -Itests -Itests/unit -Itools -MMD -MP -c -o $$@ $$<

$O/$(1)/%.c.o: %.c $O/$(1)/.flags | $(ready)
	$$(call say,HOSTCC,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(cmd-$(1)) $(cc-freestanding) $$(call std-include,$(3)) $$(inc-$(1)) $$(cflags-$$<) \
		-MMD -MP -c -o $$@ $$<
	$(Q)objcopy $(own-sections) $$@

$O/$(1)/ksyms.S.o: $O/$(1)/.flags scripts/mksyms.py
	$(Q)$(PYTHON) scripts/mksyms.py </dev/null >$$(@:.o=) && $(3) -c -o $$@ $$(@:.o=)

$O/$(1)/libhvcore.a: $$(obj-$(1))
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && ar rcsD $$@ $$(obj-$(1))
-include $$(obj-$(1):.o=.d) $$(patsubst %,$O/$(1)/%.d,$(unit-tests) $(fuzz-tests))
endef
cc-freestanding := $(filter -ffreestanding -fbuiltin,$(cc-flags))

$(eval $(call host-library,host,$(asan),$(cc-host)))
$(eval $(call host-library,tsan,$(tsan),$(cc-host)))
cc-freestanding :=
$(eval $(call host-library,fuzz,$(asan) -fsanitize=fuzzer-no-link,clang))

# A test may bring a symbol table of its own: NAME.nm beside it, an nm listing.
define unit-test
$O/$(1)/$(2:.c=): $O/$(1)/$(2).o $O/$(1)/libhvcore.a $(if $(wildcard $(2:.c=.nm)),$O/$(1)/$(2:.c=.nm).o)
	$$(call say,HOSTLD,$$@)
	$(Q)$$(cmd-$(1)) -o $$@ $$(filter %.o,$$^) $O/$(1)/libhvcore.a -lcmocka -lfdt -lpthread

$O/$(1)/$(2:.c=.nm).o: $(2:.c=.nm) scripts/mksyms.py
	$(Q)mkdir -p $$(@D) && $(PYTHON) scripts/mksyms.py <$$< >$$(@:.o=.S) && $(cc-host) -c -o $$@ $$(@:.o=.S)
endef
$(foreach t,$(unit-tests),$(eval $(call unit-test,host,$(t))))
$(foreach t,$(tsan-tests),$(eval $(call unit-test,tsan,$(t))))

unit-programs := $(patsubst %.c,$O/tests/%,$(patsubst tests/%,%,$(unit-tests)))
$O/tests/unit/%: $O/host/tests/unit/%
	$(Q)mkdir -p $(@D) && ln -sfn $(abspath $<) $@

define fuzz-test
$O/$(1:.c=): $O/fuzz/$(1).o $O/fuzz/libhvcore.a
	$$(call say,HOSTLD,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)clang -g $(asan) -fsanitize=fuzzer -o $$@ $$^ -lfdt -lpthread
endef
$(foreach t,$(fuzz-tests),$(eval $(call fuzz-test,$(t))))
fuzz-programs := $(patsubst %.c,$O/%,$(fuzz-tests))

# ---- the tools' library and what runs on it ---------------------------------------------------------

cmd-tools := $(language) $(warnings) $(stable) -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer $(asan) \
	     -Itools -Ihv/include $(pub-include)
lib-tools := -lfdt -lz -llzma -lzstd -llz4 -ljansson -lpthread
lib-kr := -lxengnttab -lxenforeignmemory -lxencall -lxentoolcore -lxentoollog -lncurses -ltinfo $(lib-tools)

# tools-library FOLDER COMPILER: $O/FOLDER/libtools.a
define tools-library
$O/$(1)/.flags: FORCE
	$$(call keep-flags,$(2) $(cmd-tools))
$O/$(1)/%.c.o: %.c $O/$(1)/.flags | $(ready)
	$$(call say,TOOLCC,$$@)
	$(Q)mkdir -p $$(@D) && $(2) $(cmd-tools) -MMD -MP -c -o $$@ $$<
obj-$(1) := $(patsubst %,$O/$(1)/%.o,$(sort $(tools-src)))
$O/$(1)/libtools.a: $$(obj-$(1))
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && ar rcsD $$@ $$(obj-$(1))
-include $(patsubst %,$O/$(1)/%.d,$(tools-src) $(tools-tests) $(tools-fuzz))
endef
$(eval $(call tools-library,tools/host,$(cc-host)))
$(eval $(call tools-library,tools/fuzz,clang -fsanitize=fuzzer-no-link))

define tools-test
$O/$(1:.c=): $O/tools/host/$(1).o $O/tools/host/libtools.a
	$$(call say,HOSTLD,$$@)
	$(Q)mkdir -p $$(@D) && $(cc-host) $(asan) -o $$@ $$^ -lcmocka $(lib-tools)
endef
$(foreach t,$(tools-tests),$(eval $(call tools-test,$(t))))
unit-programs += $(patsubst %.c,$O/%,$(tools-tests))

# The toolstack over the simulated machine, with all of kr but what the tests put in the place of the machine and its store.
toolstack-src := $(filter-out tools/stored/% tools/consoled/%,$(tools-src)) \
		 $(filter-out tools/ctl/main.c tools/domain/system.c tools/lib/fmem/linux.c tools/lib/hcall/linux.c \
		 tools/lib/store/linux.c,$(kr-src))
define toolstack-test
$O/$(1:.c=): $O/host/$(1).o $(patsubst %,$O/tools/host/%.o,$(toolstack-src)) $O/host/libhvcore.a
	$$(call say,HOSTLD,$$@)
	$(Q)mkdir -p $$(@D) && $(cc-host) $(asan) -o $$@ $$^ -lcmocka $(lib-kr)
-include $O/host/$(1:.c=.d) $O/host/$(1).d
endef
$(foreach t,$(toolstack-tests),$(eval $(call toolstack-test,$(t))))
unit-programs += $(patsubst %.c,$O/%,$(toolstack-tests))

define tools-fuzzer
$O/$(1:.c=): $O/tools/fuzz/$(1).o $O/tools/fuzz/libtools.a
	$$(call say,HOSTLD,$$@)
	$(Q)mkdir -p $$(@D) && clang -g $(asan) -fsanitize=fuzzer -o $$@ $$^ $(lib-tools)
endef
$(foreach t,$(tools-fuzz),$(eval $(call tools-fuzzer,$(t))))
fuzz-programs += $(patsubst %.c,$O/%,$(tools-fuzz))

# ---- kr ------------------------------------------------------------------------------------------------

native := $(if $(filter arm64,$(shell dpkg --print-architecture)),arm64,x86_64)

# With the sanitizers, for its tests.
src-kr-host := $(kr-src) tools/build/start_$(native).c
$O/tools/host/kr: $(patsubst %,$O/tools/host/%.o,$(src-kr-host)) $O/tools/host/libtools.a
	$(call say,HOSTLD,$@)
	$(Q)$(cc-host) $(asan) -o $@ $^ $(lib-kr)
-include $(patsubst %,$O/tools/host/%.d,$(src-kr-host))
kr-host: $O/tools/host/kr
.PHONY: kr-host

$(CACHE)/%/kr/lib/libncurses.a:
	$(call say,DEBS,$@)
	$(Q)KRYPTON_CACHE='$(CACHE)' scripts/debs $* kr

# Static, as the daemons are: $O/tools/ARCH/kr.
define kr
src-kr-$(1) := $(filter-out tools/stored/% tools/consoled/%,$(tools-src)) $(kr-src) tools/build/start_$(1).c
cmd-kr-$(1) := $(cross-$(1))gcc $(language) $(warnings) $(stable) -D_GNU_SOURCE -O2 -g -ffunction-sections \
	       -fdata-sections -Itools -Ihv/include -isystem $(CACHE)/$(1)/kr/include
$O/kr/$(1)/.flags: FORCE
	$$(call keep-flags,$$(cmd-kr-$(1)))
$O/kr/$(1)/%.c.o: %.c $O/kr/$(1)/.flags | $(CACHE)/$(1)/kr/lib/libncurses.a
	$$(call say,TOOLCC,$$@)
	$(Q)mkdir -p $$(@D) && $$(cmd-kr-$(1)) -MMD -MP -c -o $$@ $$<
$O/tools/$(1)/kr: $$(patsubst %,$O/kr/$(1)/%.o,$$(src-kr-$(1)))
	$$(call say,LD,$$@)
	$(Q)mkdir -p $$(@D) && $(cross-$(1))gcc -static -s -Wl,--gc-sections -o $$@ $$^ -L$(CACHE)/$(1)/kr/lib $(lib-kr)
-include $$(patsubst %,$O/kr/$(1)/%.d,$$(src-kr-$(1)) $(kr-supervisor-src))
# It shares kr's objects.
$O/tools/$(1)/kr-supervisor: $$(patsubst %,$O/kr/$(1)/%.o,$(filter-out tools/stored/% tools/consoled/%,$(tools-src)) $(kr-supervisor-src))
	$$(call say,LD,$$@)
	$(Q)mkdir -p $$(@D) && $(cross-$(1))gcc -static -s -Wl,--gc-sections -o $$@ $$^ -L$(CACHE)/$(1)/kr/lib $(lib-kr)
tools: $O/tools/$(1)/kr $O/tools/$(1)/kr-supervisor
endef
$(foreach a,$(arches),$(eval $(call kr,$(a))))

# ---- the daemons ---------------------------------------------------------------------------------------

# Static, so that they run in whatever dom0 there is: $O/tools/ARCH/kr-stored, kr-consoled. The store daemon over tests/stored/fakexen.c
# runs here: $O/tools/sim/kr-stored with the sanitizers, $O/tools/fast/kr-stored for the benchmarks.
cmd-daemon := $(language) $(warnings) $(stable) -D_GNU_SOURCE -g -Itools
ld-daemon  := -lxencall -lxenevtchn -lxengnttab -lxenforeignmemory -lxentoolcore -lxentoollog -levent_core
# libevent can ask name services, which a static program cannot: the linker says so, we do not ask.
, := ,

$(CACHE)/%/daemons:
	$(call say,DEBS,$@)
	$(Q)KRYPTON_CACHE='$(CACHE)' scripts/debs $* daemons

# daemons FOLDER ARCH COMPILER: how their sources are compiled
define daemons
$O/tools/$(1)/.flags: FORCE
	$$(call keep-flags,$(3) $(cmd-daemon))
$O/tools/$(1)/%.c.o: %.c $O/tools/$(1)/.flags | $(ready) $(CACHE)/$(2)/daemons
	$$(call say,TOOLCC,$$@)
	$(Q)mkdir -p $$(@D) && $(3) $(cmd-daemon) -isystem $(CACHE)/$(2)/daemons/include -MMD -MP -c -o $$@ $$<
endef
# daemon NAME FOLDER ARCH COMPILER SOURCES LIBRARIES
define daemon
$O/tools/$(2)/$(1): $(patsubst %,$O/tools/$(2)/%.o,$(5))
	$$(call say,LD,$$@)
	$(Q)$(4) -o $$@ $$^ -L$(CACHE)/$(3)/daemons/lib $(6)
-include $(patsubst %,$O/tools/$(2)/%.d,$(5))
endef
static := -static -Wl$(,)--no-warnings
$(foreach a,$(arches),$(eval $(call daemons,$(a),$(a),$(cross-$(a))gcc -O2)))
$(foreach a,$(arches),$(eval $(call daemon,kr-stored,$(a),$(a),$(cross-$(a))gcc,$(kr-stored-src),$(static) $(ld-daemon))))
$(foreach a,$(arches),$(eval $(call daemon,kr-consoled,$(a),$(a),$(cross-$(a))gcc,$(kr-consoled-src),$(static) $(ld-daemon) -lutil)))
$(eval $(call daemons,sim,$(native),gcc -O1 $(asan)))
$(eval $(call daemon,kr-stored,sim,$(native),gcc $(asan),$(kr-stored-src) tests/stored/fakexen.c,-levent_core))
$(eval $(call daemons,fast,$(native),gcc -O2))
$(eval $(call daemon,kr-stored,fast,$(native),gcc,$(kr-stored-src) tests/stored/fakexen.c,$(static) -levent_core))
# For Debian's own daemon to be run in the same way.
$O/tools/fakexen.so: tests/stored/fakexen.c | $(CACHE)/$(native)/daemons
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && gcc $(cmd-daemon) -fPIC -shared -isystem $(CACHE)/$(native)/daemons/include -o $@ $<

tools: $(foreach a,$(arches),$O/tools/$(a)/kr-stored $O/tools/$(a)/kr-consoled)
stored-test: $O/tools/sim/kr-stored $O/tools/fast/kr-stored $O/tools/fakexen.so
.PHONY: tools stored-test
all: tools

host: $O/host/libhvcore.a
all: $(if $(core-src),host)

unit-test: $(unit-programs) $(if $(kr-src),kr-host)
	$(Q)sh scripts/run-tests.sh "unit tests (ASan, UBSan)" $(unit-programs)
tsan-test: $(patsubst %.c,$O/tsan/%,$(tsan-tests))
	$(Q)sh scripts/run-tests.sh "unit tests (TSan)" $^
fuzz-test: $(fuzz-programs)
	$(Q)FUZZ_RUNS=$(FUZZ_RUNS) sh scripts/run-fuzz.sh $O $(fuzz-programs)

# ---- guests of one page, each a rule of the ABI -----------------------------------------------------

# What a guest boots from: a raw Image, or an ELF file.
guest-form-arm64  := -O binary
guest-form-x86_64 := --strip-all

# tests/guest/NAME/*.c with tests/guest/common and its folder for the architecture.
define guest-test
guest-src-$(1)-$(2) := $$(wildcard tests/guest/$(2)/*.c tests/guest/$(2)/$(1)/*.[cS] \
		       tests/guest/common/*.c tests/guest/common/$(1)/*.[cS])
guest-obj-$(1)-$(2) := $$(patsubst %,$O/$(1)/guest/%.o,$$(guest-src-$(1)-$(2)))
$O/$(1)/guest/$(2).elf: $$(guest-obj-$(1)-$(2)) tests/guest/common/$(1)/guest.lds
	$$(call say,LD,$$@)
	$(Q)$(ld-$(1)) $(ldflags-hv) $(ldflags-$(1)) -T tests/guest/common/$(1)/guest.lds \
		-o $$@ $$(guest-obj-$(1)-$(2))
$O/$(1)/guest/$(2).img: $O/$(1)/guest/$(2).elf
	$(Q)$(objcopy-$(1)) $(guest-form-$(1)) $$< $$@
guests-$(1) += $O/$(1)/guest/$(2).img
-include $$(guest-obj-$(1)-$(2):.o=.d)
endef

define guest-rules
cmd-guest-$(1) := $(cc-$(1)) $(language) $(warnings) -O2 -g $(cc-flags) -fno-pic -fno-pie \
		  -fno-stack-protector -ffunction-sections -fdata-sections $(cflags-$(1)) \
		  $$(call std-include,$(cc-$(1))) $(pub-include) -Itests/guest/common \
		  -Itests/guest/common/$(1)
$O/$(1)/guest/%.c.o: %.c | $(ready)
	$$(call say,CC,$$@)
	$(Q)mkdir -p $$(@D) && $$(cmd-guest-$(1)) -MMD -MP -c -o $$@ $$<
$O/$(1)/guest/%.S.o: %.S | $(ready)
	$$(call say,AS,$$@)
	$(Q)mkdir -p $$(@D) && $$(cmd-guest-$(1)) -D__ASSEMBLY__ -MMD -MP -c -o $$@ $$<
$(foreach t,$(guest-tests) $(guest-tests-$(1)),$(if $(wildcard tests/guest/common/$(1)/guest.lds),\
	$(eval $(call guest-test,$(1),$(t)))))
endef
$(foreach a,$(ARCH),$(eval $(call guest-rules,$(a))))

guests: $(foreach a,$(ARCH),$(guests-$(a)))

# ---- checks on the sources --------------------------------------------------------------------------

headers := $(shell find hv/include -name '*.h' -not -path 'hv/include/libc/*' 2>/dev/null)

# 32-bit hosts come later; core must not assume a 64-bit `unsigned long` today.
cmd-32 := gcc -m32 -DHV_HOST $(language) $(warnings) -ffreestanding -fbuiltin -O1 \
	  $(call std-include,gcc) $(pub-include) $(call hv-include,host)
compile32: $(patsubst %,$O/compile32/%.o,$(core-src) $(boot-src))
$O/compile32/%.o: % FORCE | $(ready)
	$(Q)mkdir -p $(@D)
	$(call say,CC32,$<)
	$(Q)$(cmd-32) $(cflags-$<) -c -o $@ $<

# Every header compiles by itself, for each architecture that it is for.
define header-rules
$O/headers/$(1)/%.ok: % FORCE | $(ready) $(if $(filter host,$(1)),,$(if $(wildcard $(offs-$(1))),$O/$(1)/include/asm/offsets.h))
	$(Q)mkdir -p $$(@D)
	$(Q)printf '#include "%s"\ntypedef int not_empty;\n' $$< | $$(cmd-header-$(1)) -I. -fsyntax-only -x c - && touch $$@
header-check: $$(patsubst %,$O/headers/$(1)/%.ok,$(headers) $(shell find $(asm-$(1)) -name '*.h' 2>/dev/null))
endef
cmd-header-host = $(cmd-host) $(filter -ffreestanding -fbuiltin,$(cc-flags)) $(call std-include,$(cc-host)) $(inc-host)
cmd-header-arm64 = $(cmd-arm64)
cmd-header-x86_64 = $(cmd-x86_64)
$(foreach a,$(arches) $(if $(host-src),host),$(eval $(call header-rules,$(a))))
header-check: $(patsubst %,$O/headers/%.ok,$(shell find tools -name '*.h' 2>/dev/null))
$O/headers/tools/%.ok: tools/% FORCE | $(ready)
	$(Q)mkdir -p $(@D)
	$(Q)printf '#include "%s"\ntypedef int not_empty;\n' $< | \
		$(cc-host) $(cmd-tools) -isystem $(CACHE)/$(native)/daemons/include -I. -fsyntax-only -x c - && touch $@

# clang-tidy over every source once: the shared ones as they are for the host.
# (gcc's own options are of no use to it, so the clang command line is asked of a second make.)
tidy-files := $(patsubst %,tidy/%,$(filter %.c,$(core-src) $(boot-src) $(host-src) $(sort $(tools-src) $(src-kr-host) $(kr-stored-src) $(kr-consoled-src) $(kr-supervisor-src)) $(foreach a,$(arches),$($(a)-src))))
tidy:
	$(Q)$(MAKE) --no-print-directory TOOLCHAIN=clang O=$O/clang tidy-all
tidy-all: $(tidy-files)
tidy/%: % | $(ready) $(foreach a,$(arches),$(if $(wildcard $(offs-$(a))),$O/$(a)/include/asm/offsets.h))
	$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet $< -- $(call tidy-command,$<) $(cflags-$<) \
		-Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES) 2>$O/tidy.err.$(notdir $<) \
		|| { cat $O/tidy.err.$(notdir $<); exit 1; }
# tidy-command FILE: how the file is compiled, which its list says.
tidy-command = $(strip $(if $(filter $(1),$(tools-src) $(src-kr-host) $(kr-supervisor-src)),$(cmd-tools),$(if $(filter $(1),$(kr-stored-src) $(kr-consoled-src)),\
	$(cmd-daemon) -isystem $(CACHE)/$(native)/daemons/include,$(if $(filter $(1),$(arm64-src)),$(cmd-arm64),\
	$(if $(filter $(1),$(x86_64-src)),$(cmd-x86_64),\
	$(cmd-host) $(inc-host) $(if $(filter $(1),$(host-src)),,$(call std-include,$(cc-host))))))))

sources := $(shell find hv tools tests scripts images -name '*.[ch]' 2>/dev/null)
format-check:
	$(Q)test -z "$(sources)" || clang-format --dry-run -Werror $(sources)
format:
	$(Q)clang-format -i $(sources)

list-sources:
	@echo core-src: $(words $(core-src)) boot-src: $(words $(boot-src)) arm64-src: $(words $(arm64-src)) \
		x86_64-src: $(words $(x86_64-src)) host-src: $(words $(host-src)) unit-tests: $(words $(unit-tests)) \
		tsan-tests: $(words $(tsan-tests)) fuzz-tests: $(words $(fuzz-tests)) guest-tests: $(words $(guest-tests)$(guest-tests-arm64)$(guest-tests-x86_64)) \
		tools-src: $(words $(tools-src)) tools-tests: $(words $(tools-tests))

bench: all
	$(Q)scripts/debs arm64 cloud kernel busybox tools daemons xen
	$(Q)scripts/debs x86_64 xen
	$(Q)O=$O $(PYTHON) bench/bench.py

clean:
	rm -rf $O

help:
	@sed -n '2,22s/^# \{0,1\}//p' Makefile
	@echo 'Targets: all arm64 x86_64 host tools stored-test unit-test tsan-test fuzz-test guests compile32 header-check'
	@echo '         tidy format format-check bench clean'

.PHONY: all host unit-test tsan-test fuzz-test guests compile32 header-check tidy tidy-all \
	format format-check list-sources bench clean help FORCE
