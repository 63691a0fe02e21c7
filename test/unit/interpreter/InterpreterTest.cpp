//===- InterpreterTest.cpp - functions, kernels, calls and weights in IR ---===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/interpreter/Support.h"
#include <cstring>

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;

namespace {

using Rows = Tensor<double>;
using Values = std::vector<Value<double>>;

/// One tensor, under any name.
class OneWeight : public WeightSource {
public:
  OneWeight(std::initializer_list<int64_t> shape, std::vector<float> values)
      : shape(shape), values(std::move(values)) {}
  llvm::Expected<TensorView> lookup(llvm::StringRef name) const override {
    return TensorView{DType::F32, shape,
                      llvm::ArrayRef(reinterpret_cast<const uint8_t *>(values.data()), values.size() * 4)};
  }

private:
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<float> values;
};

std::string loadText(llvm::StringRef type, llvm::StringRef transform = "") {
  return llvm::formatv(R"(
    samba.weight @w from "model.w" {1} : {0}
    func.func @f() -> {0} {{
      %w = samba.load_weight @w : {0} loc("layers.3.mixer")
      return %w : {0}
    })",
                       type, transform)
      .str();
}

TEST(Interpreter, KernelsAndCalls) {
  Module module(R"(
    func.func private @block(%x: tensor<?x2xf32>, %s: !samba.state<1x2xf32>)
        -> (!samba.state<1x2xf32>, tensor<?x2xf32>) {
      %y = samba.kernel "double" ins(%a = %x : tensor<?x2xf32>) -> tensor<?x2xf32> {
        %b = arith.addf %a, %a : tensor<?x2xf32>
        samba.yield %b : tensor<?x2xf32>
      }
      return %s, %y : !samba.state<1x2xf32>, tensor<?x2xf32>
    }
    func.func @f(%x: tensor<?x2xf32>, %s: !samba.state<1x2xf32>) -> (tensor<?x2xf32>, !samba.state<1x2xf32>) {
      %s1, %y = call @block(%x, %s) : (tensor<?x2xf32>, !samba.state<1x2xf32>)
        -> (!samba.state<1x2xf32>, tensor<?x2xf32>)
      %s2, %z = call @block(%y, %s1) : (tensor<?x2xf32>, !samba.state<1x2xf32>)
        -> (!samba.state<1x2xf32>, tensor<?x2xf32>)
      %c = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
      %d = tensor.cast %c : tensor<1x2xf32> to tensor<?x2xf32>
      return %z, %s2 : tensor<?x2xf32>, !samba.state<1x2xf32>
    })");
  // tensor.cast is not known, and nobody said it would be.
  std::string error = errorText(module.run<double>({Rows({1, 2}, {3, 5}), StateBatch<double>{{Rows({1, 2})}}}));
  EXPECT_NE(error.find("tensor.cast: operation not supported"), std::string::npos) << error;
  module.function().walk([](mlir::tensor::CastOp cast) { cast.erase(); });
  Values results = take(module.run<double>({Rows({1, 2}, {3, 5}), StateBatch<double>{{Rows({1, 2}, {7, 8})}}}));
  EXPECT_EQ(as<Rows>(results[0]).data, (std::vector<double>{12, 20}));
  EXPECT_EQ(as<StateBatch<double>>(results[1]).sequences[0].data, (std::vector<double>{7, 8}));
}

TEST(Interpreter, Arithmetic) {
  Module module(R"(func.func @f(%a: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<3xi64>, tensor<2xf32>) {
      %b = arith.constant dense<[0.5, -2.0]> : tensor<2xf32>
      %d = arith.subf %a, %b : tensor<2xf32>
      %p = arith.mulf %a, %b : tensor<2xf32>
      %i = arith.constant dense<[1, -2, 3]> : tensor<3xi64>
      %s = arith.constant dense<4.0> : tensor<2xf32>
      return %d, %p, %i, %s : tensor<2xf32>, tensor<2xf32>, tensor<3xi64>, tensor<2xf32>
    })");
  Values results = take(module.run<double>({Rows({2}, {3, 7})}));
  EXPECT_EQ(as<Rows>(results[0]).data, (std::vector<double>{2.5, 9}));
  EXPECT_EQ(as<Rows>(results[1]).data, (std::vector<double>{1.5, -14}));
  EXPECT_EQ(as<IntTensor>(results[2]).data, (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(as<Rows>(results[3]).data, (std::vector<double>{4, 4}));
}

TEST(Interpreter, DoubleIsNotRounded) {
  llvm::StringRef text = R"(func.func @f(%a: tensor<1xf32>, %b: tensor<1xf32>) -> tensor<1xf32> {
      %c = arith.addf %a, %b : tensor<1xf32>
      return %c : tensor<1xf32>
    })";
  Module module(text);
  EXPECT_EQ(as<Rows>(take(module.run<double>({Rows({1}, {1}), Rows({1}, {1e-12})}))[0]).data[0], 1 + 1e-12);
  using Floats = Tensor<float>;
  EXPECT_EQ(as<Floats>(take(module.run<float>({Floats({1}, {1}), Floats({1}, {1e-12f})}))[0]).data[0], 1);
}

