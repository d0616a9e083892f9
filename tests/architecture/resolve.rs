//! Resolves a path to the module that defines the name, through re-exports.

use crate::source::Tree;
use std::collections::HashSet;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// The path names a module of the crate.
    Module(usize),
    /// The path names something that this module defines.
    Item(usize),
    /// The path leads out of the crate and starts with this name.
    External(String),
}

type Seen = HashSet<(usize, String)>;

impl Tree {
    /// The targets of a path written in module `from`. There are several if a module and an item share a name.
    pub(crate) fn resolve(&self, from: usize, path: &[String]) -> Vec<Target> {
        self.start(from, path, &mut Seen::new())
    }

    fn start(&self, from: usize, path: &[String], seen: &mut Seen) -> Vec<Target> {
        let (mut at, mut rest, mut is_relative) = (from, path, false);
        while let [first, after @ ..] = rest {
            at = match first.as_str() {
                "crate" => self.root(),
                "self" => at,
                "super" => self.modules[at].parent.unwrap_or(at),
                _ => break,
            };
            (rest, is_relative) = (after, true);
        }
        let Some(first) = rest.first() else { return vec![Target::Module(at)] };
        if is_relative {
            return self.walk(at, rest, seen);
        }
        if self.look_up(at, first, seen).is_empty() {
            return vec![Target::External(first.clone())];
        }
        self.walk(at, rest, &mut Seen::new())
    }

    fn root(&self) -> usize {
        self.modules.iter().position(|module| module.path.is_empty()).unwrap_or(0)
    }

    fn walk(&self, at: usize, path: &[String], seen: &mut Seen) -> Vec<Target> {
        let [first, rest @ ..] = path else { return vec![Target::Module(at)] };
        let mut targets = self.look_up(at, first, seen);
        if targets.is_empty() {
            // A macro defines it.
            targets.push(Target::Item(at));
        }
        let is_module = |target: &Target| matches!(target, Target::Module(_));
        if !rest.is_empty() && targets.iter().any(is_module) {
            targets.retain(is_module);
        }
        let go_on = |target| match target {
            Target::Module(module) => self.walk(module, rest, seen),
            other => vec![other],
        };
        targets.into_iter().flat_map(go_on).collect()
    }

    fn look_up(&self, at: usize, name: &str, seen: &mut Seen) -> Vec<Target> {
        if !seen.insert((at, name.to_owned())) {
            return Vec::new();
        }
        let module = &self.modules[at];
        let mut found: Vec<_> =
            module.children.get(name).map(|child| Target::Module(*child)).into_iter().collect();
        if module.items.contains(name) {
            found.push(Target::Item(at));
        }
        for import in &module.imports {
            if import.name.as_deref() == Some(name) {
                found.extend(self.start(at, &import.path, seen));
            }
        }
        if found.is_empty() {
            for glob in module.imports.iter().filter(|import| import.name.is_none()) {
                for target in self.start(at, &glob.path, seen) {
                    if let Target::Module(module) = target {
                        found.extend(self.look_up(module, name, seen));
                    }
                }
            }
        }
        found
    }
}
