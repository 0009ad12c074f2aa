// The crate is linked whole into one shared object, which the library, the programs and the tests
// share; cmake/Engine.cmake says how. It brings its own C++ with it, so there is nothing here.
