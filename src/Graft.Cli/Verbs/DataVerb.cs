using System.CommandLine;

namespace Graft.Cli.Verbs;

/// <summary><c>graft data</c>: what can be done with labelled photos before a network sees them.</summary>
internal static class DataVerb
{
    public static Command Create()
    {
        var command = new Command("data", "Look at labelled photos, find what is wrong with them, and divide them.")
        {
            DataCheckVerb.Create(),
            DataSplitVerb.Create(),
            DataPreviewVerb.Create(),
        };
        // Without a verb of its own there is nothing to do but to say which there are.
        command.SetAction(parsed => command.Parse("--help").Invoke(parsed.InvocationConfiguration));
        return command;
    }
}
