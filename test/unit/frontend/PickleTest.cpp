//===- PickleTest.cpp - tests of the reader of pickles --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Pickle.h"
#include "TestSupport.h"
#include "llvm/ADT/StringExtras.h"

using namespace samba;
using namespace samba::test;

namespace {

using V = PickleValue;

/// The characters of a literal, zeros included.
template <size_t N> std::string raw(const char (&text)[N]) { return std::string(text, N - 1); }

/// The program between the header of protocol 2 and the end.
llvm::Expected<Pickle> read(const std::string &program, std::string &bytes) {
  bytes = raw("\x80\x02") + program + ".";
  return Pickle::read(llvm::arrayRefFromStringRef(bytes), "p");
}
std::string failure(const std::string &program) {
  std::string bytes;
  return errorOf(read(program, bytes));
}

const std::string kRebuild = "ctorch._utils\n_rebuild_tensor_v2\n";
/// ('storage', FloatStorage, '0', 'cpu', 4), loaded.
const std::string kStorage = raw("(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
                                 "0X\x03\0\0\0cpuK\x04tQ");
const std::string kDict = "ccollections\nOrderedDict\n)R";
/// A tensor of shape [2, 2].
const std::string kTensor = kRebuild + "(" + kStorage + raw("K\0K\x02K\x02\x86K\x02K\x01\x86\x89") + kDict + "tR";

TEST(Pickle, ReadsNumbersAndTexts) {
  std::string bytes;
  Pickle pickle = valueOf(read(raw("(N\x88\x89K\xffM\x02\x01J\xff\xff\xff\xff\x8a\x00\x8a\x01\x80"
                                   "\x8a\x05\x00\xc8\x17\xa8\x04G\x3f\xf8\0\0\0\0\0\0X\x02\0\0\0hiU\x01zT\x01\0\0\0yt"),
                               bytes));
  const auto &items = pickle.root().items;
  ASSERT_EQ(items.size(), 13u);
  EXPECT_TRUE(items[0]->is(V::None));
  EXPECT_TRUE(items[1]->is(V::Bool) && items[1]->integer == 1);
  EXPECT_TRUE(items[2]->is(V::Bool) && items[2]->integer == 0);
  const int64_t numbers[] = {255, 258, -1, 0, -128, 20000000000};
  for (size_t i = 0; i < std::size(numbers); ++i)
    EXPECT_TRUE(items[3 + i]->is(V::Int) && items[3 + i]->integer == numbers[i]) << items[3 + i]->describe();
  EXPECT_EQ(items[9]->real, 1.5);
  EXPECT_EQ(items[10]->text, "hi");
  EXPECT_EQ(items[11]->text, "z");
  EXPECT_EQ(items[12]->text, "y");
}

TEST(Pickle, ReadsContainers) {
  std::string bytes;
  Pickle pickle = valueOf(
      read("}(X" + raw("\x01\0\0\0") + "a](K\1K\2eX" + raw("\x01\0\0\0") + "b]K\3au" + "X" + raw("\x01\0\0\0") + "a)s",
           bytes));
  EXPECT_EQ(pickle.root().find("a")->describe(), "a tuple"); // the later one counts
  EXPECT_EQ(pickle.root().items[1]->items.size(), 2u);
  EXPECT_EQ(pickle.root().find("b")->items[0]->integer, 3);
  EXPECT_EQ(pickle.root().find("c"), nullptr);
}

TEST(Pickle, ReadsTensors) {
  std::string bytes;
  Pickle pickle = valueOf(read(kTensor, bytes));
  ASSERT_TRUE(pickle.root().is(V::Tensor));
  EXPECT_EQ(pickle.root().items[0]->items[2]->text, "0");
  EXPECT_EQ(pickle.root().items[2]->items.size(), 2u);
  Pickle parameter =
      valueOf(read("ctorch._utils\n_rebuild_parameter\n(" + kTensor + raw("\x88") + kDict + "tR", bytes));
  EXPECT_TRUE(parameter.root().is(V::Tensor));
}

TEST(Pickle, IgnoresAttributesOfDicts) {
  std::string bytes;
  Pickle pickle = valueOf(read(kDict + "}X" + raw("\x01\0\0\0") + "aNsb", bytes));
  EXPECT_TRUE(pickle.root().is(V::Dict));
  EXPECT_TRUE(pickle.root().items.empty());
  EXPECT_EQ(failure("]}b"), "p: byte 4: expected the attributes of a dict, found a dict for a list");
}

/// Values may be shared, and a list may contain itself; nothing walks it.
TEST(Pickle, ReadsCycles) {
  std::string bytes;
  Pickle pickle = valueOf(read(raw("]q\0h\0a"), bytes));
  EXPECT_EQ(pickle.root().items[0], &pickle.root());
}

TEST(Pickle, RefusesOtherObjects) {
  EXPECT_EQ(
      failure("cos\nsystem\n(X" + raw("\x04\0\0\0") + "truetR"),
      "p: byte 2: expected tensors, numbers, texts, lists and dicts, found the Python object 'os.system', which is "
      "not loaded because that could run any code");
  EXPECT_EQ(failure("cnumpy\xff\nx y\n"),
            "p: byte 2: expected tensors, numbers, texts, lists and dicts, found the Python object 'numpy\\xFF.x y', "
            "which is not loaded because that could run any code");
  EXPECT_EQ(failure("ctorch\nFloatStorage\n)R"),
            "p: byte 23: expected a call of a known function, found a call of 'torch.FloatStorage'");
  EXPECT_EQ(failure("N)R"), "p: byte 4: expected a call of a known function, found a call of None");
  EXPECT_EQ(failure(kRebuild + ")R"), "p: byte 36: expected a call of 'torch._utils._rebuild_tensor_v2' as torch.save "
                                      "writes it, found other arguments");
  EXPECT_EQ(failure(")Q"),
            "p: byte 3: expected a storage: ('storage', class, key, location, number of elements), found "
            "a tuple");
  EXPECT_EQ(failure("K\1Q"), "p: byte 4: expected a storage: ('storage', class, key, location, number of elements), "
                             "found the number 1");
}

TEST(Pickle, RefusesOtherInstructions) {
  for (char opcode : {'i', 'o', '\x81', '\x82', '\x92', '\x93', '0', '2', 'P', '\0', '\xff', 'I', 'V', '\x8b'})
    EXPECT_EQ(failure(std::string(1, opcode)), "p: byte 2: expected an instruction that torch.save writes, found 0x" +
                                                   llvm::utohexstr(uint8_t(opcode), /*LowerCase=*/true, 2));
  for (uint8_t protocol : {0, 1, 3, 4, 5, 255}) {
    std::string bytes = "\x80" + std::string(1, char(protocol)) + "N.";
    EXPECT_EQ(errorOf(Pickle::read(llvm::arrayRefFromStringRef(bytes), "p")),
              "p: expected a pickle of protocol 2, found protocol " + std::to_string(protocol));
  }
  EXPECT_EQ(errorOf(Pickle::read({}, "p")), "p: expected a pickle of protocol 2, found something else");
}

TEST(Pickle, RefusesBrokenPrograms) {
  EXPECT_EQ(failure(""), "p: byte 2: expected one value at the end, found 0");
  EXPECT_EQ(failure("NN"), "p: byte 4: expected one value at the end, found 2");
  EXPECT_EQ(failure("t"), "p: byte 2: expected a mark on the stack, found none");
  EXPECT_EQ(failure("N(\x85"), "p: byte 4: expected 1 values on the stack, found 0");
  EXPECT_EQ(failure("]("
                    "a"),
            "p: byte 4: expected 1 values on the stack, found 0");
  EXPECT_EQ(failure("NNa"), "p: byte 4: expected a list to append to, found None");
  EXPECT_EQ(failure("](NNu"), "p: byte 6: expected a dict to add to, found a list");
  EXPECT_EQ(failure("}(Nu"), "p: byte 5: expected a value for each key, found a key without value");
  EXPECT_EQ(failure("h\x07"), "p: byte 2: expected a value that was memorised before, found number 7");
  EXPECT_EQ(failure("X\xff\xff\xff\xff"), "p: byte 2: expected 4294967295 more bytes, found 1");
  EXPECT_EQ(failure("\x8a\x09"), "p: byte 2: expected an integer of at most 8 bytes, found 9");
  EXPECT_EQ(failure("ctorch"), "p: byte 2: expected the end of a line, found the end of the data");
  std::string bytes = raw("\x80\x02N");
  EXPECT_EQ(errorOf(Pickle::read(llvm::arrayRefFromStringRef(bytes), "p")),
            "p: byte 3: expected an end instruction, found the end of the data");
}

/// A few bytes that make much: a long tuple that is put into others again and again, and values without end.
TEST(Pickle, BoundsMemory) {
  std::string many = "(" + std::string(100000, 'N') + raw("tq\0") + "ctorch\nSize\nq\1";
  for (int i = 0; i < 100000; ++i)
    many += raw("h\1h\0\x85R");
  std::string bytes;
  EXPECT_EQ(errorOf(read(many, bytes)),
            "p: byte " + std::to_string(bytes.size() - 1) + ": expected one value at the end, found 100002");
  EXPECT_EQ(failure(std::string(3 << 20, 'N')), "p: byte 2097154: expected at most 2097152 instructions, found more");
  EXPECT_EQ(failure(std::string(kMaxPickleBytes, 'N')), "p: expected at most 16777216 bytes, found 16777219");
}

} // namespace
