//! Python: the bindings that componentize-py makes, Python itself, and a type checker.

use std::fs;
use std::process::Command;

use xtask::peers;

use super::{WORLDS, compile, skip};
use crate::workspace::{Folder, package, root};

#[test]
fn python_bindings_compile_and_check_with_a_component_that_implements_the_actions() {
    let python = match peers::python(root(), peers::BINDINGS) {
        Ok(python) => python,
        Err(error) => return skip("bindings of Python", &format!("{error:#}")),
    };
    let folder = Folder::new("python");
    let (text, _) = package().write(folder.path()).unwrap();
    for world in WORLDS {
        let out = folder.path().join(world);
        let mut maker = Command::new(python.with_file_name("componentize-py"));
        compile(maker.arg("-d").arg(&text).args(["-w", world, "bindings"]).arg(&out));
        fs::write(out.join("consumer.py"), include_str!("../consumers/actions.py")).unwrap();
        let run = |args: &[&str]| compile(Command::new(&python).args(args).current_dir(&out));
        run(&["-m", "compileall", "-q", "wit_world", "componentize_py_types.py", "consumer.py"]);
        // Support code of the maker's own, which is not compiled here, needs the newer syntax.
        run(&["-m", "mypy", "--strict", "--python-version", "3.12", "--cache-dir", ".mypy", "consumer.py"]);
        run(&["-m", "consumer"]);
    }
}
