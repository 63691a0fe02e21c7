//===- TeamLoops.cpp - parallel loops to chunks claimed by a team ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/Passes.h"
#include "lowering/cpu/Emitter.h"
#include "samba/abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <cstddef>

namespace samba {
#define GEN_PASS_DEF_SAMBATEAMLOOPS
#include "lowering/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

class LoopRewriter {
public:
  LoopRewriter(scf::ForallOp loop, Value team)
      : loop(loop), team(team), b(loop), loc(loop.getLoc()), e(b, loc, target) {}

  void rewrite() {
    Type word = b.getI64Type(), pointer = team.getType();
    Value total = e.index(1);
    for (Value size : loop.getUpperBound(b))
      total = e.mul(total, size);
    Value totalWord = arith::IndexCastOp::create(b, loc, word, total);

    // while ((chunk = claim(team, total)) is not empty) for (i in chunk) body(i)
    auto claim = LLVM::LLVMFunctionType::get(word, {pointer, word});
    scf::WhileOp::create(
        b, loc, TypeRange{word}, ValueRange{},
        [&](OpBuilder &, Location, ValueRange) {
          Value callee = e.loadField(team, offsetof(samba_team, claim), pointer);
          Value chunk = LLVM::CallOp::create(b, loc, claim, ValueRange{callee, team, totalWord}).getResult();
          Value some = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, first(chunk), last(chunk));
          scf::ConditionOp::create(b, loc, some, chunk);
        },
        [&](OpBuilder &, Location, ValueRange chunk) {
          e.loop(asIndex(first(chunk[0])), asIndex(last(chunk[0])), 1, [&](Value item) { moveBody(item); });
          scf::YieldOp::create(b, loc);
        });
    auto barrier = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer});
    Value callee = e.loadField(team, offsetof(samba_team, barrier), pointer);
    LLVM::CallOp::create(b, loc, barrier, ValueRange{callee, team});
    loop.erase();
  }

private:
  Value asIndex(Value value) { return arith::IndexCastOp::create(b, loc, b.getIndexType(), value); }
  Value word(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)); }
  Value first(Value chunk) { return arith::AndIOp::create(b, loc, chunk, word(0xffffffff)); }
  Value last(Value chunk) { return arith::ShRUIOp::create(b, loc, chunk, word(32)); }

  /// Moves the body of the parallel loop to the insertion point, for the item of that number: the last index runs
  /// fastest.
  void moveBody(Value item) {
    SmallVector<Value> sizes = loop.getUpperBound(b), indices(sizes.size());
    for (size_t i = sizes.size(); i-- > 1;) {
      indices[i] = arith::RemUIOp::create(b, loc, item, sizes[i]);
      item = arith::DivUIOp::create(b, loc, item, sizes[i]);
    }
    indices[0] = item;
    Block *body = loop.getBody();
    body->getTerminator()->erase();
    for (auto [argument, index] : llvm::zip(body->getArguments(), indices))
      argument.replaceAllUsesWith(index);
    b.getInsertionBlock()->getOperations().splice(b.getInsertionPoint(), body->getOperations());
  }

  scf::ForallOp loop;
  Value team;
  OpBuilder b;
  Location loc;
  CpuTarget target; // not asked: nothing here depends on the machine
  Emitter e;
};

class TeamLoops : public samba::impl::SambaTeamLoopsBase<TeamLoops> {
public:
  using SambaTeamLoopsBase::SambaTeamLoopsBase;

  void runOnOperation() override {
    StringAttr teamName = StringAttr::get(&getContext(), "samba.team");
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      Value team;
      for (BlockArgument argument : function.getArguments())
        if (function.removeArgAttr(argument.getArgNumber(), teamName))
          team = argument;
      SmallVector<scf::ForallOp> loops;
      function.walk<WalkOrder::PreOrder>([&](scf::ForallOp loop) {
        loops.push_back(loop);
        return WalkResult::skip();
      });
      for (scf::ForallOp loop : loops) {
        if (!team) {
          loop.emitOpError() << "expected an argument of the function marked samba.team";
          return signalPassFailure();
        }
        if (!loop.getOutputs().empty() || !loop.isNormalized()) {
          loop.emitOpError() << "expected no shared outputs, and a loop from 0 by 1";
          return signalPassFailure();
        }
        LoopRewriter(loop, team).rewrite();
      }
    }
  }
};

} // namespace
