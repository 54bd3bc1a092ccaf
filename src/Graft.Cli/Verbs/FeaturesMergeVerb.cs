using System.CommandLine;
using System.Text.Json;
using Graft.Data;
using Graft.Features.Export;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary><c>graft features merge</c>: the parts of a sharded extraction as one table.</summary>
internal static class FeaturesMergeVerb
{
    private const int Shown = 10;

    public static Command Create()
    {
        var parts = new Argument<string[]>("PART") { Description = "The .parquet files that graft features --shard wrote", Arity = ArgumentArity.OneOrMore };
        var output = new Option<string>("--out") { Description = "The .parquet file to write", HelpName = "FILE", Required = true };
        var photos = new Option<string?>("--photos") { Description = "The photos that the parts were made of, to say by name which are missing", HelpName = "DIR" };
        var seed = new Option<int>("--seed") { Description = "As it was for the parts, with --photos", HelpName = "NUMBER", DefaultValueFactory = _ => 1 };
        var allow = new Option<bool>("--allow-missing") { Description = "Write the table although photos are missing" };
        var json = Terminal.Json();
        var command = new Verb(
            "merge", "Join the parts of a sharded extraction into the table that one run would have written.",
            "graft features merge part-*.parquet --out all.parquet") { parts, output, photos, seed, allow, json };
        command.SetHandler((parsed, cancellation) =>
        {
            var file = parsed.GetRequiredValue(output);
            if (FeatureTable.ProblemWith(file) is { } problem) throw new UsageException(problem);
            if (parsed.GetValue(photos) is null && parsed.GetResult(seed) is { Implicit: false }) throw new UsageException("--seed has no effect without --photos.");
            var source = parsed.GetValue(photos) is { } name ? LabeledImages.Load(LabeledPhotos.Existing(name), new() { Seed = parsed.GetValue(seed) }) : null;
            var merged = FeatureMerge.Write(parsed.GetRequiredValue(parts), file, source, parsed.GetValue(allow), cancellation);
            SkippedFiles.Say(merged.Skipped);
            if (merged.Missing > 0) Terminal.Warn($"{merged.Missing:N0} photos are missing.");
            if (merged.Twice.Count > 0)
                Terminal.Warn($"{merged.Twice.Count:N0} photos are in several parts, the same in each, and count once: {string.Join(", ", merged.Twice.Take(Shown))}{(merged.Twice.Count > Shown ? ", …" : "")}");
            Console.Out.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(new { File = file, merged.Images, merged.Shape, merged.Classes, merged.Missing, Twice = merged.Twice.Count, Skipped = merged.Skipped.Count }, RunFolder.Json)
                : $"{file}: {merged.Images:N0} images × {string.Join("×", merged.Shape)} numbers, {merged.Classes.Count} classes");
            return Terminal.Done;
        });
        return command;
    }
}
