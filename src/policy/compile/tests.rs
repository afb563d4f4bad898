#[test]
fn examples_parse() {
    for entry in std::fs::read_dir("examples/policies").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            if let Err(e) = crate::policy::Policy::from_file(&path) {
                panic!("{e}");
            }
        }
    }
}
