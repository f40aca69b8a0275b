# Installation: libraries, headers, a CMake package and pkg-config files.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/runnel)

install(TARGETS runnel runnel_net runnel_asio EXPORT runnelTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/runnel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp")
install(FILES ${PROJECT_SOURCE_DIR}/tools/runnel-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/runnel)
install(EXPORT runnelTargets NAMESPACE runnel:: DESTINATION ${package_dir})

configure_package_config_file(cmake/runnelConfig.cmake.in ${PROJECT_BINARY_DIR}/runnelConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/runnelConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/runnelConfig.cmake ${PROJECT_BINARY_DIR}/runnelConfigVersion.cmake
        DESTINATION ${package_dir})

# The prefix follows the file, so that an installation can be moved.
file(RELATIVE_PATH RUNNEL_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
if(RUNNEL_SANITIZE STREQUAL "thread")
  set(RUNNEL_PC_SANITIZE " -fsanitize=thread")
elseif(RUNNEL_SANITIZE STREQUAL "address")
  set(RUNNEL_PC_SANITIZE " -fsanitize=address,undefined")
endif()
foreach(name runnel runnel-net)
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/runnel.pc ${PROJECT_BINARY_DIR}/runnel-net.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
