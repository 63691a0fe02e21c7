//===- StepBuilder.cpp - adds launches and kernels to a program -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

static constexpr unsigned kGlobalSpace = 1;

int64_t Matrix::alignment() const {
  int64_t step = std::gcd(base.offset, stride * int64_t(element.getIntOrFloatBitWidth() / 8));
  return std::min<int64_t>(16, step & -step);
}

int64_t Matrix::vectorWidth(int64_t most) const {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  while (most > 1 && (std::min<int64_t>(most * bytes, 16) > alignment() || width % most != 0))
    most /= 2;
  return most;
}

std::string Matrix::describe() const {
  if (!width)
    return "-";
  if (quant)
    return llvm::formatv("{0}:{1}", width, quant).str();
  return llvm::formatv("{0}x{1}:{2}a{3}{4}", width, stride, element, alignment(), extentName(extent)).str();
}

Matrix StepBuilder::buffer(int64_t width, Type element, Extent extent) {
  LaunchArgument base{LaunchArgument::Kind::Buffer, 0, unsigned(program.buffers.size())};
  program.buffers.push_back(limits().of(extent) * width * int64_t(element.getIntOrFloatBitWidth() / 8));
  return {base, width, width, element, extent};
}

LaunchArgument StepBuilder::input(llvm::StringRef name) { return {LaunchArgument::Kind::Input, 0, 0, name.str()}; }

void StepBuilder::launch(const Spec &spec, std::vector<LaunchArgument> arguments, Body body) {
  std::string &kernel = kernels[spec.kind + ' ' + std::to_string(spec.threads) + ' ' + spec.key];
  if (kernel.empty())
    kernel = write(spec, arguments, body);
  Launch launch{
      kernel, layer, {spec.grid[0], spec.grid[1], spec.grid[2]}, spec.threads, spec.sharedBytes, std::move(arguments)};
  launch.chooses = spec.chooses;
  program.launches.push_back(std::move(launch));
  program.needsExact |= spec.hopper;
}

static bool isInteger(const LaunchArgument &argument) {
  return argument.kind == LaunchArgument::Kind::State || argument.kind == LaunchArgument::Kind::Number;
}

std::string StepBuilder::write(const Spec &spec, ArrayRef<LaunchArgument> arguments, Body body) {
  std::string name = spec.kind;
  for (int64_t i = 1; !names.insert(name).second; ++i)
    name = spec.kind + "_" + std::to_string(i);

  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(context(), kGlobalSpace);
  SmallVector<Type> types;
  for (const LaunchArgument &argument : arguments)
    types.push_back(isInteger(argument) ? Type(b.getI64Type())
                    : argument.map      ? LLVM::LLVMPointerType::get(context())
                                        : pointer);
  auto function = gpu::GPUFuncOp::create(b, loc, name, b.getFunctionType(types, {}));
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  function.setKnownBlockSizeAttr(b.getDenseI32ArrayAttr({int32_t(spec.threads), 1, 1}));
  for (auto [i, argument] : llvm::enumerate(arguments))
    if (argument.map)
      function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(MatrixMap::alignment));
  b.setInsertionPointToStart(&function.getBody().front());
  GpuEmitter e(b, loc, function, spec.threads);
  body(e, function.getArguments());
  gpu::ReturnOp::create(b, loc);
  return name;
}

void StepBuilder::probe(int64_t index, const Matrix &x) {
  Launch launch;
  launch.arguments.push_back(x.base);
  launch.probe = index;
  launch.width = x.width;
  launch.rows = x.extent;
  program.launches.push_back(std::move(launch));
}

//===----------------------------------------------------------------------===//
// What kernels read of the step
//===----------------------------------------------------------------------===//

Value samba::loadSize(GpuEmitter &e, Value sizes, SizeIndex which) {
  return e.loadIndex(sizes, 32, e.index(int64_t(which)));
}

SizeIndex samba::sizeIndexOf(Extent extent) {
  switch (extent) {
  case Extent::Tokens:
    return SizeIndex::Tokens;
  case Extent::Sequences:
    return SizeIndex::Sequences;
  case Extent::Rows:
    return SizeIndex::Rows;
  case Extent::Longest:
    return SizeIndex::Longest;
  case Extent::One:
    break;
  }
  llvm_unreachable("a static extent has no size to load");
}

Value samba::findSegment(GpuEmitter &e, Value segments, Value row) {
  auto loop = scf::WhileOp::create(
      e.b, e.loc, TypeRange{e.b.getIndexType()}, ValueRange{e.index(0)},
      [&](OpBuilder &, Location, ValueRange s) {
        Value end = e.loadIndex(segments, 64, e.add(s[0], 1));
        Value before = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sle, end, row);
        scf::ConditionOp::create(e.b, e.loc, before, s);
      },
      [&](OpBuilder &, Location, ValueRange s) { scf::YieldOp::create(e.b, e.loc, e.add(s[0], 1)); });
  return loop.getResult(0);
}

Value samba::statePointer(GpuEmitter &e, Value states, Value sequence, Value offset) {
  Type word = e.b.getI64Type();
  Value blob = e.loadRaw(e.address(states, word, sequence), word, 8);
  Value place = arith::AddIOp::create(e.b, e.loc, blob, offset);
  return LLVM::IntToPtrOp::create(e.b, e.loc, LLVM::LLVMPointerType::get(e.b.getContext(), kGlobalSpace), place);
}
