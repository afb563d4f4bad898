//! Figures as ratios within one run: all cases of a group are timed in turn, round after round, so that a neighbour's
//! noise falls on all of them alike; the median and the least of the rounds are reported.

use std::fmt::Write as _;
use std::time::Instant;

/// Rounds per group. Odd, so that the median is one of them.
const ROUNDS: usize = 11;
/// A round of one case lasts about so long.
const ROUND_NS: u128 = 60_000_000;

/// One timed case: `run(n)` does the work n times.
pub struct Case<'a> {
    pub name: &'static str,
    pub run: Box<dyn FnMut(u64) + 'a>,
}

impl<'a> Case<'a> {
    pub fn new(name: &'static str, run: impl FnMut(u64) + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// Nanoseconds per unit of work.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub median_ns: f64,
    pub least_ns: f64,
}

/// Times all cases against each other, in the order given.
pub fn time(mut cases: Vec<Case<'_>>) -> Vec<(&'static str, Timing)> {
    let iterations: Vec<u64> = cases.iter_mut().map(calibrate).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for ((case, &n), rounds) in cases.iter_mut().zip(&iterations).zip(&mut rounds) {
            let start = Instant::now();
            (case.run)(n);
            rounds.push(start.elapsed().as_nanos() as f64 / n as f64);
        }
    }
    let timing = |mut rounds: Vec<f64>| {
        rounds.sort_by(f64::total_cmp);
        Timing { median_ns: rounds[ROUNDS / 2], least_ns: rounds[0] }
    };
    cases.iter().zip(rounds).map(|(case, rounds)| (case.name, timing(rounds))).collect()
}

fn calibrate(case: &mut Case<'_>) -> u64 {
    let mut n = 1;
    loop {
        let start = Instant::now();
        (case.run)(n);
        let ns = start.elapsed().as_nanos().max(1);
        if ns > ROUND_NS / 4 {
            return u64::try_from(u128::from(n) * ROUND_NS / ns).unwrap_or(1).max(1);
        }
        n *= 4;
    }
}

/// What a figure is to be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    None,
}

/// One line of the report.
pub struct Line {
    pub id: &'static str,
    pub case: String,
    pub ns: Option<f64>,
    pub figure: f64,
    pub unit: &'static str,
    pub goal: Goal,
}

impl Line {
    fn met(&self) -> &'static str {
        match self.goal {
            Goal::AtMost(goal) if self.figure <= goal => "met",
            Goal::AtLeast(goal) if self.figure >= goal => "met",
            Goal::None => "",
            _ => "missed",
        }
    }

    fn goal(&self) -> String {
        match self.goal {
            Goal::AtMost(goal) => format!("≤ {goal}{}", self.unit),
            Goal::AtLeast(goal) => format!("≥ {goal}{}", self.unit),
            Goal::None => String::new(),
        }
    }
}

/// Prints the table and writes it to `target/bench/report.md` and `.json`.
pub fn report(lines: &[Line]) {
    let mut text = String::from("| # | case | ns | figure | goal | |\n|---|---|---:|---:|---|---|\n");
    for line in lines {
        let ns = line.ns.map(|ns| format!("{ns:.0}")).unwrap_or_default();
        let figure = if line.figure >= 1_000.0 {
            format!("{:.0}", line.figure)
        } else {
            format!("{:.2}", line.figure)
        };
        let _ = writeln!(
            text,
            "| {} | {} | {ns} | {figure}{} | {} | {} |",
            line.id,
            line.case,
            line.unit,
            line.goal(),
            line.met()
        );
    }
    println!("{text}");
    let json: Vec<_> = lines
        .iter()
        .map(|line| {
            serde_json::json!({"id": line.id, "case": line.case, "ns": line.ns, "figure": line.figure,
                               "unit": line.unit, "goal": line.goal(), "met": line.met() != "missed"})
        })
        .collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("report.md"), text).unwrap();
    std::fs::write(folder.join("report.json"), serde_json::to_string_pretty(&json).unwrap()).unwrap();
}
