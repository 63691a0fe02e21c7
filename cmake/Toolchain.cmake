# LLVM and MLIR, and what every compiler-side target shares.
find_package(MLIR ${SAMBA_LLVM_VERSION}.1 REQUIRED CONFIG PATHS ${SAMBA_LLVM_ROOT}/lib/cmake/mlir NO_DEFAULT_PATH)
find_program(SAMBA_LLD ld.lld PATHS ${SAMBA_LLVM_ROOT}/bin NO_DEFAULT_PATH REQUIRED)

list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
set(LLVM_RUNTIME_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/bin)
set(LLVM_LIBRARY_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/lib)
set(MLIR_BINARY_DIR ${CMAKE_BINARY_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

separate_arguments(samba_llvm_definitions NATIVE_COMMAND ${LLVM_DEFINITIONS})

# Flags and headers of LLVM, for the compiler side only: the runtime never sees them. The shared libraries are the only
# ones named: a static component beside them would register every option twice.
add_library(samba_llvm INTERFACE)
target_include_directories(samba_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(samba_llvm INTERFACE ${samba_llvm_definitions})
target_compile_options(samba_llvm INTERFACE -fno-exceptions)
target_link_libraries(samba_llvm INTERFACE MLIR LLVM)

# samba_compiler_library(NAME sources...): a library of the compiler, with the shared precompiled header.
function(samba_compiler_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC samba_llvm)
  target_precompile_headers(${name} REUSE_FROM samba_pch)
  add_dependencies(${name} SambaIncGen)
endfunction()

# samba_compiler_tool(NAME LIBS libs... SOURCES sources...): a program of the compiler.
function(samba_compiler_tool name)
  cmake_parse_arguments(arg "" "" "LIBS;SOURCES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} samba_llvm)
  # The precompiled header is -fPIC, and clang refuses it under an executable's -fPIE.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM samba_pch)
  add_dependencies(${name} SambaIncGen)
endfunction()
