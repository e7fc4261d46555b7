//! The server of the wiring tests with an allocator that wipes what is freed.

#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

#[path = "target.rs"]
mod target;

fn main() -> mcp_secure::Result<()> {
    target::main()
}
