using System.CommandLine;

namespace Graft.Cli.Verbs;

/// <summary><c>graft data</c>: checks and splits of labeled photos.</summary>
internal static class DataVerb
{
    public static Command Create()
    {
        var command = new Command("data", "Check labeled photos, divide them into sets, preview augmentation, and compare sources.")
        {
            DataCheckVerb.Create(),
            DataSplitVerb.Create(),
            DataPreviewVerb.Create(),
            DataCompareVerb.Create(),
        };
        // The command does nothing by itself but list its subcommands.
        command.SetAction(parsed => command.Parse("--help").Invoke(parsed.InvocationConfiguration));
        return command;
    }
}