TEST(Interpreter, Slices) {
  Module module(R"(func.func @f(%x: tensor<?x6xf32>, %n: tensor<?xi64>)
      -> (tensor<?x2xf32>, tensor<2x3xf32>, tensor<6xf32>, tensor<?xi64>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %t = tensor.dim %x, %c0 : tensor<?x6xf32>
      %a = tensor.extract_slice %x[0, 4] [%t, 2] [1, 1] : tensor<?x6xf32> to tensor<?x2xf32>
      %b = tensor.extract_slice %x[%c1, 1] [2, 3] [1, 2] : tensor<?x6xf32> to tensor<2x3xf32>
      %c = tensor.extract_slice %x[%c1, 0] [1, 6] [1, 1] : tensor<?x6xf32> to tensor<6xf32>
      %d = tensor.extract_slice %n[1] [%c1] [1] : tensor<?xi64> to tensor<?xi64>
      return %a, %b, %c, %d : tensor<?x2xf32>, tensor<2x3xf32>, tensor<6xf32>, tensor<?xi64>
    })");
  Rows x({3, 6});
  for (size_t i = 0; i < x.data.size(); ++i)
    x.data[i] = double(i);
  Values results = take(module.run<double>({x, IntTensor({2}, {8, 9})}));
  EXPECT_EQ(as<Rows>(results[0]).shape, (Shape{3, 2}));
  EXPECT_EQ(as<Rows>(results[0]).data, (std::vector<double>{4, 5, 10, 11, 16, 17}));
  EXPECT_EQ(as<Rows>(results[1]).data, (std::vector<double>{7, 9, 11, 13, 15, 17}));
  EXPECT_EQ(as<Rows>(results[2]).shape, (Shape{6}));
  EXPECT_EQ(as<Rows>(results[2]).data, (std::vector<double>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(as<IntTensor>(results[3]).data, (std::vector<int64_t>{9}));

  std::string error = errorText(module.run<double>({Rows({2, 6}), IntTensor({2}, {8, 9})}));
  EXPECT_NE(error.find("expected a slice within the 2 elements of dimension 0, got offset 1, size 2, stride 1"),
            std::string::npos)
      << error;
  // No rows at all are a slice too.
  Module none(R"(func.func @f(%x: tensor<?x6xf32>) -> tensor<?x2xf32> {
      %c0 = arith.constant 0 : index
      %t = tensor.dim %x, %c0 : tensor<?x6xf32>
      %a = tensor.extract_slice %x[0, 4] [%t, 2] [1, 1] : tensor<?x6xf32> to tensor<?x2xf32>
      return %a : tensor<?x2xf32>
    })");
  EXPECT_EQ(as<Rows>(take(none.run<double>({Rows({0, 6})}))[0]).shape, (Shape{0, 2}));
}

TEST(Interpreter, Probes) {
  Module module(R"(func.func @f(%x: tensor<?x2xf32>) {
      samba.probe %x, "embeddings", 0 : tensor<?x2xf32>
      %y = arith.addf %x, %x : tensor<?x2xf32>
      samba.probe %y, "layers.0", 1 : tensor<?x2xf32>
      return
    })");
  Interpreter<double> interpreter(*module, nullptr);
  EXPECT_TRUE(take(interpreter.run(module.function(), {Rows({1, 2}, {1, 2})})).empty());
  std::string seen;
  interpreter.onProbe([&](llvm::StringRef name, int32_t index, const Rows &x) {
    seen += llvm::formatv("{0} {1} {2:F0};", name, index, x.data[1]).str();
  });
  take(interpreter.run(module.function(), {Rows({1, 2}, {1, 2})}));
  EXPECT_EQ(seen, "embeddings 0 2;layers.0 1 4;");
}

