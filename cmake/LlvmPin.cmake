# The LLVM/MLIR pin of the project; it stands here only (dev.sh reads it too). Included before project(), because the
# default compiler and linker are of the same version.
set(SAMBA_LLVM_VERSION 22)
set(SAMBA_LLVM_ROOT /usr/lib/llvm-${SAMBA_LLVM_VERSION} CACHE PATH "Where LLVM, MLIR, clang and lld are installed")
set(CMAKE_C_COMPILER ${SAMBA_LLVM_ROOT}/bin/clang CACHE FILEPATH "C compiler")
set(CMAKE_CXX_COMPILER ${SAMBA_LLVM_ROOT}/bin/clang++ CACHE FILEPATH "C++ compiler")
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT "--ld-path=${SAMBA_LLVM_ROOT}/bin/ld.lld")
endforeach()
