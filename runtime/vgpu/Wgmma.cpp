//===- Wgmma.cpp - decodes and runs wgmma --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product is noted when it is issued and made when a wait covers it: registers that are read before have not changed
// yet. Until then its shared memory must not be written. Each warp of a warpgroup makes its own 16 of the 64 rows.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"
#include "runtime/vgpu/Tensor.h"
#include "runtime/vgpu/TensorMap.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Type;

namespace {

/// A matrix in shared memory, as its 64-bit descriptor tells.
struct Descriptor {
  uint32_t start, leading, stride, swizzle;
  explicit Descriptor(uint64_t bits)
      : start((bits & 0x3fff) << 4), leading((bits >> 16 & 0x3fff) << 4), stride((bits >> 32 & 0x3fff) << 4) {
    static const uint32_t modes[] = {0, 128, 64, 32};
    swizzle = modes[bits >> 62];
  }
  /// Where 16 bytes lie: of row `row` (of M or N), from byte `along` on; `transposed`: the other way round, along M or
  /// N.
  uint32_t chunk(uint32_t row, uint32_t along, bool transposed) const {
    uint32_t address;
    if (!transposed) {
      uint32_t pitch = swizzle ? swizzle : 16;
      address = start + row / 8 * stride + row % 8 * pitch + (swizzle ? along : along / 16 * leading);
    } else if (swizzle) {
      address = start + along / swizzle * leading + along % swizzle + row / 8 * stride + row % 8 * swizzle;
    } else {
      address = start + along / 16 * stride + row / 8 * leading + row % 8 * 16;
    }
    return swizzled(address, swizzle);
  }
};

// Instruction::flags.
enum : uint32_t { TransposeA = 1, TransposeB = 2, NegateA = 4, NegateB = 8, RegistersA = 16, WholeNumbers = 32 };

struct Problem {
  unsigned columns, depth;
  TensorType a, b;
  unsigned bytes; // of an element
};
Problem problemOf(const Instruction &i) {
  Problem problem;
  problem.columns = i.count;
  problem.a = static_cast<TensorType>(i.mode & 15);
  problem.b = static_cast<TensorType>(i.mode >> 4);
  problem.bytes = 4 / perWord(problem.a);
  problem.depth = 32 / problem.bytes;
  return problem;
}

/// Calls with the address of each 16 bytes of a matrix of `rows` (of M or N, from `first` on) by the depth, the row or
/// depth, and the first element of the other that they hold.
template <typename F>
void eachChunk(const Descriptor &descriptor, const Problem &p, unsigned first, unsigned rows, bool transposed,
               F function) {
  unsigned per = 16 / p.bytes;
  if (!transposed) {
    for (unsigned row = 0; row < rows; ++row)
      for (unsigned k = 0; k < p.depth; k += per)
        function(descriptor.chunk(first + row, k * p.bytes, false), row, k);
    return;
  }
  for (unsigned k = 0; k < p.depth; ++k)
    for (unsigned row = 0; row < rows; row += per)
      function(descriptor.chunk(k, (first + row) * p.bytes, true), row, k);
}

void issue(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  Block &block = *w.block;
  WarpState &warp = block.state(w);
  Problem p = problemOf(i);
  if (!warp.registersFenced && block.context.checking)
    fault(w, i, "fence", "registers of the product were written without a wgmma.fence after that");
  if (block.warps.size() < warp.id / 4 * 4 + 4)
    fault(w, i, "full-warp", "the warpgroup has less than four warps");
  Deferred product{&i, warp.productGroup, ++block.operations, {}, {}};
  auto uniform = [&](int32_t offset) {
    const uint64_t *values = w.at<uint64_t>(offset);
    for (unsigned lane = 1; lane < lanes; ++lane)
      if (values[lane] != values[0])
        fault(w, i, "full-warp", "the lanes give different descriptors", static_cast<int>(lane));
    return values[0];
  };
  product.b = uniform(i.b);
  product.a = i.flags & RegistersA ? 0 : uniform(i.a);
  uint32_t accumulate = i.c >= 0 ? w.predicate(i.c) : 0;
  if (accumulate != 0 && accumulate != allLanes)
    fault(w, i, "full-warp", "the lanes differ in whether to accumulate");
  product.accumulate = accumulate;
  // The shared memory must be ready now and stay as it is.
  auto check = [&](uint64_t bits, unsigned first, unsigned rows, bool transposed) {
    Descriptor descriptor(bits);
    if (bits >> 49 & 7)
      fault(w, i, "tensor-map", "unsupported: a base offset in a descriptor");
    uint32_t low = UINT32_MAX, high = 0;
    eachChunk(descriptor, p, first, rows, transposed, [&](uint32_t address, unsigned, unsigned) {
      asyncSource(w, i, everyLane, address, 16);
      low = std::min(low, address);
      high = std::max(high, address + 16);
    });
    block.asyncReads.push_back({low, high, i.line, product.operation});
  };
  if (!(i.flags & RegistersA))
    check(product.a, warp.id % 4 * 16, 16, i.flags & TransposeA);
  check(product.b, 0, p.columns, i.flags & TransposeB);
  block.counters.mma += 1;
  uint64_t operations = uint64_t(16) * p.columns * p.depth * 2;
  block.counters.mmaFlops += operations;
  block.counters.wgmmaFlops += operations;
  warp.products.push_back(std::move(product));
}

void execute(Warp &w, const Deferred &product) {
  Block &block = *w.block;
  WarpState &warp = block.state(w);
  const Instruction &i = *product.instruction;
  Problem p = problemOf(i);
  const int32_t *registers = block.kernel.operands.data() + i.more;
  float a[16 * 32], b[32 * 256], c[16 * 256];
  unsigned per = perWord(p.a);
  auto load = [&](uint64_t bits, TensorType type, unsigned first, unsigned rows, bool transposed, float *to,
                  bool rowMajor) {
    eachChunk(Descriptor(bits), p, first, rows, transposed, [&](uint32_t address, unsigned row, unsigned k) {
      uint32_t words[4];
      std::memcpy(words, block.shared.data.data() + address, 16);
      for (unsigned e = 0; e < 16 / p.bytes; ++e) {
        unsigned r = transposed ? row + e : row, d = transposed ? k : k + e;
        to[rowMajor ? r * p.depth + d : d * rows + r] = elementOf(type, words[e / per], e % per);
      }
    });
  };
  if (i.flags & RegistersA) {
    const int32_t *words = registers + p.columns / 2;
    for (unsigned k = 0; k < 4; ++k)
      for (unsigned lane = 0; lane < lanes; ++lane)
        for (unsigned e = 0; e < per; ++e)
          a[(lane / 4 + 8 * (k % 2)) * p.depth + lane % 4 * per + e + 4 * per * (k / 2)] =
              elementOf(p.a, w.at<uint32_t>(words[k])[lane], e);
  } else {
    load(product.a, p.a, warp.id % 4 * 16, 16, i.flags & TransposeA, a, true);
  }
  load(product.b, p.b, 0, p.columns, i.flags & TransposeB, b, false);
  if (i.flags & NegateA)
    for (unsigned k = 0; k < 16 * p.depth; ++k)
      a[k] = -a[k];
  if (i.flags & NegateB)
    for (unsigned k = 0; k < p.depth * p.columns; ++k)
      b[k] = -b[k];
  auto place = [&](unsigned lane, unsigned k) {
    return (lane / 4 + 8 * (k / 2 % 2)) * p.columns + k / 4 * 8 + lane % 4 * 2 + k % 2;
  };
  for (unsigned k = 0; k < p.columns / 2; ++k)
    for (unsigned lane = 0; lane < lanes; ++lane) {
      uint32_t bits = w.at<uint32_t>(registers[k])[lane];
      float value;
      std::memcpy(&value, &bits, 4);
      // Whole numbers are summed apart from the accumulator, which may be too large for a float.
      c[place(lane, k)] = product.accumulate && !(i.flags & WholeNumbers) ? value : 0;
    }
  laneTable().multiply(a, b, c, 16, p.columns, p.depth);
  for (unsigned k = 0; k < p.columns / 2; ++k)
    for (unsigned lane = 0; lane < lanes; ++lane) {
      uint32_t &to = w.at<uint32_t>(registers[k])[lane];
      float value = c[place(lane, k)];
      if (i.flags & WholeNumbers)
        to = (product.accumulate ? to : 0) + static_cast<uint32_t>(static_cast<int32_t>(value));
      else
        std::memcpy(&to, &value, 4);
    }
  block.endReads(product.operation);
}

void commit(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  ++w.block->state(w).productGroup;
}

void wait(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  WarpState &warp = w.block->state(w);
  size_t done = 0;
  while (done < warp.products.size() &&
         warp.products[done].group + static_cast<uint32_t>(i.immediate) < warp.productGroup)
    execute(w, warp.products[done++]);
  warp.products.erase(warp.products.begin(), warp.products.begin() + static_cast<std::ptrdiff_t>(done));
}

void fence(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  w.block->state(w).registersFenced = true;
}

/// Of registers that products take: those that are under way must not have them.
void noteWrite(Warp &w, const Instruction &i) {
  WarpState &warp = w.block->state(w);
  warp.registersFenced = false;
  if (!w.block->context.checking)
    return;
  const int32_t *all = w.block->kernel.operands.data(), *written = all + i.more;
  for (const Deferred &product : warp.products) {
    const int32_t *taken = all + product.instruction->more;
    if (std::find_first_of(written, written + i.count, taken, taken + product.instruction->size) != written + i.count)
      fault(w, i, "unwaited",
            "a register of the product in PTX line " + std::to_string(product.instruction->line) +
                " is written before a wait covers the product");
  }
}

void decode(Decoder &d) {
  d.requireArch(90, "wgmma");
  bool multiplies = d.modifiers.take("mma_async"), fences = d.modifiers.take("fence");
  bool commits = d.modifiers.take("commit_group"), waits = d.modifiers.take("wait_group");
  if (!d.modifiers.take("sync") || !d.modifiers.take("aligned"))
    d.unsupported();
  if (fences || commits) {
    d.expectOperands(0, 0);
    d.emit(fences ? fence : commit, Class::Tensor);
    return;
  }
  if (waits) {
    d.expectOperands(1, 1);
    int64_t newer = d.immediate(d.operand(0), 0, 7);
    d.emit(wait, Class::Tensor).immediate = newer;
    return;
  }
  unsigned columns = 0, depth = 0;
  std::string_view shape = d.modifiers.next();
  char rest = 0;
  if (!multiplies || sscanf(std::string(shape).c_str(), "m64n%uk%u%c", &columns, &depth, &rest) != 2 || columns < 8 ||
      columns > 256 || columns % 8)
    d.unsupported();
  d.modifiers.take("satfinite");
  TensorType typeD, typeA, typeB;
  if (!takeTensorType(d, typeD) || !takeTensorType(d, typeA) || !takeTensorType(d, typeB))
    d.unsupported();
  bool whole = typeA == TensorType::S8 || typeA == TensorType::U8;
  bool halves = typeA == TensorType::F16 || typeA == TensorType::Bf16;
  bool fits = whole ? typeD == TensorType::S32 && (typeB == TensorType::S8 || typeB == TensorType::U8)
                    : typeD == TensorType::F32 && typeA == typeB && (halves || typeA == TensorType::Tf32);
  if (!fits || depth != 8 * perWord(typeA))
    d.unsupported();
  std::vector<int32_t> registers;
  std::vector<const Operand *> results = Decoder::elements(d.operand(0));
  if (results.size() != columns / 2)
    d.fail(std::to_string(results.size()) + " registers for the result, expected " + std::to_string(columns / 2));
  for (const Operand *result : results)
    registers.push_back(d.destination(*result, b32));
  bool inRegisters = d.operand(1).kind == Operand::Vector;
  int32_t a = -1;
  if (inRegisters) {
    if (d.operand(1).children.size() != 4)
      d.fail(std::to_string(d.operand(1).children.size()) + " registers for A, expected 4");
    for (const Operand &child : d.operand(1).children)
      registers.push_back(d.source(child, b32));
  } else {
    a = d.source(d.operand(1), b64);
  }
  int32_t b = d.source(d.operand(2), b64);
  bool negated = false;
  int32_t accumulate = d.predicateSource(d.operand(3), negated);
  if (negated)
    d.unsupported("a negated predicate");
  uint32_t flags = (inRegisters ? RegistersA : 0) | (whole ? WholeNumbers : 0);
  // The signs of A and B, then whether they are transposed: A in registers is not.
  size_t next = 4;
  if (!whole) {
    flags |= d.immediate(d.operand(4), -1, 1) < 0 ? NegateA : 0;
    flags |= d.immediate(d.operand(5), -1, 1) < 0 ? NegateB : 0;
    next = 6;
    if (halves) {
      if (!inRegisters)
        flags |= d.immediate(d.operand(next++), 0, 1) ? TransposeA : 0;
      flags |= d.immediate(d.operand(next++), 0, 1) ? TransposeB : 0;
    }
  }
  d.expectOperands(next, next);
  uint32_t more = d.more(registers);
  Instruction &i = d.emit(issue, Class::Tensor);
  i.a = a;
  i.b = b;
  i.c = accumulate;
  i.more = more;
  i.count = static_cast<uint16_t>(columns);
  i.size = static_cast<uint8_t>(registers.size());
  i.mode = static_cast<uint8_t>(static_cast<uint8_t>(typeA) | static_cast<uint8_t>(typeB) << 4);
  i.flags = flags;
}

void nothing(Warp &, const Instruction &) {}

void registersOfWarp(Decoder &d) {
  d.requireArch(90, "setmaxnreg");
  if (d.modifiers.take("inc") == d.modifiers.take("dec"))
    d.unsupported();
  for (const char *word : {"sync", "aligned", "u32"})
    if (!d.modifiers.take(word))
      d.unsupported();
  d.expectOperands(1, 1);
  if (d.immediate(d.operand(0), 24, 256) % 8)
    d.fail("a number of registers that is no multiple of 8");
  d.emit(nothing, Class::Control);
}

} // namespace

void samba::vgpu::decodeProductWrite(Decoder &d, const std::vector<int32_t> &registers) {
  uint32_t more = d.more(registers);
  Instruction &i = d.emit(noteWrite, Class::Move);
  i.counted = false;
  i.more = more;
  i.count = static_cast<uint16_t>(registers.size());
}

const Opcode samba::vgpu::hopperOpcodes[] = {{"wgmma", decode}, {"setmaxnreg", registersOfWarp}, {nullptr, nullptr}};
