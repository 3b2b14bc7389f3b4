//! What came of it, as a page.

use std::fmt::Write as _;

use super::run::{Finding, Outcome};

/// The findings of one server.
#[derive(Debug, Clone)]
pub struct Column {
    /// What it is.
    pub name: String,
    /// One for each case, in order.
    pub findings: Vec<Finding>,
}

/// A table of all servers, a row each case.
pub fn scorecard(columns: &[Column]) -> String {
    let mut page = String::new();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    writeln!(page, "| leak | what is asked | {} |", names.join(" | ")).ok();
    writeln!(page, "|---|---|{}", "---|".repeat(columns.len())).ok();
    let Some(first) = columns.first() else { return page };
    let mut rows: Vec<(usize, &Finding)> = first.findings.iter().enumerate().collect();
    rows.sort_by_key(|(_, finding)| finding.leak);
    for (row, finding) in rows {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| column.findings.get(row).map_or_else(String::new, cell))
            .collect();
        let title = finding.title.replace('|', "\\|");
        writeln!(page, "| {} | {title} | {} |", finding.leak, cells.join(" | ")).ok();
    }
    page
}

fn cell(finding: &Finding) -> String {
    match &finding.outcome {
        Outcome::Holds(statuses) => {
            let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
            format!("holds ({})", statuses.join(", "))
        }
        Outcome::Fails(_) => "**leaks**".to_owned(),
        Outcome::HeldBy(tests) => {
            let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
            format!("held by {}", tests.join(", "))
        }
        Outcome::NotOffered(reason) => reason.clone(),
    }
}
