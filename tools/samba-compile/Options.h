//===- Options.h - what samba-compile is asked to do -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_OPTIONS_H
#define TOOLS_SAMBA_COMPILE_OPTIONS_H

#include "lowering/emit/PtxEmitter.h"
#include "tools/Plugins.h"
#include "tools/samba-compile/Phases.h"
#include <optional>

namespace samba {

enum class Emission { Samba, Kernels, Llvm, Assembly, Object, Gpu, Ptx, Cubin, Library, Program };

/// Consistent: combinations that make no sense are refused when the command line is read.
struct CompileOptions {
  std::string input;  // a model directory, or an .mlir file with compileFrom
  std::string output; // a file, or "-" for standard output (not for Library and Program)
  Emission emission = Emission::Library;
  std::optional<Phase> compileTo;   // print the IR after this phase instead of `emission`
  std::optional<Phase> compileFrom; // `input` is the IR after this phase
  std::string checkpoint;           // the model directory that weights and tokenizer come from; may be empty
  std::string weightsFile;          // in the model directory; empty: the usual ones
  std::string config;               // a file or a name that the model's family knows; empty: the usual file
  std::string tokenizer;            // tokenizer.json or tokenizer.model; empty: the first of them
  PhaseOptions phases;
  bool cpu = true;                // code for a CPU is wanted
  std::optional<CudaTarget> cuda; // code for GPUs is wanted
  Plugins plugins;
  std::string schedule;              // a script of the transform dialect, or empty
  Phase scheduleAfter = Phase::Fuse; // the phase that it follows
  bool checkEachPass = false;
  CheckOptions check;        // with checkEachPass
  std::string report;        // an HTML file about fusions, or empty
  std::string remarks;       // a YAML file of fusion remarks, "-" for text on standard error, or empty
  std::string remarksFilter; // a regular expression on the names of passes
  bool cpuGiven = false;     // `phases.cpu` was asked for
  std::string numerics;      // flags in place of those of the family
  int64_t context = 0;       // tokens; 0: what the model says
  unsigned threads = 0;      // 0: one for each processor
  bool splitWeights = false;
  bool copies = false; // report what a step copies
  bool verbose = false, quiet = false, json = false;
  std::string programPath; // of samba-compile itself

  bool writesArtefact() const { return !compileTo && (emission == Emission::Library || emission == Emission::Program); }
};

/// Reads the command line. `--help` and `--version` print and exit. The error is one line.
llvm::Expected<CompileOptions> parseCommandLine(int argc, char **argv);

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_OPTIONS_H
