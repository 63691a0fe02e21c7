//===- Fusions.cpp - which fusions a compile makes ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Fusions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace samba;

// Projections come first because they look at linears outside of kernels, the residual late because the others look
// for linears, and the block last because it leaves nothing.
static constexpr Fusion kFusions[] = {
    {"projections", "projections of the same rows (q, k, v; gate, up) become one", true},
    {"norm", "the norm joins the projection that reads it", true},
    {"swiglu", "projections join the gate that reads them", true},
    {"conv", "the convolution joins the projection that reads it", false},
    {"scan", "the projection of delta joins the scan", false},
    {"rotary", "rotations join the attention", true},
    {"attention", "attention joins its output projection", false},
    {"residual", "an addition joins the linear before it", true},
    {"head", "what makes the logits becomes one kernel", false},
    {"block", "all kernels of a block become one", false},
};

llvm::ArrayRef<Fusion> samba::allFusions() { return kFusions; }

FusionOptions::FusionOptions() {
  for (const Fusion &fusion : kFusions)
    if (fusion.isDefault)
      names.push_back(fusion.name.str());
}

bool FusionOptions::contains(llvm::StringRef name) const { return llvm::is_contained(names, name); }

llvm::Expected<FusionOptions> FusionOptions::parse(llvm::StringRef text) {
  bool wanted[std::size(kFusions)] = {};
  auto set = [&](auto predicate) {
    for (auto [want, fusion] : llvm::zip(wanted, kFusions))
      want = predicate(fusion);
  };
  llvm::SmallVector<llvm::StringRef> items;
  text.split(items, ',');
  bool first = true;
  for (llvm::StringRef item : items) {
    item = item.trim();
    bool isRemoval = item.consume_front("-"), isChange = isRemoval || item.consume_front("+");
    if (first && isChange)
      set([](const Fusion &fusion) { return fusion.isDefault; });
    first = false;
    auto fusion = llvm::find_if(kFusions, [&](const Fusion &fusion) { return fusion.name == item; });
    if (fusion != std::end(kFusions)) {
      wanted[fusion - kFusions] = !isRemoval;
    } else if (!isChange && (item == "default" || item == "all" || item == "none")) {
      set([&](const Fusion &fusion) { return item == "all" || (item == "default" && fusion.isDefault); });
    } else {
      std::string known;
      for (const Fusion &fusion : kFusions)
        known += (", " + fusion.name).str();
      return llvm::createStringError("unknown fusion '" + item + "': expected default, none, all" + known);
    }
  }
  FusionOptions options;
  options.names.clear();
  for (auto [want, fusion] : llvm::zip(wanted, kFusions))
    if (want)
      options.names.push_back(fusion.name.str());
  return options;
}
