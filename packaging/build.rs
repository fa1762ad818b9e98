//! Links the unwinder of libgcc into the program, by the linker script in `link`.
//!
//! Loading libgcc_s.so for it costs each session a tenth of its start: a library to map and relocate, whose constructor
//! executes CPUID, which traps in a virtual machine.

fn main() {
    println!("cargo::rerun-if-changed=packaging/link");
    if let Ok(root) = std::env::var("CARGO_MANIFEST_DIR") {
        println!("cargo::rustc-link-search=native={root}/packaging/link");
    }
}
