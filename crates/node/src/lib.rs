//! The oblink programs: configuration, threads, CSV, progress, commands.
