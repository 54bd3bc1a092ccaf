using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Data;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class DataSplitVerb
{
    public static Command Create()
    {
        var defaults = new DataSplitOptions();
        var (data, tables) = (LabeledPhotos.Argument(), new LabeledPhotos());
        var into = new Option<string>("--into") { Description = "The new folder or .csv file to write", HelpName = "OUT", Required = true };
        var ratios = new Option<string?>("--ratios")
        {
            Description = "Percentages for train/val or train/val/test; if they sum to less than 100, the rest is left out (default: 60/20/20)",
            HelpName = "60/20/20",
        };
        var counts = new Option<string?>("--counts") { Description = "Images per class instead, for train/val or train/val/test", HelpName = "1000/500/500" };
        var how = new Option<string?>("--as") { Description = "copy, link (hard links, which take no space) or csv (default: copy; csv if OUT ends in .csv)", HelpName = "HOW" };
        how.AcceptOnlyFromAmong("copy", "link", "csv");
        var group = new Option<string?>("--group")
        {
            Description = "Keep photos together whose paths match this pattern with the same text in parentheses, such as 'patient(\\d+)'",
            HelpName = "REGEX",
        };
        var apart = new Option<bool>("--ignore-duplicates")
        {
            Description = "Do not read the photos: duplicates may be separated, and broken files are kept",
        };
        var seed = new Option<int>("--seed") { Description = "Random seed of the split", HelpName = "NUMBER", DefaultValueFactory = _ => defaults.Seed };
        var json = Terminal.Json();
        var command = new Verb(
            "split",
            "Divide photos into training, validation and test sets, stratified by class and reproducible on every machine.",
            "graft data split kaggle/train --into cats_dogs --counts 1000/500/500",
            "graft data split photos --into photos.csv --ratios 40/10/10 --group 'patient(\\d+)'")
            { data, into, ratios, counts, how, group, apart, seed, json };
        tables.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            var (source, target) = (LabeledPhotos.Existing(parsed.GetRequiredValue(data)), parsed.GetRequiredValue(into));
            if (parsed.GetValue(ratios) is not null && parsed.GetValue(counts) is not null) throw new UsageException("Expected --ratios or --counts, found both.");
            var options = defaults with
            {
                Seed = parsed.GetValue(seed),
                GroupPattern = parsed.GetValue(group),
                KeepDuplicatesTogether = !parsed.GetValue(apart),
            };
            if (parsed.GetValue(ratios) is { } shares)
                options = options with { Ratios = Numbers(shares, "--ratios", text => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture)) };
            if (parsed.GetValue(counts) is { } wanted)
                options = options with { Counts = Numbers(wanted, "--counts", text => int.Parse(text, NumberStyles.Integer, CultureInfo.InvariantCulture)) };
            if (options.Problems() is { Count: > 0 } problems) throw new UsageException(string.Join(" ", problems));
            var mode = parsed.GetValue(how) is { } named ? Enum.Parse<SplitMode>(named, ignoreCase: true)
                : Path.GetExtension(target).Equals(".csv", StringComparison.OrdinalIgnoreCase) ? SplitMode.Csv : SplitMode.Copy;
            // Fails before all photos are read.
            SplitWriter.CheckTarget(source, target, mode);

            var photos = tables.Load(source, new() { ValidationShare = 0 }, parsed);
            var split = Terminal.WithProgress(progress =>
            {
                var split = DataSplit.Of(photos, options, progress, cancellation);
                SplitWriter.Write(split, target, mode, progress, cancellation);
                return split;
            });
            foreach (var note in split.Notes) Terminal.Note(note);
            SkippedFiles.Say(split.Skipped);
            if (parsed.GetValue(json)) Console.Out.WriteLine(Json(split, target, options));
            else Print(split, target);
            return Terminal.Done;
        });
        return command;
    }

    private static T[] Numbers<T>(string text, string option, Func<string, T> parse)
    {
        try
        {
            return [.. text.Split('/', ',', ':').Select(parse)];
        }
        catch (Exception problem) when (problem is FormatException or OverflowException)
        {
            throw new UsageException($"Expected {option} with numbers such as 60/20/20, found '{text}'.");
        }
    }

    private static void Print(DataSplit split, string target)
    {
        var columns = split.Parts.Select(part => split.CountsOf(part)).ToList();
        Console.Out.WriteLine(Terminal.Table(
            ["class", .. split.Parts],
            [false, .. columns.Select(_ => true)],
            split.Classes.Select((name, index) => (string[])[name, .. columns.Select(counts => $"{counts[index]:N0}")])
                .Append(["all", .. columns.Select(counts => $"{counts.Sum():N0}")])));
        if (split.KeptTogether > 0) Console.Out.WriteLine($"{split.KeptTogether:N0} images were kept together with others.");
        if (split.LeftOut > 0) Console.Out.WriteLine($"{split.LeftOut:N0} images are left out.");
        Console.Out.WriteLine($"Written to {target}. Next: graft train {target}");
    }

    private static string Json(DataSplit split, string target, DataSplitOptions options) => JsonSerializer.Serialize(
        new
        {
            Into = target,
            options.Seed,
            Parts = split.Parts.ToDictionary(part => part, part => split.CountsOf(part).Sum()),
            Classes = split.Classes.Select((name, index) => new
            {
                Name = name,
                Parts = split.Parts.ToDictionary(part => part, part => split.CountsOf(part)[index]),
            }),
            split.KeptTogether,
            split.LeftOut,
            Skipped = split.Skipped.Count,
            split.Notes,
        },
        RunFolder.Json);
}
