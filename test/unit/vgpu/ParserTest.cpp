//===- ParserTest.cpp - what the PTX parser refuses ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/vgpu/Device.h"

using namespace samba::vgpu;
using namespace samba::vgpu::test;

static std::string errorOf(const std::string &ptx) {
  try {
    Module::parse(ptx);
  } catch (const Error &error) {
    return error.what();
  }
  return "";
}

#define EXPECT_REFUSED(PTX, TEXT) EXPECT_NE(errorOf(PTX).find(TEXT), std::string::npos) << errorOf(PTX)

TEST(VgpuParser, NamesUnknownInstructions) {
  EXPECT_REFUSED(kernel(0, "\nfrobnicate.u32 %r1, %r2;"), "unsupported: frobnicate.u32");
  EXPECT_REFUSED(kernel(0, "\nfrobnicate.u32 %r1, %r2;"), "PTX line 13: ");
  EXPECT_REFUSED(kernel(0, "add.weird.u32 %r1, %r2, %r3;"), "unsupported: add.weird.u32: modifier 'weird'");
  EXPECT_REFUSED(kernel(0, "add.u8 %h1, %h2, %h3;"), "unsupported: add.u8");
  EXPECT_REFUSED(kernel(0, "add.u32 %r1, %r2;"), "has 2 operands, expected 3");
  EXPECT_REFUSED(kernel(0, "add.u32 %r1, %rq, %r2;"), "special register '%rq'");
  EXPECT_REFUSED(kernel(0, "add.u32 %r1, %h2, %r2;"), "'%h2' has 16 bits, expected 32");
  EXPECT_REFUSED(kernel(0, "mov.u32 %r1, nowhere;"), "'nowhere' is no register, variable or label");
  EXPECT_REFUSED(kernel(0, "bra nowhere;"), "'nowhere' is no register, variable or label");
  EXPECT_REFUSED(kernel(0, "ld.shared.u32 %r1, [p];", ".global .u32 p;\n"), "another space");
}

TEST(VgpuParser, RefusesPrintfByName) {
  EXPECT_REFUSED(kernel(0, "{ .param .b64 a; .param .b64 b; .param .b32 r; call.uni (r), vprintf, (a, b); }",
                        ".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);\n"),
                 "'vprintf' has no body");
  EXPECT_REFUSED(kernel(0, "call.uni f, ();", ".func f() { .reg .b32 %r<2>; call.uni f, (); ret; }\n"),
                 "recursion of 'f'");
}

TEST(VgpuParser, RefusesNonsense) {
  EXPECT_REFUSED("", "no .target");
  EXPECT_REFUSED("hello", "unsupported directive 'hello'");
  EXPECT_REFUSED(".version x", "malformed version");
  EXPECT_REFUSED(".version 8.0 .target sm_80 .address_size 32", "addresses have 32 bits, expected 64");
  EXPECT_REFUSED(".target sm_80 .global .u32 a[99999999999];", "is larger than");
  EXPECT_REFUSED(".target sm_80 .global .align 3 .u32 a;", "no power of two");
  EXPECT_REFUSED(".target sm_80 .entry k() { .reg .b32 %r<99999999>; }", "more than 1048576 registers");
  EXPECT_REFUSED(".target sm_80 .entry k() { {{{", "expected '}', found the end");
  EXPECT_REFUSED(".target sm_80 .entry k() { a: a: }", "label 'a' appears twice");
  EXPECT_REFUSED(".target sm_80 /* ", "comment without an end");
  EXPECT_REFUSED(".target sm_80 .global .u32 a = 0x;", "malformed number");
  EXPECT_REFUSED(".target sm_80 .global .u32 a[1] = {1, 2};", "more initial values than elements");
  EXPECT_REFUSED(".target sm_80 .extern .global .u32 a;", "has no definition");
}

TEST(VgpuParser, ReadsWhatCompilersWrite) {
  EXPECT_EQ(errorOf(R"(
// comment
.version 8.4
.target sm_80
.address_size 64
.visible .global .align 16 .b8 data[8] = {1, 2, 0xff, 4U};
.extern .shared .align 16 .b8 dynamic[];
.weak .func (.param .align 4 .b8 r[8]) pair(.param .b32 a) .noreturn;
.visible .entry _Z1kPf(
  .param .u64 .ptr .global .align 16 _Z1kPf_param_0,
  .param .align 8 .b8 _Z1kPf_param_1[24]
)
.reqntid 128, 1, 1
.minnctapersm 2
{
  .reg .pred %p<2>;
  .reg .b32 %r<3>;
  .reg .b64 %rd<3>;
  .loc 1 3 4
  $L__tmp0:
  .loc 1 5 6, function_name $L__info_string0, inlined_at 1 3 4
  ld.param.u64 %rd1, [_Z1kPf_param_0];
  ld.param.v2.b32 {%r1, %r2}, [_Z1kPf_param_1+8];
  .pragma "nounroll";
  { .reg .b32 t; mov.b32 t, %r1; }
  ret;
}
.file 1 "a.cu", 12, 34
.section .debug_str { $L__info_string0: .b8 97,0 }
)"),
            "");
}
