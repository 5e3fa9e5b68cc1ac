//! For `dijitso` only: the build script of this package says in one line what its feature `mpi` lacks.
