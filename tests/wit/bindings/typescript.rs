//! TypeScript: the types that jco makes, and the TypeScript compiler.

use std::fs;
use std::process::Command;

use xtask::peers;

use super::{WORLDS, compile, skip};
use crate::workspace::{Folder, package, root};

#[test]
fn typescript_types_compile_with_code_that_calls_the_component() {
    let peers = match peers::node(root(), peers::BINDINGS) {
        Ok(folder) => folder,
        Err(error) => return skip("bindings of TypeScript", &format!("{error:#}")),
    };
    let folder = Folder::new("typescript");
    let (text, _) = package().write(folder.path()).unwrap();
    // Beside the modules, where Node.js looks for them.
    let maker = peers.join("types.mjs");
    fs::write(&maker, include_str!("../peers/node/types.mjs")).unwrap();
    for world in WORLDS {
        compile(Command::new("node").arg(&maker).arg(&text).arg(world).arg(folder.path().join(world)));
    }
    let consumer = folder.path().join("consumer.ts");
    fs::write(&consumer, include_str!("../consumers/workflow.ts")).unwrap();
    let compiler = peers.join("node_modules/typescript/bin/tsc");
    compile(
        Command::new("node")
            .arg(compiler)
            .args(["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"])
            .arg(consumer)
            .current_dir(folder.path()),
    );
}
