//! What compiling a component would cost, found out before anything compiles it.
//!
//! A compiler takes more than linear time and memory for some of what it is given: its table of variables has a cell
//! for each block of a function and each local; a call of two bytes has as many operands as its type says; a function's
//! live values are held against each other. A tenth of a megabyte that was written for it occupies cranelift for
//! minutes. So the file is read once, in a time that grows with its length only, and one that has more of something
//! than any build of the connector is refused. What these counts miss is left to whoever limits the process that
//! compiles: they are the first wall and not the only one.
//!
//! The counts behind the limits are those of the connector of version 0.1 (1.2 MB), which was compiled in 0.8 s; each
//! limit is at least eight times as high, since builds without optimisation have more of everything.

use wasmparser::{
    BinaryReaderError, BlockType, CompositeInnerType, ElementItems, Encoding, FunctionBody, Operator, Parser,
    Payload, TypeRef,
};

/// Params and results of a function or a block together: 16. Each is an operand of each call.
const MOST_ARITY: u64 = 128;
/// Locals of a function, params included: 66.
const MOST_LOCALS: u64 = 4_000;
/// Bytes of a function: 14,690.
const MOST_FUNCTION_BYTES: u64 = 256 * 1024;
/// Blocks around an instruction: 75.
const MOST_NESTING: u64 = 1_000;
/// Targets of one `br_table`: 114.
const MOST_TARGETS: u64 = 4_000;
/// Cells of the table of variables of one function, its locals times its blocks: 14,167. A cell takes 4 bytes.
const MOST_CELLS: u64 = 4_000_000;

/// How much of something there is in a component.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    /// What is counted, in the plural.
    pub(super) what: &'static str,
    /// How much is compiled.
    pub(super) most: u64,
    /// How much there is.
    pub(super) found: u64,
}

impl Count {
    const fn of(what: &'static str, most: u64) -> Self {
        Self { what, most, found: 0 }
    }

    fn add(&mut self, more: u64) -> Result<(), String> {
        self.found = self.found.saturating_add(more);
        check(self.what, self.found, self.most)
    }
}

fn check(what: &str, found: u64, most: u64) -> Result<(), String> {
    if found <= most {
        return Ok(());
    }
    Err(format!("it has more than {most} {what}, and one that has so much is not compiled"))
}

/// What there is in a component, nested ones included.
#[derive(Debug)]
pub(super) struct Sizes {
    modules: Count,
    components: Count,
    /// Types, aliases, instances, and functions that cross the border of a module.
    definitions: Count,
    types: Count,
    imports: Count,
    exports: Count,
    functions: Count,
    tables: Count,
    memories: Count,
    globals: Count,
    segments: Count,
    elements: Count,
    /// Instructions, and what each call and branch carries.
    operands: Count,
    cells: Count,
    module: Module,
}

/// Of the module that is being read: as much as tells the operands of a call.
#[derive(Debug, Default)]
struct Module {
    /// Params and results of each type; 0 where it is no function's.
    arity: Vec<(u64, u64)>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    /// Of `functions`, those whose bodies were read or that have none.
    read: usize,
}

impl Module {
    fn width(&self, kind: u32) -> u64 {
        let index = usize::try_from(kind).unwrap_or(usize::MAX);
        self.arity.get(index).map_or(0, |(params, results)| params + results)
    }

    fn width_of_function(&self, function: u32) -> u64 {
        let index = usize::try_from(function).unwrap_or(usize::MAX);
        self.functions.get(index).map_or(0, |kind| self.width(*kind))
    }

    fn width_of_block(&self, kind: BlockType) -> u64 {
        match kind {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(kind) => self.width(kind),
        }
    }
}

impl Sizes {
    fn new() -> Self {
        Self {
            // 3: the guest, and the adapters of its imports and exports.
            modules: Count::of("core modules", 64),
            // 12: one for each interface that is exported.
            components: Count::of("nested components", 256),
            // 1,330.
            definitions: Count::of("types, aliases, instances and functions of components", 20_000),
            // 81.
            types: Count::of("types of core modules", 10_000),
            // 71 of modules, 179 of components.
            imports: Count::of("imports", 4_000),
            // 125 of modules, 149 of components.
            exports: Count::of("exports", 4_000),
            // 1,845, some of which may be of a few bytes: each costs some 50 µs beside its instructions.
            functions: Count::of("functions", 40_000),
            // 2.
            tables: Count::of("tables", 64),
            // 1.
            memories: Count::of("memories", 16),
            // 3.
            globals: Count::of("globals", 4_000),
            // 4.
            segments: Count::of("data and element segments", 4_000),
            // 335.
            elements: Count::of("elements of tables", 100_000),
            // 575,000.
            operands: Count::of("instructions and operands", 16_000_000),
            // 497,000.
            cells: Count::of("locals times blocks of its functions", 64_000_000),
            module: Module::default(),
        }
    }

