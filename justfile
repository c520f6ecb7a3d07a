# The commands that people use. https://just.systems; each is one line, so it can be typed as well.

# List the commands.
default:
    @just --list

# Run the server on http://localhost:4566 with its state in ./data.
run *arguments:
    cargo run --release -- {{arguments}}

# Everything that must pass before a change lands.
test:
    tests/run

# The tests in Rust whose path contains a word: just try scenarios, just try fifo
try word:
    cargo test --workspace {{word}}

# Format and lint.
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings

# Look for violations of the rules with random clients, for longer than the tests do.
simulate runs="100" seed="1000":
    SQUAB_SIMULATION_SEED={{seed}} SQUAB_SIMULATION_RUNS={{runs}} cargo test --release --test it simulation:: -- --nocapture

# Kill the server, and cut its power, for longer than the tests do.
crash rounds="200":
    SQUAB_CRASH_ROUNDS={{rounds}} cargo test --test it crash:: -- --nocapture
    SQUAB_POWER_CUTS={{rounds}} cargo test --test it power:: -- --nocapture

# Find out which seeded faults the simulation notices.
faults *names:
    tests/faults/run {{names}}

# Find changes to the rules that no test notices (needs cargo-mutants and cargo-nextest; hours).
mutants *arguments:
    cargo mutants {{arguments}}

# Throughput and latency of an optimized server.
load *arguments:
    cargo run --release --example load -- {{arguments}}

# Attack an optimized server.
overload-bench *arguments:
    cargo run --release --example overload_bench -- {{arguments}}

# Rewrite what is generated in docs/ from the sources.
docs:
    docs/check --write
