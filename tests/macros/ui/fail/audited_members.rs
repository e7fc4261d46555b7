/// A password of the caller's, which nobody can write anywhere.
#[mcp_secure::args]
struct Pass {
    text: String,
}

/// Members that cannot be in the record.
#[mcp_secure::args]
struct Login {
    #[arg(audit)]
    pass: Pass,
    #[arg(audit)]
    api_token: String,
    #[arg(audit, max_len = 8)]
    city: String,
}

#[mcp_secure::args]
struct Unnamed(#[arg(audit)] String);

#[mcp_secure::args]
enum How {
    Quick {
        #[arg(audit)]
        speed: u8,
    },
    Slow {
        speed: u8,
    },
}

#[mcp_secure::output]
struct Answer {
    #[arg(audit)]
    city: String,
}

#[mcp_secure::args]
struct Fine {
    #[arg(audit)]
    pass: Pass,
}

fn main() {}