TEST(Interpreter, WeightsAreRoundedToTheirDeclaredType) {
  // 1 + 2^-8 lies half-way between two bf16 numbers, 1 + 3*2^-8 too; ties go to the even one.
  OneWeight source({4}, {1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1p-8f + 0x1p-20f, -0x1p-140f});
  auto load = [&](llvm::StringRef element) {
    Module module(loadText(("tensor<4x" + element + ">").str()));
    return as<Rows>(take(module.run<double>({}, &source))[0]).data;
  };
  EXPECT_EQ(load("bf16"), (std::vector<double>{1, 1 + 0x4p-8, 1 + 0x2p-8, -0.0}));
  EXPECT_EQ(load("f16"), (std::vector<double>{1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8, -0.0}));
  EXPECT_EQ(load("f32"), (std::vector<double>{1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8 + 0x1p-20, -0x1p-140}));
}

TEST(Interpreter, WeightTransformAndShape) {
  OneWeight source({2, 1, 2}, {0, 1, -1, 2});
  Module module(loadText("tensor<2x2xf32>", "transform neg_exp"));
  Rows A = as<Rows>(take(module.run<double>({}, &source))[0]);
  EXPECT_EQ(A.shape, (Shape{2, 2}));
  EXPECT_EQ(A.data, (std::vector<double>{-1, -std::exp(1.0), -std::exp(-1.0), -std::exp(2.0)}));
  // A layout says how a weight is stored, not what it is.
  Module packed(loadText("tensor<2x2xf32, #samba.layout<panel, 32>>"));
  EXPECT_EQ(as<Rows>(take(packed.run<double>({}, &source))[0]).data, (std::vector<double>{0, 1, -1, 2}));

  Module transposed(loadText("tensor<4x1xf32>"));
  EXPECT_EQ(errorText(transposed.run<double>({}, &source)),
            "@f: layers.3.mixer: samba.load_weight: expected tensor 'model.w' of shape [4, 1], apart from unit sizes, "
            "got [2, 1, 2]");
  Module absent(loadText("tensor<4xf32>"));
  EXPECT_EQ(errorText(absent.run<double>({})),
            "@f: layers.3.mixer: samba.load_weight: expected weights to load 'w' from, got none");
  // A source that does not keep its promise is no reason to read beyond its bytes.
  OneWeight broken({4}, {1, 2, 3});
  EXPECT_EQ(errorText(absent.run<double>({}, &broken)),
            "@f: layers.3.mixer: samba.load_weight: expected 4 elements in tensor 'model.w', got 12 bytes of F32");
}

