# The lit suite: every .mlir and .test file below this folder. Run it with `ninja check-samba`, or a part of it with
# `lit -v BUILD/test --filter=PATTERN`.
import os
import platform
import shutil
import shutil
import sys

import lit.formats

config.name = "samba"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["goldens", "Inputs"]
# Tests write only below the build folder: the source tree may be read-only.
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.samba_build_root, "test")

# Our tools, then FileCheck, not and count of the LLVM that the project is built with.
config.environment["PATH"] = os.pathsep.join(
    [config.samba_tools_dir, config.llvm_tools_dir, config.environment["PATH"]]
)

config.substitutions.append(("%goldens", os.path.join(config.samba_source_root, "test", "goldens")))
config.substitutions.append(("%models", os.path.join(config.samba_source_root, "models")))
config.substitutions.append(("%source", config.samba_source_root))
config.substitutions.append(("%build", config.samba_build_root))
config.substitutions.append(("%plugins", config.samba_plugins_dir))
config.substitutions.append(("%llvm", config.llvm_tools_dir))
config.substitutions.append(("%python", sys.executable))
config.substitutions.append(("%helpers", os.path.join(config.samba_source_root, "test", "tools")))
config.substitutions.append(
    ("%expect_error", sys.executable + " " + os.path.join(config.samba_source_root, "test", "tools", "expect_error.py"))
)
binding = f"env SAMBA_LIBRARY={config.samba_plugins_dir}/libsamba.so PYTHONPATH={config.samba_source_root}/bindings/python"
config.substitutions.append(
    ("%check_device", f"{binding} {sys.executable} {config.samba_source_root}/test/tools/check_device.py")
)
config.substitutions.append(
    ("%check_counters", f"{binding} {sys.executable} {config.samba_source_root}/test/lowering/gpu/Inputs/check_counters.py")
)
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
# REQUIRES: ptxas, for tests of machine code; nothing else needs CUDA.
ptxas = shutil.which("ptxas") or shutil.which("/usr/local/cuda/bin/ptxas")
if ptxas:
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", ptxas))

# REQUIRES: x86_64 or aarch64, for tests that run native code.
config.available_features.add(platform.machine())
# 64-bit Arm code on another machine: the C++ library to build against, and the emulator to run it.
cross_root = "/usr/aarch64-linux-gnu"
if shutil.which("qemu-aarch64") and os.path.isdir(os.path.join(cross_root, "include", "c++")):
    config.available_features.add("aarch64-cross")
    clang = os.path.join(config.llvm_tools_dir, "clang++")
    linker = "--ld-path=" + os.path.join(config.llvm_tools_dir, "ld.lld")
    source = config.samba_source_root
    flags = f"--target=aarch64-linux-gnu -std=c++17 -O1 -idirafter /usr/include -I{source} -I{source}/runtime/include"
    config.substitutions.append(("%cross_cxx", f"{clang} {linker} {flags}"))
    config.substitutions.append(("%cross_run", f"qemu-aarch64 -L {cross_root} -cpu max"))
# Tests that take minutes: `lit --param slow=1`, or the target check-samba-slow.
if lit_config.params.get("slow"):
    config.available_features.add("slow")
