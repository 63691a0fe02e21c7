//===- Notes.cpp - a dialect in a plugin ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One library with a dialect, `note`, whose one operation says something about a model, and with a pass that removes
// what is said. A tool that has not loaded it cannot read a module with notes.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;

namespace {

struct SayOp : public Op<SayOp, OpTrait::ZeroOperands, OpTrait::ZeroResults, OpTrait::ZeroRegions> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SayOp)
  using Op::Op;

  static StringRef getOperationName() { return "note.say"; }
  static ArrayRef<StringRef> getAttributeNames() { return {}; }
};

struct NoteDialect : public Dialect {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(NoteDialect)

  explicit NoteDialect(MLIRContext *context) : Dialect(getDialectNamespace(), context, TypeID::get<NoteDialect>()) {
    addOperations<SayOp>();
  }
  static StringRef getDialectNamespace() { return "note"; }
};

struct RemoveNotes : public PassWrapper<RemoveNotes, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RemoveNotes)

  StringRef getArgument() const override { return "test-remove-notes"; }
  StringRef getDescription() const override { return "removes the operations of dialect note"; }
  void runOnOperation() override {
    getOperation().walk([](SayOp op) { op.erase(); });
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK DialectPluginLibraryInfo mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Notes", LLVM_VERSION_STRING,
          [](DialectRegistry *registry) { registry->insert<NoteDialect>(); }};
}

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Notes", LLVM_VERSION_STRING, [] { PassRegistration<RemoveNotes>(); }};
}
