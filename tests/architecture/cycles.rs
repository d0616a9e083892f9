//! Files must not depend on one another in a circle, not even inside a room.

use crate::{resolve::Target, source::Tree};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Each edge says how the one file names the other.
type Graph = BTreeMap<usize, BTreeMap<usize, String>>;

/// The files that take part in cycles, each with one readable chain per cycle.
pub(crate) fn breaches(tree: &Tree) -> Vec<(String, String)> {
    let mut graph = graph(tree);
    let mut breaches = take_upward(tree, &mut graph);
    let mut found = BTreeMap::new();
    for (from, edges) in &graph {
        for to in edges.keys() {
            if let Some(back) = shortest_path(&graph, *to, *from) {
                let cycle: Vec<_> = [*from].into_iter().chain(back).collect();
                found.entry(rotated(&cycle[..cycle.len() - 1])).or_insert(());
            }
        }
    }
    breaches.extend(found.keys().flat_map(|cycle| describe(tree, &graph, cycle)));
    breaches
}

/// Removes the edges from files to the files above them, which declare them: each is a cycle by itself, and part of
/// many more.
fn take_upward(tree: &Tree, graph: &mut Graph) -> Vec<(String, String)> {
    let mut breaches = Vec::new();
    for (from, edges) in graph {
        let module = tree.files[*from].module();
        edges.retain(|to, how| {
            let (from, to) = (&tree.files[*from], &tree.files[*to]);
            let is_above = module.starts_with(&to.module());
            if is_above {
                breaches.push((
                    from.path.clone(),
                    format!("{} -> {} ({how}), which declares it", from.path, to.path),
                ));
            }
            !is_above
        });
    }
    breaches
}

fn describe(tree: &Tree, graph: &Graph, cycle: &[usize]) -> Vec<(String, String)> {
    let mut chain = tree.files[cycle[0]].path.clone();
    for (at, from) in cycle.iter().enumerate() {
        let to = cycle[(at + 1) % cycle.len()];
        chain += &format!(" -> {} ({})", tree.files[to].path, graph[from][&to]);
    }
    cycle.iter().map(|file| (tree.files[*file].path.clone(), chain.clone())).collect()
}

/// The smallest index comes first, so that each cycle is found once.
fn rotated(cycle: &[usize]) -> Vec<usize> {
    let first = (0..cycle.len()).min_by_key(|at| cycle[*at]).unwrap_or(0);
    cycle[first..].iter().chain(&cycle[..first]).copied().collect()
}

fn graph(tree: &Tree) -> Graph {
    let mut graph = Graph::new();
    for (at, module) in tree.modules.iter().enumerate() {
        let mut add = |to: usize, how: String| {
            if to != module.file {
                graph.entry(module.file).or_default().entry(to).or_insert(how);
            }
        };
        for name in &module.declared {
            if let Some(child) = module.children.get(name) {
                add(tree.modules[*child].file, format!("mod {name}"));
            }
        }
        for reference in &module.references {
            let how = || format!("line {}: {}", reference.line, reference.path.join("::"));
            for target in tree.resolve(at, &reference.path) {
                match target {
                    Target::Item(to) => add(tree.modules[to].file, how()),
                    Target::Module(to) if reference.is_glob => {
                        add(tree.modules[to].file, format!("{}::*", how()));
                    }
                    Target::Module(_) | Target::External(_) => {}
                }
            }
        }
    }
    graph
}

/// The files after `from`, up to and with `to`.
fn shortest_path(graph: &Graph, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut before = HashMap::new();
    let mut reached = BTreeSet::from([from]);
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        if file == to {
            let mut path = vec![to];
            while let Some(previous) = before.get(path.last()?) {
                path.push(*previous);
            }
            path.reverse();
            return Some(path);
        }
        for next in graph.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(*next) {
                before.insert(*next, file);
                queue.push_back(*next);
            }
        }
    }
    None
}
