//===- TensorFileTest.cpp - safetensors files, whole and broken -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/interpreter/Support.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;

namespace {

/// A path that is removed with the test.
class TemporaryFile {
public:
  TemporaryFile() { llvm::sys::fs::createTemporaryFile("samba-test", "safetensors", path); }
  ~TemporaryFile() { llvm::sys::fs::remove(path); }
  llvm::StringRef operator*() const { return path; }

private:
  llvm::SmallString<128> path;
};

/// What opening a file of this content says, without the path.
std::string openError(llvm::StringRef content) {
  TemporaryFile file;
  {
    std::error_code code;
    llvm::raw_fd_ostream os(*file, code);
    os << content;
  }
  std::string text = errorText(TensorFile::open(*file));
  llvm::StringRef message = text;
  if (message != "success")
    EXPECT_TRUE(message.consume_front((*file + ": ").str())) << text;
  return message.str();
}

std::string headerError(llvm::StringRef header, size_t dataSize = 0) {
  char length[8];
  llvm::support::endian::write64le(length, header.size());
  return openError(std::string(length, 8) + header.str() + std::string(dataSize, '\0'));
}

std::string tensorError(llvm::StringRef fields, size_t dataSize) {
  return headerError((R"({"t": {)" + fields + "}}").str(), dataSize);
}

TEST(TensorFile, RoundTrip) {
  TemporaryFile path;
  TensorFileWriter writer;
  std::string name = "f"; // the name need not outlive the call
  writer.add(name, Tensor<float>({2, 2}, {1, 2.5f, -3, 4}));
  name = "d";
  writer.add(name, Tensor<double>({1}, {0.1}));
  writer.add("i", IntTensor({2}, {-1, int64_t(1) << 40}));
  writer.addI32("j", IntTensor({3}, {-1, 2, 3}));
  writer.add("none", Tensor<float>({0, 3}));
  ASSERT_EQ(llvm::toString(writer.write(*path)), "");

  TensorFile file = take(TensorFile::open(*path));
  EXPECT_EQ(file.names(), (std::vector<llvm::StringRef>{"d", "f", "i", "j", "none"}));
  EXPECT_EQ(take(file.floats<double>("f")).data, (std::vector<double>{1, 2.5, -3, 4}));
  EXPECT_EQ(take(file.floats<double>("d")).data[0], 0.1);
  EXPECT_EQ(take(file.floats<float>("d")).data[0], 0.1f);
  EXPECT_EQ(take(file.integers("i")).data, (std::vector<int64_t>{-1, int64_t(1) << 40}));
  EXPECT_EQ(take(file.integers("j")).data, (std::vector<int64_t>{-1, 2, 3}));
  EXPECT_EQ(take(file.floats<float>("none")).shape, (Shape{0, 3}));
  EXPECT_EQ(take(file.lookup("f")).bytes.size(), 16u);

  EXPECT_EQ(errorText(file.floats<float>("g")), (*path + ": expected a tensor 'g', found none").str());
  EXPECT_EQ(errorText(file.floats<float>("i")), (*path + ": expected tensor 'i' of F32, BF16 or F16, got I64").str());
  EXPECT_EQ(errorText(file.integers("f")), (*path + ": expected tensor 'f' of I32 or I64, got F32").str());
}

TEST(TensorFile, Metadata) {
  TensorFile file = take(TensorFile::open(SAMBA_GOLDENS "/ops/swiglu.safetensors"));
  EXPECT_EQ(file.metadata().at("op"), "swiglu");
  EXPECT_EQ(headerError(R"({"__metadata__": {"a": "b"}})"), "success");
  EXPECT_EQ(headerError(R"({"__metadata__": {"a": 1}})"), "expected a string as metadata 'a'");
  EXPECT_EQ(headerError(R"({"__metadata__": []})"), "expected __metadata__ to be an object");
}

TEST(TensorFile, Unwritable) {
  EXPECT_EQ(llvm::toString(TensorFileWriter().write("/nowhere/at/all")), "/nowhere/at/all: No such file or directory");
  EXPECT_EQ(errorText(TensorFile::open("/nowhere/at/all")), "/nowhere/at/all: No such file or directory");
}

TEST(TensorFile, BrokenHeaders) {
  EXPECT_EQ(openError(""), "expected at least 8 bytes, got 0");
  EXPECT_EQ(openError("1234567"), "expected at least 8 bytes, got 7");
  EXPECT_EQ(openError(llvm::StringRef("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)),
            "expected a header of at most 2 bytes, got 18446744073709551615");
  EXPECT_EQ(openError(llvm::StringRef("\3\0\0\0\0\0\0\0{}", 10)), "expected a header of at most 2 bytes, got 3");
  EXPECT_EQ(headerError("{}"), "success");
  EXPECT_EQ(headerError("{}", 1), "expected 0 bytes of data, got 1");
  EXPECT_EQ(headerError("[]"), "expected a JSON object as header");
  EXPECT_EQ(headerError("{").find("expected a JSON header: "), 0u);
  EXPECT_EQ(headerError("{\"\xff\": 1}").find("expected a JSON header: "), 0u);
  // Deep enough to exhaust the stack of a parser that recurses.
  EXPECT_EQ(headerError(std::string(1 << 20, '[')), "expected a header of three levels, found it nested more deeply");
  EXPECT_EQ(headerError(R"({"t": 1})"), "tensor 't': expected an object");
}

TEST(TensorFile, BrokenTensors) {
  EXPECT_EQ(tensorError(R"("dtype": "F32", "shape": [2], "data_offsets": [0, 8])", 8), "success");
  EXPECT_EQ(tensorError(R"("shape": [2], "data_offsets": [0, 8])", 8),
            "tensor 't': expected dtype F64, F32, BF16, F16, I64 or I32, got 'nothing'");
  EXPECT_EQ(tensorError(R"("dtype": "F8", "shape": [2], "data_offsets": [0, 8])", 8),
            "tensor 't': expected dtype F64, F32, BF16, F16, I64 or I32, got 'F8'");
  EXPECT_EQ(tensorError(R"("dtype": "F32", "data_offsets": [0, 8])", 8), "tensor 't': expected an array as shape");
  for (llvm::StringRef shape : {"-1", "1.5", "\"2\"", "1e300", "99999999999999999999"})
    EXPECT_EQ(tensorError((R"("dtype": "F32", "data_offsets": [0, 8], "shape": [)" + shape + "]").str(), 8),
              "tensor 't': expected sizes that are not negative")
        << shape.str();
  EXPECT_EQ(tensorError(R"("dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 8])", 8),
            "tensor 't': expected a shape that fits into the file's 8 bytes, got [4294967296] and more");
  EXPECT_EQ(tensorError(R"("dtype": "F32", "shape": [2], "data_offsets": [0, 4])", 8),
            "tensor 't': expected 2 elements of F32 in its bytes, got 4 bytes");
  for (llvm::StringRef offsets : {"[0, 12]", "[8, 0]", "[-4, 4]", "[0]", "[0, 8, 8]", "8"})
    EXPECT_EQ(tensorError((R"("dtype": "F32", "shape": [2], "data_offsets": )" + offsets).str(), 8),
              "tensor 't': expected data_offsets of two ascending numbers up to 8")
        << offsets.str();
}

TEST(TensorFile, GapsAndOverlaps) {
  auto two = [](llvm::StringRef a, llvm::StringRef b) {
    return headerError(llvm::formatv(R"({{"a": {{"dtype": "F32", "shape": [1], "data_offsets": {0}},
                                         "b": {{"dtype": "F32", "shape": [1], "data_offsets": {1}}})",
                                     a, b)
                           .str(),
                       12);
  };
  EXPECT_EQ(two("[0, 4]", "[8, 12]"), "expected a tensor at byte 4 of the data, found the next one at 8");
  EXPECT_EQ(two("[4, 8]", "[8, 12]"), "expected a tensor at byte 0 of the data, found the next one at 4");
  EXPECT_EQ(two("[0, 4]", "[0, 4]"), "expected a tensor at byte 4 of the data, found the next one at 0");
  EXPECT_EQ(two("[0, 4]", "[4, 8]"), "expected 8 bytes of data, got 12");
}

} // namespace
