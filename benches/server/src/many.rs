//! The benchmark's server with 100 tools: the two that are called and 98 beside them.

use mcp_secure::prelude::*;

use crate::Root;

pub(crate) struct Many;

macro_rules! server {
    ($($extra:ident)*) => {
        #[secure_server(name = "bench")]
        impl Many {
            /// Returns its input text
            #[tool(scope = "bench:call")]
            async fn echo(
                &self,
                /// Text to return unchanged
                #[arg(max_len = 2_000_000)]
                text: String,
            ) -> String {
                text
            }

            /// Reads a text file below the served root
            #[tool(scope = "bench:call")]
            async fn read_file(
                &self,
                /// Path relative to the served root
                path: RelPath,
                root: Fs<Root, ReadOnly>,
            ) -> ToolResult<String> {
                Ok(root.read_to_string(&path).await?)
            }

            $(
                /// Extra tool used for scaling tests
                #[tool(scope = "bench:call")]
                async fn $extra(
                    &self,
                    /// Text to search for
                    query: String,
                    /// Maximum number of results
                    limit: Option<u32>,
                ) -> String {
                    format!("extra {query} {limit:?}")
                }
            )*
        }
    };
}

server! {
    tool_00002 tool_00003 tool_00004 tool_00005 tool_00006 tool_00007 tool_00008
    tool_00009 tool_00010 tool_00011 tool_00012 tool_00013 tool_00014 tool_00015
    tool_00016 tool_00017 tool_00018 tool_00019 tool_00020 tool_00021 tool_00022
    tool_00023 tool_00024 tool_00025 tool_00026 tool_00027 tool_00028 tool_00029
    tool_00030 tool_00031 tool_00032 tool_00033 tool_00034 tool_00035 tool_00036
    tool_00037 tool_00038 tool_00039 tool_00040 tool_00041 tool_00042 tool_00043
    tool_00044 tool_00045 tool_00046 tool_00047 tool_00048 tool_00049 tool_00050
    tool_00051 tool_00052 tool_00053 tool_00054 tool_00055 tool_00056 tool_00057
    tool_00058 tool_00059 tool_00060 tool_00061 tool_00062 tool_00063 tool_00064
    tool_00065 tool_00066 tool_00067 tool_00068 tool_00069 tool_00070 tool_00071
    tool_00072 tool_00073 tool_00074 tool_00075 tool_00076 tool_00077 tool_00078
    tool_00079 tool_00080 tool_00081 tool_00082 tool_00083 tool_00084 tool_00085
    tool_00086 tool_00087 tool_00088 tool_00089 tool_00090 tool_00091 tool_00092
    tool_00093 tool_00094 tool_00095 tool_00096 tool_00097 tool_00098 tool_00099
}
