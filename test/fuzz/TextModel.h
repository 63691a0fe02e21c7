//===- TextModel.h - a model that has text, to read inputs for -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_FUZZ_TEXTMODEL_H
#define TEST_FUZZ_TEXTMODEL_H

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

namespace samba::fuzz {

/// With samba-tiny's tokenizer and a chat template. It cannot be evaluated: its code is that of a smaller vocabulary.
inline const Model &textModel() {
  static test::Folder folder;
  static const Model opened = [] {
    test::FakeArtefact artefact;
    artefact.useTokenizer();
    artefact.manifest["model"]["vocab_size"] = 2048;
    artefact.manifest["chat"] = {{"template", "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}\n{% endfor %}"},
                                 {"tokens", {{"bos_token", "<s>"}, {"eos_token", "</s>"}}}};
    artefact.write(folder / "model.so");
    return Model(folder / "model.so", {sizeof(samba_options), 1, 0, 0, nullptr, 0});
  }();
  return opened;
}

} // namespace samba::fuzz

#endif // TEST_FUZZ_TEXTMODEL_H
