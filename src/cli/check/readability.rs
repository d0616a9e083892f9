//! How easy the emails and pages are to read: one line for the built-in ones, and one for each of the operator's files.

use super::checklist::Checklist;
use crate::base::readability::Readability;
use crate::base::templates::Rendition;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

const CHECK: &str = "reading ease";

struct Graded<'r> {
    readability: Readability,
    sample: &'r Rendition,
}

pub(super) fn check(renditions: &[Rendition], checklist: &Checklist) -> io::Result<()> {
    // By the operator's file, if there is one, and the language.
    let mut hardest: BTreeMap<(Option<&str>, &str), Graded<'_>> = BTreeMap::new();
    let mut ungraded = BTreeSet::new();
    for sample in renditions {
        let Some(readability) = Readability::of(&sample.language, &sample.prose) else {
            if !Readability::has_formula(&sample.language) {
                ungraded.insert(sample.language.as_str());
            }
            continue;
        };
        let key = (sample.own_file.as_deref(), sample.language.as_str());
        if hardest.get(&key).is_none_or(|hardest| readability.is_harder_than(hardest.readability)) {
            hardest.insert(key, Graded { readability, sample });
        }
    }
    let built_in: Vec<_> = hardest
        .iter()
        .filter(|((own_file, _), _)| own_file.is_none())
        .map(|((_, language), graded)| format!("{language}: {}, {}", graded.readability, graded.sample.name))
        .collect();
    if !built_in.is_empty() {
        checklist.ok(CHECK, &format!("the hardest of the built-in templates: {}", built_in.join("; ")))?;
    }
    for ((own_file, language), Graded { readability, sample }) in &hardest {
        let Some(file) = own_file else { continue };
        let fields = [
            ("file", (*file).into()),
            ("language", (*language).into()),
            ("scale", readability.scale().into()),
            ("score", ((readability.score() * 10.0).round() / 10.0).into()),
        ];
        let found = format!("{file}: {readability} ({})", sample.name);
        if readability.is_hard() {
            let remedy = "hard to read for many members; write shorter sentences and plainer words";
            checklist.warning_with(CHECK, &format!("{found}: {remedy}"), &fields)?;
        } else {
            checklist.ok_with(CHECK, &found, &fields)?;
        }
    }
    for language in ungraded {
        checklist.ok(CHECK, &format!("{language}: not graded: there is a measure for en and es only"))?;
    }
    Ok(())
}
