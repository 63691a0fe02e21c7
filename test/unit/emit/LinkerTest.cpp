//===- LinkerTest.cpp - objects to shared libraries ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/Linker.h"
#include "TestModule.h"
#include "lowering/emit/ObjectEmitter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>

using namespace samba;
using namespace samba::test;

namespace {

ObjectCode objectOf(llvm::StringRef text, llvm::StringRef entry = "samba_step") {
  TestContext context;
  auto module = context.parse(text);
  auto target = CpuTarget::get("native");
  auto emitter = ObjectEmitter::create(*module, *target, entry);
  EXPECT_TRUE(bool(emitter));
  auto object = emitter->object();
  EXPECT_TRUE(bool(object));
  return {std::move(*object), entry.str()};
}

llvm::Expected<llvm::SmallVector<char, 0>> link(llvm::ArrayRef<ObjectCode> objects) {
  return linkSharedLibrary(objects, "model.so");
}

constexpr llvm::StringLiteral twoFunctions = R"(
  llvm.func internal @other(%a: i64) -> i64 attributes {passthrough = ["noinline"]} {
    %b = llvm.mul %a, %a : i64
    llvm.return %b : i64
  }
  llvm.func @samba_step(%a: i64) -> i64 {
    %b = llvm.call @other(%a) : (i64) -> i64
    llvm.return %b : i64
  })";

TEST(Linker, ExportsTheEntryPointAlone) {
  auto library = link(objectOf(twoFunctions));
  ASSERT_TRUE(bool(library)) << llvm::toString(library.takeError());
  auto file = llvm::object::ObjectFile::createELFObjectFile(
      llvm::MemoryBufferRef(llvm::StringRef(library->data(), library->size()), "library"));
  ASSERT_TRUE(bool(file));
  auto &elf = llvm::cast<llvm::object::ELF64LEObjectFile>(**file);
  std::vector<std::string> symbols;
  for (llvm::object::ELFSymbolRef symbol : elf.getDynamicSymbolIterators())
    symbols.push_back(symbol.getName()->str());
  EXPECT_EQ(symbols, std::vector<std::string>{"samba_step"});
  auto entries = elf.getELFFile().dynamicEntries();
  ASSERT_TRUE(bool(entries));
  bool named = false;
  for (const auto &entry : *entries) {
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_NEEDED);
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_TEXTREL);
    named |= entry.getTag() == llvm::ELF::DT_SONAME;
  }
  EXPECT_TRUE(named);
}

TEST(Linker, SeveralObjectsWithAnEntryPointEach) {
  auto library = link({objectOf(twoFunctions), objectOf(twoFunctions, "samba_step_1")});
  ASSERT_TRUE(bool(library)) << llvm::toString(library.takeError());
  TemporaryFolder folder;
  folder.write("model.so", {library->data(), library->size()});
  void *handle = dlopen(folder.file("model.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(handle) << dlerror();
  void *first = dlsym(handle, "samba_step"), *second = dlsym(handle, "samba_step_1");
  ASSERT_TRUE(first && second);
  EXPECT_NE(first, second);
  EXPECT_FALSE(dlsym(handle, "other"));
  EXPECT_EQ(reinterpret_cast<int64_t (*)(int64_t)>(second)(7), 49);
  dlclose(handle);
}

TEST(Linker, TheLibraryRuns) {
  // The copy is large and of unknown size, so it becomes a call of memmove, which the process provides.
  auto library = link(objectOf(R"(
    llvm.func @samba_step(%to: !llvm.ptr, %from: !llvm.ptr, %size: i64) {
      "llvm.intr.memmove"(%to, %from, %size) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
      llvm.return
    })"));
  ASSERT_TRUE(bool(library)) << llvm::toString(library.takeError());
  TemporaryFolder folder;
  folder.write("model.so", {library->data(), library->size()});
  void *handle = dlopen(folder.file("model.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(handle) << dlerror();
  auto step = reinterpret_cast<void (*)(void *, const void *, int64_t)>(dlsym(handle, "samba_step"));
  ASSERT_TRUE(step);
  char from[100] = "samba", to[100] = "";
  step(to, from, sizeof(from));
  EXPECT_STREQ(to, "samba");
  dlclose(handle);
}

TEST(Linker, NamesUndefinedSymbols) {
  auto library = link(objectOf(R"(
    llvm.func @expf(f32) -> f32
    llvm.func @samba_step(%a: f32) -> f32 {
      %b = llvm.call @expf(%a) : (f32) -> f32
      llvm.return %b : f32
    })"));
  ASSERT_FALSE(bool(library));
  EXPECT_EQ(llvm::toString(library.takeError()),
            "cannot link: generated code refers to 'expf', which nothing provides");
}

TEST(Linker, NeedsTheEntryPoint) {
  auto library = link(objectOf("llvm.func @f() { llvm.return }"));
  ASSERT_FALSE(bool(library));
  EXPECT_EQ(llvm::toString(library.takeError()), "cannot link: generated code does not define 'samba_step'");
}

TEST(Linker, ReportsTheLinkersTroubles) {
  auto errorWith = [](const char *linker) {
    setenv("SAMBA_LLD", linker, 1);
    auto library = link(objectOf(twoFunctions));
    unsetenv("SAMBA_LLD");
    return library ? "" : llvm::toString(library.takeError());
  };
  EXPECT_EQ(errorWith("/nonexistent/ld.lld"),
            "cannot link: SAMBA_LLD names '/nonexistent/ld.lld', which is not a program");
  TemporaryFolder folder;
  folder.write("linker", "#!/bin/sh\necho 'out of luck' >&2\necho more >&2\nexit 1\n");
  std::string path = folder.file("linker");
  llvm::sys::fs::setPermissions(path, llvm::sys::fs::all_all);
  EXPECT_EQ(errorWith(path.c_str()), "cannot link: " + path + ": out of luck");
}

} // namespace
