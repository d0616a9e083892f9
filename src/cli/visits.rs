//! `visits`: who opens links and presses their buttons, by mail domain.

use super::completion::Completion;
use super::context::Context;
use super::output::{Rows, outln};
use chrono::TimeDelta;
use serde::Serialize;

/// A domain with fewer enrolled members is not named.
const FEWEST_MEMBERS: u32 = 5;

#[derive(Serialize)]
struct Row<'a> {
    domain: &'a str,
    looks_machine: u64,
    looks_person: u64,
    presses_machine: u64,
    presses_person: u64,
}

/// `visits`: the domains whose machines press the most come first.
pub(super) async fn visits(context: &Context, since: TimeDelta) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let domains = store.visits(context.clock.now() - since, FEWEST_MEMBERS).await?;
    let mut rows = Rows::new(
        context.json,
        &[
            ("DOMAIN", 28),
            ("LOOKS: MACHINES", 15),
            ("PERSONS", 7),
            ("PRESSES: MACHINES", 17),
            ("PERSONS", 7),
            ("HINT", 0),
        ],
    );
    let allowed = context.config.links.max_redemptions;
    for visited in &domains {
        let row = Row {
            domain: &visited.domain,
            looks_machine: visited.looks_machine,
            looks_person: visited.looks_person,
            presses_machine: visited.presses_machine,
            presses_person: visited.presses_person,
        };
        let hint = hint(visited.presses_machine, visited.presses_person, allowed);
        let numbers = [row.looks_machine, row.looks_person, row.presses_machine, row.presses_person];
        let [looks_machine, looks_person, presses_machine, presses_person] = numbers.map(|n| n.to_string());
        rows.row(
            &row,
            &[row.domain, &looks_machine, &looks_person, &presses_machine, &presses_person, &hint],
        )?;
    }
    if domains.is_empty() && !context.json {
        outln!("no visits");
    }
    Ok(Completion::Complete)
}

/// Fewer presses than this may be people with quick hands, as may a few among many.
const FEWEST_PRESSES: u64 = 3;

/// What machines' presses mean for the members behind them.
fn hint(by_machines: u64, by_persons: u64, allowed: u32) -> String {
    match allowed {
        _ if by_machines < FEWEST_PRESSES || by_machines * 20 <= by_persons => String::new(),
        1 => "scanners spend links here: set links.max_redemptions to 3".to_owned(),
        _ => format!("scanners press here; links.max_redemptions is {allowed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_the_limit_is_advised_where_machines_press_and_a_link_allows_one_press() {
        for (by_machines, by_persons) in [(0, 0), (2, 0), (0, 100), (5, 100)] {
            assert_eq!(
                hint(by_machines, by_persons, 1),
                "",
                "{by_machines} of machines, {by_persons} of persons"
            );
        }
        for (by_machines, by_persons) in [(3, 0), (6, 100), (100, 1)] {
            assert!(hint(by_machines, by_persons, 1).contains("set links.max_redemptions"));
            let raised = hint(by_machines, by_persons, 3);
            assert!(raised.contains("is 3") && !raised.contains("set"));
        }
    }
}
