//! The project that CMake is given.

use std::path::Path;

use super::{CMakeCall, PROGRAM};
use crate::probe::surroundings::Surroundings;
use crate::toolchain::Language;

pub(super) const NAMES: [(Language, &str); 2] = [(Language::C, "C"), (Language::Cxx, "CXX")];

/// A project that is a program with the package.
pub(super) fn project(call: &CMakeCall, around: &Surroundings) -> String {
    let languages: Vec<&str> = NAMES
        .iter()
        .filter(|(language, _)| around.compilers.contains_key(language))
        .map(|(_, name)| *name)
        .collect();
    let list = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let components = match call.components.is_empty() {
        true => String::new(),
        false => format!("COMPONENTS {}", list(&call.components)),
    };
    let dir = call.config.parent().unwrap_or(Path::new("/"));
    let text = match call.name.is_empty() {
        true => format!("{BEGIN}add_executable(@PROGRAM@ p.c)\n"),
        false => format!("{BEGIN}{TEXT}"),
    };
    text.replace("@LANGUAGES@", &languages.join(" "))
        .replace("@COMPONENTS@", &components)
        .replace("@TARGETS@", &list(&call.targets))
        .replace("@UPPER@", &call.name.to_ascii_uppercase())
        .replace("@LOWER@", &call.name.to_ascii_lowercase())
        .replace("@NAME@", &call.name)
        .replace("@PREFIXES@", &list(&call.prefixes))
        .replace("@DIR@", &quoted(&dir.to_string_lossy()))
        .replace("@PROGRAM@", PROGRAM)
}

const BEGIN: &str = r#"cmake_minimum_required(VERSION 3.13...3.31)
project(@PROGRAM@ LANGUAGES @LANGUAGES@)
set(CMAKE_C_FLAGS "")
set(CMAKE_BUILD_TYPE Release)
set(CMAKE_C_FLAGS_RELEASE "")
set(CMAKE_SHARED_LIBRARY_LINK_C_FLAGS "")
"#;

const TEXT: &str = r#"set(CMAKE_FIND_USE_PACKAGE_REGISTRY OFF)
set(CMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY OFF)
set(@NAME@_DIR @DIR@)
set(CMAKE_PREFIX_PATH @PREFIXES@)
macro(refuse why)
  file(WRITE "${CMAKE_BINARY_DIR}/refused" "${why}")
  return()
endmacro()
file(WRITE "${CMAKE_BINARY_DIR}/root" "${CMAKE_ROOT}")
if(NOT CMAKE_VERSION VERSION_LESS 3.17)
  file(WRITE "${CMAKE_BINARY_DIR}/searches_are_told" "")
endif()
set(CMAKE_FIND_DEBUG_MODE ON)
find_package(@NAME@ CONFIG QUIET @COMPONENTS@)
set(CMAKE_FIND_DEBUG_MODE OFF)
get_property(found GLOBAL PROPERTY PACKAGES_FOUND)
get_property(missed GLOBAL PROPERTY PACKAGES_NOT_FOUND)
file(WRITE "${CMAKE_BINARY_DIR}/packages" "${found};${missed}")
if(NOT @NAME@_FOUND)
  if(@NAME@_NOT_FOUND_MESSAGE)
    refuse("its own file says: ${@NAME@_NOT_FOUND_MESSAGE}")
  endif()
  refuse("its own file says that it is not usable here")
endif()
file(WRITE "${CMAKE_BINARY_DIR}/version" "${@NAME@_VERSION}")
set(named @TARGETS@)
get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
foreach(target ${named})
  if(NOT TARGET ${target})
    refuse("it has no target ${target}; it has: ${imported}")
  endif()
endforeach()
if(NOT named)
  foreach(target @NAME@::@NAME@ @NAME@::@LOWER@ @LOWER@::@LOWER@)
    if(NOT named AND TARGET ${target})
      set(named ${target})
    endif()
  endforeach()
endif()
if(NOT named)
  foreach(target ${imported})
    get_target_property(type ${target} TYPE)
    if(type MATCHES "LIBRARY$" AND NOT type MATCHES "MODULE")
      list(APPEND named ${target})
    endif()
  endforeach()
endif()
add_executable(@PROGRAM@ p.c)
set_target_properties(@PROGRAM@ PROPERTIES LINKER_LANGUAGE C NO_SYSTEM_FROM_IMPORTED ON)
if(named)
  target_link_libraries(@PROGRAM@ PRIVATE ${named})
else()
  foreach(prefix @UPPER@ @NAME@)
    foreach(name LIBRARIES LIBRARY INCLUDE_DIRS INCLUDE_DIR DEFINITIONS)
      if(${prefix}_${name})
        set(of_${name} ${${prefix}_${name}})
      endif()
    endforeach()
  endforeach()
  if(NOT of_LIBRARIES)
    set(of_LIBRARIES ${of_LIBRARY})
  endif()
  if(NOT of_LIBRARIES AND NOT of_INCLUDE_DIRS AND NOT of_INCLUDE_DIR)
    refuse("it names neither targets nor @NAME@_LIBRARIES: name its targets")
  endif()
  target_link_libraries(@PROGRAM@ PRIVATE ${of_LIBRARIES})
  target_include_directories(@PROGRAM@ PRIVATE ${of_INCLUDE_DIRS} ${of_INCLUDE_DIR})
  target_compile_options(@PROGRAM@ PRIVATE ${of_DEFINITIONS})
endif()
"#;

/// A word that CMake takes as it is.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        if matches!(c, '"' | '\\' | '$') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_with_signs_of_cmake_is_taken_as_it_is() {
        assert_eq!(quoted("a\"$b\\"), r#""a\"\$b\\""#);
    }
}
