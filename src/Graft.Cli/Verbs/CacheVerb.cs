using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Features;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class CacheVerb
{
    private const int ShownOfKey = 12;

    public static Command Create()
    {
        var command = new Verb(
            "cache",
            "Show, verify or clear the feature cache.",
            "graft cache stats", "graft cache clear --older-than 90") { Stats(), Verify(), Clear() };
        return command;
    }

    private static Verb Stats()
    {
        var json = Terminal.Json();
        var command = new Verb("stats", "Show the cached features of each network, layer and preprocessing, and their size.", "graft cache stats") { json };
        command.SetHandler((parsed, _) =>
        {
            using var cache = Open();
            var contents = cache.Contents();
            if (parsed.GetValue(json))
            {
                Print(new
                {
                    contents.File,
                    contents.FileBytes,
                    contents.LimitBytes,
                    Spaces = contents.Spaces.Select(Described),
                    contents.DamagedFiles,
                });
                return Terminal.Done;
            }
            Console.Out.WriteLine(contents.Spaces.Count == 0 ? "The cache holds no features." : Table(contents.Spaces));
            Terminal.Say($"""

                {contents.File}: {Size(contents.FileBytes)} of at most {Size(contents.LimitBytes)} (GRAFT_CACHE_LIMIT)
                """);
            foreach (var file in contents.DamagedFiles) Terminal.Say($"Set aside because it was damaged: {file}. `graft cache clear` removes it.");
            return Terminal.Done;
        });
        return command;
    }

    private static Verb Verify()
    {
        var json = Terminal.Json();
        var command = new Verb(
            "verify", "Verify the checksums of all cached features; damaged ones are removed and computed again when needed.", "graft cache verify") { json };
        command.SetHandler((parsed, cancellation) =>
        {
            using var cache = Open();
            var check = Terminal.WithProgress(progress => cache.Verify(progress, cancellation));
            var sound = check.Sound.Sum(space => space.Sound);
            if (parsed.GetValue(json)) Print(new { Sound = sound, check.Damaged });
            else Console.Out.WriteLine($"{Count(sound, "feature")} sound, {check.Damaged:N0} damaged{(check.Damaged > 0 ? " and removed" : "")}");
            if (check.Damaged > 0) Terminal.Say("They are computed again when needed. The cause may be a failing disk: check it.");
            return check.Damaged == 0 ? Terminal.Done : Terminal.Failed;
        });
        return command;
    }

    private static Verb Clear()
    {
        var space = new Option<string?>("--space")
        {
            Description = "Only features of this network (resnet50, resnet50.keras), or of the space whose key starts with this",
            HelpName = "NAME",
        };
        var age = new Option<int?>("--older-than") { Description = "Only features that have not been used for this many days", HelpName = "DAYS" };
        var json = Terminal.Json();
        var command = new Verb(
            "clear",
            "Delete cached features, all or some, without confirmation; they can be computed again.",
            "graft cache clear --space resnet50", "graft cache clear --older-than 90") { space, age, json };
        command.SetHandler((parsed, _) =>
        {
            if (parsed.GetValue(age) is < 0) throw new UsageException("Expected --older-than of at least 0 days.");
            DateOnly? usedBefore = parsed.GetValue(age) is { } days
                ? DateOnly.FromDateTime(DateTime.UtcNow).AddDays(-Math.Min(days, 365_000))
                : null;
            using var cache = Open();
            var name = parsed.GetValue(space);
            if (name is not null && !cache.Contents().Spaces.Any(use => IsMeant(use, name)))
                throw new UsageException($"The cache has no features of '{name}'. `graft cache stats` lists what it has.");
            var removed = cache.Clear(name is null ? null : use => IsMeant(use, name), usedBefore);
            if (parsed.GetValue(json)) Print(new { Removed = removed.Select(Described) });
            else if (removed.Count == 0) Console.Out.WriteLine("Nothing to remove.");
            else
            {
                Console.Out.WriteLine(Table(removed));
                Console.Out.WriteLine($"Removed: {Count(removed.Sum(use => use.Images), "feature")}, {Size(removed.Sum(use => use.Bytes))}");
            }
            return Terminal.Done;
        });
        return command;
    }

    private static FeatureCache Open() => FeatureCache.Open(options: FeatureCacheOptions.FromEnvironment() with { Warn = Terminal.Warn });

    private static bool IsMeant(FeatureSpaceUse use, string name) =>
        use.Space.Backbone == name
        || use.Space.Backbone?.Split('.')[0] == name
        || use.Space.Key.StartsWith(name, StringComparison.OrdinalIgnoreCase);

    /// <summary>What was kept, in lines that fit a terminal of 80 columns.</summary>
    private static string Table(IEnumerable<FeatureSpaceUse> uses) => string.Join("\n", uses.Select(use =>
    {
        string[] lines =
        [
            $"{use.Space.Backbone ?? "?"}, {use.Space.Layer ?? "?"}",
            $"{Count(use.Images, "image")} × {(use.Space.Length is { } length ? $"{length:N0}" : "?")} {(use.Precision == FeaturePrecision.Float16 ? "float16" : "float32")}, "
                + $"{Size(use.Bytes)}, last used {use.LastUsed.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}",
            .. (use.Space.Preprocessing ?? "?").Split(" / "),
        ];
        var key = use.Space.Key[..Math.Min(ShownOfKey, use.Space.Key.Length)];
        return string.Join('\n', lines.Select((line, index) => $"{(index == 0 ? key : "").PadRight(ShownOfKey)}  {(index > 2 ? "/ " : "")}{Terminal.OnOneLine(line)}"));
    }));

    private static object Described(FeatureSpaceUse use) => new
    {
        use.Space.Key,
        use.Space.Backbone,
        use.Space.Layer,
        Numbers = use.Space.Length,
        use.Space.Preprocessing,
        use.Precision,
        use.Images,
        use.Bytes,
        use.LastUsed,
    };

    private static void Print(object document) => Console.Out.WriteLine(JsonSerializer.Serialize(document, RunFolder.Json));

    private static string Count(long number, string thing) => $"{number:N0} {thing}{(number == 1 ? "" : "s")}";

    private static string Size(long bytes) => bytes switch
    {
        < 1_000 => $"{bytes} B",
        < 1_000_000 => $"{bytes / 1e3:0.0} kB",
        < 1_000_000_000 => $"{bytes / 1e6:0.0} MB",
        _ => $"{bytes / 1e9:0.00} GB",
    };
}
