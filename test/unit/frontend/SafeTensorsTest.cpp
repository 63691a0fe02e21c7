//===- SafeTensorsTest.cpp - tests of the safetensors reader --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/SafeTensors.h"
#include "TestSupport.h"

using namespace samba;
using namespace samba::test;

namespace {

class SafeTensorsFile : public TempDirTest {
protected:
  /// What is wrong with a file of this header, after its path.
  std::string error(llvm::StringRef header, size_t dataSize) {
    std::string file = writeTensors("t.safetensors", header, dataSize);
    std::string text = errorOf(SafeTensors::open(file));
    llvm::StringRef rest = text;
    EXPECT_TRUE(text.empty() || rest.consume_front(file + ":")) << text;
    return rest.ltrim().str();
  }
};

TEST_F(SafeTensorsFile, ReadsGoldenFile) {
  auto file = valueOf(SafeTensors::open(source("test/goldens/tiny-a/model.safetensors")));
  const TensorInfo *taps = file->find("backbone.layers.0.mixer.conv1d.weight");
  ASSERT_TRUE(taps);
  EXPECT_EQ(llvm::ArrayRef<int64_t>(taps->shape), llvm::ArrayRef<int64_t>({128, 1, 4}));
  TensorView view = valueOf(file->view(*taps));
  EXPECT_EQ(view.dtype, DType::F32);
  EXPECT_EQ(view.bytes.size(), 2048u);
  EXPECT_EQ(view.numElements(), 512);
  EXPECT_EQ(file->metadata().at("format"), "pt");
  EXPECT_FALSE(file->find("nothing"));

  float before = loadElement(view.bytes.data(), view.dtype, 100);
  file->file().release(view.bytes);
  EXPECT_EQ(loadElement(view.bytes.data(), view.dtype, 100), before);
}

TEST_F(SafeTensorsFile, AcceptsAllThatTheFormatAllows) {
  EXPECT_EQ(error("{}", 0), "");
  EXPECT_EQ(error("{}      ", 0), "");
  EXPECT_EQ(error(R"({"scalar":{"dtype":"F64","shape":[],"data_offsets":[0,8]},
                      "empty":{"dtype":"F32","shape":[0,5],"data_offsets":[8,8]},
                      "nibbles":{"dtype":"F4","shape":[6],"data_offsets":[8,11]},
                      "flags":{"dtype":"BOOL","shape":[2],"data_offsets":[11,13]}})",
                  13),
            "");
}

TEST_F(SafeTensorsFile, RefusesBadHeaderLength) {
  EXPECT_EQ(errorOf(SafeTensors::open(write("t", "abc"))),
            path("t") + ": expected a safetensors file of at least 8 bytes, found 3");
  EXPECT_EQ(errorOf(SafeTensors::open(write("t", std::string(8, '\xff') + "{}"))),
            path("t") + ": expected a safetensors header of at most 2 bytes, found the length 18446744073709551615");
  EXPECT_EQ(errorOf(SafeTensors::open(write("t", std::string("\3\0\0\0\0\0\0\0{}", 10)))),
            path("t") + ": expected a safetensors header of at most 2 bytes, found the length 3");
  EXPECT_EQ(errorOf(SafeTensors::open(write("t", std::string(8, '\0') + "{}"))),
            path("t") + ": expected a safetensors header that starts with '{'");
  EXPECT_EQ(errorOf(SafeTensors::open(dir)), dir + ": expected a regular file");
}

TEST_F(SafeTensorsFile, RefusesBadHeader) {
  EXPECT_EQ(error("[]", 0), "expected a safetensors header that starts with '{'");
  EXPECT_EQ(error("{\"a\":", 0), "1:6: invalid JSON: expected a value");
  EXPECT_EQ(error(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{}})", 1),
            "1:54: invalid JSON: expected each key once, found 'a' twice");
  std::string deep = "{\"a\":" + std::string(1 << 20, '[');
  EXPECT_EQ(error(deep, 0), "1:70: invalid JSON: expected at most 64 levels of nesting");
  EXPECT_EQ(error(R"({"__metadata__":3})", 0), "expected __metadata__ to be an object, found 3");
  EXPECT_EQ(error(R"({"__metadata__":{"a":1}})", 0), "__metadata__ 'a': expected a string, found 1");
  EXPECT_EQ(error(R"({"a":7})", 0), "tensor 'a': expected an object, found 7");
  EXPECT_EQ(error(R"({"a":{"x":1}})", 0), "tensor 'a': expected the keys dtype, shape and data_offsets, found 'x'");
}

TEST_F(SafeTensorsFile, RefusesBadEntries) {
  EXPECT_EQ(error(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1),
            "tensor 'a': expected a dtype such as F32 or BF16, found nothing");
  EXPECT_EQ(error(R"({"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", 4),
            "tensor 'a': expected a dtype such as F32 or BF16, found \"f32\"");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":4,"data_offsets":[0,4]}})", 4),
            "tensor 'a': expected shape to be a list of sizes, found 4");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
            "tensor 'a': expected sizes that are non-negative 64-bit integers, found -1");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4),
            "tensor 'a': expected sizes that are non-negative 64-bit integers, found 1.5");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
            "tensor 'a': expected a shape of fewer than 2^63 elements, found [4294967296,4294967296]");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,0]}})", 0),
            "tensor 'a': expected a shape of fewer than 2^63 bits, found [1152921504606846976]");
  EXPECT_EQ(error(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2),
            "tensor 'a': expected a whole number of bytes, found 12 bits");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
            "tensor 'a': expected 8 bytes for F32[2], found 4 (data_offsets [0,4])");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4),
            "tensor 'a': expected data_offsets to be [begin, end] with 0 <= begin <= end, found [4,0]");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4),
            "tensor 'a': expected data_offsets to be [begin, end] with 0 <= begin <= end, found [-4,0]");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4),
            "tensor 'a': expected data_offsets to be [begin, end] with 0 <= begin <= end, found [0,4,8]");
}

TEST_F(SafeTensorsFile, RefusesTruncatedFile) {
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
            "tensor 'a': expected data_offsets within the 7 bytes of data, found [0,8]");
}

TEST_F(SafeTensorsFile, RefusesOverlapGapAndTrailingBytes) {
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                      "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                  12),
            "tensor 'b': expected data at offset 8, where tensor 'a' ends, found it at 4 (they overlap)");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                      "b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
                  12),
            "tensor 'b': expected data at offset 4, where tensor 'a' ends, found it at 8 (a gap)");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
            "tensor 'a': expected data at offset 0, where the data begins, found it at 4 (a gap)");
  EXPECT_EQ(error(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5),
            "expected 4 bytes of data, as the header says, found 5");
}

TEST_F(SafeTensorsFile, KeepsMessagesOnOneLine) {
  EXPECT_EQ(error(R"({"a\n\u001b":7})", 0), "tensor 'a\\x0A\\x1B': expected an object, found 7");
  std::string longName(1000, 'n');
  EXPECT_EQ(error("{\"" + longName + "\":7}", 0),
            "tensor '" + std::string(160, 'n') + "...': expected an object, found 7");
}

TEST_F(SafeTensorsFile, RefusesIntegersAsWeights) {
  std::string name = writeTensors("t", R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8);
  auto file = valueOf(SafeTensors::open(name));
  EXPECT_EQ(errorOf(file->view(*file->find("a"))), name + ": tensor 'a': expected F32, BF16 or F16, found I64");
}

} // namespace
