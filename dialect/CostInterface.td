//===- CostInterface.td - what executing an operation costs ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SAMBA_COST_INTERFACE_TD
#define SAMBA_COST_INTERFACE_TD

include "mlir/IR/OpBase.td"

def Samba_CostOpInterface : OpInterface<"CostOpInterface"> {
  let description = [{
    What executing an operation costs, apart from the tensors that cross the border of its kernel: those are counted
    by the cost model (`passes/CostModel.h`), because only the kernel knows what crosses. An operation of a plugin that
    implements this interface takes part in every decision.
  }];
  let cppNamespace = "::samba";
  let methods = [
    InterfaceMethod<[{
        Arithmetic, state traffic and gathered bytes for a workload whose `tokens` are the rows that the operation
        computes.
      }], "::samba::OpCost", "getCost", (ins "const ::samba::Workload &":$workload)>,
    InterfaceMethod<[{
        Whether the operation reads all of this operand. If not, what it reads of it is in `gatheredBytes`.
      }], "bool", "readsWhole", (ins "unsigned":$operand), "", "return true;">
  ];
}

#endif // SAMBA_COST_INTERFACE_TD
