# SPDX-License-Identifier: Apache-2.0
x86_64-src += hv/arch/x86_64/emul/emul.c
host-src += hv/arch/x86_64/emul/emul.c
unit-tests += tests/unit/emul_test.c
