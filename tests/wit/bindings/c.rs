//! C: `wit-bindgen-c`, and the machine's C compiler.

use std::fs;
use std::path::Path;
use std::process::Command;

use wit_bindgen_core::Files;

use super::{WORLDS, compile, skip};
use crate::workspace::{Folder, package};

/// Writes the bindings of a world.
fn generate(world: &str, folder: &Path) {
    let package = package();
    let mut resolve = package.resolve().clone();
    // The object file with the types is for linkers of WebAssembly.
    let options = wit_bindgen_c::Opts { no_object_file: true, ..Default::default() };
    let mut files = Files::default();
    let world = package.world(world).unwrap();
    options.build().generate(&mut resolve, world, &mut files).unwrap_or_else(|error| panic!("{error:#}"));
    for (name, content) in files.iter() {
        fs::write(folder.join(name), content).unwrap();
    }
}

#[test]
fn c_bindings_compile_with_a_component_that_implements_the_actions() {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    if let Err(error) = Command::new(&compiler).arg("--version").output() {
        return skip("bindings of C", &format!("`{}` cannot be run: {error}", compiler.display()));
    }
    for world in WORLDS {
        let folder = Folder::new(&format!("c-{world}"));
        generate(world, folder.path());
        let consumer = format!(
            "#include \"{world}.h\"\n#define OF_WORLD(name) {world}_##name\n{}",
            include_str!("../consumers/actions.c")
        );
        fs::write(folder.path().join("consumer.c"), consumer).unwrap();
        // What is generated is for 32 bits, where a pointer fits into the integers that it is passed as.
        for (file, more) in [(format!("{world}.c"), None), ("consumer.c".to_owned(), Some("-Werror"))] {
            let mut cc = Command::new(&compiler);
            cc.args(["-std=c11", "-c", "-Wall", "-Wno-pointer-to-int-cast", "-Wno-int-to-pointer-cast"]);
            let object = format!("{file}.o");
            compile(cc.args(more).args([&file, "-o", &object]).current_dir(folder.path()));
        }
    }
}
