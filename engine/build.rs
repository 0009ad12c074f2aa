//! Generates and compiles the C++ half of the bridge.

fn main() {
    cxx_build::bridge("src/bridge.rs")
        .include("include")
        .std("c++20")
        .compile("belljar_engine_bridge");
    println!("cargo:rerun-if-changed=src/bridge.rs");
    println!("cargo:rerun-if-changed=include/belljar_engine/host.h");
}
