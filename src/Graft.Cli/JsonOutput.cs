using System.Text.Encodings.Web;
using System.Text.Json;

namespace Graft.Cli;

internal static class JsonOutput
{
    /// <summary>How every <c>--json</c> document is written.</summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };
}
