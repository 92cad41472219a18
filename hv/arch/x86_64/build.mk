# SPDX-License-Identifier: Apache-2.0
x86_64-src += hv/arch/x86_64/boot/head.S hv/arch/x86_64/boot/trampoline.S hv/arch/x86_64/boot/loader.c
x86_64-src += hv/arch/x86_64/main.c hv/arch/x86_64/devices.c hv/arch/x86_64/control.c
x86_64-src += hv/arch/x86_64/cpu/entry.S hv/arch/x86_64/cpu/exceptions.c hv/arch/x86_64/cpu/panic.c
x86_64-src += hv/arch/x86_64/cpu/mcheck.c hv/arch/x86_64/cpu/speculation.c
x86_64-src += hv/arch/x86_64/cpu/apic.c hv/arch/x86_64/cpu/irq.c hv/arch/x86_64/cpu/cpu.c
x86_64-src += hv/arch/x86_64/cpu/time.c hv/arch/x86_64/cpu/madt.c hv/arch/x86_64/cpu/smp.c
x86_64-src += hv/arch/x86_64/mm/map.c hv/arch/x86_64/mm/p2m.c hv/arch/x86_64/mm/walk.c
x86_64-src += hv/arch/x86_64/hvm/vcpu.c hv/arch/x86_64/hvm/events.c hv/arch/x86_64/hvm/fpu.c
x86_64-src += hv/arch/x86_64/hvm/policy.c hv/arch/x86_64/hvm/cpuid.c hv/arch/x86_64/hvm/msr.c
x86_64-src += hv/arch/x86_64/hvm/pvclock.c hv/arch/x86_64/hvm/vlapic.c hv/arch/x86_64/hvm/fault.c
x86_64-src += hv/arch/x86_64/hvm/emulate.c hv/arch/x86_64/hvm/hypercall32.c hv/arch/x86_64/hvm/ops.c
x86_64-src += hv/arch/x86_64/svm/enter.S hv/arch/x86_64/svm/svm.c hv/arch/x86_64/svm/exit.c
x86_64-src += hv/arch/x86_64/svm/state.c hv/arch/x86_64/svm/inject.c
x86_64-src += hv/arch/x86_64/hvm/ioapic.c hv/arch/x86_64/hvm/vioapic.c hv/arch/x86_64/hvm/ports.c
x86_64-src += hv/arch/x86_64/boot/load.c hv/arch/x86_64/boot/dom0.c hv/arch/x86_64/boot/acpi_dom0.c
x86_64-src += hv/arch/x86_64/boot/acpi_write.c
x86_64-src += hv/arch/x86_64/hvm/platform.c
x86_64-src += hv/arch/x86_64/boot/elf.c hv/arch/x86_64/boot/kernel.c hv/arch/x86_64/boot/memory.c
x86_64-src += hv/arch/x86_64/boot/start_info.c hv/arch/x86_64/boot/acpi_domu.c
x86_64-src += hv/arch/x86_64/emul/emul.c
x86_64-src += hv/drivers/acpi/tables.c hv/drivers/uart/ns16550.c
x86_64-src += hv/arch/x86_64/hvm/state.c hv/arch/x86_64/hvm/vlapic_state.c hv/arch/x86_64/hvm/context.c
x86_64-src += hv/arch/x86_64/hvm/control_vcpu.c
x86_64-src += hv/arch/x86_64/hvm/vpci.c
# What knows neither domains nor hardware is tested on the host.
host-src += hv/arch/x86_64/hvm/ioapic.c hv/arch/x86_64/boot/acpi_dom0.c hv/arch/x86_64/boot/acpi_write.c
host-src += hv/drivers/acpi/tables.c hv/arch/x86_64/cpu/speculation.c
unit-tests += tests/unit/ioapic_test.c tests/unit/acpi_test.c tests/unit/speculation_x86_test.c
# The measuring of clocks, over a model of those that it measures by.
unit-tests += tests/unit/clocks_test.c
cflags-tests/unit/clocks_test.c := -Itests/unit/clocks -idirafter hv/arch/x86_64/include
# Events and the emulator's surroundings, with the vCPU of x86-64 instead of the simulated machine's.
unit-tests += tests/unit/hvm_test.c tests/unit/events_test.c
cflags-tests/unit/events_test.c := -Ihv/arch/x86_64/include -Ihv/arch/x86_64/svm
cflags-tests/unit/hvm_test.c := -Ihv/arch/x86_64/include -Ihv/arch/x86_64/svm
unit-tests += tests/unit/context_test.c tests/unit/control_vcpu_test.c
cflags-tests/unit/context_test.c := -Ihv/arch/x86_64/include
cflags-tests/unit/control_vcpu_test.c := -Ihv/arch/x86_64/include
# The walk of a guest's tables, and of the nested ones.
unit-tests += tests/unit/walk_test.c
cflags-tests/unit/walk_test.c := -Ihv/arch/x86_64/include
# The local APIC's timer, likewise.
unit-tests += tests/unit/vlapic_test.c
cflags-tests/unit/vlapic_test.c := -Ihv/arch/x86_64/include -Ihv/arch/x86_64/hvm
# What the control block of a vCPU intercepts.
unit-tests += tests/unit/svm_test.c
cflags-tests/unit/svm_test.c := -Ihv/arch/x86_64/include -Ihv/arch/x86_64/svm
