using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Graft.Cli;

/// <summary>A command whose help ends with an example to copy.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;

    public static void ShowExamplesInHelp(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>()) option.Action = new HelpWithExamples((HelpAction)option.Action!);
    }

    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var result = help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is Verb { Examples.Count: > 0 } verb)
            {
                Console.Out.WriteLine(verb.Examples.Count == 1 ? "Example:" : "Examples:");
                foreach (var example in verb.Examples) Console.Out.WriteLine($"  {example}");
                Console.Out.WriteLine();
            }
            return result;
        }
    }
}
