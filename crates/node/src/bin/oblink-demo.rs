//! The `oblink-demo` program.

fn main() -> std::process::ExitCode {
    oblink_node::cli::demo_main()
}
