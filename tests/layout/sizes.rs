//! Sizes: files and functions of which a reader sees the whole, and module files that are maps.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Item, Signature};

use super::rules::root;
use super::source::{SourceFile, product_tree, read, synthetic_tree};

/// Lines of a source file, with its tests and comments.
const FILE_LINES: usize = 500;
/// Lines of a function, from its `fn` to its last brace.
const FUNCTION_LINES: usize = 60;
/// Lines of a story with real peers, which is read from its top to its end.
const STORY_LINES: usize = 110;
/// Lines of a module file.
const MAP_LINES: usize = 60;
/// Parameters of a function, `self` not counted.
const PARAMETERS: usize = 6;
/// Characters of a test's name.
const TEST_NAME: usize = 60;

/// Functions that are tables: one row for each case, which would be harder to read in parts. File, function, why.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "src/relay/exchange/tests/storm.rs",
        "a_storm_of_a_hundred_thousand_messages_keeps_every_rule",
        "an arm for each kind of input, beside the model that it is held against",
    ),
    ("src/status/text.rs", "busy", "one status with each of its fields"),
    ("src/store/ledger/alterations.rs", "alter", "an arm for each kind of alteration of a ledger"),
];

/// A function of a file.
struct Function {
    name: String,
    line: usize,
    lines: usize,
    parameters: usize,
    is_test: bool,
}

#[derive(Default)]
struct FunctionReader {
    found: Vec<Function>,
}

impl FunctionReader {
    fn add(&mut self, signature: &Signature, attributes: &[syn::Attribute], block: Option<&Block>) {
        let first = signature.fn_token.span.start().line;
        let last = block.map_or(first, |block| block.brace_token.span.close().end().line);
        let is_test =
            attributes.iter().any(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "test"));
        self.found.push(Function {
            name: signature.ident.to_string(),
            line: first,
            lines: last - first + 1,
            parameters: signature.inputs.iter().filter(|input| matches!(input, syn::FnArg::Typed(_))).count(),
            is_test,
        });
    }
}

