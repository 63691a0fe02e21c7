//===- Decoder.h - from PTX instructions to decoded ones -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each family of opcodes has a file with its decoders and handlers, and a table of its opcodes. A decoder takes the
// modifiers it understands; what is left over is an error, so no form is run as if it were another.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_DECODER_H
#define RUNTIME_VGPU_DECODER_H

#include "runtime/vgpu/Lexer.h"
#include "runtime/vgpu/Program.h"

#include <map>
#include <set>

namespace samba::vgpu {

constexpr ptx::Type b8{ptx::Type::Bits, 8}, b16{ptx::Type::Bits, 16}, b32{ptx::Type::Bits, 32},
    b64{ptx::Type::Bits, 64};
constexpr ptx::Type u32{ptx::Type::Unsigned, 32}, s32{ptx::Type::Signed, 32}, f32{ptx::Type::Float, 32};
constexpr ptx::Type u64{ptx::Type::Unsigned, 64};

/// The words of an opcode after its name, each to be taken once.
class Modifiers {
public:
  void set(std::string_view opcode);
  std::string_view name() const { return base; }
  bool take(std::string_view word);
  /// Takes the first word left. Empty if there is none.
  std::string_view next();
  std::string_view peek() const { return words.empty() ? std::string_view() : words.front(); }
  bool takeType(ptx::Type &type);
  bool empty() const { return words.empty(); }

private:
  std::string_view base;
  std::vector<std::string_view> words;
};

/// An address operand: base lanes plus an offset, and the space if the base is a variable.
struct Address {
  int32_t base = -1;
  bool wide = true; // lanes of 64 bits, not 32
  int64_t offset = 0;
  ptx::Space space = ptx::Space::Generic;
  bool variable = false; // the space is that of a variable
};

class Decoder {
public:
  Decoder(Kernel &kernel, const Program &program, int arch) : kernel(kernel), program(program), arch(arch) {}
  void run(const ptx::Function &entry);

  Modifiers modifiers;
  Kernel &kernel;
  const Program &program;
  int arch;

  [[noreturn]] void fail(const std::string &message) const;
  /// "unsupported: OPCODE", and why.
  [[noreturn]] void unsupported(const std::string &why = "") const;
  /// Fails unless every modifier was taken.
  void finish() const;
  void requireArch(int needed, const char *what) const;
  ptx::Type type();

  size_t operandCount() const { return current->operands.size(); }
  const ptx::Operand &operand(size_t index) const;
  void expectOperands(size_t least, size_t most) const;

  /// Lanes with a value of this type; wider registers are narrowed.
  int32_t source(const ptx::Operand &operand, ptx::Type type);
  /// Lanes that become the register; wider registers are extended afterwards.
  int32_t destination(const ptx::Operand &operand, ptx::Type type);
  int32_t predicateSource(const ptx::Operand &operand, bool &negated);
  int32_t predicateDestination(const ptx::Operand &operand);
  Address address(const ptx::Operand &operand);
  /// An immediate integer.
  int64_t immediate(const ptx::Operand &operand, int64_t least, int64_t most) const;
  /// Elements of a vector operand, or the operand alone.
  static std::vector<const ptx::Operand *> elements(const ptx::Operand &operand);
  /// The space of a variable's or register's declared bits; 0 for what is no register.
  unsigned registerBits(const ptx::Operand &operand) const;
  bool isPredicate(const ptx::Operand &operand) const;

  int32_t constant(uint64_t value, unsigned bits);
  int32_t special(SpecialRegister what, unsigned bits);
  int32_t temporary(unsigned bits);
  /// Adds offsets to the kernel's further operands; returns the index of the first.
  uint32_t more(const std::vector<int32_t> &offsets);

  /// Appends an instruction with the line and guard of the current one.
  Instruction &emit(Handler run, Class kind);
  const ptx::Instruction &instruction() const { return *current; }

  // Control.cpp
  void branch();
  void branchTable();
  void call();
  void ret(bool wholeThread);

private:
  struct Frame {
    const ptx::Function *function = nullptr;
    const Frame *caller = nullptr;
    std::vector<int32_t> registers;
    std::vector<uint32_t> variables;                   // offsets in their space
    std::vector<uint32_t> parameters, returns;         // offsets in local memory, or in the parameter block of an entry
    std::vector<uint32_t> starts;                      // index in the code of each instruction
    std::vector<std::pair<size_t, uint32_t>> branches; // instruction in the code and its target in the text
    std::vector<size_t> ends;                          // branches to the end
    std::set<uint32_t> products;                       // registers that wgmma takes
  };
  void decodeBody(Frame &frame);
  void decodeOne();
  std::vector<int32_t> writtenProducts() const;
  void placeVariables(Frame &frame);
  uint32_t placeLocal(std::string_view name, uint32_t align, uint64_t bytes);
  uint32_t placeShared(std::string_view name, uint32_t align, uint64_t bytes);
  uint32_t sharedVariable(uint32_t index);
  int32_t allocate(unsigned bits);
  int32_t slot(uint64_t value, unsigned bits);
  int32_t addressConstant(const ptx::Operand &operand, unsigned bits, ptx::Space &space);
  SpecialRegister specialNamed(std::string_view name, unsigned &bits) const;

  Frame *frame = nullptr;
  const ptx::Instruction *current = nullptr;
  struct Extension {
    int32_t from, to;
    ptx::Type fromType;
    unsigned toBits;
  };
  std::vector<Extension> extensions; // due after the current instruction
  std::map<std::pair<uint64_t, unsigned>, int32_t> constantSlots;
  std::map<std::pair<int, unsigned>, int32_t> specialSlots;
  std::map<uint32_t, uint32_t> sharedVariables; // of the module, by index
  std::map<std::pair<std::pair<uint32_t, int64_t>, bool>, int32_t> relocated;
  std::map<std::pair<int64_t, unsigned>, int32_t> dynamicSlots; // addresses in the external shared array
  uint32_t sharedEnd = 0, localEnd = 0, sharedPacked = 0, localPacked = 0;
  uint32_t dynamicAlign = 0;
  unsigned depth = 0;
};

using DecodeFunction = void (*)(Decoder &);
struct Opcode {
  const char *name;
  DecodeFunction decode;
};
/// bar.warp.sync and barrier.cluster, of their families.
void decodeWarpSync(Decoder &d);
void decodeClusterBarrier(Decoder &d);
/// cp.async.bulk and cp.async.mbarrier.
void decodeBulk(Decoder &d);
void decodeAsyncArrive(Decoder &d);
/// Follows an instruction that writes registers of wgmma.
void decodeProductWrite(Decoder &d, const std::vector<int32_t> &registers);
/// mov.pred.
void movePredicate(Decoder &d);
/// Null if no family has the opcode.
DecodeFunction findOpcode(std::string_view name);

// The families' tables, each ended by a null name.
extern const Opcode arithmeticOpcodes[], realOpcodes[], bitOpcodes[], moveOpcodes[], controlOpcodes[], memoryOpcodes[],
    atomicOpcodes[], warpOpcodes[], barrierOpcodes[], asyncOpcodes[], matrixOpcodes[], tensorOpcodes[],
    mbarrierOpcodes[], hopperOpcodes[];

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_DECODER_H
