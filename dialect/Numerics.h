//===- Numerics.h - which roundings a model is computed with ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Implementations of one model differ in where they round: SPEC 6. A profile says how it is to be done, one value for
// each flag. It is the module attribute `samba.numerics`, a dictionary of the flags that are not at their default; the
// importer sets it for the family and the pass samba-apply-numerics carries it out.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_NUMERICS_H
#define DIALECT_NUMERICS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace samba {

struct NumericsFlag {
  llvm::StringLiteral name;
  llvm::SmallVector<llvm::StringLiteral, 2> values; // the first is the default
  llvm::StringLiteral help;
};

class Numerics {
public:
  static constexpr llvm::StringLiteral kAttribute = "samba.numerics";

  /// Sorted as in the documentation.
  static llvm::ArrayRef<NumericsFlag> flags();
  /// One line for each flag, with its values.
  static std::string help();

  /// The profile of a module; that of an absent attribute is all defaults.
  static llvm::Expected<Numerics> of(mlir::ModuleOp module);

  llvm::StringRef operator[](llvm::StringRef flag) const;
  /// "flag=value,flag=value"; an error names the flag and what was expected.
  llvm::Error set(llvm::StringRef assignments);
  llvm::Error set(llvm::StringRef flag, llvm::StringRef value);

  /// Null if everything is at its default.
  mlir::DictionaryAttr attribute(mlir::MLIRContext *context) const;

private:
  std::map<std::string, std::string, std::less<>> changed;
};

// Discardable attributes of operations: how samba-apply-numerics tells the interpreter and the lowerings what cannot be
// said with operations of its own. Each rounds to bf16.

/// On a samba.rms_norm: the normalised values are rounded before they are multiplied with the weight.
constexpr llvm::StringLiteral kRoundNormalised = "samba.round_normalised";
/// On a samba.selective_scan: the new state is rounded.
constexpr llvm::StringLiteral kRoundState = "samba.round_state";
/// On a samba.selective_scan: the state is rounded before C multiplies it, and so are the result, its skip and its
/// gate.
constexpr llvm::StringLiteral kRoundOutput = "samba.round_output";
/// On a samba.rotary: the products and their sums are rounded.
constexpr llvm::StringLiteral kRoundProducts = "samba.round_products";
/// On a samba.sliding_window_attention or samba.cross_attention: the weights of the softmax are rounded, after they
/// have been divided by their sum.
constexpr llvm::StringLiteral kRoundWeights = "samba.round_weights";
/// On a samba.weight: the values of the source are rounded before they are transformed.
constexpr llvm::StringLiteral kRoundSource = "samba.round_source";

// Others, of the same kind:

/// On a samba.selective_scan: softplus(v) is log(1 + exp(v)) with a sum that is rounded to f32.
constexpr llvm::StringLiteral kPlainLog = "samba.plain_log";
/// On a samba.rotary_table: positions, frequencies and angles are rounded to f32.
constexpr llvm::StringLiteral kNarrowAngles = "samba.narrow_angles";
/// On a samba.weight: 1 is added to the values of the source.
constexpr llvm::StringLiteral kPlusOne = "samba.plus_one";

} // namespace samba

#endif // DIALECT_NUMERICS_H
