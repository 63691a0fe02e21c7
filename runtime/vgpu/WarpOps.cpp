//===- WarpOps.cpp - decodes and runs operations across a warp -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Block.h"
#include "runtime/vgpu/Decoder.h"

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Type;

namespace {

enum : uint8_t { Up, Down, Butterfly, Index };          // of shfl
enum : uint8_t { All, Any, Uniform, Ballot };           // of vote
enum : uint8_t { Add, Minimum, Maximum, And, Or, Xor }; // of redux

std::string bits(uint32_t mask) {
  char text[16];
  snprintf(text, sizeof(text), "0x%08x", mask);
  return text;
}

/// The lanes that take part: those of the mask that have not ended. Each must be here, with the same mask.
uint32_t members(Warp &w, const Instruction &i, int32_t offset) {
  const uint32_t *masks = w.at<uint32_t>(offset);
  WarpState &state = w.block->state(w);
  uint32_t living = state.present & ~state.exited;
  uint32_t mask = masks[__builtin_ctz(w.active)];
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    if (!(masks[lane] >> lane & 1))
      fault(w, i, "membermask", "the lane is not in its member mask " + bits(masks[lane]), static_cast<int>(lane));
    if (masks[lane] != mask)
      fault(w, i, "membermask", "member mask " + bits(masks[lane]) + ", another lane has " + bits(mask),
            static_cast<int>(lane));
  }
  if (uint32_t absent = mask & living & ~w.active)
    fault(w, i, "membermask", "lanes " + bits(absent) + " of member mask " + bits(mask) + " are on another path");
  return mask & w.active;
}

template <uint8_t mode> void shuffle(Warp &w, const Instruction &i) {
  uint32_t mask = members(w, i, i.e);
  const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(i.b), *c = w.at<uint32_t>(i.c);
  uint32_t results[lanes], predicate = 0;
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    int by = static_cast<int>(b[lane] & 31), clamp = static_cast<int>(c[lane] & 31);
    int segment = static_cast<int>(c[lane] >> 8 & 31), self = static_cast<int>(lane);
    int limit = (self & segment) | (clamp & ~segment), low = self & segment, from = 0;
    bool valid = false;
    switch (mode) {
    case Up:
      from = self - by, valid = from >= limit;
      break;
    case Down:
      from = self + by, valid = from <= limit;
      break;
    case Butterfly:
      from = self ^ by, valid = from <= limit;
      break;
    default:
      from = low | (by & ~segment), valid = from <= limit;
      break;
    }
    if (!valid)
      from = self;
    if (!(mask >> from & 1))
      fault(w, i, "inactive-lane", "the lane reads lane " + std::to_string(from) + ", which does not take part",
            static_cast<int>(lane));
    results[lane] = a[from];
    predicate |= valid ? 1u << lane : 0;
  }
  uint32_t *to = w.at<uint32_t>(i.d);
  for (uint32_t rest = w.active; rest; rest &= rest - 1)
    to[__builtin_ctz(rest)] = results[__builtin_ctz(rest)];
  if (int32_t second = static_cast<int32_t>(i.immediate); second >= 0) {
    w.predicate(second) = (w.predicate(second) & ~w.active) | (predicate & w.active);
  }
}

void decodeShuffle(Decoder &d) {
  if (!d.modifiers.take("sync"))
    d.unsupported("only shfl.sync exists on this device");
  Handler handler = nullptr;
  if (d.modifiers.take("up"))
    handler = shuffle<Up>;
  else if (d.modifiers.take("down"))
    handler = shuffle<Down>;
  else if (d.modifiers.take("bfly"))
    handler = shuffle<Butterfly>;
  else if (d.modifiers.take("idx"))
    handler = shuffle<Index>;
  if (!handler || d.type().bits != 32)
    d.unsupported();
  d.expectOperands(5, 5);
  const Operand &result = d.operand(0);
  int32_t predicate = result.second.empty() ? -1 : d.predicateDestination(result.second[0]);
  int32_t a = d.source(d.operand(1), b32), b = d.source(d.operand(2), b32), c = d.source(d.operand(3), b32);
  int32_t mask = d.source(d.operand(4), b32), to = d.destination(result, b32);
  Instruction &i = d.emit(handler, Class::Shuffle);
  i.d = to;
  i.a = a;
  i.b = b;
  i.c = c;
  i.e = mask;
  i.immediate = predicate;
}

void vote(Warp &w, const Instruction &i) {
  uint32_t mask = members(w, i, i.b);
  uint32_t set = (w.predicate(i.a) ^ (i.flags & 1 ? allLanes : 0)) & mask;
  if (i.mode == Ballot) {
    for (uint32_t rest = w.active; rest; rest &= rest - 1)
      w.at<uint32_t>(i.d)[__builtin_ctz(rest)] = set;
    return;
  }
  bool result = i.mode == All ? set == mask : i.mode == Any ? set != 0 : set == mask || !set;
  w.predicate(i.d) = (w.predicate(i.d) & ~w.active) | (result ? w.active : 0);
}

void decodeVote(Decoder &d) {
  if (!d.modifiers.take("sync"))
    d.unsupported("only vote.sync exists on this device");
  uint8_t mode = d.modifiers.take("all")   ? All
                 : d.modifiers.take("any") ? Any
                 : d.modifiers.take("uni") ? Uniform
                                           : Ballot;
  if (mode == Ballot && !d.modifiers.take("ballot"))
    d.unsupported();
  Type type = d.type();
  if (type.bits != (mode == Ballot ? 32 : 1))
    d.unsupported();
  d.expectOperands(3, 3);
  bool negated = false;
  int32_t a = d.predicateSource(d.operand(1), negated), mask = d.source(d.operand(2), b32);
  int32_t to = mode == Ballot ? d.destination(d.operand(0), b32) : d.predicateDestination(d.operand(0));
  Instruction &i = d.emit(vote, Class::Shuffle);
  i.d = to;
  i.a = a;
  i.b = mask;
  i.mode = mode;
  i.flags = negated ? 1 : 0;
}

