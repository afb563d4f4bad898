//! The whole engine at work, told step by step: `make demo`.
//!
//! Four example products run as processes of their own, each with a SQLite database in a folder that is removed at the
//! end. This process calls them over HTTP and MCP, and is their operator on the same databases. Every step checks
//! what it says: the demo stops at the first one that is not so, and exits with 1.

mod chapters;
mod client;
mod product;
mod story;

use product::Processes;
use std::process::ExitCode;
use std::time::Instant;
use story::Story;

/// What a step gives, or what was not as it should be, in words.
pub(crate) type Checked<T> = Result<T, String>;

fn main() -> ExitCode {
    let processes = Processes::default();
    let result = play(&processes);
    processes.kill_all();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n  NOT AS SAID: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(processes: &Processes) -> Checked<()> {
    let began = Instant::now();
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    clean_up_when_interrupted(processes.clone(), folder.path().to_owned());
    let mut story = Story::default();
    println!("Four products, one engine: each product differs from the others by its policy file alone.");
    println!("No text of a key is printed. Everything runs on 127.0.0.1 and is removed at the end.");

    chapters::runstack::play(&mut story, folder.path(), processes)?;
    chapters::mcpstack::play(&mut story, folder.path(), processes)?;
    chapters::runtype::play(&mut story, folder.path(), processes)?;
    chapters::allmcp::play(&mut story, folder.path(), processes)?;

    let seconds = began.elapsed().as_secs_f64();
    println!("\nAll {} steps were as said, in {seconds:.1} s.", story.steps());
    Ok(())
}

/// Ends the hosts and removes the databases when the demo is stopped half-way.
fn clean_up_when_interrupted(processes: Processes, folder: std::path::PathBuf) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if runtime.is_ok_and(|runtime| runtime.block_on(tokio::signal::ctrl_c()).is_ok()) {
            processes.kill_all();
            std::fs::remove_dir_all(folder).ok();
            std::process::exit(130);
        }
    });
}
