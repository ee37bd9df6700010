//! What each file imports: its paths, resolved to the file that defines what they name, through
//! renamed uses, nested modules, globs and the re-exports of facades.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    paths::{Named, Paths},
    sources::{ModulePath, Name, Sources},
};

/// How many re-exports a name passes through at most.
const DEPTH: usize = 24;

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A module itself.
    Module(ModulePath),
    /// Something that the file of this module defines.
    Item(ModulePath),
    /// Something of another crate, or of the language.
    Outside(Vec<String>),
}

/// What is named by the files of some crates.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// From the file of a module to that of another, with the lines that do.
    pub(crate) inside: BTreeMap<(String, String), BTreeSet<usize>>,
    /// Paths of other crates, with the module and line that name them.
    pub(crate) outside: Vec<(String, String, usize)>,
    /// Calls of methods: the module, what stands before the dot, the method, and the line.
    pub(crate) calls: Vec<(String, String, String, usize)>,
    /// Every module that is a file.
    pub(crate) files: BTreeSet<String>,
}

impl Sources {
    /// What a path in a module means.
    pub(crate) fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Target {
        let Some((first, rest)) = path.split_first() else {
            return Target::Module(module.to_vec());
        };
        if depth == 0 {
            return Target::Outside(path.to_vec());
        }
        let start = match first.as_str() {
            "crate" => vec![module[0].clone()],
            "self" => module.to_vec(),
            "super" => module[..module.len() - 1].to_vec(),
            _ => match self.look_up(module, (first, !rest.is_empty()), depth) {
                Some(Target::Module(found)) => found,
                Some(Target::Outside(mut found)) => {
                    found.extend(rest.iter().cloned());
                    return Target::Outside(found);
                }
                Some(item) => return item,
                None if self.modules.contains_key(std::slice::from_ref(first)) => {
                    vec![first.clone()]
                }
                None => return Target::Outside(path.to_vec()),
            },
        };
        self.descend(start, rest, depth)
    }

    fn descend(&self, mut at: ModulePath, path: &[String], depth: usize) -> Target {
        for (i, step) in path.iter().enumerate() {
            if step == "super" {
                at.pop();
                continue;
            }
            match self.look_up(&at, (step, i + 1 < path.len()), depth) {
                Some(Target::Module(next)) => at = next,
                Some(Target::Outside(mut found)) => {
                    found.extend(path[i + 1..].iter().cloned());
                    return Target::Outside(found);
                }
                Some(item) => return item,
                // What a macro defines where it is expanded.
                None => return Target::Item(self.file(&at)),
            }
        }
        Target::Module(at)
    }

    /// What a name means in a module: a module of that name where more of the path follows, else
    /// what is defined or used under it first, such as the function of the same name that a facade
    /// shows.
    fn look_up(
        &self,
        module: &[String],
        (name, more): (&str, bool),
        depth: usize,
    ) -> Option<Target> {
        let found = self.modules.get(module)?;
        let child = || {
            let child: ModulePath = module.iter().cloned().chain([name.to_owned()]).collect();
            // A module that no file of these crates holds is one of tests.
            Some(Target::Module(child)).filter(|_| depth > 0)
        };
        let is_child = found.children.contains(name);
        if is_child && more {
            return child();
        }
        match found.names.get(name) {
            None if is_child => child(),
            Some(Name::Item) => Some(Target::Item(found.file.clone())),
            // `use name;` and `use name::name` mean the crate and not themselves.
            Some(Name::Use(path)) if path.len() == 1 && path[0] == name => {
                Some(Target::Outside(path.clone()))
            }
            Some(Name::Use(path)) if path[0] == name => Some(Target::Outside(path.clone())),
            Some(Name::Use(path)) => Some(self.resolve(module, path, depth - 1)),
            None => found.globs.iter().find_map(|glob| {
                match self.resolve(module, glob, depth.checked_sub(1)?) {
                    Target::Module(from) if from != module => {
                        self.look_up(&from, (name, more), depth - 1)
                    }
                    _ => None,
                }
            }),
        }
    }

    fn file(&self, module: &[String]) -> ModulePath {
        self.modules.get(module).map_or_else(|| module.to_vec(), |found| found.file.clone())
    }

    /// What all files import.
    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::default();
        for file in &self.files {
            let from = file.module.join("::");
            imports.files.insert(from.clone());
            let paths = Paths::of(file);
            for Named { module, path, line, reexported, method } in &paths.named {
                if let Some(method) = method {
                    let on = path.first().cloned().unwrap_or_default();
                    imports.calls.push((from.clone(), on, method.clone(), *line));
                    continue;
                }
                let own = |name: &String| !paths.words.contains(name);
                match self.resolve(module, path, DEPTH) {
                    // Handed on and not used: a facade names what it shows.
                    Target::Item(_) if reexported.as_ref().is_some_and(own) => {}
                    Target::Item(to) if to != file.module => {
                        let lines = imports.inside.entry((from.clone(), to.join("::")));
                        lines.or_default().insert(*line);
                    }
                    // A module that is imported counts where something of it is named.
                    Target::Item(_) | Target::Module(_) => {}
                    Target::Outside(path) => {
                        imports.outside.push((from.clone(), path.join("::"), *line));
                    }
                }
            }
        }
        imports
    }
}
