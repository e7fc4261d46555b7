use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// A prompt.
    #[prompt(public, name = "summary")]
    async fn summarise(&self, name: String) -> String { name }

    /// A prompt without arguments.
    #[prompt(public)]
    async fn hello(&self) -> String { String::new() }

    /// A note.
    #[resource(public, uri = "notes://{name}")]
    async fn note(&self, name: String) -> String { name }

    #[completion]
    async fn of_nothing(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(prompt = "summary")]
    async fn no_argument(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(prompt = "summary", resource = "notes://{name}", arg = "name")]
    async fn of_both(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(prompt = "summarise", arg = "name")]
    async fn of_the_function(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(resource = "notes://{id}", arg = "id")]
    async fn of_another(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(prompt = "summary", arg = "length")]
    async fn of_no_argument(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(prompt = "hello", arg = "length")]
    async fn of_none(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(prompt = "summary", arg = "name")]
    async fn first(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(prompt = "summary", arg = "name")]
    async fn second(&self, prefix: String) -> Vec<String> { vec![prefix] }

    #[completion(resource = "notes://{name}", arg = "name")]
    async fn blind(&self) -> Vec<String> { Vec::new() }

    #[completion(resource = "notes://{name}", arg = "name", public)]
    async fn open(&self, prefix: String) -> Vec<String> { vec![prefix] }
}

fn main() {}
