//===- ObjectEmitterTest.cpp - code generation and its execution --------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/ObjectEmitter.h"
#include "TestModule.h"
#include "lowering/emit/Jit.h"
#include <gtest/gtest.h>

using namespace samba;
using namespace samba::test;

namespace {

CpuTarget native() {
  auto target = CpuTarget::get("native");
  EXPECT_TRUE(bool(target));
  return *target;
}

size_t countOf(llvm::StringRef text, llvm::StringRef part) { return text.count(part); }

// Claims a loop of ten iterations and stores what it gets, until nothing is left; then waits at the barrier.
constexpr llvm::StringLiteral claiming = R"(
  samba.weight @ignored from "t" : tensor<2xf32>
  llvm.func @samba_step(%call: !llvm.ptr, %team: !llvm.ptr) {
    %ten = llvm.mlir.constant(10 : i64) : i64
    %zero = llvm.mlir.constant(0 : i64) : i64
    %one = llvm.mlir.constant(1 : i64) : i64
    %inputs = llvm.load %call : !llvm.ptr -> !llvm.ptr
    %data = llvm.load %inputs : !llvm.ptr -> !llvm.ptr
    %claim = llvm.load %team : !llvm.ptr -> !llvm.ptr
    %barrier_at = llvm.getelementptr %team[8] : (!llvm.ptr) -> !llvm.ptr, i8
    %barrier = llvm.load %barrier_at : !llvm.ptr -> !llvm.ptr
    llvm.br ^loop(%zero : i64)
  ^loop(%i: i64):
    %chunk = llvm.call %claim(%team, %ten) : !llvm.ptr, (!llvm.ptr, i64) -> i64
    %place = llvm.getelementptr %data[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    llvm.store %chunk, %place : i64, !llvm.ptr
    %shift = llvm.mlir.constant(32 : i64) : i64
    %end = llvm.lshr %chunk, %shift : i64
    %low = llvm.trunc %chunk : i64 to i32
    %begin = llvm.zext %low : i32 to i64
    %done = llvm.icmp "eq" %begin, %end : i64
    %next = llvm.add %i, %one : i64
    llvm.cond_br %done, ^out, ^loop(%next : i64)
  ^out:
    llvm.call %barrier(%team) : !llvm.ptr, (!llvm.ptr) -> ()
    llvm.return
  })";

constexpr llvm::StringLiteral sharing = R"(
  llvm.func @helper(%a: f32) -> f32 attributes {sym_visibility = "private"} {
    %b = llvm.fmul %a, %a : f32
    %c = llvm.fadd %b, %a : f32
    llvm.return %c : f32
  }
  llvm.func @samba_step(%a: f32) -> f32 {
    %b = llvm.call @helper(%a) : (f32) -> f32
    %c = llvm.call @helper(%b) : (f32) -> f32
    llvm.return %c : f32
  })";

TEST(ObjectEmitter, PrivateFunctionsAreSharedAndInternal) {
  TestContext context;
  auto module = context.parse(sharing);
  CpuTarget target = native();
  auto emitter = ObjectEmitter::create(*module, target);
  ASSERT_TRUE(bool(emitter)) << llvm::toString(emitter.takeError());
  std::string ir = emitter->llvmIr();
  EXPECT_NE(ir.find("define internal"), std::string::npos) << ir;
  EXPECT_EQ(countOf(ir, "call fastcc float @helper"), 2u) << ir;
  EXPECT_EQ(countOf(ir, "fmul float"), 1u) << ir;
  for (std::string part : {"noinline", "nounwind", "\"frame-pointer\"=\"none\""})
    EXPECT_NE(ir.find(part), std::string::npos) << part;
  EXPECT_NE(ir.find("\"target-cpu\"=\"" + target.cpu + "\""), std::string::npos);
  EXPECT_NE(ir.find("\"prefer-vector-width\"=\"" + std::to_string(target.vectorBits) + "\""), std::string::npos);

  auto jit = Jit::create(*module, target);
  ASSERT_TRUE(bool(jit)) << llvm::toString(jit.takeError());
  auto step = jit->lookup("samba_step");
  ASSERT_TRUE(bool(step));
  EXPECT_EQ(reinterpret_cast<float (*)(float)>(*step)(3.0f), 12.0f * 12.0f + 12.0f);
  auto helper = jit->lookup("helper");
  EXPECT_FALSE(bool(helper));
  llvm::consumeError(helper.takeError());
}

#ifdef __x86_64__
TEST(ObjectEmitter, ContractsOnlyWhereFlagsSay) {
  TestContext context;
  auto assemblyOf = [&](llvm::StringRef flags) {
    auto module = context.parse(("llvm.func @samba_step(%a: f32, %b: f32) -> f32 { %c = llvm.fmul %a, %b" + flags +
                                 " : f32  %d = llvm.fadd %c, %b" + flags + " : f32  llvm.return %d : f32 }")
                                    .str());
    auto target = CpuTarget::get("x86-64-v3");
    auto emitter = ObjectEmitter::create(*module, *target);
    EXPECT_TRUE(bool(emitter));
    auto assembly = emitter->assembly();
    EXPECT_TRUE(bool(assembly));
    return *assembly;
  };
  EXPECT_EQ(assemblyOf("").find("vfmadd"), std::string::npos);
  EXPECT_NE(assemblyOf(" {fastmathFlags = #llvm.fastmath<contract>}").find("vfmadd"), std::string::npos);
}
#endif

TEST(ObjectEmitter, EmissionsCanBeRepeated) {
  TestContext context;
  auto module = context.parse(sharing);
  auto emitter = ObjectEmitter::create(*module, native());
  ASSERT_TRUE(bool(emitter));
  auto first = emitter->object(), second = emitter->object();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
}

TEST(ObjectEmitter, NamesWhatIsNotLowered) {
  TestContext context;
  auto module = context.parse("func.func @f() { return } loc(\"layers.3.mixer\")");
  auto emitter = ObjectEmitter::create(*module, native());
  ASSERT_FALSE(bool(emitter));
  std::string message = llvm::toString(emitter.takeError());
  EXPECT_EQ(message.find("layers.3.mixer: "), 0u) << message;
  EXPECT_NE(message.find("func.func"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(Jit, RunsAnEntryPointWithATeam) {
  TestContext context;
  auto module = context.parse(claiming);
  auto jit = Jit::create(*module, native());
  ASSERT_TRUE(bool(jit)) << llvm::toString(jit.takeError());
  auto entry = jit->entry("samba_step");
  ASSERT_TRUE(bool(entry));
  uint64_t chunks[16] = {};
  samba_buffer input{chunks, 16};
  samba_call call = {};
  call.inputs = &input;

  SoloTeam whole;
  (*entry)(&call, whole.get());
  EXPECT_EQ(chunks[0], uint64_t(10) << 32);
  EXPECT_EQ(chunks[1], 10 | uint64_t(10) << 32);
  EXPECT_EQ(whole.barriers(), 1u);

  SoloTeam small(4);
  (*entry)(&call, small.get());
  (*entry)(&call, small.get()); // the barrier makes the loop fresh
  EXPECT_EQ(chunks[0], uint64_t(4) << 32);
  EXPECT_EQ(chunks[1], 4 | uint64_t(8) << 32);
  EXPECT_EQ(chunks[2], 8 | uint64_t(10) << 32);
  EXPECT_EQ(chunks[3], 10 | uint64_t(10) << 32);
  EXPECT_EQ(small.barriers(), 2u);
}

} // namespace
