using System.CommandLine;

namespace Graft.Cli.Verbs;

internal static class DemoVerb
{
    public static Command Create() => new("demo", "demo");
}