    /// Reads a component's file to its end.
    ///
    /// # Errors
    ///
    /// Returns what there is too much of, or what cannot be read, as half a sentence about the component.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut sizes = Self::new();
        for payload in Parser::new(0).parse_all(bytes) {
            sizes.add(payload.map_err(unreadable)?)?;
        }
        Ok(sizes)
    }

    /// Lists the sums.
    #[cfg(test)]
    fn sums(&self) -> [Count; 14] {
        [
            self.modules,
            self.components,
            self.definitions,
            self.types,
            self.imports,
            self.exports,
            self.functions,
            self.tables,
            self.memories,
            self.globals,
            self.segments,
            self.elements,
            self.operands,
            self.cells,
        ]
    }

    fn add(&mut self, payload: Payload<'_>) -> Result<(), String> {
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } => {
                self.module = Module::default();
                self.modules.add(1)
            }
            Payload::Version { encoding: Encoding::Component, .. } => self.components.add(1),
            Payload::TypeSection(types) => {
                self.types.add(types.count().into())?;
                for group in types {
                    for kind in group.map_err(unreadable)?.types() {
                        let CompositeInnerType::Func(function) = &kind.composite_type.inner else {
                            self.module.arity.push((0, 0));
                            continue;
                        };
                        let (params, results) = (length(function.params()), length(function.results()));
                        check("params and results of a function", params + results, MOST_ARITY)?;
                        self.module.arity.push((params, results));
                        // A group may have more types than the section's count says.
                        check(self.types.what, length(&self.module.arity), self.types.most)?;
                    }
                }
                Ok(())
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.imports.add(1)?;
                    if let TypeRef::Func(kind) | TypeRef::FuncExact(kind) = import.map_err(unreadable)?.ty {
                        self.module.functions.push(kind);
                        self.module.read += 1;
                    }
                }
                Ok(())
            }
            Payload::FunctionSection(functions) => {
                self.functions.add(functions.count().into())?;
                for kind in functions {
                    self.module.functions.push(kind.map_err(unreadable)?);
                }
                Ok(())
            }
            Payload::CodeSectionEntry(body) => self.add_body(&body),
            Payload::ElementSection(segments) => {
                self.segments.add(segments.count().into())?;
                for segment in segments {
                    self.elements.add(match segment.map_err(unreadable)?.items {
                        ElementItems::Functions(items) => items.count().into(),
                        ElementItems::Expressions(_, items) => items.count().into(),
                    })?;
                }
                Ok(())
            }
            Payload::DataSection(segments) => self.segments.add(segments.count().into()),
            Payload::TableSection(tables) => self.tables.add(tables.count().into()),
            Payload::MemorySection(memories) => self.memories.add(memories.count().into()),
            Payload::GlobalSection(globals) => self.globals.add(globals.count().into()),
            Payload::ExportSection(exports) => self.exports.add(exports.count().into()),
            Payload::ComponentImportSection(imports) => self.imports.add(imports.count().into()),
            Payload::ComponentExportSection(exports) => self.exports.add(exports.count().into()),
            Payload::CoreTypeSection(types) => self.definitions.add(types.count().into()),
            Payload::ComponentTypeSection(types) => self.definitions.add(types.count().into()),
            Payload::ComponentCanonicalSection(functions) => self.definitions.add(functions.count().into()),
            Payload::ComponentAliasSection(aliases) => self.definitions.add(aliases.count().into()),
            Payload::ComponentInstanceSection(instances) => self.definitions.add(instances.count().into()),
            Payload::InstanceSection(instances) => self.definitions.add(instances.count().into()),
            _ => Ok(()),
        }
    }

    fn add_body(&mut self, body: &FunctionBody<'_>) -> Result<(), String> {
        let module = &self.module;
        let kind = module.functions.get(module.read).copied();
        let index = kind.and_then(|kind| usize::try_from(kind).ok());
        let (params, results) = index.and_then(|index| module.arity.get(index)).copied().unwrap_or_default();
        check("bytes in a function", body.range().len() as u64, MOST_FUNCTION_BYTES)?;
        let mut locals = params;
        for group in body.get_locals_reader().map_err(unreadable)? {
            let (count, _) = group.map_err(unreadable)?;
            locals = locals.saturating_add(count.into());
            check("locals in a function", locals, MOST_LOCALS)?;
        }
        let (mut depth, mut blocks, mut operands, mut widest) = (0_u64, 1_u64, 0_u64, results.max(1));
        for operator in body.get_operators_reader().map_err(unreadable)? {
            operands += 1;
            match operator.map_err(unreadable)? {
                Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                    let width = module.width_of_block(blockty);
                    (depth, blocks, operands) = (depth + 1, blocks + 2, operands + width);
                    widest = widest.max(width);
                    check("blocks around an instruction", depth, MOST_NESTING)?;
                }
                Operator::TryTable { try_table } => {
                    let width = module.width_of_block(try_table.ty);
                    (depth, blocks, operands) = (depth + 1, blocks + 2, operands + width);
                    blocks += try_table.catches.len() as u64;
                    widest = widest.max(width);
                    check("blocks around an instruction", depth, MOST_NESTING)?;
                }
                Operator::Else => blocks += 1,
                Operator::End => depth = depth.saturating_sub(1),
                Operator::Br { .. }
                | Operator::BrIf { .. }
                | Operator::BrOnNull { .. }
                | Operator::BrOnNonNull { .. }
                | Operator::Return => (blocks, operands) = (blocks + 1, operands + widest),
                Operator::BrTable { targets } => {
                    let targets = u64::from(targets.len());
                    check("targets of one `br_table`", targets, MOST_TARGETS)?;
                    (blocks, operands) = (blocks + 1, operands + (targets + 1) * widest);
                }
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    operands += module.width_of_function(function_index);
                }
                Operator::CallIndirect { type_index, .. }
                | Operator::ReturnCallIndirect { type_index, .. }
                | Operator::CallRef { type_index }
                | Operator::ReturnCallRef { type_index } => operands += module.width(type_index),
                _ => {}
            }
        }
        let cells = (locals + 1).saturating_mul(blocks);
        check("locals times blocks of a function", cells, MOST_CELLS)?;
        self.module.read += 1;
        self.cells.add(cells)?;
        self.operands.add(operands)
    }
}

