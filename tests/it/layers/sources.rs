//! The product's sources, read with a parser: every file that a `mod` declaration reaches, without
//! what is compiled for tests only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, ItemMod, UseTree};

/// A module by its path, the name of its crate first.
pub(crate) type ModulePath = Vec<String>;

/// What a name of a module stands for.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    /// Something that it defines.
    Item,
    /// Something that it imports, by the path in its `use`.
    Use(Vec<String>),
}

/// A module: a file, or a block inside one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The module of the file that it stands in.
    pub(crate) file: ModulePath,
    pub(crate) names: BTreeMap<String, Name>,
    /// The modules inside it.
    pub(crate) children: BTreeSet<String>,
    /// Paths of `use a::*`.
    pub(crate) globs: Vec<Vec<String>>,
}

/// A parsed file.
pub(crate) struct File {
    pub(crate) module: ModulePath,
    pub(crate) items: Vec<Item>,
}

/// All modules of some crates.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) modules: BTreeMap<ModulePath, Module>,
    pub(crate) files: Vec<File>,
}

/// One leaf of a `use`.
pub(crate) struct Leaf {
    pub(crate) path: Vec<String>,
    /// The name that it gets; none for a glob.
    pub(crate) name: Option<String>,
}

impl Sources {
    /// The product: its library, its program, and the package of voice providers.
    pub(crate) fn of_the_product() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Self::default();
        sources.walk("deskplane", &root.join("src/lib.rs"));
        sources.walk("main", &root.join("src/main.rs"));
        sources.walk("deskplane_providers", &root.join("providers/src/lib.rs"));
        sources
    }

    /// A crate made of texts, each with the path of its module; parents stand before children.
    pub(crate) fn planted(texts: &[(&str, &str)]) -> Self {
        let mut sources = Self::default();
        for (module, text) in texts {
            let module: ModulePath = module.split("::").map(str::to_owned).collect();
            let items = syn::parse_file(text).unwrap().items;
            sources.add(&module, &module, &items, &mut Vec::new());
            sources.files.push(File { module, items });
        }
        sources
    }

    fn walk(&mut self, name: &str, root: &Path) {
        let mut open = vec![(vec![name.to_owned()], root.to_owned())];
        while let Some((module, path)) = open.pop() {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let items = syn::parse_file(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
                .items;
            let mut children = Vec::new();
            self.add(&module, &module, &items, &mut children);
            let folder = match module.len() {
                1 => path.parent().unwrap().to_owned(),
                _ => path.with_extension(""),
            };
            open.extend(children.into_iter().map(|child: ModulePath| {
                let inside = child[module.len()..].iter().collect::<PathBuf>();
                (child, folder.join(inside).with_extension("rs"))
            }));
            self.files.push(File { module, items });
        }
    }

    /// Notes the names of a module, and the files that it declares.
    fn add(
        &mut self,
        module: &ModulePath,
        file: &ModulePath,
        items: &[Item],
        children: &mut Vec<ModulePath>,
    ) {
        let mut found = Module { file: file.clone(), ..Module::default() };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            let mut define = |name: &syn::Ident| {
                found.names.insert(name.to_string(), Name::Item);
            };
            match item {
                Item::Const(item) => define(&item.ident),
                Item::Enum(item) => define(&item.ident),
                Item::Fn(item) => define(&item.sig.ident),
                Item::Static(item) => define(&item.ident),
                Item::Struct(item) => define(&item.ident),
                Item::Trait(item) => define(&item.ident),
                Item::TraitAlias(item) => define(&item.ident),
                Item::Type(item) => define(&item.ident),
                Item::Union(item) => define(&item.ident),
                Item::Macro(item) => item.ident.iter().for_each(define),
                Item::Use(item) => {
                    for Leaf { path, name } in leaves(&item.tree) {
                        match name {
                            Some(name) => drop(found.names.insert(name, Name::Use(path))),
                            None => found.globs.push(path),
                        }
                    }
                }
                Item::Mod(ItemMod { ident, content, .. }) => {
                    found.children.insert(ident.to_string());
                    let child: ModulePath =
                        module.iter().cloned().chain([ident.to_string()]).collect();
                    match content {
                        Some((_, items)) => self.add(&child, file, items, children),
                        None => children.push(child),
                    }
                }
                _ => {}
            }
        }
        self.modules.insert(module.clone(), found);
    }
}

/// The leaves of a tree of `use`.
pub(crate) fn leaves(tree: &UseTree) -> Vec<Leaf> {
    fn walk(tree: &UseTree, mut path: Vec<String>, found: &mut Vec<Leaf>) {
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                walk(&step.tree, path, found);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| walk(tree, path.clone(), found));
            }
            UseTree::Glob(_) => found.push(Leaf { path, name: None }),
            UseTree::Name(leaf) if leaf.ident == "self" => {
                found.push(Leaf { name: path.last().cloned(), path });
            }
            UseTree::Name(leaf) => {
                path.push(leaf.ident.to_string());
                found.push(Leaf { name: path.last().cloned(), path });
            }
            UseTree::Rename(leaf) => {
                if leaf.ident != "self" {
                    path.push(leaf.ident.to_string());
                }
                found.push(Leaf { path, name: Some(leaf.rename.to_string()) });
            }
        }
    }
    let mut found = Vec::new();
    walk(tree, Vec::new(), &mut found);
    found
}

/// Whether something is compiled for tests only.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let text = list.tokens.to_string().replace(' ', "");
        text == "test" || text.starts_with("all(test,")
    })
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
