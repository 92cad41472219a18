# SPDX-License-Identifier: Apache-2.0
# The record is part of libtools.a: kr begins it.
tools-src += tools/supervisor/record.c
kr-supervisor-src = tools/supervisor/main.c $(filter tools/domain/% tools/lib/%,$(kr-src))
tools-tests += tests/unit/record_test.c