impl<'ast> Visit<'ast> for FunctionReader {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.attrs, Some(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.attrs, Some(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add(&item.sig, &item.attrs, item.default.as_ref());
        visit::visit_trait_item_fn(self, item);
    }
}

fn functions(items: &[Item]) -> Vec<Function> {
    let mut reader = FunctionReader::default();
    items.iter().for_each(|item| reader.visit_item(item));
    reader.found
}

/// All files with code: of the crate, and of its tests.
fn everything() -> Vec<SourceFile> {
    let mut texts = Vec::new();
    for folder in ["src", "tests"] {
        read(&root().join(folder), &mut texts);
    }
    synthetic_tree(&texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>())
}

fn long_files(files: &[SourceFile]) -> Vec<String> {
    let long = files.iter().filter(|file| file.lines > FILE_LINES);
    long.map(|file| format!("{}: {} lines of at most {FILE_LINES}; split it by subject", file.path, file.lines)).collect()
}

#[test]
fn files_are_short() {
    let wrong = long_files(&everything());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not a declaration, an import or documentation in a module file; and one that is too long.
fn module_files_with_logic(files: &[SourceFile]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.is_module_file()) {
        if file.lines > MAP_LINES {
            wrong.push(format!("{}: {} lines of at most {MAP_LINES}", file.path, file.lines));
        }
        let logic = file.syntax.items.iter().find(|item| match item {
            Item::Use(_) => false,
            Item::Mod(module) => module.content.is_some(),
            _ => true,
        });
        wrong.extend(logic.map(|item| {
            let line = item.span().start().line;
            format!("{}:{line}: a module file declares and re-exports; move this into a file with a name", file.path)
        }));
    }
    wrong
}

#[test]
fn module_files_are_maps() {
    let wrong = module_files_with_logic(&product_tree());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Product code has one style of module file; tests may stand beside what they test, in a folder with its name.
fn module_files_of_the_other_style(files: &[SourceFile]) -> Vec<String> {
    let parents = files.iter().filter(|file| !file.is_module_file() && !file.module.is_empty());
    let has_product = |parent: &SourceFile| {
        let is_below = |file: &&SourceFile| file.module.len() > parent.module.len() && file.module.starts_with(&parent.module);
        files.iter().filter(is_below).any(|file| !file.is_test)
    };
    let wrong = parents.filter(|parent| has_product(parent));
    wrong.map(|file| format!("{}: has files below it; a folder begins with mod.rs", file.path)).collect()
}

#[test]
fn folders_begin_with_mod_rs() {
    let wrong = module_files_of_the_other_style(&product_tree());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Functions that are longer than a screen, or take more than can be told apart at a call; and tables that are listed in vain.
fn long_functions(files: &[SourceFile], tables: &[(&str, &str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used = Vec::new();
    for file in files {
        for function in functions(&file.syntax.items) {
            let Function { name, line, lines, parameters, is_test } = function;
            let table = tables.iter().find(|(path, of, _)| *path == file.path && *of == name);
            let most = if is_test && file.path.starts_with("tests/interop/") { STORY_LINES } else { FUNCTION_LINES };
            if lines > most && table.is_some() {
                used.extend(table);
            } else if lines > most {
                wrong.push(format!("{}:{line}: `{name}` has {lines} lines of at most {most}; give its steps names", file.path));
            }
            if parameters > PARAMETERS {
                wrong.push(format!(
                    "{}:{line}: `{name}` takes {parameters} of at most {PARAMETERS}; make a struct of them",
                    file.path
                ));
            }
        }
    }
    let vain = tables.iter().filter(|table| !used.contains(table));
    wrong.extend(vain.map(|(path, name, _)| format!("TABLES lists `{name}` of {path}, which is not too long: take it out")));
    wrong
}

#[test]
fn functions_are_short() {
    let wrong = long_functions(&everything(), TABLES);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn long_test_names(files: &[SourceFile]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        let long =
            functions(&file.syntax.items).into_iter().filter(|function| function.is_test && function.name.len() > TEST_NAME);
        wrong.extend(long.map(|function| {
            let (name, line, length) = (&function.name, function.line, function.name.len());
            format!(
                "{}:{line}: `{name}` has {length} characters of at most {TEST_NAME}; the sentence belongs into its doc line",
                file.path
            )
        }));
    }
    wrong
}

#[test]
fn names_of_tests_are_short() {
    let wrong = long_test_names(&everything());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_too_large_is_found() {
    let body = "    x();\n".repeat(FUNCTION_LINES);
    let long =
        format!("fn long() {{\n{body}}}\nfn table() {{\n{body}}}\nfn wide(a: A, b: A, c: A, d: A, e: A, f: A, g: A) {{}}\n");
    let test = format!("#[tokio::test]\nasync fn {}() {{}}\n", "n".repeat(TEST_NAME + 1));
    let files = synthetic_tree(&[
        ("src/lib.rs", "mod a;\nmod b;\n"),
        ("src/a/mod.rs", "pub use one::One;\nmod one;\nconst N: u8 = 1;\n"),
        ("src/a/one.rs", &long),
        ("src/b.rs", &"\n".repeat(FILE_LINES + 1)),
        ("src/b/c.rs", &test),
    ]);
    assert_eq!(long_files(&files), ["src/b.rs: 501 lines of at most 500; split it by subject"]);
    assert_eq!(module_files_of_the_other_style(&files), ["src/b.rs: has files below it; a folder begins with mod.rs"]);
    assert_eq!(module_files_with_logic(&files).len(), 1);
    let wrong = long_functions(&files, &[("src/a/one.rs", "table", "one row for each case"), ("src/a/one.rs", "gone", "")]);
    let beginnings = ["src/a/one.rs:1: `long`", "src/a/one.rs:125: `wide`", "TABLES lists `gone`"];
    assert_eq!(wrong.len(), beginnings.len(), "{wrong:?}");
    assert!(wrong.iter().zip(beginnings).all(|(wrong, beginning)| wrong.starts_with(beginning)), "{wrong:?}");
    assert_eq!(long_test_names(&files).len(), 1);
}
