//===- Support.h - what the interpreter's tests share -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_INTERPRETER_SUPPORT_H
#define TEST_UNIT_INTERPRETER_SUPPORT_H

#include "dialect/Samba.h"
#include "dialect/interpreter/Interpreter.h"
#include "dialect/interpreter/TensorFile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace samba::reference::test {

/// The value, or the end of the program with the error's text: a test without its data can say nothing more.
template <class T> T take(llvm::Expected<T> value) {
  if (value)
    return std::move(*value);
  ADD_FAILURE() << llvm::toString(value.takeError());
  std::abort();
}

/// The text of the error; "success" if there is none.
template <class T> std::string errorText(llvm::Expected<T> value) {
  return value ? "success" : llvm::toString(value.takeError());
}

/// Largest deviation relative to the largest golden value.
template <class F> void expectClose(const Tensor<F> &actual, const Tensor<F> &golden, double tolerance) {
  ASSERT_EQ(actual.shape, golden.shape);
  double deviation = 0, largest = 0;
  for (size_t i = 0; i < golden.data.size(); ++i) {
    double difference = std::abs(double(actual.data[i]) - double(golden.data[i]));
    deviation = difference <= deviation ? deviation : difference; // a NaN stays
    largest = std::max(largest, std::abs(double(golden.data[i])));
  }
  EXPECT_LE(deviation, tolerance * largest);
}

template <class F> void expectClose(const StateBatch<F> &actual, const StateBatch<F> &golden, double tolerance) {
  ASSERT_EQ(actual.sequences.size(), golden.sequences.size());
  for (size_t s = 0; s < golden.sequences.size(); ++s)
    expectClose(actual.sequences[s], golden.sequences[s], tolerance);
}

template <class T, class V> const T &as(const V &value) { return *std::get_if<T>(&value); }

/// A module parsed from text, with the dialects that the interpreter knows.
class Module {
public:
  explicit Module(llvm::StringRef text) {
    context
        .loadDialect<SambaDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::tensor::TensorDialect>();
    context.allowUnregisteredDialects();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module) {
      ADD_FAILURE() << "cannot parse:\n" << text.str();
      std::abort();
    }
  }
  mlir::ModuleOp operator*() const { return *module; }
  mlir::func::FuncOp function(llvm::StringRef name = "f") const {
    return mlir::ModuleOp(*module).lookupSymbol<mlir::func::FuncOp>(name);
  }

  /// Runs @f.
  template <class F>
  llvm::Expected<std::vector<Value<F>>> run(std::vector<Value<F>> arguments, const WeightSource *weights = nullptr) {
    return Interpreter<F>(*module, weights).run(function(), std::move(arguments));
  }

private:
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace samba::reference::test

#endif // TEST_UNIT_INTERPRETER_SUPPORT_H
