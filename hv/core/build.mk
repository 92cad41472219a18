# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/io.c
unit-tests += tests/unit/io_test.c
