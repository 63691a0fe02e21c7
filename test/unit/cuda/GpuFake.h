//===- GpuFake.h - the fake model on the virtual device --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Included before all else in this program: tests of the runtime that do not ask for a device get the virtual one, with
// all checks.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_CUDA_GPUFAKE_H
#define TEST_UNIT_CUDA_GPUFAKE_H

#include "samba/samba.h"

#undef SAMBA_OPTIONS_INIT
#define SAMBA_OPTIONS_INIT {sizeof(samba_options), 0, 0, 0, "virtual:seed=1", 1}

#endif // TEST_UNIT_CUDA_GPUFAKE_H
