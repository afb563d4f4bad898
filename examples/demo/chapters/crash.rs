//! A host that is killed in the middle of a load, and its counts.

use super::runstack::execute;
use crate::Checked;
use crate::product::{ACCOUNT, Product};
use crate::story::Story;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tenantkit::NewKey;

/// Callers at the same time.
const CALLERS: u64 = 2;
/// Executions that were answered when the host is killed, at least.
const BEFORE: u64 = 20;
/// Executions that the plan includes.
const INCLUDED: u64 = 50;

pub(crate) fn play(story: &mut Story, host: &mut Product) -> Checked<()> {
    story.chapter(&format!(
        "Runstack is killed: SIGKILL to process {} while {CALLERS} callers load it",
        host.pid
    ));
    let (id, key) = host.issue(&NewKey::new(ACCOUNT, "Crash test").user_id("cleo"))?;
    let answered = load_and_kill(host, &key)?;
    let gone = execute(host, &key).is_err();
    story.step(gone, &format!("killed after {answered} answered executions; nobody listens any more"))?;

    host.restart()?;
    let line = host.usage(&id)?;
    let (charged, unanswered) = (line.charged, line.charged.saturating_sub(answered));
    let intact = charged >= answered && unanswered <= CALLERS;
    let told = format!(
        "process {} starts on the same database: {charged} charged, {answered} answered, {unanswered} cut off",
        host.pid
    );
    story.step(intact, &told)?;

    let mut more = 0;
    while more <= INCLUDED && execute(host, &key)?.code().is_none() {
        more += 1;
    }
    let told = format!("it lets {more} more through and not one beyond: {charged} + {more} = {INCLUDED}");
    story.step(charged + more == INCLUDED, &told)?;
    let refused = execute(host, &key)?;
    story.refusal(&refused, 200, "usage_limit_reached", "and then")
}

/// Loads the host from several threads, kills it, and gives how many executions were answered.
fn load_and_kill(host: &Product, key: &str) -> Checked<u64> {
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while execute(host, key).is_ok_and(|answer| answer.code().is_none()) {
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let began = Instant::now();
        while answered.load(Ordering::SeqCst) < BEFORE && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
        host.kill();
    });
    match answered.into_inner() {
        few @ 0..BEFORE => Err(format!("only {few} executions were answered within 10 s")),
        INCLUDED.. => Err("the load ended before the host was killed".to_owned()),
        answered => Ok(answered),
    }
}
