//===- TorchFileTest.cpp - tests of files of torch.save -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files that PyTorch wrote; test/tools/torch-files.test has the broken ones.
//
//===----------------------------------------------------------------------===//

#include "frontend/TorchFile.h"
#include "TestSupport.h"

using namespace samba;
using namespace samba::test;

namespace {

TEST(TorchFile, IsTold) {
  auto is = [](llvm::StringRef path) { return TorchFile::isTorchFile(valueOf(MappedFile::open(source(path)))); };
  EXPECT_TRUE(is("test/unit/frontend/Inputs/views.pth"));
  EXPECT_TRUE(is("test/unit/frontend/Inputs/old.pth"));
  EXPECT_FALSE(is("test/goldens/tiny-a/model.safetensors"));
}

TEST(TorchFile, ReadsViews) {
  auto file = valueOf(WeightFile::open(source("test/unit/frontend/Inputs/views.pth")));
  auto floats = [&](llvm::StringRef name) {
    TensorView view = valueOf(file->view(*file->find(name)));
    std::vector<float> values;
    for (int64_t i = 0; i < view.numElements(); ++i)
      values.push_back(loadElement(view.bytes.data(), view.dtype, i));
    return values;
  };
  using Floats = std::vector<float>;
  EXPECT_EQ(floats("f32"), Floats({0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(file->find("f32")->shape, (llvm::SmallVector<int64_t, 4>{2, 3}));
  EXPECT_EQ(floats("row"), Floats({3, 4, 5}));
  EXPECT_EQ(file->bytes(*file->find("row")).data(), file->bytes(*file->find("f32")).data() + 12);
  EXPECT_EQ(floats("bf16"), Floats({1, -2}));
  EXPECT_EQ(floats("f16"), Floats({0.5, -0.25}));
  EXPECT_EQ(floats("scalar"), Floats({7}));
  EXPECT_EQ(floats("empty"), Floats());
  EXPECT_EQ(floats("parameter"), Floats({1, 2}));
  std::string path = source("test/unit/frontend/Inputs/views.pth");
  EXPECT_EQ(errorOf(file->view(*file->find("f64"))), path + ": tensor 'f64': expected F32, BF16 or F16, found F64");
  EXPECT_EQ(errorOf(file->view(*file->find("i64"))), path + ": tensor 'i64': expected F32, BF16 or F16, found I64");
}

TEST(TorchFile, RefusesTheOldFormat) {
  std::string path = source("test/unit/frontend/Inputs/old.pth");
  EXPECT_EQ(errorOf(WeightFile::open(path)),
            path +
                ": expected a file of PyTorch 1.6 or later (a ZIP file), found the older format; load it with PyTorch "
                "and save it again");
}

} // namespace
