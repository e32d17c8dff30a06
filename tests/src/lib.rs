//! The testkit: building and driving the real programs.
