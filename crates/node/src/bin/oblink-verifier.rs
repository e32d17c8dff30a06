//! The `oblink-verifier` program.

fn main() -> std::process::ExitCode {
    oblink_node::cli::verifier_main()
}
