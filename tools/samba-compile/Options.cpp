//===- Options.cpp - what samba-compile is asked to do --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/Options.h"

#include "dialect/Numerics.h"
#include "tools/CommandLine.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Regex.h"

using namespace samba;
namespace cl = llvm::cl;

namespace {

// LLVM's libraries register hundreds of options of their own, some of them with names that are needed here. They are
// for LLVM's own tools, so they go; what the parser itself provides stays.
void forgetForeignOptions() {
  llvm::SmallVector<cl::Option *> foreign;
  for (auto [name, option] : cl::getRegisteredOptions())
    if (name != "help" && name != "h" && name != "version")
      foreign.push_back(option);
  for (cl::Option *option : foreign)
    option->removeArgument();
}

struct CommandLine {
  cl::OptionCategory category{"samba-compile options"};
  cl::opt<std::string> input{cl::Positional, cl::desc("MODEL_DIR_OR_FILE"), cl::cat(category)};
  cl::opt<std::string> output{"o", cl::desc("Output file; '-' (the default for text) is standard output"),
                              cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> emission{
      "emit",
      cl::desc("What to write: samba (samba IR after phase 'optimise'), kernels (parallel "
               "loops of vector code), llvm (optimised LLVM IR), asm, obj (an ELF object "
               "without weights), gpu (kernels and launches for GPUs), ptx, cubin (machine code "
               "for the one architecture of --target), lib (default: a compiled model for "
               "samba-run and the runtime), exe (a self-contained program)"),
      cl::value_desc("kind"), cl::init("lib"), cl::cat(category)};
  cl::opt<std::string> target{
      "target",
      cl::desc("What to compile for: cpu (default), cuda, cpu,cuda; after cuda the architectures "
               "to assemble for may follow, e.g. cuda:sm_80,sm_90a (default: PTX, and machine "
               "code for all known ones if ptxas is found; sm_90a has kernels of its own for bf16)"),
      cl::value_desc("list"), cl::init("cpu"), cl::cat(category)};
  cl::opt<std::string> cpu{
      "cpu",
      cl::desc("CPUs to compile for: native (default), x86-64-v3, x86-64-v4, aarch64, or a name that LLVM knows, e.g. "
               "znver4 or neoverse-v1; features may follow, e.g. x86-64-v4+avx512bf16. A list, or portable, puts code "
               "for each of them into one artefact, which runs the best that a machine can"),
      cl::value_desc("list"), cl::init("native"), cl::cat(category)};
  cl::opt<std::string> precision{"precision", cl::desc("Type of weight matrices: f32 (default), bf16, int8 or int4"),
                                 cl::value_desc("type"), cl::init("f32"), cl::cat(category)};
  cl::opt<std::string> kv{
      "kv",
      cl::desc("Type in which the states of sequences keep keys and values of attention: f32, bf16 or "
               "int8 (default: f32 with --precision=f32 and on GPUs, else bf16)"),
      cl::value_desc("type"), cl::cat(category)};
  cl::opt<std::string> fusion{"fusion",
                              cl::desc("Fusions to make: default, none, all, or a list of names, each with + or - to "
                                       "change the defaults, e.g. +norm,-swiglu (--fusion=help lists them)"),
                              cl::value_desc("list"), cl::init("default"), cl::cat(category)};
  cl::opt<std::string> pipeline{
      "pipeline",
      cl::desc("Passes of phases, in place of the usual ones: a file of lines 'fuse: passes', "
               "for optimise, fuse, schedule and lower ('default' stands for the usual ones)"),
      cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> schedule{"schedule",
                                cl::desc("Apply a script of the transform dialect, its sequence @__transform_main"),
                                cl::value_desc("file.mlir"), cl::cat(category)};
  cl::opt<std::string> scheduleAfter{"schedule-after",
                                     cl::desc("The phase after which --schedule is applied: import, optimise, fuse "
                                              "(default) or schedule"),
                                     cl::value_desc("phase"), cl::init("fuse"), cl::cat(category)};
  cl::list<std::string> passPlugins{"load-pass-plugin", cl::desc("Load passes, for --pipeline and --schedule"),
                                    cl::value_desc("file.so"), cl::cat(category)};
  cl::list<std::string> dialectPlugins{"load-dialect-plugin", cl::desc("Load dialects"), cl::value_desc("file.so"),
                                       cl::cat(category)};
  cl::opt<std::string> check{"check-each-pass", cl::ValueOptional,
                             cl::desc("Execute the model after each pass and compare: f64 (default) or f32"),
                             cl::value_desc("type"), cl::cat(category)};
  cl::opt<std::string> report{"report", cl::desc("Write a page about kernels, fusions and predicted costs"),
                              cl::value_desc("file.html"), cl::cat(category)};
  cl::opt<std::string> remarks{"remarks",
                               cl::desc("Say why each fusion was made or not: YAML into a file, or text on standard "
                                        "error for '-'"),
                               cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> remarksFilter{"remarks-filter", cl::desc("Only remarks of passes whose name matches"),
                                     cl::value_desc("regex"), cl::cat(category)};
  cl::opt<std::string> compileTo{"compile-to",
                                 cl::desc("Stop after this phase and write the IR: import, optimise, fuse, schedule, "
                                          "lower, emit"),
                                 cl::value_desc("phase"), cl::cat(category)};
  cl::opt<std::string> compileFrom{
      "compile-from", cl::desc("MODEL_DIR is a file that --compile-to=<phase> has written: go on from there"),
      cl::value_desc("phase"), cl::cat(category)};
  cl::opt<std::string> checkpoint{"checkpoint",
                                  cl::desc("With --compile-from: the model directory that weights and tokenizer come "
                                           "from"),
                                  cl::value_desc("dir"), cl::cat(category)};
  cl::opt<std::string> config{
      "config",
      cl::desc("Configuration of the model: a file, by default config.json in the model directory; of a checkpoint of "
               "microsoft/Samba one of its names, e.g. Samba_421M, or a JSON or YAML file with n_head and so on"),
      cl::value_desc("name|file"), cl::cat(category)};
  cl::opt<std::string> weightsFile{
      "weights-file",
      cl::desc("File of the model directory that holds the weights, safetensors or an index "
               "(default: model.safetensors or model.safetensors.index.json)"),
      cl::value_desc("name"), cl::cat(category)};
  cl::opt<std::string> numerics{"numerics",
                                cl::desc("Where values are rounded, in place of what the family says: flag=value,... "
                                         "(--numerics=help lists the flags)"),
                                cl::value_desc("list"), cl::cat(category)};
  cl::opt<std::string> tokenizer{
      "tokenizer",
      cl::desc("File of the model directory that holds the tokenizer, tokenizer.json or tokenizer.model (default: the "
               "first of them that is there)"),
      cl::value_desc("name"), cl::cat(category)};
  cl::opt<std::string> context{
      "context",
      cl::desc("Tokens that full attention can look back on (default: max_position_embeddings of "
               "config.json); models with windows only have no such bound"),
      cl::value_desc("tokens"), cl::cat(category)};
  cl::opt<std::string> threads{"threads", cl::desc("Threads that pack weights (default: one for each processor)"),
                               cl::value_desc("n"), cl::cat(category)};
  cl::opt<bool> splitWeights{"split-weights", cl::desc("Write the weights to a file of their own, <file>.weights"),
                             cl::cat(category)};
  cl::opt<bool> copies{"copies", cl::desc("Say on standard error what a step copies, how much and why"),
                       cl::cat(category)};
  cl::opt<bool> verbose{"verbose", cl::desc("Report each phase on standard error"), cl::cat(category)};
  cl::opt<bool> quiet{"quiet", cl::desc("Print nothing but errors"), cl::cat(category)};
  cl::opt<bool> json{"json", cl::desc("Print the summary as JSON on standard output: times in seconds, sizes in bytes"),
                     cl::cat(category)};
};

constexpr std::pair<llvm::StringRef, Emission> emissions[] = {
    {"samba", Emission::Samba}, {"kernels", Emission::Kernels}, {"llvm", Emission::Llvm}, {"asm", Emission::Assembly},
    {"obj", Emission::Object},  {"gpu", Emission::Gpu},         {"ptx", Emission::Ptx},   {"cubin", Emission::Cubin},
    {"lib", Emission::Library}, {"exe", Emission::Program}};
constexpr llvm::StringRef kStages[] = {"optimise", "fuse", "schedule", "lower"}; // of --pipeline
constexpr Phase phases[] = {Phase::Import, Phase::Optimise, Phase::Fuse, Phase::Schedule, Phase::Lower, Phase::Emit};

// Values are parsed here and not by the library, which would print errors in its own way.
llvm::Error wrongValue(const cl::opt<std::string> &option, llvm::StringRef expected) {
  return llvm::createStringError("--" + option.ArgStr + "=" + option.getValue() + ": expected " + expected);
}

llvm::Error parse(const cl::opt<std::string> &option, Emission &emission) {
  for (auto [name, value] : emissions)
    if (name == option.getValue()) {
      emission = value;
      return llvm::Error::success();
    }
  return wrongValue(option, "samba, kernels, llvm, asm, obj, gpu, ptx, cubin, lib or exe");
}

llvm::Error parse(const cl::opt<std::string> &option, std::optional<Phase> &phase) {
  if (option.getNumOccurrences() == 0)
    return llvm::Error::success();
  for (Phase candidate : phases)
    if (phaseName(candidate) == option.getValue()) {
      phase = candidate;
      return llvm::Error::success();
    }
  return wrongValue(option, "import, optimise, fuse, schedule, lower or emit");
}

llvm::Error parseSchedule(const CommandLine &line, CompileOptions &options) {
  options.schedule = line.schedule;
  for (Phase candidate : {Phase::Import, Phase::Optimise, Phase::Fuse, Phase::Schedule})
    if (phaseName(candidate) == line.scheduleAfter) {
      options.scheduleAfter = candidate;
      return llvm::Error::success();
    }
  return wrongValue(line.scheduleAfter, "import, optimise, fuse or schedule");
}

llvm::Error parsePipeline(const CommandLine &line, CompileOptions &options) {
  if (line.pipeline.getNumOccurrences() == 0)
    return llvm::Error::success();
  llvm::Expected<StageFile> stages = StageFile::read(line.pipeline, kStages);
  if (!stages)
    return llvm::createStringError("--pipeline: " + toString(stages.takeError()));
  options.phases.stages = std::move(*stages);
  return llvm::Error::success();
}

llvm::Error parse(const cl::opt<std::string> &option, int64_t limit, int64_t &number) {
  if (option.getNumOccurrences() == 0)
    return llvm::Error::success();
  if (!llvm::to_integer(option.getValue(), number, 10) || number < 1 || number > limit)
    return wrongValue(option, "a number from 1 to " + std::to_string(limit));
  return llvm::Error::success();
}

llvm::Error parseTarget(const CommandLine &line, CompileOptions &options) {
  llvm::StringRef rest = line.target;
  options.cpu = rest.consume_front("cpu");
  if (options.cpu && !rest.empty() && !rest.consume_front(","))
    return llvm::createStringError("unknown target '" + line.target + "': expected cpu, cuda or cuda:sm_80,...");
  if (!options.cpu || !rest.empty()) {
    llvm::Expected<CudaTarget> cuda = CudaTarget::get(rest);
    if (!cuda)
      return cuda.takeError();
    options.cuda = std::move(*cuda);
  }
  bool forCuda = llvm::is_contained({Emission::Gpu, Emission::Ptx, Emission::Cubin}, options.emission);
  bool forCpu =
      llvm::is_contained({Emission::Kernels, Emission::Llvm, Emission::Assembly, Emission::Object}, options.emission);
  if (forCuda && !options.cuda && line.target.getNumOccurrences() == 0) { // what else could be meant
    options.cuda.emplace();
    options.cpu = false;
  }
  if (forCuda && (!options.cuda || options.cpu))
    return llvm::createStringError("--emit=" + line.emission + " is for --target=cuda");
  if (forCpu && options.cuda)
    return llvm::createStringError("--emit=" + line.emission + " is for --target=cpu");
  if (options.emission == Emission::Cubin && options.cuda->cubinArchs.size() != 1)
    return llvm::createStringError("--emit=cubin: expected one architecture, as in --target=cuda:sm_90");
  if (options.cuda && options.cpu && (options.compileTo || options.compileFrom))
    return llvm::createStringError("--compile-to and --compile-from are for one target");
  if (options.cuda && options.checkEachPass)
    return llvm::createStringError("--check-each-pass is for --target=cpu");
  if (options.cuda && options.phases.kv.empty())
    options.phases.kv = usualKv(options.phases.precision, true);
  if (options.cuda && options.phases.kv != "f32")
    return llvm::createStringError("--kv=" + options.phases.kv +
                                   ": --target=cuda keeps keys and values in f32 only; expected f32");
  options.phases.cuda = !options.cpu;
  options.phases.hopper = options.cuda && options.cuda->hopper();
  return llvm::Error::success();
}

llvm::Error parseFusion(const CommandLine &line, CompileOptions &options) {
  llvm::Expected<FusionOptions> fusion = FusionOptions::parse(line.fusion);
  if (!fusion)
    return llvm::createStringError("--fusion: " + toString(fusion.takeError()));
  options.phases.fusion = *fusion;
  options.phases.fusionGiven = line.fusion.getNumOccurrences() > 0;
  llvm::Expected<CheckOptions> check = CheckOptions::parse(line.check);
  if (!check)
    return llvm::createStringError("--check-each-pass: " + toString(check.takeError()));
  options.check = *check;
  std::string message;
  if (!line.remarksFilter.empty() && !llvm::Regex(line.remarksFilter).isValid(message))
    return wrongValue(line.remarksFilter, "a regular expression: " + message);
  return llvm::Error::success();
}

[[noreturn]] void listFusions() {
  for (const Fusion &fusion : allFusions())
    llvm::outs() << llvm::formatv("{0,-12} {1}{2}\n", fusion.name, fusion.summary,
                                  fusion.isDefault ? " (default)" : "");
  llvm::outs().flush();
  exit(0);
}

Phase lastPhase(const CompileOptions &options) {
  return options.compileTo.value_or(options.emission == Emission::Samba ? Phase::Optimise : Phase::Emit);
}

llvm::Error check(const CommandLine &line, const CompileOptions &options) {
  auto given = [](const auto &option) { return option.getNumOccurrences() > 0; };
  bool resumed = options.compileFrom.has_value();
  if (options.input.empty())
    return llvm::createStringError("no model directory is given (see --help)");
  if (given(line.emission) && given(line.compileTo))
    return llvm::createStringError("--emit and --compile-to exclude each other");
  if (!llvm::is_contained({"f32", "bf16", "int8", "int4"}, llvm::StringRef(options.phases.precision)))
    return llvm::createStringError("--precision=" + options.phases.precision + ": expected f32, bf16, int8 or int4");
  if (given(line.kv) && !llvm::is_contained({"f32", "bf16", "int8"}, llvm::StringRef(line.kv)))
    return wrongValue(line.kv, "f32, bf16 or int8");
  if (resumed && *options.compileFrom == Phase::Emit)
    return llvm::createStringError("--compile-from=emit: nothing comes after it");
  if (resumed && options.compileTo && *options.compileTo <= *options.compileFrom)
    return llvm::createStringError("--compile-to=" + phaseName(*options.compileTo) +
                                   " is not after --compile-from=" + phaseName(*options.compileFrom));
  if (resumed && options.emission == Emission::Samba && *options.compileFrom > Phase::Optimise)
    return llvm::createStringError("--emit=samba: the input is past phase 'optimise' already");
  if (resumed && (options.emission == Emission::Kernels || options.emission == Emission::Gpu) &&
      *options.compileFrom >= Phase::Lower)
    return llvm::createStringError("--emit=" + line.emission + ": the input is past phase 'lower' already");
  for (auto *option : {&line.precision, &line.kv})
    if (resumed && given(*option) && *options.compileFrom >= Phase::Optimise)
      return llvm::createStringError("--" + option->ArgStr + ": the input is past phase 'optimise' already");
  if (resumed && given(line.numerics))
    return llvm::createStringError("--numerics: the input is past phase 'import' already");
  if (resumed && given(line.context))
    return llvm::createStringError("--context: the input is past phase 'import' already");
  if (resumed && given(line.config))
    return llvm::createStringError("--config: the input is past phase 'import' already");
  bool fused = resumed && *options.compileFrom >= Phase::Fuse;
  for (auto *option : {&line.fusion, &line.report, &line.remarks})
    if (fused && given(*option))
      return llvm::createStringError("--" + option->ArgStr + ": the input is past phase 'fuse' already");
  if (options.remarks.empty() && given(line.remarksFilter))
    return llvm::createStringError("--remarks-filter is for --remarks");
  bool stopsBefore = options.compileTo && *options.compileTo < Phase::Fuse;
  if ((stopsBefore || (!options.compileTo && options.emission == Emission::Samba)) &&
      (!options.report.empty() || !options.remarks.empty()))
    return llvm::createStringError("--report and --remarks are about phase 'fuse', which is not reached");
  if (options.copies && (lastPhase(options) < Phase::Lower || (resumed && *options.compileFrom >= Phase::Lower)))
    return llvm::createStringError("--copies is about phase 'lower', which is not run");
  if (given(line.scheduleAfter) && options.schedule.empty())
    return llvm::createStringError("--schedule-after is for --schedule");
  if (!options.schedule.empty()) {
    if (resumed && *options.compileFrom >= options.scheduleAfter)
      return llvm::createStringError("--schedule: the input is past phase '" + phaseName(options.scheduleAfter) +
                                     "' already");
    if (lastPhase(options) < options.scheduleAfter)
      return llvm::createStringError("--schedule: phase '" + phaseName(options.scheduleAfter) + "' is not reached");
  }
  for (llvm::StringRef stage : kStages) {
    Phase phase = *llvm::find_if(phases, [&](Phase candidate) { return phaseName(candidate) == stage; });
    if (options.phases.stages.has(stage) && resumed && *options.compileFrom >= phase)
      return llvm::createStringError("--pipeline: the input is past phase '" + stage + "' already");
    if (options.phases.stages.has(stage) && lastPhase(options) < phase)
      return llvm::createStringError("--pipeline: phase '" + stage + "' is not reached");
  }
  if (given(line.fusion) && options.phases.stages.replaces("fuse"))
    return llvm::createStringError("--fusion and the stage 'fuse' of --pipeline exclude each other");
  for (auto *option : {&line.precision, &line.kv})
    if (given(*option) && options.phases.stages.replaces("optimise"))
      return llvm::createStringError("--" + option->ArgStr +
                                     " and the stage 'optimise' of --pipeline exclude each other");
  if (given(line.checkpoint) && !resumed)
    return llvm::createStringError("--checkpoint is for --compile-from; a model directory is its own checkpoint");
  if (given(line.weightsFile) && options.checkpoint.empty())
    return llvm::createStringError("--weights-file needs a model directory or --checkpoint");
  if (given(line.tokenizer) && options.checkpoint.empty())
    return llvm::createStringError("--tokenizer needs a model directory or --checkpoint");
  if (options.writesArtefact() && options.checkpoint.empty())
    return llvm::createStringError("--checkpoint=DIR is needed: the weights come from there");
  if (options.splitWeights && !options.writesArtefact())
    return llvm::createStringError("--split-weights is for --emit=lib and --emit=exe");
  bool binary = options.writesArtefact() ||
                (!options.compileTo && (options.emission == Emission::Object || options.emission == Emission::Cubin));
  if (binary && (options.output.empty() || options.output == "-"))
    return llvm::createStringError("-o FILE is needed");
  if (options.verbose && options.quiet)
    return llvm::createStringError("--verbose and --quiet exclude each other");
  if (options.json && !binary && (options.output.empty() || options.output == "-"))
    return llvm::createStringError("--json: standard output is taken; give -o FILE");
  return llvm::Error::success();
}

} // namespace

llvm::Expected<CompileOptions> samba::parseCommandLine(int argc, char **argv) {
  forgetForeignOptions();
  static CommandLine line;
  cl::SetVersionPrinter([](llvm::raw_ostream &stream) { stream << "samba-mlir " SAMBA_VERSION "\n"; });
  if (llvm::Error error = readCommandLine(argc, argv,
                                          "Compiles a SAMBA model: checkpoint in, native code and packed "
                                          "weights out.\n"))
    return std::move(error);

  if (line.fusion == "help")
    listFusions();
  if (line.numerics == "help") {
    llvm::outs() << Numerics::help();
    llvm::outs().flush();
    exit(0);
  }

  CompileOptions options;
  options.input = line.input;
  options.output = line.output;
  options.checkpoint = line.checkpoint;
  options.weightsFile = line.weightsFile;
  options.config = line.config;
  options.numerics = line.numerics;
  if (llvm::Error error = Numerics().set(options.numerics))
    return llvm::createStringError("--" + toString(std::move(error)));
  options.tokenizer = line.tokenizer;
  options.phases.precision = line.precision;
  options.phases.kv = line.kv;
  options.phases.cpu = line.cpu;
  options.checkEachPass = line.check.getNumOccurrences() > 0;
  options.report = line.report;
  options.remarks = line.remarks;
  options.remarksFilter = line.remarksFilter;
  options.plugins.passes = line.passPlugins;
  options.plugins.dialects = line.dialectPlugins;
  options.cpuGiven = line.cpu.getNumOccurrences() > 0;
  options.splitWeights = line.splitWeights;
  options.copies = line.copies;
  options.verbose = line.verbose;
  options.quiet = line.quiet;
  options.json = line.json;
  options.programPath = llvm::sys::fs::getMainExecutable(argv[0], reinterpret_cast<void *>(&parseCommandLine));
  int64_t threads = 0;
  if (llvm::Error error = parseFusion(line, options))
    return error;
  if (llvm::Error error = parseSchedule(line, options))
    return error;
  if (llvm::Error error = parsePipeline(line, options))
    return error;
  if (llvm::Error error = parse(line.emission, options.emission))
    return error;
  if (llvm::Error error = parse(line.compileTo, options.compileTo))
    return error;
  if (llvm::Error error = parse(line.compileFrom, options.compileFrom))
    return error;
  if (llvm::Error error = parse(line.threads, 1024, threads))
    return error;
  if (llvm::Error error = parse(line.context, int64_t(1) << 24, options.context))
    return error;
  options.threads = unsigned(threads);
  if (options.compileTo == Phase::Emit)
    options.compileTo.reset();
  if (!options.compileFrom && options.checkpoint.empty())
    options.checkpoint = options.input;
  if (llvm::Error error = parseTarget(line, options))
    return error;
  if (llvm::Error error = check(line, options))
    return error;
  if (options.output.empty())
    options.output = "-";
  return options;
}
