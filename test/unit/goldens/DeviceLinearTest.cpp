//===- DeviceLinearTest.cpp - products with narrow weights on a device ----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step of an embedding and a product, in all kernels that there are for products with bf16, int8 and int4: one row,
// few rows, many rows; inputs and outputs that do not fill groups, panels and tiles. The virtual device, with its
// checks, against the interpreter. Rows of the embedding are exact in bf16 and sums are f32, so the two agree as
// always. After a norm values are rounded to bf16, and a few of them to another neighbour.
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"
#include "dialect/interpreter/Seeded.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/unit/goldens/Engine.h"
#include "test/unit/goldens/VirtualEngine.h"
#include "test/unit/interpreter/Support.h"
#include "llvm/Support/FormatVariadic.h"

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;

namespace {

constexpr int64_t kVocabulary = 50;

enum class Form { Plain, Bias, Swiglu, Norm };

struct Case {
  const char *precision;
  int64_t inputs, outputs;
  Form form;
  bool hopper = false; // sm_90a with its own kernels
};

std::string moduleText(const Case &c) {
  bool swiglu = c.form == Form::Swiglu;
  std::string rows = llvm::formatv("tensor<?x{0}xf32>", c.inputs),
              result = llvm::formatv("tensor<?x{0}xf32>", c.outputs);
  std::string matrix = llvm::formatv("tensor<{0}x{1}xf32>", c.outputs, c.inputs);
  std::string text = llvm::formatv(R"(
    samba.weight @table from "table" : tensor<{0}x{1}xf32>
    samba.weight @w from "w" : {2}
    samba.weight @v from "v" : {2}
    samba.weight @bias from "bias" : tensor<{3}xf32>
    samba.weight @norm from "norm" : tensor<{1}xf32>
    func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
                          %rows: tensor<?xi64>) -> {4} {{
      %table = samba.load_weight @table : tensor<{0}x{1}xf32>
      %w = samba.load_weight @w : {2}
      %e = samba.embedding %tokens, %table : tensor<?xi32>, tensor<{0}x{1}xf32> -> {5}
      %x = samba.gather_rows %e, %rows : {5}, tensor<?xi64> -> {5}
  )",
                                   kVocabulary, c.inputs, matrix, c.outputs, result, rows);
  if (c.form == Form::Norm)
    text += llvm::formatv("%n = samba.load_weight @norm : tensor<{0}xf32>\n"
                          "%z = samba.rms_norm %x, %n {{eps = 1.0e-5 : f32} : {1}, tensor<{0}xf32>\n",
                          c.inputs, rows);
  std::string types = " : " + rows + ", " + matrix + " -> " + result + "\n", x = c.form == Form::Norm ? "%z" : "%x";
  if (c.form == Form::Bias)
    text += llvm::formatv("%b = samba.load_weight @bias : tensor<{0}xf32>\n%y = samba.linear {1}, %w bias %b : "
                          "tensor<{0}xf32>{2}",
                          c.outputs, x, types);
  else
    text += "%y = samba.linear " + x + ", %w" + types;
  if (swiglu)
    text += "%v = samba.load_weight @v : " + matrix + "\n%u = samba.linear " + x + ", %v" + types +
            "%g = samba.swiglu %y, %u : " + result + "\n";
  return text + "return " + (swiglu ? "%g" : "%y") + " : " + result + "\n}\n";
}

/// A step of sequences with so many tokens each, all of whose rows are wanted.
Engine::Values stepOf(llvm::ArrayRef<int64_t> lengths) {
  IntTensor tokens({0}, {}), segments({1}), positions({0}, {}), rows({0}, {});
  for (int64_t length : lengths) {
    for (int64_t i = 0; i < length; ++i) {
      rows.data.push_back(tokens.data.size());
      tokens.data.push_back((tokens.data.size() * 7 + 3) % kVocabulary);
    }
    segments.data.push_back(tokens.data.size());
    positions.data.push_back(0);
  }
  tokens.shape = rows.shape = {int64_t(tokens.data.size())};
  segments.shape = {int64_t(segments.data.size())};
  positions.shape = {int64_t(positions.data.size())};
  return {tokens, segments, positions, rows};
}

class DeviceLinear : public testing::TestWithParam<Case> {};

TEST_P(DeviceLinear, AsTheInterpreter) {
  const Case &c = GetParam();
  mlir::MLIRContext context;
  context.loadDialect<SambaDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::tensor::TensorDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(moduleText(c), &context);
  ASSERT_TRUE(module);
  SeededWeights weights(*module, 1);
  VirtualOptions options;
  options.precision = c.precision;
  options.seed = 3;
  options.hopper = c.hopper;
  auto device = createVirtualEngine(*module, &weights, options);
  mlir::OwningOpRef<mlir::ModuleOp> narrow = module->clone();
  mlir::PassManager pm(&context);
  buildOptimisePipeline(pm, c.precision, /*roundActivations=*/true, "f32", /*quantiseRows=*/false);
  ASSERT_TRUE(mlir::succeeded(pm.run(*narrow)));
  auto interpreter = exact.create(*narrow, &weights);

  llvm::SmallVector<llvm::SmallVector<int64_t>> steps = {{1}, {1, 1}, {5}, {0, 17, 4}};
  steps.push_back(llvm::SmallVector<int64_t>(16, 1));
  steps.push_back({70});
  for (const auto &lengths : steps) {
    SCOPED_TRACE(testing::Message() << lengths.size() << " sequences, the second last of " << lengths[0]);
    auto expected = std::get<Tensor<double>>(take(interpreter->run("samba_step", stepOf(lengths)))[0]);
    auto actual = std::get<Tensor<double>>(take(device->run("samba_step", stepOf(lengths)))[0]);
    ASSERT_EQ(actual.shape, expected.shape);
    double deviation = 0, norm = 0;
    for (size_t i = 0; i < expected.data.size(); ++i) {
      deviation += (actual.data[i] - expected.data[i]) * (actual.data[i] - expected.data[i]);
      norm += expected.data[i] * expected.data[i];
    }
    EXPECT_LE(std::sqrt(deviation / norm), c.form == Form::Norm ? 5e-4 : 1e-6);
  }
}

// Groups have 64 inputs, pieces 32, panels 8 outputs. 77 inputs cannot be copied 16 bytes at once; with 2000 and more
// of them loops are unrolled, on sm_90a with 192 and 256. How many outputs there are decides about the tiles of a
// block.
const Case cases[] = {{"int8", 128, 64, Form::Plain},         {"int8", 64, 67, Form::Bias},
                      {"int8", 1096, 72, Form::Norm},         {"int8", 200, 104, Form::Swiglu},
                      {"int8", 77, 65, Form::Plain},          {"int8", 2120, 68, Form::Swiglu},
                      {"int8", 72, 1088, Form::Plain},        {"int8", 72, 2180, Form::Plain},
                      {"int8", 64, 8200, Form::Plain},        {"int4", 128, 64, Form::Plain},
                      {"int4", 64, 67, Form::Bias},           {"int4", 4168, 72, Form::Norm},
                      {"int4", 200, 104, Form::Swiglu},       {"int4", 77, 65, Form::Plain},
                      {"int4", 136, 1088, Form::Swiglu},      {"bf16", 128, 64, Form::Plain},
                      {"bf16", 40, 19, Form::Bias},           {"bf16", 1096, 72, Form::Norm},
                      {"bf16", 200, 104, Form::Swiglu},       {"bf16", 72, 4100, Form::Swiglu},
                      {"bf16", 72, 8200, Form::Plain},        {"int8", 64, 67, Form::Bias, true},
                      {"int8", 392, 72, Form::Norm, true},    {"int8", 200, 104, Form::Swiglu, true},
                      {"int8", 72, 8200, Form::Plain, true},  {"int8", 77, 65, Form::Plain, true},
                      {"int4", 64, 67, Form::Bias, true},     {"int4", 712, 200, Form::Norm, true},
                      {"int4", 200, 104, Form::Swiglu, true}, {"int8", 256, 104, Form::Bias, true},
                      {"int8", 192, 24, Form::Plain, true}};

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  const Case &c = info.param;
  const char *forms[] = {"plain", "bias", "swiglu", "norm"};
  return llvm::formatv("{0}_{1}_by_{2}_{3}{4}", c.precision, c.outputs, c.inputs, forms[int(c.form)],
                       c.hopper ? "_hopper" : "")
      .str();
}

INSTANTIATE_TEST_SUITE_P(All, DeviceLinear, testing::ValuesIn(cases), nameOf);

} // namespace