TEST(Interpreter, ErrorsLeadToTheOperation) {
  Module module(R"(
    func.func private @mamba(%x: tensor<?x2xf32>, %i: tensor<?xi64>) -> tensor<?x2xf32> {
      %y = samba.kernel "gather" ins(%a = %x : tensor<?x2xf32>, %b = %i : tensor<?xi64>) -> tensor<?x2xf32> {
        %c = samba.gather_rows %a, %b : tensor<?x2xf32>, tensor<?xi64> -> tensor<?x2xf32> loc("mamba.rows")
        samba.yield %c : tensor<?x2xf32>
      } loc("mamba.kernel")
      return %y : tensor<?x2xf32>
    }
    func.func @f(%x: tensor<?x2xf32>, %i: tensor<?xi64>) -> tensor<?x2xf32> {
      %y = call @mamba(%x, %i) : (tensor<?x2xf32>, tensor<?xi64>) -> tensor<?x2xf32> loc("layers.7.mixer")
      return %y : tensor<?x2xf32>
    })");
  EXPECT_EQ(errorText(module.run<double>({Rows({1, 2}), IntTensor({1}, {5})})),
            "@f: layers.7.mixer: in @mamba: mamba.kernel: in kernel \"gather\": mamba.rows: samba.gather_rows: "
            "expected rows between 0 and 0, the rows of x less one; got 5 at 0");
}

TEST(Interpreter, UnsupportedOperation) {
  Module module(R"(func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
      %y = "some.thing"(%x) : (tensor<2xf32>) -> tensor<2xf32> loc(fused["layers.1.mlp", "x.mlir":3:4])
      return %y : tensor<2xf32>
    })");
  EXPECT_EQ(errorText(module.run<double>({Rows({2})})), "@f: layers.1.mlp: some.thing: operation not supported");
}

TEST(Interpreter, Arguments) {
  Module module(R"(func.func @f(%x: tensor<?x2xf32>, %i: tensor<?xi64>, %s: !samba.state<3x2xf32>) { return })");
  Rows x({1, 2});
  IntTensor i({1});
  StateBatch<double> s{{Rows({3, 2})}};
  EXPECT_EQ(errorText(module.run<double>({x, i})), "@f: expected 3 arguments, got 2");
  EXPECT_EQ(errorText(module.run<double>({Rows({1, 3}), i, s})),
            "@f: expected argument 0 of type tensor<?x2xf32>, got shape [1, 3]");
  EXPECT_EQ(errorText(module.run<double>({i, i, s})), "@f: expected argument 0 to hold floating-point numbers");
  EXPECT_EQ(errorText(module.run<double>({x, x, s})), "@f: expected argument 1 to hold integers");
  EXPECT_EQ(errorText(module.run<double>({x, i, x})), "@f: expected argument 2 to be a state, got a tensor");
  EXPECT_EQ(errorText(module.run<double>({x, i, StateBatch<double>{{Rows({2, 3})}}})),
            "@f: expected argument 2 of shape [3, 2], got [2, 3]");
  EXPECT_EQ(errorText(module.run<double>({x, i, s})), "success");
  Module narrow(R"(func.func @f(%s: !samba.state<3x2xbf16>) { return })");
  EXPECT_EQ(errorText(narrow.run<double>({s})), "success");
  EXPECT_EQ(errorText(narrow.run<double>({StateBatch<double>{{Rows({2, 3})}}})),
            "@f: expected argument 0 of shape [3, 2], got [2, 3]");
}

TEST(Interpreter, Functions) {
  Module recursive(R"(func.func @f() {
      call @f() : () -> () loc("here")
      return
    })");
  EXPECT_EQ(errorText(recursive.run<double>({})), "@f: here: in @f: expected no recursion");
  Module external("func.func private @f()");
  EXPECT_EQ(errorText(external.run<double>({})), "@f: expected a function with a body, found a declaration");
  EXPECT_EQ(errorText(Interpreter<double>(*external, nullptr).findFunction("")),
            "expected exactly one public function, found 0");
  EXPECT_EQ(errorText(Interpreter<double>(*external, nullptr).findFunction("g")), "expected a function @g, found none");
  EXPECT_EQ(take(Interpreter<double>(*recursive, nullptr).findFunction("")).getName(), "f");
}

} // namespace