fn length<T>(items: &[T]) -> u64 {
    items.len() as u64
}

fn unreadable(error: BinaryReaderError) -> String {
    format!("it cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_connector_stays_below_an_eighth_of_each_limit() {
        let sizes = Sizes::of(auth0_embedded_component::COMPONENT).unwrap();
        for Count { what, most, found } in sizes.sums() {
            assert!(found > 0 && found * 8 <= most, "{found} {what}, and {most} are compiled");
        }
    }

    fn refusal(core: &str) -> String {
        let bytes = wat::parse_str(format!("(component (core module {core}))")).unwrap();
        Sizes::of(&bytes).unwrap_err()
    }

    fn repeated(text: &str, times: usize) -> String {
        text.repeat(times)
    }

    #[test]
    fn what_makes_compiling_costly_is_refused_before_anything_is_compiled() {
        let nest = |deep: usize| format!("(func {} {})", repeated("loop ", deep), repeated("end ", deep));
        let wide = format!("(type $t (func (param {}) (result i32)))", repeated("i32 ", 127));
        let mut many = String::new();
        for _ in 0..40_001 {
            many += "(func)";
        }
        let mut bodies = wide.clone() + "(func $f (type $t) i32.const 0)";
        for _ in 0..50 {
            let calls = repeated("call $f drop unreachable ", 3_000);
            let _ = write!(bodies, "(func (type $t) unreachable {calls})");
        }
        for (core, what) in [
            (nest(1_001), "1000 blocks around"),
            (format!("(func (local {}))", repeated("i64 ", 4_001)), "4000 locals in"),
            (
                format!("(func (local {}) {})", repeated("i64 ", 4_000), repeated("block end ", 500)),
                "4000000 locals times blocks of a function",
            ),
            (format!("(func (param {}))", repeated("i32 ", 129)), "128 params and results"),
            (format!("(func i32.const 0 br_table {} 0)", repeated("0 ", 4_001)), "4000 targets"),
            (format!("(func {})", repeated("nop ", 262_145)), "262144 bytes in a function"),
            (many, "40000 functions"),
            (repeated("(global i32 (i32.const 0))", 4_001), "4000 globals"),
            (format!("(memory 1) {}", repeated("(data (i32.const 0) \"\")", 4_001)), "4000 data and element"),
            (
                format!("(table 1 funcref) (func $f) (elem func {})", repeated("$f ", 100_001)),
                "100000 elements",
            ),
            (repeated("(table 1 funcref)", 65), "64 tables"),
            (repeated("(type (func))", 10_001), "10000 types"),
            (repeated("(import \"\" \"\" (func))", 4_001), "4000 imports"),
            (bodies, "16000000 instructions and operands"),
        ] {
            let refusal = refusal(&core);
            assert!(refusal.contains(what), "{what}: {refusal}");
        }
        let modules = wat::parse_str(format!("(component {})", repeated("(core module)", 65))).unwrap();
        assert!(Sizes::of(&modules).unwrap_err().contains("64 core modules"));
        let components = wat::parse_str(format!("(component {})", repeated("(component)", 256))).unwrap();
        assert!(Sizes::of(&components).unwrap_err().contains("256 nested components"));
    }

    #[test]
    fn a_file_that_is_cut_off_or_lies_about_a_length_is_refused() {
        let whole = auth0_embedded_component::COMPONENT;
        for end in [9, 100, 10_000, whole.len() - 1] {
            assert!(Sizes::of(&whole[..end]).is_err(), "{end}");
        }
        // A section of functions that says that there are 2^32 - 1.
        let mut lie = b"\0asm\x0d\0\x01\0".to_vec();
        let module = b"\0asm\x01\0\0\0\x03\x05\xff\xff\xff\xff\x0f";
        lie.extend([1, module.len() as u8]);
        lie.extend(module);
        let refusal = Sizes::of(&lie).unwrap_err();
        assert!(refusal.contains("40000 functions"), "{refusal}");
    }
}
