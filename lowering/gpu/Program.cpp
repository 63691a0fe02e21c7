//===- Program.cpp - what a device is told to launch ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Program.h"

#include "lowering/FirstFit.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

// What a kernel finds at the start of a buffer is aligned for every load it may make.
static constexpr int64_t kBufferAlignment = 256;

int64_t Limits::of(Extent extent) const {
  switch (extent) {
  case Extent::One:
    return 1;
  case Extent::Tokens:
    return tokens;
  case Extent::Sequences:
    return sequences;
  case Extent::Rows:
    return rows;
  case Extent::Longest:
    return longest.value_or(tokens);
  }
  llvm_unreachable("unknown extent");
}

llvm::StringRef samba::extentName(Extent extent) {
  switch (extent) {
  case Extent::One:
    return "one";
  case Extent::Tokens:
    return "tokens";
  case Extent::Sequences:
    return "sequences";
  case Extent::Rows:
    return "rows";
  case Extent::Longest:
    return "longest";
  }
  llvm_unreachable("unknown extent");
}

std::vector<int64_t> GpuProgram::plan(int64_t &arenaBytes) const {
  SmallVector<Interval> intervals;
  for (int64_t size : buffers)
    intervals.push_back({int64_t(llvm::alignTo(size, kBufferAlignment)), INT64_MAX, -1});
  for (auto [i, launch] : llvm::enumerate(launches))
    for (const LaunchArgument &argument : launch.arguments)
      if (argument.kind == LaunchArgument::Kind::Buffer) {
        Interval &interval = intervals[argument.buffer];
        interval.first = std::min<int64_t>(interval.first, i);
        interval.last = std::max<int64_t>(interval.last, i);
      }
  arenaBytes = firstFit(intervals);
  std::vector<int64_t> offsets;
  for (const Interval &interval : intervals)
    offsets.push_back(interval.offset);
  return offsets;
}

static DictionaryAttr sizeAttribute(Builder &b, const GridSize &size) {
  SmallVector<NamedAttribute> entries{b.getNamedAttr("of", b.getStringAttr(extentName(size.of)))};
  if (size.per != 1)
    entries.push_back(b.getNamedAttr("per", b.getI64IntegerAttr(size.per)));
  if (size.times != 1)
    entries.push_back(b.getNamedAttr("times", b.getI64IntegerAttr(size.times)));
  return b.getDictionaryAttr(entries);
}

static DictionaryAttr argumentAttribute(Builder &b, const LaunchArgument &argument, ArrayRef<int64_t> offsets) {
  auto entry = [&](llvm::StringRef key, Attribute value) { return b.getDictionaryAttr(b.getNamedAttr(key, value)); };
  if (const std::optional<MatrixMap> &map = argument.map) {
    LaunchArgument place = argument;
    place.map.reset();
    SmallVector<NamedAttribute> entries(argumentAttribute(b, place, offsets).getValue());
    entries.push_back(b.getNamedAttr("width", b.getI64IntegerAttr(map->width)));
    entries.push_back(b.getNamedAttr("stride", b.getI64IntegerAttr(map->stride)));
    entries.push_back(b.getNamedAttr("rows", sizeAttribute(b, map->rows)));
    entries.push_back(b.getNamedAttr("box", b.getI64IntegerAttr(map->boxRows)));
    return entry("map", b.getDictionaryAttr(entries));
  }
  switch (argument.kind) {
  case LaunchArgument::Kind::Buffer:
    return entry("arena", b.getI64IntegerAttr(offsets[argument.buffer] + argument.offset));
  case LaunchArgument::Kind::Weights:
    return entry("weights", b.getI64IntegerAttr(argument.offset));
  case LaunchArgument::Kind::Input:
    return entry("input", b.getStringAttr(argument.name));
  case LaunchArgument::Kind::Output:
    return entry("output", b.getStringAttr(argument.name));
  case LaunchArgument::Kind::State:
    return entry("state", b.getI64IntegerAttr(argument.offset));
  case LaunchArgument::Kind::Number:
    return entry("i64", b.getI64IntegerAttr(argument.offset));
  }
  llvm_unreachable("unknown kind of argument");
}

DictionaryAttr GpuProgram::toAttribute(MLIRContext *context, ArrayRef<int64_t> offsets) const {
  Builder b(context);
  auto number = [&](llvm::StringRef key, int64_t value) { return b.getNamedAttr(key, b.getI64IntegerAttr(value)); };
  SmallVector<Attribute> entries;
  for (const Launch &launch : launches) {
    SmallVector<NamedAttribute> entry;
    if (launch.probe) {
      int64_t offset = offsets[launch.arguments[0].buffer] + launch.arguments[0].offset;
      entry = {number("probe", *launch.probe), number("arena", offset), number("width", launch.width),
               b.getNamedAttr("of", b.getStringAttr(extentName(launch.rows)))};
    } else {
      SmallVector<Attribute> grid, arguments;
      for (const GridSize &size : launch.grid)
        grid.push_back(sizeAttribute(b, size));
      for (const LaunchArgument &argument : launch.arguments)
        arguments.push_back(argumentAttribute(b, argument, offsets));
      entry = {b.getNamedAttr("kernel", b.getStringAttr(launch.kernel)),
               b.getNamedAttr("name", b.getStringAttr(launch.name)),
               b.getNamedAttr("grid", b.getArrayAttr(grid)),
               b.getNamedAttr("block", b.getDenseI64ArrayAttr({launch.threads, 1, 1})),
               number("shared", launch.sharedBytes),
               b.getNamedAttr("args", b.getArrayAttr(arguments))};
      if (launch.chooses)
        entry.push_back(b.getNamedAttr("chooses", b.getBoolAttr(true)));
    }
    entries.push_back(b.getDictionaryAttr(entry));
  }
  SmallVector<NamedAttribute> program{b.getNamedAttr("name", b.getStringAttr(name)),
                                      number("max_tokens", limits.tokens), number("max_sequences", limits.sequences),
                                      number("max_rows", limits.rows),
                                      b.getNamedAttr("launches", b.getArrayAttr(entries))};
  if (limits.longest)
    program.push_back(number("longest", *limits.longest));
  if (exact)
    program.push_back(number("exact", exact));
  return b.getDictionaryAttr(program);
}
