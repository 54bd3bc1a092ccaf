using System.CommandLine;

namespace Graft.Cli.Verbs;

internal static class DataVerb
{
    public static Command Create() => new("data", "Look after a set of photos.") { DataPreviewVerb.Create() };
}
