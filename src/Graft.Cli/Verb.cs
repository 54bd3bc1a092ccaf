using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Graft.Cli;

/// <summary>A command whose help ends with an example to copy.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>The heading that an option stands under in help, those of one heading together; null for one list of all options.</summary>
    public Func<Option, string>? HeadingOf { get; init; }

    public static void ShowExamplesInHelp(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>()) option.Action = new HelpWithExamples((HelpAction)option.Action!);
    }

    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        private const int WidestOption = 36, Width = 120;

        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var verb = parseResult.CommandResult.Command as Verb;
            var result = 0;
            if (verb?.HeadingOf is { } headingOf) WriteGrouped(verb, headingOf);
            else result = help.Invoke(parseResult);
            if (verb is { Examples.Count: > 0 })
            {
                Console.Out.WriteLine(verb.Examples.Count == 1 ? "Example:" : "Examples:");
                foreach (var example in verb.Examples) Console.Out.WriteLine($"  {example}");
                Console.Out.WriteLine();
            }
            return result;
        }

        private static void WriteGrouped(Verb verb, Func<Option, string> headingOf)
        {
            Console.Out.WriteLine($"Description:\n  {verb.Description}\n");
            Console.Out.WriteLine($"Usage:\n  graft {verb.Name} {string.Join(' ', verb.Arguments.Select(argument => $"[<{argument.Name}>]"))} [options]\n");
            Console.Out.WriteLine("Arguments:");
            foreach (var argument in verb.Arguments) Write($"<{argument.Name}>", argument.Description ?? "");
            var groups = verb.Options.Concat(verb.Parents.OfType<Command>().SelectMany(parent => parent.Options.Where(option => option.Recursive)))
                .Where(option => !option.Hidden).GroupBy(headingOf, StringComparer.Ordinal).OrderByDescending(group => group.Key == "Options");
            foreach (var group in groups)
            {
                Console.Out.WriteLine($"\n{group.Key}:");
                foreach (var option in group)
                {
                    var names = string.Join(", ", [.. option.Aliases.Where(alias => alias.Length == 2), option.Name]);
                    Write(option.HelpName is { } value ? $"{names} <{value}>" : names, option.Description ?? "");
                }
            }
            Console.Out.WriteLine();
        }

        private static void Write(string names, string description)
        {
            var line = $"  {names.PadRight(WidestOption)}  ";
            if (names.Length > WidestOption)
            {
                Console.Out.WriteLine($"  {names}");
                line = new(' ', WidestOption + 4);
            }
            foreach (var word in description.Split(' '))
            {
                if (line.Length + word.Length > Width && line.Trim().Length > 0)
                {
                    Console.Out.WriteLine(line.TrimEnd());
                    line = new(' ', WidestOption + 4);
                }
                line += word + " ";
            }
            Console.Out.WriteLine(line.TrimEnd());
        }
    }
}