template <typename T> void match(Warp &w, const Instruction &i) {
  uint32_t mask = members(w, i, i.b), results[lanes];
  const T *a = w.at<T>(i.a);
  bool all = true;
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    results[lane] = 0;
    for (uint32_t others = mask; others; others &= others - 1)
      if (a[__builtin_ctz(others)] == a[lane])
        results[lane] |= 1u << __builtin_ctz(others);
    all &= results[lane] == mask;
  }
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    w.at<uint32_t>(i.d)[lane] = i.mode == All ? (all ? mask : 0) : results[lane];
  }
  if (i.c >= 0)
    w.predicate(i.c) = (w.predicate(i.c) & ~w.active) | (all ? w.active : 0);
}

void decodeMatch(Decoder &d) {
  bool all = d.modifiers.take("all"), any = d.modifiers.take("any");
  if (!d.modifiers.take("sync") || all == any)
    d.unsupported();
  Type type = d.type();
  if (type.bits != 32 && type.bits != 64)
    d.unsupported();
  d.expectOperands(3, 3);
  const Operand &result = d.operand(0);
  int32_t predicate = result.second.empty() ? -1 : d.predicateDestination(result.second[0]);
  int32_t a = d.source(d.operand(1), type), mask = d.source(d.operand(2), b32), to = d.destination(result, b32);
  Instruction &i = d.emit(type.bits == 64 ? match<uint64_t> : match<uint32_t>, Class::Shuffle);
  i.d = to;
  i.a = a;
  i.b = mask;
  i.c = predicate;
  i.mode = all ? All : Any;
}

template <typename T> void reduce(Warp &w, const Instruction &i) {
  uint32_t mask = members(w, i, i.b);
  const T *a = w.at<T>(i.a);
  T result = a[__builtin_ctz(mask)];
  for (uint32_t rest = mask & (mask - 1); rest; rest &= rest - 1) {
    T value = a[__builtin_ctz(rest)];
    switch (i.mode) {
    case Add:
      result = T(uint32_t(result) + uint32_t(value));
      break;
    case Minimum:
      result = value < result ? value : result;
      break;
    case Maximum:
      result = value > result ? value : result;
      break;
    case And:
      result &= value;
      break;
    case Or:
      result |= value;
      break;
    default:
      result ^= value;
      break;
    }
  }
  for (uint32_t rest = w.active; rest; rest &= rest - 1)
    w.at<T>(i.d)[__builtin_ctz(rest)] = result;
}

void decodeReduce(Decoder &d) {
  static const char *names[] = {"add", "min", "max", "and", "or", "xor"};
  uint8_t mode = 255;
  for (uint8_t k = 0; k < 6; ++k)
    if (d.modifiers.take(names[k]))
      mode = k;
  bool sync = d.modifiers.take("sync");
  Type type = d.type();
  if (!sync || mode == 255 || type.bits != 32 || type.kind == Type::Float)
    d.unsupported();
  d.expectOperands(3, 3);
  int32_t a = d.source(d.operand(1), b32), mask = d.source(d.operand(2), b32), to = d.destination(d.operand(0), b32);
  Instruction &i = d.emit(type.kind == Type::Signed ? reduce<int32_t> : reduce<uint32_t>, Class::Shuffle);
  i.d = to;
  i.a = a;
  i.b = mask;
  i.mode = mode;
}

void syncWarp(Warp &w, const Instruction &i) {
  WarpState &state = w.block->state(w);
  uint32_t mask = members(w, i, i.a);
  w.block->shared.meet(state.id, mask, state.present & ~state.exited);
}

// One lane of those that take part: the lowest.
void elect(Warp &w, const Instruction &i) {
  uint32_t mask = members(w, i, i.a), leader = mask & -mask;
  for (uint32_t rest = w.active; rest; rest &= rest - 1)
    w.at<uint32_t>(i.d)[__builtin_ctz(rest)] = static_cast<uint32_t>(__builtin_ctz(leader));
  w.predicate(i.c) = (w.predicate(i.c) & ~w.active) | (leader & w.active);
}

void decodeElect(Decoder &d) {
  if (!d.modifiers.take("sync"))
    d.unsupported();
  d.requireArch(90, "elect.sync");
  d.expectOperands(2, 2);
  const Operand &result = d.operand(0);
  if (result.second.empty())
    d.unsupported("no predicate");
  int32_t predicate = d.predicateDestination(result.second[0]), mask = d.source(d.operand(1), b32);
  int32_t to = d.destination(result, b32);
  Instruction &i = d.emit(elect, Class::Shuffle);
  i.d = to;
  i.c = predicate;
  i.a = mask;
}

} // namespace

void samba::vgpu::decodeWarpSync(Decoder &d) {
  d.expectOperands(1, 1);
  int32_t mask = d.source(d.operand(0), b32);
  d.emit(syncWarp, Class::Barrier).a = mask;
}

const Opcode samba::vgpu::warpOpcodes[] = {
    {"shfl", decodeShuffle}, {"vote", decodeVote},   {"match", decodeMatch},
    {"redux", decodeReduce}, {"elect", decodeElect}, {nullptr, nullptr},
};
