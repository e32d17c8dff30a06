//! The `oblink-holder` program.

fn main() -> std::process::ExitCode {
    oblink_node::cli::holder_main()
}
