# SPDX-License-Identifier: Apache-2.0
# The record is part of libtools.a: kr begins it.
tools-src += tools/supervisor/record.c
kr-src += tools/supervisor/boot.c
kr-supervisor-src = tools/supervisor/main.c tools/supervisor/boot.c $(filter tools/domain/% tools/lib/%,$(kr-src))
tools-tests += tests/unit/record_test.c
toolstack-tests += tests/unit/boot_domains_test.c
