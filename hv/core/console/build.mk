# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/console/domain.c hv/core/console/input.c hv/core/console/keys.c
core-src += hv/core/console/output.c hv/core/console/pv.c hv/core/console/ring.c
core-src += hv/abi/console.c
unit-tests += tests/unit/console_test.c
