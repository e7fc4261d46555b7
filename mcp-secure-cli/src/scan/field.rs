//! Fields by the names that data sets and people give them.

use mcp_secure_text::Field;

/// The field of a row: what a tool returned, or by its name. A name nobody knows is read as a
/// description.
pub(super) fn of_row(subset: &str, field: &str) -> Field {
    if subset == "output" {
        return Field::ToolOutput;
    }
    named(field).unwrap_or(Field::Description)
}

/// The field of this name.
pub(super) fn named(name: &str) -> Option<Field> {
    Some(match name {
        "tool_name" | "prompt_name" | "name" => Field::Name,
        "title" | "tool_title" | "prompt_title" | "resource_title" | "param_title"
        | "server_name" | "server_title" | "resource_name" => Field::Title,
        "description"
        | "tool_description"
        | "prompt_description"
        | "resource_description"
        | "server_description" => Field::Description,
        "param_description" => Field::ParameterDoc,
        "param_name" => Field::ParameterName,
        "enum_value" | "param_default" | "param_const" => Field::EnumValue,
        "example" | "schema_examples" => Field::Example,
        "annotation" => Field::Annotation,
        "schema" | "schema_extension" | "schema_comment" | "schema_pattern" => Field::SchemaText,
        "instructions" | "server_instructions" => Field::Instructions,
        "prompt_text" => Field::PromptText,
        "tool_output" => Field::ToolOutput,
        _ => return None,
    })
}

/// Some of the names, for a message.
pub(super) const NAMES: &str = "tool_name, param_name, title, description, param_description, \
     enum_value, param_default, schema_examples, annotation, schema_comment, server_instructions, \
     prompt_text, tool_output";
